"""AgentOps' names: what its backend and its page make of real calls that really crossed the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import litellm
import pytest
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode

from support.agentops_calls import (
    DEFAULT_VOCABULARIES,
    TOKEN_COUNTS,
    AgentOps,
    agentops,  # noqa: F401 - a fixture
    recording_to,
)
from support.api_caller import ApiCaller
from support.apps import MESSAGES, App
from support.conformance import Emitted
from support.conversations import CALLS, TOOLS, conversation
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.releases import STREAMS_NAME_THEIR_MODEL
from support.retrieval_cases import DOCUMENTS, QUERY, RERANK_RESPONSE
from support.routers import FAILURE, call_router, router
from support.servers.agentops_reader import DisplayedSpan, displayed_span, displayed_trace, is_agentops
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.otlp_receiver import OTLPReceiver
from support.servers.wire import Reply, WireProvider
from support.vocabularies import GENERAL_NAMES
from support.wire_formats import respond_everywhere

NOTHING = dict.fromkeys(TOKEN_COUNTS, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A call of OpenAI's, and what is shown of it."""

    function: str = "completion"
    parameters: Mapping[str, object] = field(default_factory=dict)
    script: Script = field(default_factory=Script)
    model: str = "gpt-4o"
    tokens: Mapping[str, int] = field(default_factory=lambda: TOKEN_COUNTS)
    is_priced: bool = True
    prompts: list[tuple[str, str]]
    completions: list[str]


SAID = [("system", "Be brief."), ("user", "Say hello.")]
CHAT: dict[str, object] = {"model": "openai/gpt-4o", "messages": MESSAGES}
IMAGE = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": "https://example.com/cat"}}]
HISTORY = [
    *MESSAGES,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"it"}'}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "A cat."},
]
STORIES = {
    "a chat": Story(parameters=CHAT, prompts=SAID, completions=["Hello, world!"]),
    "a stream": Story(
        parameters={**CHAT, "stream": True, "stream_options": {"include_usage": True}},
        prompts=SAID,
        completions=["Hello, world!"],
    ),
    "several choices": Story(parameters={**CHAT, "n": 2}, prompts=SAID, completions=["Hello, world!"] * 2),
    "tools": Story(
        parameters={**CHAT, "tools": TOOLS[:1]},
        script=Script(content=(), tool_calls=(*CALLS, ("call_c", "smell", ('{"at":', '"it"}')))),
        prompts=SAID,
        completions=["look({})", "listen({})", 'smell({"at":"it"})'],
    ),
    "tools beside a text": Story(
        parameters={**CHAT, "tools": TOOLS[:1]},
        script=Script(content=("Let me see.",), tool_calls=CALLS[:1]),
        prompts=SAID,
        completions=["Let me see.", "look({})"],
    ),
    "what tools gave": Story(
        parameters={**CHAT, "messages": HISTORY},
        prompts=[
            *SAID,
            ("assistant", 'look({"at": "it"})'),
            ("tool", "A cat."),
        ],
        completions=["Hello, world!"],
    ),
    "an image": Story(
        parameters={**CHAT, "messages": [{"role": "user", "content": IMAGE}]},
        prompts=[("user", "What?\n\n![image](https://example.com/cat)")],
        completions=["Hello, world!"],
    ),
    "nothing counted": Story(
        parameters=CHAT,
        script=Script(usage=None),
        tokens=NOTHING,
        is_priced=False,
        prompts=SAID,
        completions=["Hello, world!"],
    ),
    "nothing said": Story(parameters=CHAT, script=Script(content=()), prompts=SAID, completions=[]),
    "a text": Story(
        function="text_completion",
        parameters={"model": "text-completion-openai/gpt-3.5-turbo-instruct", "prompt": "Say hello."},
        model="gpt-3.5-turbo-instruct",
        prompts=[("user", "Say hello.")],
        completions=["Hello, world!"],
    ),
    "embeddings": Story(
        function="embedding",
        parameters={"model": "openai/text-embedding-3-small", "input": ["one", "two"]},
        model="text-embedding-3-small",
        tokens={**NOTHING, "prompt_tokens": 11, "total_tokens": 11},
        prompts=[("user", "one"), ("user", "two")],
        completions=[],
    ),
}


def play(story: Story, provider: OpenAIProvider) -> None:
    provider.script(story.script)
    parameters = {**story.parameters, "api_base": provider.base_url, "api_key": "sk-test"}
    result = getattr(litellm, story.function)(**parameters)
    if parameters.get("stream"):
        list(result)


@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_ONLY"])
@pytest.mark.parametrize("name", STORIES)
def test_what_is_shown_of_a_call(agentops: AgentOps, provider: OpenAIProvider, name: str, mode: str) -> None:
    """Models, tokens and the price, whether what is said is told or not; and, where it is, that."""
    story = STORIES[name]
    with agentops.recording(mode):
        play(story, provider)
    span = agentops.span()
    is_told = mode == "SPAN_ONLY"
    is_named = STREAMS_NAME_THEIR_MODEL or not story.parameters.get("stream")
    read = displayed_span(span.attributes)
    assert replace(read, cost=None) == DisplayedSpan(
        type="request",
        system="openai",
        request_model=story.model,
        response_model=f"{story.model}-2024-08-06" if is_named else "",
        tokens=story.tokens,
        cost=None,
        prompts=story.prompts if is_told else [],
        completions=story.completions if is_told else [],
    )
    assert read.cost == span.attributes.get("gen_ai.usage.cost.amount")
    assert (read.cost is not None) is story.is_priced
    assert (span.status, span.status_message) == ("OK", "")
    assert is_told or not any("Hello" in str(value) or "hello" in str(value) for value in span.attributes.values())


def test_what_is_on_the_wire(agentops: AgentOps, provider: OpenAIProvider) -> None:
    """Numbered from 0 on, each completion from its text on, each call of a tool flat."""
    with agentops.recording("SPAN_ONLY"):
        play(replace(STORIES["tools beside a text"], parameters={**CHAT, "n": 2}), provider)
    span = agentops.span()
    named = {name: value for name, value in span.attributes.items() if is_agentops(name)}
    assert list(named.items())[:18] == [
        ("gen_ai.prompt.0.role", "system"),
        ("gen_ai.prompt.0.content", "Be brief."),
        ("gen_ai.prompt.1.role", "user"),
        ("gen_ai.prompt.1.content", "Say hello."),
        *((f"gen_ai.completion.{number}.{name}", said) for number in (0, 1) for name, said in COMPLETION.items()),
    ]
    costs = {"prompt": "agentops.cost.input", "completion": "agentops.cost.output", "total": "agentops.cost.total"}
    assert dict(list(named.items())[18:]) == {
        "gen_ai.system": "openai",
        **{f"gen_ai.usage.{name}": count for name, count in TOKEN_COUNTS.items()},
        **{
            f"gen_ai.usage.{name}_cost": span.attributes[ours]
            for name, ours in costs.items()
            if ours in span.attributes
        },
    }


COMPLETION = {
    "content": "Let me see.",
    "role": "assistant",
    "finish_reason": "tool_calls",
    "tool_calls.0.id": "call_a",
    "tool_calls.0.type": "function",
    "tool_calls.0.name": "look",
    "tool_calls.0.arguments": "{}",
}


def test_an_error_says_what_it_was(agentops: AgentOps, provider: OpenAIProvider) -> None:
    """In the status, which is all that is shown of it; its model is there, and no tokens."""
    provider.script(FAILURE)
    with agentops.recording("SPAN_ONLY"), pytest.raises(litellm.InternalServerError):
        litellm.completion(**CHAT, api_base=provider.base_url, api_key="sk-test", max_retries=0)
    span = agentops.span()
    message = "InternalServerError: the provider had an internal error (HTTP 500, openai)"
    assert (span.status, span.status_message) == ("ERROR", message)
    read = displayed_span(span.attributes)
    assert (read.request_model, read.tokens, read.cost, read.prompts) == ("gpt-4o", NOTHING, None, SAID)


@pytest.mark.usefixtures("restored_callbacks")
def test_what_the_cache_answers_costs_nothing(
    agentops: AgentOps, provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown as a call that took no tokens and cost 0, as told and not as AgentOps would price it."""
    monkeypatch.setattr(litellm, "cache", litellm.Cache(type="local"))  # type: ignore[arg-type]  # LiteLLM's own name
    with agentops.recording("SPAN_ONLY"):
        for _ in range(2):
            litellm.completion(**CHAT, api_base=provider.base_url, api_key="sk-test", caching=True)
    assert len(provider.ledger) == 1
    spans = agentops.receiver.wait_for_spans(2)
    asked, answered = (displayed_span(span.attributes) for span in spans)
    assert asked.tokens == TOKEN_COUNTS
    assert (answered.tokens, answered.cost) == (NOTHING, 0.0)
    assert answered.completions == asked.completions == ["Hello, world!"]


SAY = [{"role": "user", "content": "Say hello."}]
APIS: dict[str, tuple[str, dict[str, object], str, str]] = {
    "responses": ("responses", {"model": "openai/gpt-4o", "input": "Say hello."}, "openai", "gpt-4o"),
    "messages": (
        "messages",
        {"model": "anthropic/claude-sonnet-4-6", "messages": SAY, "max_tokens": 64},
        "anthropic",
        "claude-sonnet-4-6",
    ),
    "generate_content": (
        "generate_content",
        {"model": "gemini/gemini-2.5-flash", "contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]},
        "gcp.gemini",
        "gemini-2.5-flash",
    ),
}


@pytest.mark.parametrize("name", APIS)
def test_other_apis_are_shown_alike(agentops: AgentOps, wire: WireProvider, name: str) -> None:
    """Whether the provider adds its tokens up, as OpenAI and Google do, or not."""
    function, parameters, system, model = APIS[name]
    if function == "generate_content":
        pytest.importorskip("litellm.types.google_genai.main", reason="this LiteLLM has no generateContent")
    respond_everywhere(wire)
    with agentops.recording("SPAN_ONLY"):
        ApiCaller(wire=wire, asynchronous=True).call(function, **parameters)
    attributes = agentops.span().attributes
    read = displayed_span(attributes)
    assert (read.type, read.system, read.request_model) == ("request", system, model)
    assert (read.prompts, read.completions) == ([("user", "Say hello.")], ["Hello, world!"])
    tokens = {name: read.tokens[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    assert tokens == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    assert read.cost == attributes.get("gen_ai.usage.cost.amount")


def test_a_reranking_is_bought_too(agentops: AgentOps, wire: WireProvider) -> None:
    """It has a price and a query, and no tokens."""
    wire.reply("/rerank", Reply(body={**RERANK_RESPONSE, "meta": {"billed_units": {"search_units": 2}}}))
    asked = {"model": "cohere/rerank-english-v3.0", "query": QUERY, "documents": DOCUMENTS}
    with agentops.recording("SPAN_ONLY"):
        litellm.rerank(**asked, api_key="sk-test", api_base=f"{wire.url}/v1/rerank")
    read = displayed_span(agentops.span().attributes)
    assert (read.tokens, read.prompts) == (NOTHING, [("user", QUERY)])
    assert read.cost


def test_what_is_free_is_no_call_of_a_model(agentops: AgentOps, wire: WireProvider) -> None:
    """It went well, and has none of the names."""
    wire.reply("/files", Reply(body={"object": "list", "data": [], "has_more": False}))
    with agentops.recording("SPAN_ONLY"):
        litellm.file_list("openai", api_base=wire.url, api_key="sk-test")
    (span,) = agentops.spans()
    assert (span.status, span.attributes["agentops.span.kind"]) == ("OK", "operation")
    assert [name for name in span.attributes if is_agentops(name)] == []


@pytest.mark.usefixtures("restored_callbacks")
def test_a_fallback_is_counted_once(agentops: AgentOps, provider: OpenAIProvider, app: App) -> None:
    """A route is no model's call; one span beneath it for each deployment; their tokens and costs are the trace's."""
    provider.scripts([FAILURE])
    with agentops.recording("SPAN_ONLY"), agentops.provider.get_tracer("the app").start_as_current_span("answer"):
        app.run(call_router(app, router(provider, fallbacks=[{"fast": ["slow"]}])))
    spans = agentops.receiver.wait_for_spans(4)
    ours = [span for span in spans if span.name != "answer"]
    assert sorted((span.name, span.status, span.attributes["agentops.span.kind"]) for span in ours) == [
        ("chat gpt-4.1", "OK", "llm"),
        ("chat gpt-4o", "ERROR", "llm"),
        ("route fast", "OK", "operation"),
    ]
    (route,) = (span for span in spans if span.name == "route fast")
    assert [name for name in route.attributes if name.startswith("gen_ai.")] == []
    read = displayed_trace(spans)
    assert (read.name, read.status, read.calls, read.tokens) == ("answer", "OK", 2, 18)
    (cost,) = (displayed_span(span.attributes).cost for span in ours if span.name == "chat gpt-4.1")
    assert read.cost == cost


def test_a_batch_is_counted_once(agentops: AgentOps, provider: OpenAIProvider) -> None:
    """Nor is what is around several calls at once."""
    with agentops.recording("SPAN_ONLY"):
        litellm.batch_completion(
            model="openai/gpt-4o", messages=[MESSAGES, MESSAGES], api_base=provider.base_url, api_key="sk-test"
        )
    spans = agentops.receiver.wait_for_spans(3)
    read = displayed_trace(spans)
    assert (read.status, read.calls, read.tokens) == ("OK", 2, 36)
    (batch,) = (span for span in spans if span.name.startswith("batch_completion"))
    assert batch.attributes["agentops.span.kind"] == "operation"
    assert [name for name in batch.attributes if is_agentops(name)] == []


@pytest.mark.parametrize(
    ("names", "limit", "least"),
    [
        pytest.param(DEFAULT_VOCABULARIES, 40, 0, id="no room"),
        pytest.param(DEFAULT_VOCABULARIES, 100, 4, id="little room"),
        pytest.param(DEFAULT_VOCABULARIES, None, 10, id="the usual room"),
        pytest.param(DEFAULT_VOCABULARIES, 1000, 150, id="much room"),
        pytest.param(GENERAL_NAMES, None, 3, id="room that is shared"),
        pytest.param(GENERAL_NAMES, 1000, 80, id="much room that is shared"),
    ],
)
def test_a_long_conversation_is_shown_as_far_as_it_fits(  # noqa: PLR0913, PLR0917 - a table's columns
    monkeypatch: pytest.MonkeyPatch,
    provider: OpenAIProvider,
    logged: LoggedWarnings,
    names: tuple[str, ...],
    limit: int | None,
    least: int,
) -> None:
    """Of 500 messages those at the end are shown, from 0 on and without a gap, and the tokens and the price in any
    case: where there are as many facts as attributes, nothing of what was said is there.
    """
    provider.script(Script(content=(), tool_calls=CALLS))
    if limit is not None:
        monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", str(limit))
    with OTLPReceiver() as receiver:
        exporting = TracerProvider(shutdown_on_exit=False)
        exporting.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.endpoint}/v1/traces")))
        agentops = AgentOps(receiver=receiver, provider=exporting)
        with agentops.recording("SPAN_ONLY", names):
            litellm.completion(
                "openai/gpt-4o", [*conversation(500)], tools=TOOLS, api_base=provider.base_url, api_key="sk-test"
            )
        span = agentops.span()
        exporting.shutdown()
    assert len(span.attributes) <= (limit or 128)
    read = displayed_span(span.attributes)
    assert (read.type, read.system, read.request_model, read.tokens) == ("request", "openai", "gpt-4o", TOKEN_COUNTS)
    assert read.cost == span.attributes["gen_ai.usage.cost.amount"]
    assert span.status == "OK"
    assert len(read.prompts) >= least
    warnings = logged.take()
    if least:
        assert warnings == []
        assert read.completions == ["look({})", "listen({})"]
        assert (read.prompts[0], read.prompts[-1]) == (("system", "Be brief."), ("tool", "124"))
    else:
        assert (read.prompts, read.completions) == ([], [])


class Failing(SpanProcessor):
    """An app's, which knows better how a call went."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
        span.set_status(Status(StatusCode.ERROR, "the app's"))


@pytest.mark.parametrize(
    ("names", "processors", "status"),
    [
        (("gen_ai", "llm"), [], "UNSET"),
        (("gen_ai", "llm", "openinference"), [], "UNSET"),
        (("gen_ai", "agentops"), [], "OK"),
        (GENERAL_NAMES, [], "OK"),
        (("gen_ai", "agentops"), [Failing()], "ERROR"),
    ],
)
def test_success_is_told_where_agentops_names_are(
    provider: OpenAIProvider, emitted: Emitted, names: tuple[str, ...], processors: list[SpanProcessor], status: str
) -> None:
    """The others leave it to the app; what the app has said holds."""
    recorder = Recorder(span_processors=processors)
    with recording_to("NO_CONTENT", names, recorder.tracer_provider):
        play(STORIES["a chat"], provider)
    assert recorder.span().status.status_code.name == status
    emitted.take() if processors else None  # for the conventions, what has failed has an error.type
