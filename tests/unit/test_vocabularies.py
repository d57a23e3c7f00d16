"""Every row of the vocabularies `gen_ai` and `llm`, and their agreement with OpenTelemetry's conventions."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import litellm
import pytest

from agentops_otel_litellm.call import (
    Call,
    Cost,
    Request,
    Response,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.operations import OPERATIONS
from agentops_otel_litellm.semconv import VOCABULARIES, llm
from agentops_otel_litellm.semconv.convention import Attributes, Several, Table, Vocabulary
from agentops_otel_litellm.semconv.gen_ai import EXCEPTION, EXCEPTION_EVENT, provider_name
from support.conformance import PROPOSED, attribute_type
from support.conventions import EVENTS, MEMBERS, TYPES
from support.example_call import ATTEMPT, CALL

WRITTEN: dict[str, Attributes] = {
    "gen_ai": {
        "gen_ai.system_instructions": '[{"type":"text","content":"Be brief."}]',
        "gen_ai.input.messages": (
            '[{"role":"user","parts":[{"type":"uri","modality":"image","uri":"https://example.com/cat"}]}]'
        ),
        "gen_ai.output.messages": (
            '[{"role":"assistant","parts":[{"type":"tool_call","id":"call","name":"look","arguments":{"é":[1]}}],'
            '"finish_reason":"tool_call"}]'
        ),
        "gen_ai.tool.definitions": '[{"type":"function","name":"look","parameters":{"type":"object"}}]',
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 13,
        "gen_ai.request.choice.count": 11,
        "gen_ai.request.temperature": 0.1,
        "gen_ai.request.top_p": 0.2,
        "gen_ai.request.top_k": 12,
        "gen_ai.request.frequency_penalty": 0.3,
        "gen_ai.request.presence_penalty": 0.4,
        "gen_ai.request.stop_sequences": ("a", "b"),
        "gen_ai.request.seed": 14,
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.request.encoding_formats": ("float",),
        "gen_ai.output.type": "json",
        "openai.request.service_tier": "flex",
        # Retrieval.
        "gen_ai.data_source.id": "vs_1",
        "gen_ai.retrieval.top_k": 104,
        "gen_ai.request.previous_response.id": "previous",
        "gen_ai.agent.id": "asst_1",
        # Bedrock
        "aws.bedrock.guardrail.id": "gr1",
        "gen_ai.response.id": "response",
        "gen_ai.response.model": "gpt-4o-2024",
        "gen_ai.response.finish_reasons": ("stop", "stop"),
        "gen_ai.embeddings.dimension.count": 19,
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp",
        "gen_ai.response.status": "completed",
        "gen_ai.response.time_to_first_chunk": 1.1,
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 21,
        "gen_ai.usage.cache_read.input_tokens": 23,
        "gen_ai.usage.cache_write.input_tokens": 24,
        "gen_ai.usage.reasoning.output_tokens": 25,
        "gen_ai.usage.text.input_tokens": 26,
        "gen_ai.usage.image.input_tokens": 27,
        "gen_ai.usage.audio.input_tokens": 28,
        "gen_ai.usage.text.output_tokens": 29,
        "gen_ai.usage.image.output_tokens": 30,
        "gen_ai.usage.audio.output_tokens": 31,
        "gen_ai.usage.cost.amount": 0.5,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "error.type": "RateLimitError",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "gpt-4o",
        "server.address": "example.com",
        "server.port": 443,
        "gen_ai.operation.name": "chat",
        "gen_ai.retrieval.query.text": "Which?\nWhere?",
        "gen_ai.retrieval.documents": (
            '[{"id":"file-1","index":1,"score":0.5,"title":"Rome","uri":"https://example.com","content":"Roma"}]'
        ),
        "session.id": "session",
        "user.id": "user",
        "gen_ai.conversation.id": "conversation",
    },
    "llm": {
        "llm.request.model": "azure/gpt-4o",
        "llm.request.stream": True,
        "llm.request.messages_count": 1,
        "llm.request.messages.system_count": 2,
        "llm.request.messages.developer_count": 3,
        "llm.request.messages.user_count": 4,
        "llm.request.messages.assistant_count": 5,
        "llm.request.messages.tool_count": 6,
        "llm.request.messages.function_count": 7,
        "llm.request.content_length": 8,
        "llm.request.modalities": ("image", "text"),
        "llm.request.inputs_count": 9,
        "llm.request.tools_count": 10,
        "llm.request.tool_choice": "auto",
        "llm.request.temperature": 0.1,
        "llm.request.max_tokens": 13,
        "llm.request.top_p": 0.2,
        "llm.request.dimensions": 15,
        # Retrieval.
        "llm.request.queries_count": 100,
        "llm.request.query_length": 101,
        "llm.request.documents_count": 102,
        "llm.request.document_kind": "document_url",
        "llm.request.pages_count": 103,
        "llm.request.max_results": 104,
        "llm.request.data_source_id": "vs_1",
        # Jobs and stored resources.
        "llm.request.resource_id": "batch_1",
        "llm.request.input_file_id": "file_1",
        "llm.request.files_count": 105,
        "llm.request.file_size": 106,
        "llm.request.endpoint": "/v1/embeddings",
        "llm.request.purpose": "batch",
        "llm.request.completion_window": "24h",
        "llm.request.page_size": 107,
        "llm.request.http_method": "POST",
        "llm.request.previous_response_id": "previous",
        "llm.request.response_id": "stored",
        # images, audio, video
        "llm.request.images_count": 33,
        "llm.request.resolution": "1024x1024",
        "llm.request.quality": "high",
        "llm.request.style": "vivid",
        "llm.request.output_format": "png",
        "llm.request.response_format": "b64_json",
        "llm.request.voice": "alloy",
        "llm.request.speed": 1.25,
        "llm.request.language": "en",
        "llm.request.media_duration": 4.0,
        # agents and decisions
        "llm.request.agent_id": "asst_1",
        "llm.request.questions_count": 42,
        "llm.response.id": "response",
        "llm.response.model": "gpt-4o-2024",
        "llm.response.choices_count": 16,
        "llm.response.finish_reason": "stop",
        "llm.response.content_length": 17,
        "llm.response.tool_calls_count": 18,
        "llm.cache.hit": True,
        "llm.response.request_id": "req-1",
        "litellm.proxy.call_id": "call-1",
        "litellm.proxy.model_id": "deployment-7",
        "litellm.proxy.model_group": "fast",
        "litellm.proxy.provider_address": "eu.example.com",
        "litellm.proxy.response_cost": 0.5,
        "litellm.proxy.key_spend": 4.25,
        "litellm.proxy.key_max_budget": 10.0,
        "litellm.proxy.key_remaining_budget": 5.75,
        "litellm.proxy.attempted_retries": 1,
        "litellm.proxy.attempted_fallbacks": 0,
        # Retrieval.
        "llm.response.results_count": 108,
        "llm.response.search_units": 1.5,
        "llm.response.pages_count": 109,
        # Jobs and stored resources.
        "llm.response.status": "completed",
        "llm.job.status": "validating",
        "llm.response.requests_count": 110,
        "llm.response.requests_completed": 111,
        "llm.response.requests_failed": 112,
        "llm.response.files_count": 113,
        "llm.response.files_completed": 114,
        "llm.response.files_failed": 115,
        "llm.response.size": 116,
        "llm.response.trained_tokens": 117,
        "llm.response.has_more": True,
        "llm.response.deleted": True,
        "llm.response.http_status": 200,
        # images, audio, moderation, video, realtime sessions
        "llm.response.images_count": 35,
        "llm.response.resolution": "1024x1536",
        "llm.response.media_duration": 3.5,
        "llm.response.language": "english",
        "llm.response.words_count": 37,
        "llm.response.segments_count": 38,
        "llm.response.flagged": True,
        "llm.response.flagged_categories": ("hate", "violence"),
        "llm.response.progress": 40,
        "llm.response.turns_count": 41,
        "llm.response.close_code": 1000,
        "llm.response.closed_by": "provider",
        # sandboxes and token counters
        "llm.response.code_failed": True,
        "llm.response.error_length": 43,
        "llm.response.tokens_counted": 44,
        "llm.response.tokenizer": "anthropic_api",
        "llm.response.is_streaming": True,
        "llm.response.stream_outcome": "failed",
        "llm.response.time_to_first_token": 1.2,
        "llm.response.chunk_count": 32,
        "llm.response.chunks_per_second": 1.6,
        "llm.response.tokens_per_second": 1.7,
        "llm.response.stream_duration": 1.4,
        "llm.response.longest_chunk_gap": 1.5,
        "llm.response.chunk_gap_p50": 1.8,
        "llm.response.chunk_gap_p95": 1.9,
        "llm.response.chunk_gap_p99": 2.1,
        "litellm.call_id": "call",
        "litellm.call_type": "acompletion",
        "litellm.model_group": "group",
        "litellm.model_id": "deployment",
        "litellm.cooldown_time": 60.0,
        "llm.retry.count": 2,
        "llm.fallback.used": True,
        "llm.usage.prompt_tokens": 20,
        "llm.usage.completion_tokens": 21,
        "llm.usage.total_tokens": 22,
        "llm.usage.cached_tokens": 23,
        "llm.usage.reasoning_tokens": 25,
        # audio
        "llm.usage.audio_seconds": 3.25,
        "llm.usage.cost": 0.5,
        "agentops.cost.total": 0.5,
        "agentops.cost.source": "litellm",
        "agentops.cost.input": 0.3,
        "agentops.cost.output": 0.15,
        "agentops.cost.tools": 0.05,
        "agentops.cost.cache_read": 0.01,
        "agentops.cost.cache_write": 0.02,
        "agentops.cost.reasoning": 0.04,
        "agentops.cost.price_map": "remote",
        "agentops.cost.price_map_date": "2026-11-23",
        "agentops.trace.cost": 1.25,
        "llm.error.type": "RateLimitError",
        "llm.error.message": "RateLimitError: the rate limit was reached (HTTP 429, azure)",
        "llm.error.category": "rate_limit",
        "llm.error.provider": "azure",
        "llm.error.status_code": 429,
        "llm.error.retry_after": 7.0,
        "llm.error.request_id": "request",
        "litellm.provider": "azure",
        "llm.provider": "azure",
        "llm.vendor": "litellm",
        # LiteLLM's cache
        "llm.cache.partial_hit": True,
        "llm.cache.saved_prompt_tokens": 33,
        "llm.cache.saved_completion_tokens": 34,
        "llm.cache.saved_cost": 0.6,
        "llm.request.inputs": ("one", "two"),
        "llm.request.documents": '[{"content":"Rome"},{"content":{"é":1}}]',
        "litellm.metadata.plan": "gold",
        "litellm.metadata.tags": ("a", "b"),
        "litellm.metadata.user_api_key_alias": "key",
        "litellm.metadata.user_api_key_user_id": "owner",
        "litellm.metadata.team_id": "team",
        "litellm.metadata.team_alias": "team's",
        "litellm.metadata.org_id": "organization",
        "litellm.metadata.org_alias": "organization's",
        "litellm.metadata.project_id": "project",
        "litellm.metadata.project_alias": "project's",
        # estimated usage
        "agentops.usage.estimated.input_tokens": 35,
        "agentops.usage.estimated.output_tokens": 36,
        # Errors
        "llm.error.retryable": True,
    },
}
ROW_OF = {"litellm.metadata.plan": "litellm.metadata"}
"""Attribute → the row that sets it, if the row sets several."""
OUR_NAMESPACES = ("llm.", "litellm.", "agentops.cost.", "agentops.trace.", "agentops.usage.")
OUR_OPERATIONS: frozenset[str] = frozenset(
    {
        "search",
        "count_tokens",
        "create_sandbox",
        "run_code",
        "delete_sandbox",
        "code_interpreter_tool",
        "image_generation",
        "speech",
        "transcription",
        "moderation",
        "realtime",
        "create_realtime_client_secret",
        "create_realtime_transcription_session",
        "realtime_calls",
        "responses_websocket",
    }
)
"""Operations for which the conventions have no name."""


NO_RECORDS = {"name", "operation", "trace_cost", "answered_by_another", "is_inner"}


def test_the_example_call_has_a_value_in_every_field() -> None:
    """A new field of a record needs a value in `tests/support/example_call.py`, with which every row is compared."""
    for record in (
        CALL,
        *(
            getattr(CALL, each.name)
            for each in fields(CALL)
            if each.name not in {"name", "operation", "trace_cost", "answered_by_another", "is_inner"}
        ),
    ):
        assert vars(record).keys() == {each.name for each in fields(record)}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_row_sets_its_attribute(name: str) -> None:
    """For a call with a value in every field, exactly these attributes are set."""
    vocabulary = VOCABULARIES[name]
    assert vocabulary.attributes(CALL) == WRITTEN[name]
    assert sorted(vocabulary) == sorted(ROW_OF.get(each, each) for each in WRITTEN[name])


@pytest.mark.parametrize("name", VOCABULARIES)
def test_unknown_facts_have_no_attribute(name: str) -> None:
    """At the start of a call, only these facts are known."""
    bare = Call(name="chat", operation="chat", target=Target(), timing=Timing(started_at=1))
    known: dict[str, Attributes] = {
        "gen_ai": {"gen_ai.operation.name": "chat"},
        "openinference": {"openinference.span.kind": "LLM"},
        "llm": {"llm.vendor": "litellm"},
        "agentops": {"agentops.span.kind": "llm"},
    }
    assert VOCABULARIES[name].attributes(bare) == known.get(name, {})


def test_gen_ai_names_and_types_are_in_the_conventions() -> None:
    """Each name is in the conventions or in a proposal. Attributes of the type `any` are JSON strings on spans."""
    types = {name: attribute_type(value) for name, value in VOCABULARIES["gen_ai"].attributes(CALL).items()}
    assert types == {name: PROPOSED.get(name) or TYPES[name].replace("any", "string") for name in types}
    assert PROPOSED.keys() <= types.keys()
    assert not PROPOSED.keys() & TYPES.keys()


def test_llm_names_are_in_our_namespaces() -> None:
    """The vocabulary `llm` uses no name or namespace of the conventions."""
    assert [name for name in VOCABULARIES["llm"] if not name.startswith(OUR_NAMESPACES)] == []


def test_the_exception_event_follows_the_conventions() -> None:
    """It has no stack trace, which would quote code and arguments."""
    assert EXCEPTION_EVENT in EVENTS
    assert EXCEPTION.attributes(CALL) == {
        "exception.type": "litellm.exceptions.RateLimitError",
        "exception.message": "RateLimitError: the rate limit was reached (HTTP 429, azure)",
    }
    assert {TYPES[name] for name in EXCEPTION} == {"string"}


def test_attributes_of_an_attempt_event() -> None:
    assert llm.ATTEMPT.attributes(ATTEMPT) == {
        "litellm.attempt.number": 1,
        "litellm.attempt.model": "gpt-4o",
        "litellm.attempt.provider": "azure",
        "litellm.attempt.model_group": "group",
        "litellm.attempt.model_id": "deployment",
        "litellm.attempt.duration": 0.2,
        "litellm.attempt.error.type": "Timeout",
        "litellm.attempt.error.message": "Timeout: no response was received in time (azure)",
    }


def test_operations_have_names_of_the_conventions() -> None:
    """Other operations that call a model are in `OUR_OPERATIONS`."""
    named = {row.name for row in OPERATIONS if row.calls_a_model and row.name}
    assert named <= MEMBERS["gen_ai.operation.name"] | OUR_OPERATIONS


@pytest.mark.parametrize(
    ("litellm_name", "convention_name"),
    [
        (None, None),
        ("openai", "openai"),
        ("text-completion-openai", "openai"),
        ("azure", "azure.ai.openai"),
        ("azure_text", "azure.ai.openai"),
        ("azure_ai", "azure.ai.inference"),
        ("anthropic", "anthropic"),
        ("anthropic_text", "anthropic"),
        ("bedrock", "aws.bedrock"),
        ("bedrock_converse", "aws.bedrock"),
        ("cohere", "cohere"),
        ("cohere_chat", "cohere"),
        ("deepseek", "deepseek"),
        ("gemini", "gcp.gemini"),
        ("groq", "groq"),
        ("mistral", "mistral_ai"),
        ("codestral", "mistral_ai"),
        ("text-completion-codestral", "mistral_ai"),
        ("moonshot", "moonshot_ai"),
        ("perplexity", "perplexity"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("vertex_ai_beta", "gcp.vertex_ai"),
        ("watsonx", "ibm.watsonx.ai"),
        ("watsonx_text", "ibm.watsonx.ai"),
        ("xai", "x_ai"),
        ("ollama", "ollama"),
        ("a provider of the app's", "a provider of the app's"),
    ],
)
def test_providers_have_names_of_the_conventions(litellm_name: str | None, convention_name: str | None) -> None:
    """A provider that the conventions do not know keeps LiteLLM's name."""
    assert provider_name(litellm_name) == convention_name


def test_renamed_providers_of_litellm_have_names_of_the_conventions() -> None:
    """Every provider of the conventions but one is the name of some LiteLLM provider."""
    names = {str(each.value): provider_name(each.value) for each in litellm.LlmProviders}
    renamed = {name for litellm_name, name in names.items() if name != litellm_name}
    assert renamed <= MEMBERS["gen_ai.provider.name"]
    # LiteLLM knows which of Google's endpoints it calls; `gcp.gen_ai` is for an unknown one.
    assert MEMBERS["gen_ai.provider.name"] - set(names.values()) == {"gcp.gen_ai"}


@pytest.mark.parametrize(
    ("litellm_name", "convention_name", "common_reason"),
    [
        ((), None, None),
        (("stop",), ("stop",), "stop"),
        (("length",), ("length",), "length"),
        (("content_filter",), ("content_filter",), "content_filter"),
        (("tool_calls",), ("tool_call",), "tool_calls"),
        (("function_call",), ("tool_call",), "function_call"),
        (("stop", "length"), ("stop", "length"), None),
        (("stop", None), ("stop", "error"), None),
        ((None,), ("error",), None),
    ],
)
def test_finish_reasons(
    litellm_name: tuple[str | None, ...], convention_name: tuple[str, ...] | None, common_reason: str | None
) -> None:
    """`gen_ai` has one for each choice, `llm` has LiteLLM's value if it is the same for all choices."""
    call = replace(CALL, response=Response(finish_reasons=litellm_name))
    assert VOCABULARIES["gen_ai"].attributes(call).get("gen_ai.response.finish_reasons") == convention_name
    assert VOCABULARIES["llm"].attributes(call).get("llm.response.finish_reason") == common_reason
    assert set(convention_name or ()) <= MEMBERS["gen_ai.response.finish_reasons"]


@pytest.mark.parametrize(
    ("request_", "omitted"),
    [
        (Request(stream=False), "gen_ai.request.stream"),
        (Request(choice_count=1), "gen_ai.request.choice.count"),
        (Request(service_tier="auto"), "openai.request.service_tier"),
    ],
    ids=["no stream", "one choice", "any tier"],
)
def test_default_values_that_the_conventions_omit_are_not_set(request_: Request, omitted: str) -> None:
    """The parameter is not set, although the application passed it."""
    assert omitted not in VOCABULARIES["gen_ai"].attributes(replace(CALL, request=request_))


def test_zero_and_false_are_known() -> None:
    """Only unknown values are absent: 0 and false are recorded."""
    call = replace(CALL, request=Request(stream=False, temperature=0.0, seed=0), usage=Usage(input=0, reasoning=0))
    merged = Vocabulary.merged([VOCABULARIES["gen_ai"], VOCABULARIES["llm"]]).attributes(call)
    expected = {
        "llm.request.stream": False,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.seed": 0,
        "gen_ai.usage.input_tokens": 0,
        "llm.usage.reasoning_tokens": 0,
    }
    assert {name: merged.get(name) for name in expected} == expected


def test_merged_vocabularies_set_the_attributes_of_each() -> None:
    """The order of the vocabularies does not matter."""
    all_of_them = tuple(vocabulary.beside_others() for vocabulary in VOCABULARIES.values())
    each = [vocabulary.attributes(CALL) for vocabulary in all_of_them]
    expected = {name: value for attributes in each for name, value in attributes.items()}
    # Attributes that two vocabularies set to the same value.
    shared = {"llm.provider", "gen_ai.request.model", "gen_ai.response.model", "session.id", "user.id"}
    assert len(expected) == sum(map(len, each)) - len(shared)
    for order in (all_of_them, all_of_them[::-1]):
        assert Vocabulary.merged(order).attributes(CALL) == expected


def test_a_vocabulary_replaces_names_of_the_others() -> None:
    """The older names of `gen_ai_older` replace the current ones, and Langfuse's details all names of tokens and cost.
    No vocabulary replaces its own names, or those that AgentOps reads.
    """
    gen_ai, llm, agentops, langfuse, older = (
        VOCABULARIES[name] for name in ("gen_ai", "llm", "agentops", "langfuse", "gen_ai_older")
    )
    newer = {
        *(f"gen_ai.usage.cost.{name}" for name in ("amount", "currency", "source")),
        "gen_ai.usage.cache_write.input_tokens",
    }
    every, with_older = gen_ai.attributes(CALL), Vocabulary.merged([gen_ai, llm, older]).attributes(CALL)
    assert every.keys() - with_older.keys() == newer
    assert with_older["gen_ai.usage.cost"] == every["gen_ai.usage.cost.amount"]
    with_langfuse = Vocabulary.merged([gen_ai, llm, langfuse]).attributes(CALL)
    assert [name for name in with_langfuse if name.startswith("gen_ai.usage.")] == []
    with_agentops = Vocabulary.merged([agentops, langfuse, older])
    assert set(with_agentops) == {*agentops, *langfuse, *older}


def test_the_first_of_merged_vocabularies_decides() -> None:
    """If two vocabularies have the same attribute, the first one sets it."""
    first = Vocabulary(Table(Usage, {"tokens": "input"}))
    second = Vocabulary(Table(Usage, {"tokens": "output", "all": "total"}))
    assert Vocabulary.merged([first, second]).attributes(CALL) == {"tokens": 20, "all": 22}
    assert Vocabulary.merged([second, first]).attributes(CALL) == {"tokens": 21, "all": 22}


def test_a_table_for_some_operations_has_priority_over_a_general_one() -> None:
    """Unless the vocabulary with the general table comes first."""
    some = Vocabulary(Table(Usage, {"tokens": "output"}, of={"chat"}))
    all_ = Vocabulary(Table(Usage, {"tokens": "input"}))
    batch = replace(CALL, name="batch")
    assert [Vocabulary.merged([some, all_]).attributes(call) for call in (CALL, batch)] == [
        {"tokens": 21},
        {"tokens": 20},
    ]
    assert [Vocabulary.merged([all_, some]).attributes(call) for call in (CALL, batch)] == [{"tokens": 20}] * 2


def attributes_about(vocabulary: Vocabulary, about: str) -> set[str]:
    """The attributes for one kind of record."""
    return {name for table in vocabulary.tables if table.about == about for name in table.rows}


def test_the_most_important_attributes_are_set_last() -> None:
    """The SDK evicts the first attributes of a span that has too many: message content, then those of the request."""
    written = list(Vocabulary.merged(tuple(VOCABULARIES.values())).attributes(CALL))
    places = {
        about: [
            written.index(name)
            for each in VOCABULARIES.values()
            for name in attributes_about(each, about)
            if name in written
        ]
        for about in ("request", "response", "usage", "target", "call")
    }
    assert min(places["request"]) > written.index("gen_ai.input.messages") > written.index("input.value")
    for earlier, later in itertools.pairwise(places):
        assert max(places[earlier]) < min(places[later]), later


@pytest.mark.parametrize(
    ("room", "wanted", "written"),
    [(0, 10, (0, 0)), (1, 10, (1, 0)), (8, 10, (4, 4)), (8, 2, (6, 2)), (15, 10, (8, 7)), (100, 10, (10, 10))],
)
def test_rows_of_several_attributes_share_the_limit(room: int, wanted: int, written: tuple[int, int]) -> None:
    """Each row gets what the other does not need, and half of the limit if both need more."""

    def several(most: int) -> Several:
        return Several(lambda _, room: {f"{number}": number for number in range(min(room, most))})

    vocabulary = Vocabulary(Table(Cost, {"first": several(10)}), Table(Usage, {"last": several(wanted)}))
    rows = [name.partition(".")[0] for name in vocabulary.attributes(CALL, room)]
    assert rows == ["first"] * written[0] + ["last"] * written[1]


def test_rows_of_several_attributes_respect_the_limit() -> None:
    """They come before all other attributes, and the other attributes have priority."""
    several = Several(lambda usage, room: {f"{number}.tokens": usage.input for number in range(min(room, 3))})
    vocabulary = Vocabulary(Table(Usage, {"a": several, "b": several, "total": "total"}))
    three = {f"b.{number}.tokens": 20 for number in range(3)}
    assert list(vocabulary.attributes(CALL).items()) == [
        *((name.replace("b", "a"), value) for name, value in three.items()),
        *three.items(),
        ("total", 22),
    ]
    assert vocabulary.attributes(CALL, 5) == {"a.0.tokens": 20, **three, "total": 22}
    assert vocabulary.attributes(CALL, 1) == {"total": 22}
    assert vocabulary.attributes(CALL, 0) == {"total": 22}


def test_a_row_for_an_unknown_field_is_rejected() -> None:
    """The error is raised when the table is created."""
    with pytest.raises(ValueError, match="Usage does not have"):
        Table(Usage, {"tokens": "inputs"})
