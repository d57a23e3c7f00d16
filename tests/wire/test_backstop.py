"""Calls that no observation saw: their spans are written afterwards, from what LiteLLM logs."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import litellm
import litellm.main
import pytest
from litellm.integrations.custom_logger import CustomLogger
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel_litellm.patching import wrapping
from support.apps import MESSAGES, App, SyncApp
from support.expected import (
    CHAT_REQUEST,
    EMBEDDING_REQUEST,
    exchange_cost_attributes,
    identity,
    response_attributes,
    tokens,
)
from support.logging_worker import settle
from support.recorder import Attributes, Recorder, attributes_of, seconds
from support.servers.openai_provider import OpenAIProvider, Script


def kept(function: str) -> Callable[..., Any]:
    """LiteLLM's function as it was before it was instrumented, where nobody looks: in a partial."""
    unseen: Callable[..., Any] = wrapping._originals[getattr(litellm.main, function)]
    return partial(unseen)


def call(provider: OpenAIProvider, **parameters: object) -> dict[str, object]:
    return {"model": "openai/gpt-4o", "messages": MESSAGES, **SyncApp(provider).connection, **parameters}


def without(attributes: Attributes, *names: str) -> Attributes:
    return {name: value for name, value in attributes.items() if name not in names}


def test_a_chat_that_was_not_seen(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """It is told of as one that was, but for what LiteLLM does not keep: the model as the app wrote it."""
    result = kept("completion")(**call(provider))
    telemetry.wait_for_spans()
    (exchange,) = provider.ledger
    assert telemetry.attributes() == without(
        {
            **identity("chat", "completion", "openai/gpt-4o", provider),
            **CHAT_REQUEST,
            **response_attributes(exchange),
            "llm.response.tool_calls_count": 0,
            **tokens(exchange),
            **exchange_cost_attributes(result._hidden_params["response_cost"], exchange),
        },
        "llm.request.model",
    )


def test_content_of_a_logged_chat_is_captured(provider: OpenAIProvider, captured: Recorder) -> None:
    """If content is captured, the span has the messages of the request and of the response."""
    kept("completion")(**call(provider))
    captured.wait_for_spans()
    attributes = captured.attributes()
    recorded = {name: json.loads(str(attributes[f"gen_ai.{name}.messages"])) for name in ("input", "output")}
    assert [message["role"] for message in recorded["input"]] == [message["role"] for message in MESSAGES]
    assert recorded["output"] == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello, world!"}], "finish_reason": "stop"}
    ]


def test_an_embedding_that_was_not_seen(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """So is an embedding."""
    result = kept("embedding")(
        model="openai/text-embedding-3-small", input=["one", "two"], **SyncApp(provider).connection
    )
    telemetry.wait_for_spans()
    (exchange,) = provider.ledger
    assert exchange.usage is not None
    assert telemetry.attributes() == without(
        {
            **identity("embeddings", "embedding", "openai/text-embedding-3-small", provider),
            **EMBEDDING_REQUEST,
            "gen_ai.response.model": "text-embedding-3-small-2024-08-06",
            "llm.response.model": "text-embedding-3-small-2024-08-06",
            "gen_ai.embeddings.dimension.count": 8,
            "gen_ai.usage.input_tokens": exchange.usage["prompt_tokens"],
            "llm.usage.prompt_tokens": exchange.usage["prompt_tokens"],
            "llm.usage.total_tokens": exchange.usage["total_tokens"],
            **exchange_cost_attributes(result._hidden_params["response_cost"], exchange),
        },
        "llm.request.model",
    )


def test_it_lasts_as_long_and_belongs_where_it_was_made(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Its span is dated by LiteLLM's clock and is a child of the app's; it is counted once."""
    provider.script(Script(first_delay=0.1))
    before = time.time_ns()
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("app") as app:
        kept("completion")(**call(provider))
    telemetry.wait_for_spans(2)
    span = telemetry.span()
    assert (span.name, span.kind, span.status.status_code) == ("chat gpt-4o", SpanKind.CLIENT, StatusCode.UNSET)
    assert span.parent is not None
    assert span.parent.span_id == app.get_span_context().span_id
    assert span.start_time is not None
    assert before <= span.start_time < before + 1e9
    assert 0.1 <= seconds(span) < 5
    assert [point.count for point in telemetry.points("gen_ai.client.operation.duration")] == [1]


def test_a_failure_that_was_not_seen(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """A call that failed is told of with its error."""
    provider.script(Script(status=429))
    with pytest.raises(litellm.RateLimitError):
        kept("completion")(**call(provider))
    telemetry.wait_for_spans()
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)["error.type"] == "RateLimitError"
    assert attributes_of(span)["llm.error.category"] == "rate_limit"
    assert "gen_ai.usage.input_tokens" not in attributes_of(span)


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_that_was_not_seen(
    provider: OpenAIProvider,
    telemetry: Recorder,
    usage: bool,  # noqa: FBT001 - one of two
) -> None:
    """A stream is told of once, at its end, with the tokens that the provider counted and never LiteLLM's estimate."""
    options = {"stream_options": {"include_usage": True}} if usage else {}
    stream = kept("completion")(**call(provider, stream=True, **options))
    assert type(stream) is litellm.CustomStreamWrapper
    list(stream)
    telemetry.wait_for_spans()
    (exchange,) = provider.ledger
    attributes = telemetry.attributes()
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.id"] == exchange.response_id
    assert attributes.get("gen_ai.usage.input_tokens") == (exchange.usage["prompt_tokens"] if exchange.usage else None)
    assert ("gen_ai.usage.cost.amount" in attributes) is usage


KEPT: dict[str, Callable[[str], Callable[..., Any]]] = {
    "partial": kept,
    "class": lambda function: type("App", (), {"ask": staticmethod(kept(function).func)})().ask,  # type: ignore[attr-defined]
    "dictionary": lambda function: {"ask": kept(function)}["ask"],
}


@pytest.mark.parametrize("place", KEPT)
@pytest.mark.parametrize("stream", [False, True])
def test_wherever_it_was_kept(app: App, telemetry: Recorder, place: str, *, stream: bool) -> None:
    """One span, also where a function of LiteLLM's that is traced does part of the work."""
    function = KEPT[place](app.name("completion"))

    async def scenario() -> None:
        result = function(**call(app.provider, stream=stream))
        response_attributes = await result if inspect.isawaitable(result) else result
        if stream:
            await app.rest(response_attributes)
        if app.style == "async":
            await asyncio.sleep(0.05)

    app.run(scenario())
    telemetry.wait_for_spans()
    settle()
    assert [span.name for span in telemetry.spans()] == ["chat gpt-4o"]


class Callback(CustomLogger):
    """One of the app's: with it LiteLLM runs both of its handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def log_success_event(self, *_args: object, **_kwargs: object) -> None:
        self.told.append("sync")

    async def async_log_success_event(self, *_args: object, **_kwargs: object) -> None:
        self.told.append("async")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 429])
def test_a_call_that_was_seen_is_told_of_once(
    app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, status: int, *, stream: bool
) -> None:
    """Whatever LiteLLM logs of it, and whichever way."""
    app.provider.script(Script(status=status))
    callback = Callback()
    monkeypatch.setattr(litellm, "callbacks", [callback])
    monkeypatch.setattr(litellm, "success_callback", [callback])
    with pytest.raises(litellm.RateLimitError) if status == 429 else nullcontext():
        app.read("completion") if stream else app.ask("completion")
    settle()
    assert len(telemetry.spans()) == 1


@pytest.mark.parametrize("function", ["completion", "acompletion"])
def test_what_is_not_to_be_seen_is_not(provider: OpenAIProvider, telemetry: Recorder, function: str) -> None:
    """Nor is a call inside `suppress_instrumentation()`, seen or not."""

    async def scenario() -> None:
        for called in (kept(function), getattr(litellm, function)):
            with suppress_instrumentation():
                result = called(**call(provider, stream=True))
                stream = await result if asyncio.iscoroutine(result) else result
            assert ([chunk async for chunk in stream] if function == "acompletion" else list(stream)) != []

    asyncio.run(scenario())
    settle()
    assert telemetry.spans() == []
