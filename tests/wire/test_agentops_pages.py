"""What AgentOps' pages display of calls, by the rules of its collector, its API and its web pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import litellm
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.exporters.agentops import ErrorTexts
from agentops_otel_litellm.exporters.agentops_copies import SpanCopies
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.version import SCOPE
from support import releases, wire_formats
from support.agentops_pages_app import Pages, pages_of
from support.apps import MESSAGES
from support.recorder import attributes_of
from support.routers import router
from support.servers.agentops_pages import PRICES, page_span
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider, events
from support.servers.wires import Completion
from support.soak_apis import APIS, Api

CONTENT = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}


@pytest.fixture
def agentops(monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentOpsPlatform]:
    """The platform, set in the environment."""
    with AgentOpsPlatform() as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        yield server


@pytest.fixture
def pages(agentops: AgentOpsPlatform) -> Iterator[Pages]:
    """AgentOps, with content."""
    with pages_of(agentops, CONTENT) as found:
        yield found


def chat(provider: OpenAIProvider, **parameters: object) -> Any:  # noqa: ANN401 - a response, or a list of chunks
    given: dict[str, Any] = {"model": "openai/gpt-4o", "messages": MESSAGES, "max_retries": 0, **parameters}
    result = litellm.completion(**given, api_base=provider.base_url, api_key="sk-test")
    return list(result) if parameters.get("stream") else result


def play(api: Api, wire: WireProvider) -> None:
    """Make the call of an API, and read its stream."""
    function = api.callable(asynchronous=True)
    if function is None:
        pytest.skip("this LiteLLM does not have the function")
    wire.reply("", api.reply)

    async def call() -> None:
        result = await function(**api.parameters, **api.connection(wire.url), max_retries=0, timeout=30)
        if hasattr(type(result), "__anext__"):
            async for _ in result:
                pass

    asyncio.run(call())


# --- every API ---------------------------------------------------------------------------------------------


UNCOUNTED = {"chat of cohere/command-r-08-2024 streamed"}
"""Streams whose usage LiteLLM does not pass on."""


@pytest.mark.usefixtures("restored_callbacks")
@pytest.mark.parametrize("api", APIS, ids=[api.name for api in APIS])
def test_figures_are_those_of_the_provider(pages: Pages, wire: WireProvider, api: Api) -> None:
    """Tokens, cost, model and content of each API are displayed as they are on the span that other exporters receive.
    Chats of all providers count the same tokens.
    """
    play(api, wire)
    (span,) = pages.spans_of_others()
    known = attributes_of(span)
    (page,) = pages.spans()
    assert page.name == span.name
    counts = {name: known.get(f"gen_ai.usage.{name}") for name in ("input_tokens", "output_tokens")}
    assert (page.tokens["prompt_tokens"], page.tokens["completion_tokens"]) == tuple(
        count or 0 for count in counts.values()
    )
    if api.name.startswith("chat of") and api.name not in UNCOUNTED:
        completion = Completion(model="")
        assert page.tokens["total_tokens"] == completion.input + completion.output
    elif (
        page.label == "llm"
        and api.name not in UNCOUNTED
        and ("completion_tokens" in str(api.reply) or "input_tokens" in str(api.reply))
    ):
        assert page.tokens["total_tokens"]
    cost = Decimal(str(known.get("gen_ai.usage.cost.amount", 0)))
    assert abs(page.cost - cost) < Decimal("1e-12")
    assert abs(pages.project().cost - cost) < Decimal("1e-9")
    assert (page.label == "llm") is (known["agentops.span.kind"] == "llm" or api.name == "moderation")
    if page.label != "llm":
        return
    messages = json.loads(str(known.get("gen_ai.output.messages", "[]")))
    texts = [part["content"] for message in messages for part in message["parts"] if part["type"] == "text"]
    assert set(texts) <= {text for each in page.completions for text in (each, *each.split("\n\n"))}
    asked = json.loads(str(known.get("gen_ai.input.messages", "[]")))
    assert len(page.prompts) >= len(asked)
    if known.get("gen_ai.request.model"):
        assert page.model == (known.get("gen_ai.response.model") or known["gen_ai.request.model"])


# --- 1, 5: kind and name -----------------------------------------------------------------------------------


def test_every_span_has_a_kind(pages: Pages, provider: OpenAIProvider) -> None:
    """A span without attributes has none of its own. The pages of its trace would fail."""
    with pages.tracer.start_as_current_span("plan"):
        chat(provider)
    assert [(span.name, span.kind, span.label) for span in pages.spans()] == [
        ("plan", "operation", "operation"),
        ("chat gpt-4o", "llm", "llm"),
    ]
    assert [dict(span.attributes or {}) for span in pages.spans_of_others() if span.name == "plan"] == [{}]


@pytest.mark.parametrize("model", ["openai/gpt-4.1", "openai/gemini-2.5-flash"])
def test_names_are_displayed_whole(pages: Pages, provider: OpenAIProvider, model: str) -> None:
    """Also with a dot in the model's name, with content and without, and in the list of traces."""
    chat(provider, model=model)
    name = f"chat {model.removeprefix('openai/')}"
    assert (pages.call().name, pages.rows()[0].name) == (name, name)
    assert [span.name for span in pages.spans_of_others()] == [name]


def test_a_name_is_the_preview_without_content(agentops: AgentOpsPlatform, provider: OpenAIProvider) -> None:
    with pages_of(agentops, {}) as pages:
        chat(provider, model="openai/gpt-4.1")
        assert (pages.call().preview, pages.call().prompts, pages.call().completions) == ("chat gpt-4.1", [], [])


# --- 4: cost -------------------------------------------------------------------------------------------------


def cost_of(span: ReadableSpan) -> Decimal:
    return Decimal(str(attributes_of(span)["gen_ai.usage.cost.amount"]))


def test_the_cost_of_a_project_is_the_sum_of_its_calls(pages: Pages, provider: OpenAIProvider) -> None:
    """Although the collector has a price of the model, AgentOps' total ignores total costs, and cached tokens are
    cheaper than AgentOps assumes.
    """
    assert "gpt-4o-2024-08-06" in PRICES
    for model in ("openai/gpt-4o", "openai/gpt-4.1", "openai/gpt-4o-mini"):
        chat(provider, model=model)
    litellm.embedding("openai/text-embedding-3-small", ["one"], api_base=provider.base_url, api_key="sk-test")
    costs: list[Decimal] = [
        Decimal(str(attributes_of(span)["gen_ai.usage.cost.amount"])) for span in pages.spans_of_others()
    ]
    assert len(costs) == 4
    assert 0 not in costs
    assert abs(pages.project().cost - sum(costs, Decimal(0))) < Decimal("1e-12")
    assert abs(sum((row.cost for row in pages.rows()), Decimal(0)) - sum(costs, Decimal(0))) < Decimal("1e-12")


def test_a_total_without_a_split_counts(pages: Pages, wire: WireProvider) -> None:
    """A reranking has a price for each search."""
    play(next(api for api in APIS if api.name == "rerank"), wire)
    (span,) = pages.spans_of_others()
    total = cost_of(span)
    assert total
    assert (pages.call().cost, pages.project().cost) == (total, total)


def test_an_unknown_cost_is_left_to_agentops(pages: Pages, provider: OpenAIProvider) -> None:
    """The names of the model that AgentOps uses to look up a price are unchanged."""
    chat(provider, model="openai/unknown", custom_llm_provider="openai")
    (span,) = pages.received()
    assert "gen_ai.usage.total_cost" not in span.attributes
    assert span.attributes["gen_ai.request.model"] == "unknown"
    assert span.attributes["gen_ai.response.model"] == "unknown-2024-08-06"


# --- 3: long conversations -----------------------------------------------------------------------------------


def conversation(length: int, text: str = "") -> list[dict[str, str]]:
    roles = ("assistant", "user")
    return [
        {"role": "system", "content": "Be brief."},
        *({"role": roles[number % 2], "content": f"message {number} {text}"} for number in range(1, length)),
    ]


@pytest.mark.parametrize("length", [42, 500])
def test_a_long_conversation_arrives_whole(pages: Pages, provider: OpenAIProvider, length: int) -> None:
    """The SDK keeps 128 attributes. The span has its content once, in two attributes."""
    messages = conversation(length)
    chat(provider, messages=messages)
    expected = [(message["role"], message["content"]) for message in messages]
    assert pages.call().prompts == expected
    assert pages.call().completions == ["Hello, world!"]
    (span,) = pages.spans_of_others()
    assert len(attributes_of(span)) < 128
    assert [name for name in attributes_of(span) if name.startswith(("gen_ai.prompt", "gen_ai.completion"))] == []
    (received,) = pages.received()
    assert [name for name in received.attributes if name.endswith("put.messages")] == []


def test_the_page_says_how_many_messages_the_limit_leaves_out(
    agentops: AgentOpsPlatform, provider: OpenAIProvider
) -> None:
    """The limit of content is the user's. The instructions and the latest messages are displayed."""
    with pages_of(agentops, {**CONTENT, "AGENTOPS_CONTENT_CALL_LIMIT": "400"}) as pages:
        chat(provider, messages=conversation(500))
        prompts = pages.call().prompts
    shown = [text for _, text in prompts if text.startswith("message ") and "left out]" not in text]
    (mark,) = (text for role, text in prompts if role == "omitted")
    left_out = int("".join(filter(str.isdigit, mark)))
    single_marks = sum("left out]" in text for role, text in prompts if role != "omitted")
    assert prompts[0] == ("system", "Be brief.")
    assert prompts[-1] == ("user", "message 499 ")
    assert 1 + len(shown) + single_marks + left_out == 500


def test_messages_that_the_sdk_has_cut_are_displayed_as_far_as_they_go() -> None:
    """With a maximum length of attributes, the JSON of the messages ends anywhere."""
    messages = [{"role": "user", "parts": [{"type": "text", "content": f"message {number}"}]} for number in range(9)]
    text = json.dumps(messages)
    for length in range(2, len(text)):
        copy = SpanCopies(Settings()).copy(
            ReadableSpan(
                "chat",
                attributes={"gen_ai.operation.name": "chat", "gen_ai.input.messages": text[:length]},
            )
        )
        prompts = {name: value for name, value in (copy.attributes or {}).items() if name.endswith(".content")}
        *shown, mark = prompts.values()
        assert shown == [f"message {number}" for number in range(len(shown))]
        assert mark == "… [the rest is left out: it exceeds the maximum length of an attribute]"


# --- 6: tool calls -----------------------------------------------------------------------------------------


CALLS = (("1", "get_weather", ('{"city":', ' "Oslo"}')), ("2", "get_time", ("{}",)))


def test_tool_calls_are_the_preview(pages: Pages, provider: OpenAIProvider) -> None:
    """Not the system prompt, which AgentOps displays if the completion has no content."""
    provider.script(Script(content=(), tool_calls=CALLS))
    chat(provider)
    page = pages.call()
    assert page.preview == 'get_weather({"city": "Oslo"})\nget_time({})'
    assert page.completions[1:] == ['get_weather({"city":"Oslo"})', "get_time({})"]


def test_a_preview_with_a_dot_is_not_cut(pages: Pages, provider: OpenAIProvider) -> None:
    """AgentOps cuts it at its last dot."""
    provider.script(Script(content=(), tool_calls=(("1", "get_weather", ('{"latitude": 59.91}',)),)))
    chat(provider)
    assert pages.call().preview == 'get_weather({"latitude": 59.91})'


def test_tools_over_20_turns(pages: Pages, provider: OpenAIProvider) -> None:
    """Each request has the earlier tool calls and their results as text; tokens and costs are summed."""
    messages: list[dict[str, Any]] = [*MESSAGES]
    for turn in range(20):
        provider.script(Script(content=(), tool_calls=((f"call_{turn}", "look", (f'{{"at": {turn}}}',)),)))
        answer = chat(provider, messages=messages).choices[0].message
        messages += [answer.model_dump(exclude_none=True)]
        messages += [{"role": "tool", "tool_call_id": f"call_{turn}", "content": f"result {turn}"}]
    spans = pages.spans()
    assert [span.preview for span in spans] == [f'look({{"at": {turn}}})' for turn in range(20)]
    tools = [(role, text) for role, text in spans[-1].prompts if role in {"assistant", "tool"}]
    assert tools == [
        each for turn in range(19) for each in (("assistant", f'look({{"at": {turn}}})'), ("tool", f"result {turn}"))
    ]
    assert (
        pages.project().tokens
        == 20 * 18
        == sum(int(str(each.usage["total_tokens"])) for each in provider.ledger if each.usage)
    )


# --- 8: media, rankings, search results, moderation ----------------------------------------------------------


def test_media_are_readable(pages: Pages, provider: OpenAIProvider) -> None:
    """An image with a URL is Markdown; other media are placeholders without their bytes."""
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
        {"type": "input_audio", "input_audio": {"data": "aGVsbG8=", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    chat(provider, messages=[{"role": "user", "content": parts}])
    ((role, text),) = pages.call().prompts
    assert role == "user"
    assert text.split("\n\n") == [
        "What is it?",
        "![image](https://example.com/cat.png)",
        "[image/png, 8 characters of base64]",
        "[audio/wav, 8 characters of base64]",
        "[document file-1]",
    ]


REFUSED = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_refusal_is_content(pages: Pages, wire: WireProvider, streamed: bool) -> None:  # noqa: FBT001 - a parameter
    """It is displayed, and other exporters receive it as well. (Of a stream, LiteLLM passes on the first fragment.)"""
    body = wire_formats.chat()
    shared = {**body, "object": "chat.completion.chunk", "choices": []}
    first = {**shared, "choices": [{"index": 0, "delta": REFUSED, "finish_reason": None}]}
    end = {**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    plain = Reply(body={**body, "choices": [{"index": 0, "finish_reason": "stop", "message": REFUSED}]})
    wire.reply("/chat/completions", Reply(pieces=events(first, end, "[DONE]")) if streamed else plain)
    result = litellm.completion("openai/gpt-4o", MESSAGES, api_base=wire.url, api_key="sk-test", stream=streamed)
    if streamed:
        list(result)
    assert pages.call().completions == ["I cannot help with that."]
    (span,) = pages.spans_of_others()
    (message,) = json.loads(str(attributes_of(span)["gen_ai.output.messages"]))
    assert message["parts"] == [{"type": "refusal", "content": "I cannot help with that."}]


SCORE = " (score 1)" if releases.SEARCHES_HAVE_SCORES else ""
COMPLETIONS = {
    "rerank": "1. Oslo (score 0.9)\n2. Rome (score 0.2)",
    "search": "\n".join(f"{number}. [a title](https://example.com): a text{SCORE}" for number in (1, 2)),
    "vector_stores.search": "1. file-1: Rome. (score 0.9)",
    "moderation": "flagged: violence",
}


@pytest.mark.parametrize("name", COMPLETIONS)
def test_results_are_completions(pages: Pages, wire: WireProvider, name: str) -> None:
    play(next(api for api in APIS if api.name == name), wire)
    assert pages.call().completions == [COMPLETIONS[name]]
    assert pages.call().preview


# --- 11: tags, counts ----------------------------------------------------------------------------------------


def test_tags_are_on_every_span(
    agentops: AgentOpsPlatform, provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the tags that the application has set on a span."""
    monkeypatch.setenv("AGENTOPS_DEFAULT_TAGS", "nightly,eu")
    with pages_of(agentops, CONTENT) as pages:
        with pages.tracer.start_as_current_span("root", attributes={"agentops.tags": ("mine", "eu")}):
            chat(provider)
        tags = {span.name: span.attributes["agentops.tags"] for span in pages.received()}
    assert tags == {"root.operation": ["mine", "eu", "nightly"], "chat gpt-4o.llm": ["nightly", "eu"]}


@pytest.mark.parametrize(
    ("count", "expected"), [(11.0, 11), (11.5, None), (True, None), (-1, None), ("11", 11), ("x", None)]
)
def test_counts_are_integers(pages: Pages, count: str | float, expected: int | None) -> None:
    """AgentOps has no page for a trace with any other count, so it is left out."""
    usage = {"gen_ai.usage.input_tokens": count, "gen_ai.usage.output_tokens": 7}
    pages.tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", **usage}).end()
    (span,) = pages.received()
    assert span.attributes.get("gen_ai.usage.prompt_tokens") == expected
    assert page_span(span).tokens["prompt_tokens"] == (expected or 0)
    assert page_span(span).tokens["total_tokens"] == 7 + (expected or 0)


# --- 11: the Router ------------------------------------------------------------------------------------------


def routed(pages: Pages, provider: OpenAIProvider, *statuses: int, **settings: object) -> None:
    """Call a Router, whose deployments respond with these statuses."""
    provider.scripts([Script(status=status) for status in statuses])
    target = router(provider, **settings)
    with pages.tracer.start_as_current_span("answer"):
        if 200 in statuses:
            target.completion(model="fast", messages=MESSAGES)
        else:
            with suppress(litellm.InternalServerError):
                target.completion(model="fast", messages=MESSAGES)


@pytest.mark.usefixtures("restored_callbacks")
@pytest.mark.parametrize(
    ("statuses", "settings"),
    [((500, 200), {"fallbacks": [{"fast": ["slow"]}]}), ((500, 500, 200), {"num_retries": 2, "retry_after": 0})],
    ids=["fallback", "retries"],
)
def test_a_trace_with_a_successful_fallback_has_not_failed(
    pages: Pages, provider: OpenAIProvider, statuses: tuple[int, ...], settings: dict[str, Any]
) -> None:
    """The failed call is displayed with its error. Other exporters receive it as a failed one."""
    routed(pages, provider, *statuses, **settings)
    failed = [span for span in pages.spans() if span.status == "UNSET"]
    assert len(failed) == len(statuses) - 1
    error = "InternalServerError: the provider had an internal error (HTTP 500, openai): The server had an error"
    for span in failed:
        assert (span.kind, span.name) == ("llm", "chat gpt-4o")
        assert span.preview.startswith(f"Failed, and the Router made another call: {error}")
    (row,) = pages.rows()
    assert (row.has_failed, row.model_calls, row.name) == (False, len(statuses), "answer")
    project = pages.project()
    assert (project.failed_traces, project.indeterminate_traces, project.tokens) == (0, 0, 18)
    others = [span.status.status_code.name for span in pages.spans_of_others() if span.name.startswith("chat")]
    assert sorted(others) == ["ERROR"] * len(failed) + ["OK"]


@pytest.mark.usefixtures("restored_callbacks")
def test_a_trace_without_a_successful_call_has_failed(pages: Pages, provider: OpenAIProvider) -> None:
    routed(pages, provider, 500, 500, fallbacks=[{"fast": ["slow"]}])
    assert [span.status for span in pages.spans()] == ["OK", "ERROR", "ERROR", "ERROR"]
    assert (pages.rows()[0].has_failed, pages.project().failed_traces) == (True, 1)


def test_a_failed_call_is_not_lost_if_its_route_does_not_end(pages: Pages) -> None:
    """A flush delivers it as failed. A failed call that has no parent is delivered at once."""
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    tracer = pages.provider.get_tracer(SCOPE)
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "litellm.model_id": "fast-1"}
    span = tracer.start_span("chat", set_span_in_context(NonRecordingSpan(context)), attributes=attributes)
    span.set_status(Status(StatusCode.ERROR, "no answer"))
    span.end()
    other = tracer.start_span("chat", attributes=attributes)
    other.set_status(Status(StatusCode.ERROR, "no answer"))
    other.end()
    assert len(pages.platform.spans) == 1
    assert [each.status for each in pages.received()] == ["ERROR"] * 2


# --- 7: spans of other libraries -----------------------------------------------------------------------------


def test_a_tool_of_another_library(pages: Pages) -> None:
    """It is no call of a model, and has its name, arguments and result."""
    pages.tracer.start_span(
        "execute_tool get_weather",
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": '{"city": "Oslo"}',
            "gen_ai.tool.call.result": "Rain.",
        },
    ).end()
    (page,) = pages.spans()
    assert (page.name, page.kind, page.preview) == ("execute_tool get_weather", "tool", "get_weather")
    assert page.tool == {"name": "get_weather", "parameters": '{"city": "Oslo"}', "result": "Rain."}
    assert pages.rows()[0].model_calls == 0


QUESTION = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}])
ANSWER = json.dumps(
    [{"role": "assistant", "parts": [{"type": "text", "content": "In Oslo."}], "finish_reason": "stop"}]
)
AGENT: dict[str, AttributeValue] = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "Planner",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.input.messages": QUESTION,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
}
CHAT: dict[str, AttributeValue] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
    "gen_ai.input.messages": QUESTION,
    "gen_ai.output.messages": ANSWER,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.usage.cache_read.input_tokens": 4,
}


def test_an_agent_of_another_library(pages: Pages) -> None:
    """Its tokens are those of its calls, which are counted once."""
    with pages.tracer.start_as_current_span("invoke_agent Planner", attributes=AGENT):
        pages.tracer.start_span("chat gpt-4o", kind=SpanKind.CLIENT, attributes=CHAT).end()
    agent, call = pages.spans()
    assert (agent.name, agent.kind, agent.preview) == ("invoke_agent Planner", "agent", "Where is it?")
    assert (call.kind, call.prompts) == ("llm", [("system", "Be brief."), ("user", "Where is it?")])
    assert (call.completions, call.preview, call.model) == (["In Oslo."], "In Oslo", "gpt-4o-2024-08-06")
    assert call.tokens["cache_read_input_tokens"] == 4
    assert (pages.project().tokens, pages.rows()[0].model_calls) == (18, 1)
    assert pages.project().cost > 0  # AgentOps' own price, because the span has none


def test_a_remote_agent(pages: Pages) -> None:
    """No other span has its tokens."""
    pages.tracer.start_span("invoke_agent Planner", kind=SpanKind.CLIENT, attributes=AGENT).end()
    (page,) = pages.spans()
    assert (page.kind, page.preview, page.tokens["total_tokens"]) == ("agent", "Where is it?", 18)


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "a model without an operation": ({"gen_ai.system": "openai", "gen_ai.usage.input_tokens": 1}, "llm"),
    "an unknown operation": ({"gen_ai.operation.name": "create_memory"}, "operation"),
    "a workflow": ({"gen_ai.operation.name": "invoke_workflow"}, "workflow"),
    "OpenInference's model": ({"openinference.span.kind": "LLM", "llm.token_count.prompt": 1}, "llm"),
    "OpenInference's tool": ({"openinference.span.kind": "TOOL", "input.value": "{}"}, "tool"),
    "OpenInference's chain": ({"openinference.span.kind": "CHAIN"}, "operation"),
    "OpenLLMetry's agent": ({"traceloop.span.kind": "agent", "traceloop.entity.name": "Planner"}, "agent"),
    "OpenLLMetry's task": ({"traceloop.span.kind": "task"}, "task"),
    "a request": ({"http.request.method": "GET"}, "operation"),
    "AgentOps' kind": ({"agentops.span.kind": "guardrail"}, "guardrail"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_kinds_of_other_conventions(pages: Pages, name: str) -> None:
    attributes, kind = OTHERS[name]
    pages.tracer.start_span("v1.2 of it", attributes=attributes).end()
    (page,) = pages.spans()
    assert (page.name, page.label) == ("v1.2 of it", kind)


def test_spans_of_the_agentops_sdk_keep_their_names(pages: Pages) -> None:
    """They have the suffix already, and attributes for AgentOps only."""
    attributes = {"agentops.span.kind": "agent", "gen_ai.request.model": "gpt-4o"}
    pages.tracer.start_span("Assistant.agent", attributes=attributes).end()
    pages.tracer.start_span("adk.agent.Human", attributes={"agentops.span.kind": "agent"}).end()
    (assistant, human) = pages.received()
    assert (assistant.name, human.name) == ("Assistant.agent", "adk.agent.Human")
    assert assistant.attributes == attributes


@pytest.mark.parametrize(
    ("description", "expected"),
    [("Wait 1.5 s", "Wait 1.5 s."), ("No.", "No."), ("no dot", "no dot"), (None, "ValueError")],
)
def test_a_message_of_an_error_is_displayed_whole(pages: Pages, description: str | None, expected: str) -> None:
    """AgentOps cuts it at its last dot, and displays nothing else of an error."""
    span = pages.tracer.start_span("work", attributes={"error.type": "ValueError"})
    span.set_status(Status(StatusCode.ERROR, description))
    span.end()
    (page,) = pages.spans()
    assert (page.kind, page.message, page.preview) == ("error", expected, expected.removesuffix("."))


# --- 9: errors ---------------------------------------------------------------------------------------------

REJECTED = Script(status=400, error_message="The key sk-canary0123456789abcdef of {prompt} is wrong.\n" + "More. " * 99)
MESSAGE = "BadRequestError: the request is invalid (HTTP 400, openai)"


@pytest.mark.parametrize("mode", ["SPAN_ONLY", "SPAN_AND_EVENT", "EVENT_ONLY", "NO_CONTENT"])
def test_an_error_has_the_text_of_the_provider(agentops: AgentOpsPlatform, provider: OpenAIProvider, mode: str) -> None:
    """If content is recorded on spans: redacted and shortened. Other exporters do not receive it."""
    provider.script(REJECTED)
    with pages_of(agentops, {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": mode}) as pages:
        with pytest.raises(litellm.BadRequestError):
            chat(provider)
        (page,) = pages.spans()
        (span,) = pages.spans_of_others()
    assert span.status.description == MESSAGE
    if mode.startswith("SPAN"):
        text = page.message.removeprefix(f"{MESSAGE}: ")
        assert text.startswith("The key [key] of ")
        assert "is wrong. More. More." in text
        assert len(text) <= 302
        assert page.preview == page.message.removesuffix(".")
    else:
        assert page.message == MESSAGE
    assert (page.kind, page.label) == ("error", "llm")
    assert "canary" not in page.message


def test_the_text_of_an_error_is_forgotten_if_its_span_is_not_exported() -> None:
    """Only the latest texts are remembered."""
    texts = ErrorTexts()
    copies = SpanCopies(Settings(), texts)
    spans = [ReadableSpan("chat", SpanContext(1, number, is_remote=False), status=FAILED) for number in range(1, 2_000)]
    for span in spans:
        assert span.context is not None
        texts.record(span.context, f"text {span.context.span_id}")
    messages = [copies.copy(span).status.description for span in spans]
    assert messages[-1024:] == [f"failed: text {number}" for number in range(976, 2_000)]
    assert set(messages[:-1024]) == {"failed"}


FAILED = Status(StatusCode.ERROR, "failed")
