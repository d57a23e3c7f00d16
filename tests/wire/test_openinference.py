"""OpenInference's names, held against its own package, and conversations message by message."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import litellm
import litellm.vector_stores
import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.convention import Vocabulary
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry
from support.conformance import Emitted
from support.conversations import CALLS, TEXTS, TOOLS, conversation, indices, is_openinference_name, rerank
from support.example_call import CALL
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider

CORE = ("usage", "cost", "failure", "target", "call")


def asked(provider: OpenAIProvider, recorder: Recorder, content: str) -> dict[str, object]:
    """The span's attributes after 500 messages."""
    with telling(recorder, content):
        litellm.completion(
            "openai/gpt-4o",
            list(conversation(500)),
            tools=TOOLS,
            api_base=provider.base_url,
            api_key="sk-test",
            litellm_call_id="the-call",
        )
    return attributes_of(recorder.span())


@contextmanager
def telling(recorder: Recorder, content: str, *names: str) -> Iterator[None]:
    """LiteLLM's calls are told there, in the vocabularies of these names, or in all."""
    settings = Settings.from_environment(
        {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": content, "AGENTOPS_METADATA_KEYS": "plan"}
    )
    vocabularies = [VOCABULARIES[name] for name in names or VOCABULARIES]
    own = TRACING.telemetry
    TRACING.telemetry = Telemetry(vocabularies, settings=settings, **recorder.providers)
    try:
        yield
    finally:
        TRACING.telemetry = own


@pytest.mark.parametrize("limit", [None, 64, 1000])
def test_a_long_conversation_evicts_nothing_that_matters(
    provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings, limit: int | None
) -> None:
    """Of 500 messages the end is told one by one, as far as there is room beside all facts: the SDK has none to evict,
    unless there are too many facts already; then those that matter are there.
    """
    provider.script(Script(content=(), tool_calls=CALLS))
    facts = asked(provider, Recorder(), "NO_CONTENT")
    if limit is not None:
        monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", str(limit))
    found = asked(provider, Recorder(), "SPAN_ONLY")
    core = {
        name
        for vocabulary in VOCABULARIES.values()
        for table in vocabulary.tables
        if table.about in CORE
        for name in table.rows
    }
    ids = {"gen_ai.response.id", "llm.response.id", "server.port"}
    known = {name: value for name, value in facts.items() if name not in ids and (limit != 64 or name in core)}
    assert {name: found.get(name) for name in known} == known
    assert len(known) > 20
    assert len(found) <= (limit or 128)
    warnings = logged.take()
    if limit == 64:
        assert len(facts) > 50  # and with what was said in four values, in the conventions' way, there is no more room
        return
    assert warnings == []
    assert found["llm.input_messages.0.message.content"] == "Be brief."
    messages = indices(found, "llm.input_messages")
    assert messages == list(range(len(messages)))
    last = f"llm.input_messages.{messages[-1]}.message"
    assert (found[f"{last}.content"], found[f"{last}.tool_call_id"]) == ("124", "call_124_listen")
    assert indices(found, "llm.output_messages") == [0]
    assert found["llm.output_messages.0.message.tool_calls.1.tool_call.id"] == "call_b"
    assert indices(found, "llm.tools")[0] == 0
    assert len(found) > (limit or 128) - 10  # no more than a message is left out for want of room
    assert len(json.loads(str(found["input.value"]))["messages"]) == 501


def embed(provider: OpenAIProvider, _: WireProvider) -> None:
    litellm.embedding("openai/text-embedding-3-small", TEXTS, api_base=provider.base_url, api_key="sk-test")


def search(_: OpenAIProvider, wire: WireProvider) -> None:
    found = [
        {"file_id": f"f{number}", "filename": "n", "score": 0.5, "content": [{"type": "text", "text": text}]}
        for number, text in enumerate(TEXTS)
    ]
    page = {"object": "vector_store.search_results.page", "search_query": ["Which?"], "data": found}
    wire.reply("/vs_1/search", Reply(body=page))
    litellm.vector_stores.search("vs_1", "Which?", api_base=f"{wire.url}/v1", api_key="sk-test")


# Of what is told one by one of 500: how many of them are, at the default limit. Embedded texts are prompts to AgentOps.
MANY: dict[str, tuple[Callable[[OpenAIProvider, WireProvider], None], dict[str, int]]] = {
    "embeddings": (embed, {"embedding.embeddings": 40}),
    "retrieval": (search, {"retrieval.documents": 20}),
    "rerank": (rerank, {"reranker.input_documents": 20, "reranker.output_documents": 8}),
}


@pytest.mark.parametrize("limit", [None, 64, 1000])
@pytest.mark.parametrize("case", MANY)
def test_many_texts_evict_nothing_that_matters(
    provider: OpenAIProvider, wire: WireProvider, monkeypatch: pytest.MonkeyPatch, case: str, limit: int | None
) -> None:
    """Of 500 texts or documents the first are told one by one, as far as there is room beside all facts."""
    ask, least = MANY[case]
    facts, found = Recorder(), Recorder()
    with telling(facts, "NO_CONTENT"):
        ask(provider, wire)
    if limit is not None:
        monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", str(limit))
        found = Recorder()
    with telling(found, "SPAN_ONLY"):
        ask(provider, wire)
    known, written = attributes_of(facts.span()), attributes_of(found.span())
    own = {"gen_ai.response.id", "llm.response.id", "litellm.call_id"}
    assert {name: written.get(name) for name in known.keys() - own} == {
        name: known[name] for name in known.keys() - own
    }
    assert len(written) <= (limit or 128)
    all_are_told = indices(written, "embedding.embeddings") == list(range(500))
    assert all_are_told or len(written) > (limit or 128) - 4  # no more than a document is left out for want of room
    assert not any("vector" in name for name in written)
    for prefix, count in least.items():
        numbers = indices(written, prefix)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= (0 if limit == 64 else count)
    whole = written["input.value"] if case != "retrieval" else written["output.value"]
    assert TEXTS[-1] in str(whole)


def test_alone_it_says_whose_a_call_is(provider: OpenAIProvider, emitted: Emitted) -> None:
    """Session, user, tags and what is told of metadata, without any other vocabulary, and without what was said."""
    recorder = Recorder()
    with telling(recorder, "NO_CONTENT", "openinference"):
        litellm.completion(
            "openai/gpt-4o",
            [{"role": "user", "content": "canary"}],
            api_base=provider.base_url,
            api_key="sk-test",
            user="ann",
            metadata={
                "session_id": "s-1",
                "tags": ["a", "b"],
                "plan": "gold",
                "note": "canary",
                "user_api_key": "canary",
            }
            | {"user_api_key_team_id": "team"},
        )
    told = attributes_of(recorder.span())
    assert {name: told.get(name) for name in ("session.id", "user.id", "tag.tags", "metadata")} == {
        "session.id": "s-1",
        "user.id": "ann",
        "tag.tags": ("a", "b"),
        "metadata": '{"plan":"gold","team_id":"team"}',
    }
    assert {name for name in told if not is_openinference_name(name)} == set()
    assert "canary" not in recorder.everything()
    recorder.collect()
    assert emitted.take() == [
        "Span 'chat gpt-4o' has no operation, but the kind CLIENT"
    ]  # OpenTelemetry's names are not there


def test_attributes_of_others_keep_their_place(provider: OpenAIProvider, logged: LoggedWarnings) -> None:
    """What a span processor of the app's puts on the span when it starts is not evicted by what is said."""
    marks = {f"app.mark.{number}": "a" for number in range(20)}

    class Marking(SpanProcessor):
        def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
            span.set_attributes(marks)

    provider.script(Script(content=(), tool_calls=CALLS))
    found = asked(provider, Recorder(span_processors=[Marking()]), "SPAN_ONLY")
    assert marks.items() <= found.items()
    assert logged.take() == []


def test_all_vocabularies_together_fit_a_span(provider: OpenAIProvider) -> None:
    """Of an ordinary call, without what was said, they leave room for it."""
    assert len(asked(provider, Recorder(), "NO_CONTENT")) < 90
    general = [VOCABULARIES[name] for name in ("gen_ai", "openinference", "llm", "agentops")]
    assert len(Vocabulary.merged(general).attributes(CALL, 0)) < 255
