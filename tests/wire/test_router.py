"""The Router: a span for what it was asked, and beneath it one for each deployment that it turned to."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, cast

import litellm
import pytest
from litellm import Router
from litellm.types.router import RouterRateLimitError
from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from support.apps import MESSAGES, App, AsyncApp, SyncApp
from support.attempts import assert_attempt_times, attempts_of, retries_and_fallback
from support.caches import (
    cache,  # noqa: F401 - a fixture
    wait_for_cache_writes,
)
from support.recorder import Recorder, attributes_of
from support.routers import CANARY, FAILURE, call_router, deployment, router
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider, events
from support.wire_formats import message, respond_everywhere, stream_everywhere

LIMITED = Script(status=429, error_message="Slow down.", error_code="rate_limit_exceeded")
TOO_LONG = Script(
    status=400,
    error_message="This model's maximum context length is 10 tokens.",
    error_code="context_length_exceeded",
)
REFUSED = Script(
    status=400,
    error_message="invalid_request_error: content_policy_violation: rejected as a result of our safety system.",
    error_code="content_policy_violation",
)


pytestmark = pytest.mark.usefixtures("restored_callbacks")  # a Router registers itself with LiteLLM


def pair(provider: OpenAIProvider, **settings: object) -> Router:
    """One group of two deployments."""
    base = provider.base_url
    deployments = [
        deployment("fast", "openai/gpt-4o", "fast-1", base),
        deployment("fast", "openai/gpt-4.1", "fast-2", base),
    ]
    made: Router = Router(model_list=cast("Any", deployments), **cast("Any", {"num_retries": 0, **settings}))
    return made


def route_and_calls(spans: list[ReadableSpan]) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """The one route, which has no parent, and the calls beneath it in the order in which they began."""
    (route,) = (span for span in spans if span.kind is SpanKind.INTERNAL)
    calls = sorted((span for span in spans if span.kind is SpanKind.CLIENT), key=lambda span: span.start_time or 0)
    assert len(calls) == len(spans) - 1
    assert route.context is not None
    assert {span.parent.span_id if span.parent else None for span in calls} <= {route.context.span_id}
    assert route.parent is None
    for call in calls:
        assert route.start_time is not None
        assert call.start_time is not None
        assert route.start_time <= call.start_time
    return route, calls


DEPLOYMENTS = {
    "gpt-4o": ("fast", "fast-1"),
    "gpt-4.1": ("slow", "slow-1"),
}


def told(route: ReadableSpan) -> list[tuple[object, ...]]:
    """The route's attempts: model, group, deployment and error."""
    names = ("model", "model_group", "model_id", "error.type")
    attempts = attempts_of(route)
    assert [each["number"] for each in attempts] == list(range(1, len(attempts) + 1))
    assert {each["provider"] for each in attempts} <= {"openai"}
    return [tuple(each.get(name) for name in names) for each in attempts]


def truth(provider: OpenAIProvider, *errors: str | None) -> list[tuple[object, ...]]:
    """The same of the requests that the provider saw, with the errors LiteLLM makes of what it sent."""
    ledger = provider.ledger
    return [
        (exchange.body["model"], *DEPLOYMENTS[str(exchange.body["model"])], error)
        for exchange, error in zip(ledger, errors, strict=True)
    ]


def assert_nothing_counted(route: ReadableSpan) -> None:
    attributes = set(attributes_of(route)) - {"agentops.trace.cost"}  # which is the sum of what its calls say
    assert not any(
        part in name for name in attributes for part in ("usage", "cost", "gen_ai.operation", "gen_ai.request")
    )


def assert_each_call_is_counted(telemetry: Recorder, calls: list[ReadableSpan], provider: OpenAIProvider) -> None:
    """The metrics know as many calls, and as many tokens, as the provider."""
    points = telemetry.points()
    durations = sum(point.count for point in points if point.name == "gen_ai.client.operation.duration")
    tokens = sum(point.sum for point in points if point.name == "gen_ai.client.token.usage")
    ledger = provider.ledger
    counts = [exchange.usage for exchange in ledger if exchange.usage is not None]
    assert durations == len(calls) == len(ledger)
    assert tokens == sum(cast("int", usage["total_tokens"]) for usage in counts)


def test_a_route_is_described_in_full(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """What the Router was asked for, and where it went; what was asked and answered there is told by the call."""
    result = app.run(call_router(app, router(provider)))
    assert isinstance(result, litellm.ModelResponse)
    (exchange,) = provider.ledger
    route, (call,) = route_and_calls(telemetry.spans())
    assert (route.name, call.name) == ("route fast", "chat gpt-4o")
    assert attributes_of(route) == {
        "llm.vendor": "litellm",
        "litellm.model_group": "fast",
        "litellm.model_id": "fast-1",
        "agentops.trace.cost": result._hidden_params["response_cost"],
    }
    attributes = attributes_of(call)
    assert attributes["gen_ai.request.model"] == exchange.body["model"]
    assert attributes["litellm.model_group"] == "fast"
    assert attributes["litellm.model_id"] == "fast-1"
    assert attributes["gen_ai.response.id"] == exchange.response_id
    assert told(route) == truth(provider, None)
    assert_attempt_times(route, [exchange])
    assert retries_and_fallback(route) == (None, None)
    assert_each_call_is_counted(telemetry, [call], provider)
    assert CANARY not in telemetry.everything()


# What the Router is told to do, what the provider sends, and what LiteLLM makes of that.
STORIES: dict[str, tuple[dict[str, object], Script, str]] = {
    "a fallback": ({"fallbacks": [{"fast": ["slow"]}]}, FAILURE, "InternalServerError"),
    "a longer context": ({"context_window_fallbacks": [{"fast": ["slow"]}]}, TOO_LONG, "ContextWindowExceededError"),
    "another policy": ({"content_policy_fallbacks": [{"fast": ["slow"]}]}, REFUSED, "ContentPolicyViolationError"),
    "a default": ({"default_fallbacks": ["slow"]}, FAILURE, "InternalServerError"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("story", STORIES)
def test_fallbacks(app: App, provider: OpenAIProvider, telemetry: Recorder, story: str, *, stream: bool) -> None:
    """Each deployment that was turned to has a span of its own, and is an attempt of the route."""
    settings, script, error = STORIES[story]
    provider.scripts([script])
    asked = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}

    async def scenario() -> None:
        result = await call_router(app, router(provider, **settings), **asked)
        if stream:
            await app.rest(result)

    app.run(scenario())
    ledger = provider.ledger
    route, calls = route_and_calls(telemetry.spans())
    assert told(route) == truth(provider, error, None)
    assert_attempt_times(route, ledger)
    assert retries_and_fallback(route) == (0, True)
    assert attributes_of(route)["litellm.model_id"] == "slow-1"
    assert route.status.status_code is StatusCode.UNSET
    assert_nothing_counted(route)
    assert [attributes_of(call).get("error.type") for call in calls] == [error, None]
    assert [attributes_of(call)["litellm.model_id"] for call in calls] == ["fast-1", "slow-1"]
    assert [attributes_of(call)["litellm.model_group"] for call in calls] == ["fast", "slow"]
    assert_each_call_is_counted(telemetry, calls, provider)


# The Router falls back, although no deployment of the group has been called: settings of the Router, parameters.
WITHOUT_ATTEMPT: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "all deployments in cooldown": ({"fallbacks": [{"fast": ["slow"]}], "allowed_fails": 0, "cooldown_time": 60}, {}),
    "a mock": ({"fallbacks": [{"fast": ["slow"]}]}, {"mock_testing_fallbacks": True}),
    "a mock of a longer context": (
        {"context_window_fallbacks": [{"fast": ["slow"]}]},
        {"mock_testing_context_fallbacks": True},
    ),
    "a mock of another policy": (
        {"content_policy_fallbacks": [{"fast": ["slow"]}]},
        {"mock_testing_content_policy_fallbacks": True},
    ),
    "a check of the context before the call": (
        {"context_window_fallbacks": [{"fast": ["slow"]}], "enable_pre_call_checks": True},
        {"messages": [{"role": "user", "content": "hello world " * 80_000}]},
    ),
    "a group without deployments": ({"fallbacks": [{"none": ["slow"]}]}, {"model": "none"}),
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("story", WITHOUT_ATTEMPT)
def test_fallbacks_without_a_failed_attempt(
    app: App, provider: OpenAIProvider, telemetry: Recorder, story: str, *, stream: bool
) -> None:
    settings, asked = WITHOUT_ATTEMPT[story]
    asked = {**asked, **({"stream": True} if stream else {})}
    of = router(provider, **settings)

    async def scenario() -> None:
        if "cooldown" in story:
            provider.scripts([FAILURE])
            await call_router(app, of)
            telemetry.forget()
        result = await call_router(app, of, **asked)
        if stream:
            await app.rest(result)

    app.run(scenario())
    assert provider.ledger[-1].body["model"] == "gpt-4.1"
    route, (call,) = route_and_calls(telemetry.spans())
    assert [each["model_id"] for each in attempts_of(route)] == ["slow-1"]
    assert retries_and_fallback(route) == (None, True)
    assert retries_and_fallback(call) == (None, None)
    assert attributes_of(route)["litellm.model_id"] == "slow-1"
    _points, totals = telemetry.measured()
    assert sum(each.value for each in totals if each.name == "litellm.client.fallbacks") == 1


def test_a_fallback_to_the_next_order_of_deployments(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """It is in the same group, and LiteLLM counts it as a fallback since it has orders of deployments."""
    provider.scripts([FAILURE])
    base = provider.base_url
    deployments = [
        deployment("fast", "openai/gpt-4o", "fast-1", base, order=1),
        deployment("fast", "openai/gpt-4.1", "fast-2", base, order=2),
    ]
    of = Router(model_list=cast("Any", deployments), num_retries=0)
    result = app.run(call_router(app, of))
    route, _calls = route_and_calls(telemetry.spans())
    assert [each["model_id"] for each in attempts_of(route)] == ["fast-1", "fast-2"]
    assert result._hidden_params["additional_headers"]["x-litellm-attempted-fallbacks"] == 1
    assert retries_and_fallback(route) == (0, True)


@pytest.mark.usefixtures("cache")
def test_a_fallback_to_a_cached_response(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """No attempt was made, but LiteLLM fell back."""
    of = router(provider, fallbacks=[{"none": ["slow"]}])

    async def scenario() -> None:
        await call_router(app, of, model="none", caching=True)
        await wait_for_cache_writes()
        telemetry.forget()
        await call_router(app, of, model="none", caching=True)

    app.run(scenario())
    assert len(provider.ledger) == 1
    route, (call,) = route_and_calls(telemetry.spans())
    assert attributes_of(call)["llm.cache.hit"] is True
    assert attempts_of(route) == []
    assert retries_and_fallback(route) == (None, True)


def test_retries_within_a_group(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Another deployment of the group, whatever its model, is a retry; the one that failed cools down."""
    provider.scripts([LIMITED])
    app.run(call_router(app, pair(provider, num_retries=1, retry_after=0, cooldown_time=7)))
    first, second = provider.ledger
    assert first.body["model"] != second.body["model"]
    route, (failed, done) = route_and_calls(telemetry.spans())
    ids = {"gpt-4o": "fast-1", "gpt-4.1": "fast-2"}
    expected = [ids[str(exchange.body["model"])] for exchange in (first, second)]
    assert [each["model_id"] for each in attempts_of(route)] == expected
    assert retries_and_fallback(route) == (1, False)
    assert_attempt_times(route, [first, second])
    assert attributes_of(route)["litellm.model_id"] == expected[1]
    assert attributes_of(failed)["litellm.cooldown_time"] == 7.0
    assert "litellm.cooldown_time" not in attributes_of(done)
    assert "litellm.cooldown_time" not in attributes_of(route)


def test_no_deployment_is_available(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Where all cool down nobody is asked: the route fails by itself, and says for how long."""
    provider.script(LIMITED)
    both = pair(provider, cooldown_time=7)

    async def scenario() -> RouterRateLimitError:
        for _ in range(2):
            with pytest.raises(litellm.RateLimitError):
                await call_router(app, both)
        telemetry.forget()
        with pytest.raises(RouterRateLimitError) as failure:
            await call_router(app, both)
        return failure.value

    error = app.run(scenario())
    assert len(provider.ledger) == 2
    (route,) = telemetry.spans()
    assert route.name == "route fast"
    assert route.status.status_code is StatusCode.ERROR
    assert attempts_of(route) == []
    assert attributes_of(route) == {
        "llm.vendor": "litellm",
        "litellm.model_group": "fast",
        "error.type": "RouterRateLimitError",
        "llm.error.type": "RouterRateLimitError",
        "llm.error.category": "rate_limit",
        "llm.error.retryable": True,
        "llm.error.message": "RouterRateLimitError: the rate limit was reached",
        "llm.error.retry_after": error.cooldown_time,
    }
    assert telemetry.points() == []
    assert telemetry.logs() == []


def test_a_route_that_fails(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """It has the app's exception, which its calls have logged, and its attempts have failed."""
    provider.script(FAILURE)
    with pytest.raises(litellm.InternalServerError) as failure:
        app.run(call_router(app, router(provider, fallbacks=[{"fast": ["slow"]}])))
    route, calls = route_and_calls(telemetry.spans())
    assert told(route) == truth(provider, "InternalServerError", "InternalServerError")
    assert retries_and_fallback(route) == (0, True)
    assert route.status.status_code is StatusCode.ERROR
    assert attributes_of(route)["error.type"] == type(failure.value).__name__
    assert_nothing_counted(route)
    assert len(telemetry.logs()) == len(calls) == 2


# --- streams ----------------------------------------------------------------------------------------------


def test_a_stream_through_the_router(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The app's stream is of the type that it has without us, and both spans know how it went."""

    async def scenario() -> list[Any]:
        stream = await call_router(app, router(provider), stream=True, stream_options={"include_usage": True})
        assert isinstance(stream, litellm.CustomStreamWrapper)
        assert telemetry.spans() == []
        return await app.rest(stream)

    chunks = app.run(scenario())
    (exchange,) = provider.ledger
    route, (call,) = route_and_calls(telemetry.spans())
    for span in (route, call):
        attributes = attributes_of(span)
        assert attributes["llm.response.stream_outcome"] == "completed"
        assert attributes["llm.response.chunk_count"] == len(chunks)
    assert told(route) == truth(provider, None)
    assert_attempt_times(route, [exchange])
    assert_nothing_counted(route)
    assert_each_call_is_counted(telemetry, [call], provider)


def test_a_stream_that_falls_back_in_the_middle(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The provider hangs up after the first chunk, which said nothing yet; another deployment goes on."""
    provider.scripts([Script(cut_after=1)])

    async def scenario() -> list[Any]:
        settings = {"fallbacks": [{"fast": ["slow"]}]}
        stream = await call_router(
            app, router(provider, **settings), stream=True, stream_options={"include_usage": True}
        )
        before = get_current()
        chunks = await app.rest(stream)
        assert get_current() is before
        return chunks

    chunks = app.run(scenario())
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk and chunk.choices)
    assert content == "Hello, world!"
    ledger = provider.ledger
    assert [exchange.cut for exchange in ledger] == [True, False]
    route, (cut, done) = route_and_calls(telemetry.spans())
    error = attributes_of(cut)["error.type"]
    assert told(route) == truth(provider, cast("str", error), None)
    assert attempts_of(route)[0]["error.message"] == attributes_of(cut)["llm.error.message"]
    assert_attempt_times(route, ledger)
    assert retries_and_fallback(route) == (0, True)
    assert attributes_of(route)["litellm.model_id"] == "slow-1"
    assert route.status.status_code is StatusCode.UNSET
    assert [attributes_of(span)["llm.response.stream_outcome"] for span in (route, cut, done)] == [
        "completed",
        "failed",
        "completed",
    ]
    assert attributes_of(cut)["llm.error.category"] == "stream_interrupted"
    assert_nothing_counted(route)
    assert_each_call_is_counted(telemetry, [cut, done], provider)


def test_a_stream_that_is_cut_for_good(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Once it has said something LiteLLM does not start again: route and call fail alike."""
    provider.script(Script(cut_after=3))

    async def scenario() -> None:
        stream = await call_router(app, router(provider, fallbacks=[{"fast": ["slow"]}]), stream=True)
        with pytest.raises(litellm.exceptions.openai.APIError):
            await app.rest(stream)

    app.run(scenario())
    route, (call,) = route_and_calls(telemetry.spans())
    error = attributes_of(call)["error.type"]
    assert told(route) == truth(provider, cast("str", error))
    for span in (route, call):
        assert attributes_of(span)["llm.response.stream_outcome"] == "failed"
        assert attributes_of(span)["llm.error.category"] == "stream_interrupted"


def test_a_stream_that_is_closed(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Closing the app's stream closes LiteLLM's beneath."""
    app = AsyncApp(provider)

    async def scenario() -> None:
        stream = await call_router(app, router(provider), stream=True)
        await app.next(stream)
        await stream.aclose()

    app.run(scenario())
    route, (call,) = route_and_calls(telemetry.spans())
    outcomes = [attributes_of(span)["llm.response.stream_outcome"] for span in (route, call)]
    assert outcomes == ["closed", "closed"]
    assert told(route) == truth(provider, None)


@pytest.mark.parametrize("read", [0, 2])
def test_a_stream_that_is_forgotten(app: App, provider: OpenAIProvider, telemetry: Recorder, read: int) -> None:
    """No span stays open, and the attempt that was under way is told."""

    async def scenario() -> None:
        stream = await call_router(app, router(provider), stream=True)
        for _ in range(read):
            await app.next(stream)
        del stream
        gc.collect()
        await asyncio.sleep(0.02 if isinstance(app, AsyncApp) else 0)

    if isinstance(app, SyncApp):
        stream = cast("Any", router(provider).completion(model="fast", messages=cast("Any", MESSAGES), stream=True))
        for _ in range(read):
            next(stream)
        del stream
    else:
        app.run(scenario())
    gc.collect()
    route, (call,) = route_and_calls(telemetry.spans())
    assert attributes_of(route)["llm.response.stream_outcome"] == "abandoned"
    assert attributes_of(call)["llm.response.stream_outcome"] in {"abandoned", "closed", "cancelled"}
    assert told(route) == [("gpt-4o", "fast", "fast-1", attributes_of(call).get("error.type"))]


# --- other ways in ----------------------------------------------------------------------------------------


def test_a_synchronous_call_where_a_loop_runs(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM routes it in a thread, which is given the context, and keeps nothing of it."""

    async def scenario() -> int:
        with telemetry.tracer_provider.get_tracer("app").start_as_current_span("app") as span:
            before = get_current()
            router(provider).completion(model="fast", messages=cast("Any", MESSAGES))
            assert get_current() is before
            return span.get_span_context().span_id

    outer = asyncio.run(scenario())
    call, route, _ = telemetry.spans()
    assert route.name == "route fast"
    assert route.context is not None
    assert route.parent is not None
    assert route.parent.span_id == outer
    assert call.parent is not None
    assert call.parent.span_id == route.context.span_id


RESPONSE = {
    "id": "resp",
    "object": "response",
    "created_at": 1,
    "model": "gpt-4o",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
}
IMAGE = {"created": 1, "data": [{"url": "http://127.0.0.1/x"}]}
COHERE = {"id": "r", "results": [{"index": 0, "relevance_score": 0.5}], "meta": {"billed_units": {"search_units": 1}}}
TRANSCRIPT = {"text": "hello"}
ASKED: dict[str, object] = {"messages": MESSAGES, "max_tokens": 9}
Way = tuple[str, dict[str, object], str, str, object, str]
WAYS: dict[str, Way] = {
    "aembedding": (
        "openai/embed-x",
        {"input": ["a"]},
        "embeddings",
        "/embeddings",
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            "model": "embed-x",
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        },
        "embed-x",
    ),
    "atext_completion": (
        "text-completion-openai/text-x",
        {"prompt": "a"},
        "text_completion",
        "/completions",
        {
            "id": "c",
            "object": "text_completion",
            "created": 1,
            "model": "text-x",
            "choices": [{"index": 0, "text": "b", "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        },
        "text-x",
    ),
    "aresponses": ("openai/gpt-4o", {"input": "a"}, "chat", "/responses", RESPONSE, "gpt-4o"),
    "responses": ("openai/gpt-4o", {"input": "a"}, "chat", "/responses", RESPONSE, "gpt-4o"),
    "aanthropic_messages": ("anthropic/claude-x", ASKED, "chat", "/messages", message(), "claude-x"),
    "anthropic_messages": ("anthropic/claude-x", ASKED, "chat", "/messages", message(), "claude-x"),
    "aimage_generation": ("openai/image-x", {"prompt": "a"}, "image_generation", "/generations", IMAGE, "image-x"),
    "image_generation": ("openai/image-x", {"prompt": "a"}, "image_generation", "/generations", IMAGE, "image-x"),
    "embedding": (
        "openai/embed-x",
        {"input": ["a"]},
        "embeddings",
        "/embeddings",
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            "model": "embed-x",
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        },
        "embed-x",
    ),
    "arerank": ("cohere/rerank-x", {"query": "a", "documents": ["b"]}, "rerank", "/rerank", COHERE, "rerank-x"),
    "atranscription": (
        "openai/whisper-x",
        {"file": ("a.wav", b"RIFF")},
        "transcription",
        "/transcriptions",
        TRANSCRIPT,
        "whisper-x",
    ),
}


@pytest.mark.parametrize("method", WAYS)
def test_every_method_of_the_routers_is_routed(wire: WireProvider, telemetry: Recorder, method: str) -> None:
    """Whichever operation: a route with one attempt, and beneath it the operation with the deployment's names."""
    model, asked, operation, path, body, name = WAYS[method]
    wire.reply(path, Reply(body=body))
    one = Router(model_list=cast("Any", [deployment("fast", model, "fast-1", wire.url)]), num_retries=0)
    call = getattr(one, method)

    async def scenario() -> None:
        result = call(model="fast", **asked)
        if inspect.isawaitable(result):
            await result

    asyncio.run(scenario())
    assert len(wire.ledger) == 1
    route, (span,) = route_and_calls(telemetry.spans())
    assert route.name == "route fast"
    attributes = attributes_of(span)
    assert attributes["gen_ai.operation.name"] == operation
    assert attributes["gen_ai.request.model"] == name
    assert (attributes["litellm.model_group"], attributes["litellm.model_id"]) == ("fast", "fast-1")
    (attempt,) = attempts_of(route)
    assert (attempt["model"], attempt["model_group"], attempt["model_id"]) == (name, "fast", "fast-1")
    assert_nothing_counted(route)


# The synchronous `responses` does not fall back: the Router calls it with `disable_fallbacks`.
@pytest.mark.parametrize("method", sorted(WAYS.keys() - {"responses"}))
def test_every_method_of_the_routers_falls_back(wire: WireProvider, telemetry: Recorder, method: str) -> None:
    """The group has no deployment, so no attempt fails before the fallback."""
    model, asked, _operation, path, body, _name = WAYS[method]
    wire.reply(path, Reply(body=body))
    one = Router(
        model_list=cast("Any", [deployment("slow", model, "slow-1", wire.url)]),
        fallbacks=[{"none": ["slow"]}],
        num_retries=0,
    )
    call = getattr(one, method)

    async def scenario() -> None:
        result = call(model="none", **asked)
        if inspect.isawaitable(result):
            await result

    asyncio.run(scenario())
    route, _calls = route_and_calls(telemetry.spans())
    assert [each["model_id"] for each in attempts_of(route)] == ["slow-1"]
    assert retries_and_fallback(route) == (None, True)


# The Router's methods for the Responses and Messages APIs: the deployments' provider, what is asked, and the path.
FORMATS: dict[str, tuple[str, dict[str, object], str]] = {
    "aresponses": ("openai", {"input": "a"}, "/responses"),
    "aanthropic_messages": ("anthropic", ASKED, "/messages"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("method", FORMATS)
def test_a_retry_and_a_fallback_of_other_formats(
    wire: WireProvider, telemetry: Recorder, method: str, *, stream: bool
) -> None:
    """Both attempts at the group failed; the other group answers."""
    provider, asked, path = FORMATS[method]
    for _ in range(2):
        wire.reply_once(path, Reply(status=500, body={"error": {"message": "no", "type": "api_error"}}))
    (stream_everywhere if stream else respond_everywhere)(wire)
    of = Router(
        model_list=cast("Any", [deployment(name, f"{provider}/{name}-x", name, wire.url) for name in ("fast", "slow")]),
        fallbacks=[{"fast": ["slow"]}],
        num_retries=1,
        retry_after=0,
        disable_cooldowns=True,
    )

    async def scenario() -> None:
        result = await getattr(of, method)(model="fast", **asked, **({"stream": True} if stream else {}))
        if stream:
            assert [each async for each in result]

    asyncio.run(scenario())
    assert [exchange.body["model"] for exchange in wire.ledger] == ["fast-x", "fast-x", "slow-x"]
    route, calls = route_and_calls(telemetry.spans())
    assert [each["model_id"] for each in attempts_of(route)] == ["fast", "fast", "slow"]
    assert [each.get("error.type") for each in attempts_of(route)] == ["InternalServerError"] * 2 + [None]
    assert retries_and_fallback(route) == (1, True)
    assert [attributes_of(call)["litellm.model_group"] for call in calls] == ["fast", "fast", "slow"]
    assert route.status.status_code is StatusCode.UNSET


def test_a_synchronous_response_as_a_stream(wire: WireProvider, telemetry: Recorder) -> None:
    """The Router picks one deployment for it, and the route lasts as long as the stream."""
    stream_everywhere(wire)
    of = Router(model_list=cast("Any", [deployment("fast", "openai/gpt-4o", "fast-1", wire.url)]), num_retries=0)
    assert [each.type for each in cast("Any", of).responses(model="fast", input="a", stream=True)]
    route, (call,) = route_and_calls(telemetry.spans())
    assert [each["model_id"] for each in attempts_of(route)] == ["fast-1"]
    assert {attributes_of(span)["llm.response.stream_outcome"] for span in (route, call)} == {"completed"}


def test_a_moderation_is_no_route(wire: WireProvider, telemetry: Recorder) -> None:
    """The Router picks a deployment for it, and neither retries nor falls back."""
    wire.reply("/moderations", Reply(body={"id": "m", "model": "omni-x", "results": []}))
    of = Router(model_list=cast("Any", [deployment("fast", "openai/omni-x", "fast-1", wire.url)]), num_retries=0)
    asyncio.run(cast("Any", of.amoderation(model="fast", input="a")))
    assert [span.kind for span in telemetry.spans()] == [SpanKind.CLIENT]


def test_a_group_beside_metadata_of_the_apps(wire: WireProvider, telemetry: Recorder) -> None:
    """Where `metadata` is the provider's the Router keeps its own elsewhere; also of a stream."""
    done = {"type": "response.completed", "response": RESPONSE, "sequence_number": 1}
    wire.reply("/responses", Reply(pieces=events(done, "[DONE]")))
    one = Router(model_list=cast("Any", [deployment("fast", "openai/gpt-4o", "fast-1", wire.url)]), num_retries=0)

    async def scenario() -> None:
        stream = await one.aresponses(model="fast", input="a", stream=True, metadata={"plan": "gold"})
        assert [type(event).__name__ async for event in stream] == ["ResponseCompletedEvent"]

    asyncio.run(scenario())
    route, (call,) = route_and_calls(telemetry.spans())
    assert attributes_of(call)["litellm.model_group"] == "fast"
    assert attributes_of(call)["litellm.model_id"] == "fast-1"
    assert [each["model_id"] for each in attempts_of(route)] == ["fast-1"]


BATCHES: dict[str, Callable[[Router], Awaitable[object]]] = {
    "several models": lambda of: of.abatch_completion(models=["fast", "slow"], messages=cast("Any", MESSAGES)),
    "several requests": lambda of: of.abatch_completion_one_model_multiple_requests(
        model="fast", messages=cast("Any", [MESSAGES, MESSAGES])
    ),
    "the fastest": lambda of: of.abatch_completion_fastest_response(model="fast, slow", messages=cast("Any", MESSAGES)),
}


@pytest.mark.parametrize("kind", BATCHES)
def test_several_at_once_are_routes_of_their_own(provider: OpenAIProvider, telemetry: Recorder, kind: str) -> None:
    """Each has its attempt, and no other's; also one that LiteLLM has no more use for."""

    async def scenario() -> None:
        await BATCHES[kind](router(provider))
        await asyncio.sleep(0.02)

    asyncio.run(scenario())
    spans = telemetry.spans()
    routes = {span.context.span_id: span for span in spans if span.kind is SpanKind.INTERNAL and span.context}
    calls = [span for span in spans if span.kind is SpanKind.CLIENT]
    assert len(routes) == len(calls) == 2
    for call in calls:
        assert call.parent is not None
        (attempt,) = attempts_of(routes[call.parent.span_id])
        assert attempt["model_id"] == attributes_of(call)["litellm.model_id"]


def test_a_call_with_a_priority(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The scheduler's way is the same."""
    asyncio.run(cast("Any", router(provider).acompletion(model="fast", messages=cast("Any", MESSAGES), priority=0)))
    route, (call,) = route_and_calls(telemetry.spans())
    assert (route.name, call.name) == ("route fast", "chat gpt-4o")


def test_a_router_within_a_call(
    app: App, provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A custom provider that asks a Router makes a route of its own beneath its call, and so on."""
    inner = router(provider)

    class Handler(litellm.CustomLLM):
        def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            return cast("litellm.ModelResponse", inner.completion(model="slow", messages=cast("Any", MESSAGES)))

        async def acompletion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            return await inner.acompletion(model="slow", messages=cast("Any", MESSAGES))

    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "mine", "custom_handler": Handler()}])
    outer = Router(
        model_list=cast(
            "Any", [{"model_name": "own", "litellm_params": {"model": "mine/m"}, "model_info": {"id": "own-1"}}]
        ),
        num_retries=0,
    )
    app.run(call_router(app, outer, model="own"))
    spans = telemetry.spans()
    assert [span.name for span in spans] == ["chat gpt-4.1", "route slow", "chat m", "route own"]
    chain = [span.context.span_id for span in spans[1:] if span.context]
    assert [span.parent.span_id if span.parent else None for span in spans] == [*chain, None]
    assert [each["model_id"] for each in attempts_of(spans[1])] == ["slow-1"]
    assert [each["model_id"] for each in attempts_of(spans[3])] == ["own-1"]


class AsksFirst(litellm.integrations.custom_logger.CustomLogger):
    """A callback that asks the Router, and LiteLLM, before a deployment is chosen."""

    def __init__(self, of: Router, provider: OpenAIProvider) -> None:
        super().__init__()
        self.of, self.provider, self.was_called = of, provider, False

    async def async_filter_deployments(
        self,
        model: str,  # noqa: ARG002 - LiteLLM's name
        healthy_deployments: list[Any],
        *_args: object,
        **_kwargs: object,
    ) -> list[Any]:
        if not self.was_called:
            self.was_called = True
            await self.of.acompletion(model="slow", messages=cast("Any", MESSAGES))
            await AsyncApp(self.provider).call(model="openai/judge")
        return healthy_deployments


def test_calls_of_callbacks_are_no_attempts(
    provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked on the way to a deployment is seen beneath the route, and is none of its attempts."""
    of = router(provider)
    monkeypatch.setattr(litellm, "callbacks", [AsksFirst(of, provider)])
    asyncio.run(cast("Any", of.acompletion(model="fast", messages=cast("Any", MESSAGES))))
    assert [exchange.body["model"] for exchange in provider.ledger] == ["gpt-4.1", "judge", "gpt-4o"]
    spans = {span.name: span for span in telemetry.spans()}
    assert sorted(spans) == ["chat gpt-4.1", "chat gpt-4o", "chat judge", "route fast", "route slow"]
    route = spans["route fast"]
    assert route.context is not None
    for name in ("route slow", "chat judge", "chat gpt-4o"):
        parent = spans[name].parent
        assert parent is not None
        assert parent.span_id == route.context.span_id
    assert [each["model_id"] for each in attempts_of(route)] == ["fast-1"]
    assert [each["model_id"] for each in attempts_of(spans["route slow"])] == ["slow-1"]


@pytest.mark.filterwarnings("ignore:Items? '.*' on TypedDict class:UserWarning")
def test_a_health_check_is_no_route(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """It asks LiteLLM, not the Router."""
    asyncio.run(litellm.ahealth_check({"model": "openai/gpt-4o", "api_base": provider.base_url, "api_key": CANARY}))
    assert [span.name for span in telemetry.spans() if span.kind is SpanKind.INTERNAL] == []
    assert CANARY not in telemetry.everything()


def test_routes_at_once_do_not_mix(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Each of many routes has its own attempts."""
    provider.scripts([Script(status=500, first_delay=0.02) for _ in range(3)])
    provider.script(Script(first_delay=0.02))
    of = router(provider, fallbacks=[{"fast": ["slow"]}])

    async def scenario() -> None:
        await asyncio.gather(*(of.acompletion(model="fast", messages=cast("Any", MESSAGES)) for _ in range(5)))

    asyncio.run(scenario())
    spans = telemetry.spans()
    routes = [span for span in spans if span.kind is SpanKind.INTERNAL]
    calls = [span for span in spans if span.kind is SpanKind.CLIENT]
    assert len(routes) == 5
    assert len(calls) == len(provider.ledger) == 8
    for route in routes:
        assert route.context is not None
        own = [call for call in calls if call.parent is not None and call.parent.span_id == route.context.span_id]
        own.sort(key=lambda call: call.start_time or 0)
        assert [each["model_id"] for each in attempts_of(route)] == [
            attributes_of(call)["litellm.model_id"] for call in own
        ]


def test_the_current_span_is_the_routes_while_it_chooses(
    provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the app's again afterwards."""
    seen: list[trace.SpanContext] = []

    class Looks(litellm.integrations.custom_logger.CustomLogger):
        async def async_filter_deployments(
            self,
            model: str,  # noqa: ARG002 - LiteLLM's name
            healthy_deployments: list[Any],
            *_args: object,
            **_kwargs: object,
        ) -> list[Any]:
            seen.append(trace.get_current_span().get_span_context())
            return healthy_deployments

    monkeypatch.setattr(litellm, "callbacks", [Looks()])

    async def scenario() -> None:
        before = get_current()
        await router(provider).acompletion(model="fast", messages=cast("Any", MESSAGES))
        assert get_current() is before

    asyncio.run(scenario())
    route, _ = route_and_calls(telemetry.spans())
    assert seen == [route.context]
