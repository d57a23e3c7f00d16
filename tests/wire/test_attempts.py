"""Retries and fallbacks: one call, whose attempts are those that the provider saw."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import litellm
import pytest
from litellm.caching.caching import Cache
from litellm.integrations.custom_logger import CustomLogger
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from support.apps import MESSAGES, App, AsyncApp, SyncApp
from support.attempts import (
    assert_attempt_times,
    attempts_of,
    expected_attempts,
    retries_and_fallback,
    without_duration,
)
from support.failed_attempts import (
    assert_failed,
    restored_num_retries,  # noqa: F401 - a fixture
)
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider

SOON = {"retry-after-ms": "5"}
FAILS = Script(status=500, headers=SOON)
LIMITED = Script(status=429, headers=SOON)
TOO_LONG = Script(
    status=400,
    error_message="This model's maximum context length is 10 tokens.",
    error_code="context_length_exceeded",
)
CANARY = "sk-canary-0123456789"


def assert_counted_once(telemetry: Recorder, span: ReadableSpan, usage: dict[str, object] | None) -> None:
    """One duration, and the tokens of the answer, on the span and in the metrics."""
    attributes, points = attributes_of(span), telemetry.points()
    durations = [point for point in points if point.name == "gen_ai.client.operation.duration"]
    assert [point.count for point in durations] == [1]
    tokens = {
        point.attributes["gen_ai.token.type"]: (point.count, point.sum)
        for point in points
        if point.name == "gen_ai.client.token.usage"
    }
    if usage is None:
        assert tokens == {}
        assert not any("usage" in name for name in attributes)
        return
    assert attributes["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
    assert tokens["input"] == (1, usage["prompt_tokens"])
    if "completion_tokens" in usage:
        assert attributes["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
        assert tokens["output"] == (1, usage["completion_tokens"])


# By whom what is retried: operation, parameters, LiteLLM's provider.
RETRIED: dict[str, tuple[str, dict[str, object], str]] = {
    "a chat, by LiteLLM": ("completion", {"num_retries": 2}, "openai"),
    "a chat, by the client": ("completion", {"max_retries": 2}, "openai"),
    "a chat, by a policy": (
        "completion",
        {"retry_policy": litellm.RetryPolicy(InternalServerErrorRetries=2, RateLimitErrorRetries=2)},
        "openai",
    ),
    "a text": ("text_completion", {"num_retries": 2}, "text-completion-openai"),
    "a text by way of a chat": ("text_completion", {"num_retries": 2, "model": "openai/gpt-4o"}, "openai"),
    "an embedding": ("embedding", {"num_retries": 2}, "openai"),
}


@pytest.mark.parametrize("kind", RETRIED)
def test_retries(app: App, provider: OpenAIProvider, telemetry: Recorder, kind: str) -> None:
    """Each request is an attempt, with its time and its error; the answer is counted once."""
    operation, asked, of = RETRIED[kind]
    provider.scripts([Script(status=500, headers=SOON, first_delay=0.03), FAILS])
    result = app.ask(operation, **asked)
    ledger = provider.ledger
    assert [exchange.status for exchange in ledger] == [500, 500, 200]
    (span,) = telemetry.spans()
    attempts = attempts_of(span)
    assert without_duration(attempts) == expected_attempts(ledger, provider=of)
    assert_attempt_times(span, ledger)
    assert cast("float", attempts[0]["duration"]) >= 0.03
    assert retries_and_fallback(span) == (2, False)
    assert span.status.status_code is StatusCode.UNSET
    assert_counted_once(telemetry, span, ledger[-1].usage)
    cost = result._hidden_params.get("response_cost")
    assert attributes_of(span).get("gen_ai.usage.cost.amount") == cost
    assert telemetry.logs() == []


def test_the_client_names_its_errors_as_litellm_does(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """What the HTTP client raised before a retry has the name that it would have had in the end."""
    provider.scripts([LIMITED, LIMITED])
    with pytest.raises(litellm.RateLimitError):
        app.ask("completion", max_retries=1)
    (span,) = telemetry.spans()
    assert without_duration(attempts_of(span)) == expected_attempts(provider.ledger)
    assert [each["error.type"] for each in attempts_of(span)] == ["RateLimitError", "RateLimitError"]


def test_a_connection_that_broke_is_an_attempt(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """A server that hangs up before it answers is asked again by the client."""
    provider.scripts([Script(cut_after=0)])
    app.ask("completion", max_retries=1)
    (span,) = telemetry.spans()
    failed, done = attempts_of(span)
    assert "the provider could not be reached" in cast("str", failed["error.message"])
    assert "error.type" not in done
    assert_attempt_times(span, provider.ledger)


@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_retries_that_all_fail(app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str) -> None:
    """The call fails with the app's exception, and has as many failed attempts as the provider saw requests."""
    provider.script(FAILS)
    with pytest.raises(litellm.InternalServerError) as failure:
        app.ask(operation, max_retries=1)
    ledger = provider.ledger
    (span,) = telemetry.spans()
    assert [each["error.type"] for each in attempts_of(span)] == ["InternalServerError"] * 2
    assert_attempt_times(span, ledger)
    assert retries_and_fallback(span) == (1, False)
    assert_failed(span, failure.value)
    assert_counted_once(telemetry, span, None)


def test_retries_of_retries(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Where the client has given up LiteLLM tries again: each request is an attempt nevertheless."""
    provider.script(FAILS)
    with pytest.raises(litellm.InternalServerError) as failure:
        app.ask("completion", num_retries=1)
    ledger = provider.ledger
    assert len(ledger) > 2
    (span,) = telemetry.spans()
    assert without_duration(attempts_of(span)) == expected_attempts(ledger)
    assert_attempt_times(span, ledger)
    assert_failed(span, failure.value)


ANTHROPIC = {
    "id": "msg",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
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
ELSEWHERE: dict[str, tuple[str, dict[str, object], str, object]] = {
    "anthropic": ("completion", {"model": "anthropic/claude-x", "messages": MESSAGES}, "/messages", ANTHROPIC),
    "openai": ("responses", {"model": "openai/gpt-4o", "input": "hi"}, "/responses", RESPONSE),
}


@pytest.mark.parametrize("fails", [1, 2, 3])
@pytest.mark.parametrize("of", ELSEWHERE)
def test_retries_of_litellms_own(app: App, wire: WireProvider, telemetry: Recorder, of: str, fails: int) -> None:
    """Other providers, and the Responses API, are asked again by LiteLLM itself."""
    function, asked, path, body = ELSEWHERE[of]
    for _ in range(fails):
        wire.reply_once(path, Reply(status=500, body={"error": {"type": "x", "message": "y"}}))
    wire.reply(path, Reply(body=body))
    error: Exception | None = None
    try:
        app.run(app.invoke(function, **asked, api_base=wire.url, api_key="sk-test", num_retries=2))
    except litellm.InternalServerError as failure:
        error = failure
    ledger = wire.ledger
    assert len(ledger) == min(fails + 1, 3)
    (span,) = telemetry.spans()
    assert without_duration(attempts_of(span)) == expected_attempts(ledger, [*[500] * fails, 200][:3], of)
    assert_attempt_times(span, ledger)
    assert retries_and_fallback(span) == (len(ledger) - 1, False)
    if fails < 3:
        assert error is None
        assert span.status.status_code is StatusCode.UNSET
    else:
        assert error is not None
        assert_failed(span, error)


def fallback_to(provider: OpenAIProvider) -> dict[str, list[object]]:
    return {
        "a string": ["openai/gpt-4o-mini"],
        "a dict": [{"model": "openai/gpt-4o-mini", "api_base": provider.base_url, "api_key": CANARY}],
    }


@pytest.mark.parametrize("kind", ["a string", "a dict"])
def test_fallbacks(app: App, provider: OpenAIProvider, telemetry: Recorder, kind: str) -> None:
    """Another model answers: the span has its name, and no key of anybody's."""
    provider.scripts([FAILS])
    result = app.ask("completion", fallbacks=fallback_to(provider)[kind])
    first, second = provider.ledger
    assert second.headers["authorization"] == f"Bearer {CANARY if kind == 'a dict' else 'sk-test'}"
    (span,) = telemetry.spans()
    assert without_duration(attempts_of(span)) == expected_attempts([first, second])
    assert_attempt_times(span, [first, second])
    assert retries_and_fallback(span) == (0, True)
    attributes = attributes_of(span)
    assert attributes["gen_ai.request.model"] == "gpt-4o-mini"
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["llm.request.model"] == "openai/gpt-4o"
    assert attributes["gen_ai.response.model"] == "gpt-4o-mini-2024-08-06" == result.model
    assert attributes["gen_ai.response.id"] == second.response_id
    assert_counted_once(telemetry, span, second.usage)
    everything = telemetry.everything()
    assert CANARY not in everything
    assert "sk-test" not in everything


def test_fallbacks_to_another_provider(
    app: App, provider: OpenAIProvider, wire: WireProvider, telemetry: Recorder
) -> None:
    """The provider that answered, and its server, are the span's."""
    provider.scripts([FAILS])
    wire.reply("/messages", Reply(body=ANTHROPIC))
    app.ask("completion", fallbacks=[{"model": "anthropic/claude-x", "api_base": wire.url, "api_key": CANARY}])
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert attributes["gen_ai.provider.name"] == "anthropic"
    assert attributes["gen_ai.request.model"] == "claude-x"
    assert attributes["server.port"] == wire.port
    assert [(each["provider"], each["model"]) for each in attempts_of(span)] == [
        ("openai", "gpt-4o"),
        ("anthropic", "claude-x"),
    ]
    assert retries_and_fallback(span) == (0, True)


def test_fallbacks_that_all_fail(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM's last word on them is no attempt."""
    provider.script(FAILS)
    with pytest.raises(Exception, match="All fallback attempts failed") as failure:
        app.ask("completion", fallbacks=["openai/gpt-4o-mini", "openai/gpt-4.1"])
    ledger = provider.ledger
    assert len(ledger) == 3
    (span,) = telemetry.spans()
    assert without_duration(attempts_of(span)) == expected_attempts(ledger)
    assert retries_and_fallback(span) == (0, True)
    assert_failed(span, failure.value)
    assert_counted_once(telemetry, span, None)


def test_retries_and_fallbacks(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Both at once: each model is asked again before the next one is."""
    provider.script(FAILS)
    with pytest.raises(Exception, match="All fallback attempts failed"):
        app.ask("completion", fallbacks=["openai/gpt-4o-mini"], max_retries=1)
    ledger = provider.ledger
    assert [exchange.body["model"] for exchange in ledger] == ["gpt-4o", "gpt-4o", "gpt-4o-mini", "gpt-4o-mini"]
    (span,) = telemetry.spans()
    assert without_duration(attempts_of(span)) == expected_attempts(ledger)
    assert_attempt_times(span, ledger)
    assert retries_and_fallback(span) == (2, True)


def test_a_model_that_nobody_has_is_an_attempt_where_another_follows(
    provider: OpenAIProvider, telemetry: Recorder
) -> None:
    """It did not come to a request, and so took no time."""
    SyncApp(provider).ask("completion", model="nosuch", fallbacks=["openai/gpt-4o-mini"])
    (exchange,) = provider.ledger
    (span,) = telemetry.spans()
    error = "BadRequestError: the request is invalid"
    first, second = attempts_of(span)
    assert first == {"number": 1, "model": "nosuch", "error.type": "BadRequestError", "error.message": error}
    assert without_duration([second]) == [{**expected_attempts([exchange])[0], "number": 2}]
    assert retries_and_fallback(span) == (0, True)
    assert span.events[0].timestamp <= span.events[1].timestamp


def test_a_fallback_that_nobody_has(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The other way round."""
    provider.scripts([FAILS])
    app.ask("completion", fallbacks=["nosuch", "openai/gpt-4o-mini"])
    (span,) = telemetry.spans()
    assert [(each["model"], each.get("error.type")) for each in attempts_of(span)] == [
        ("gpt-4o", "InternalServerError"),
        ("nosuch", "BadRequestError"),
        ("gpt-4o-mini", None),
    ]
    assert [event.timestamp for event in span.events] == sorted(event.timestamp for event in span.events)


def test_a_longer_context(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM turns to the model that the app named for requests that are too long."""
    provider.scripts([TOO_LONG])
    app.ask("completion", context_window_fallback_dict={"openai/gpt-4o": "openai/gpt-4.1"})
    first, second = provider.ledger
    (span,) = telemetry.spans()
    attempts = attempts_of(span)
    assert [(each["model"], each.get("error.type")) for each in attempts] == [
        ("gpt-4o", "ContextWindowExceededError"),
        ("gpt-4.1", None),
    ]
    assert_attempt_times(span, [first, second])
    assert retries_and_fallback(span) == (0, True)
    assert attributes_of(span)["gen_ai.request.model"] == "gpt-4.1"
    assert_counted_once(telemetry, span, second.usage)


@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_a_call_that_fails_has_one_attempt(
    app: App, provider: OpenAIProvider, telemetry: Recorder, operation: str
) -> None:
    """LiteLLM's functions map one error several times: it is one attempt, which failed, and nothing was retried."""
    provider.script(Script(status=404))
    with pytest.raises(litellm.exceptions.openai.APIError) as failure:
        app.ask(operation)
    (span,) = telemetry.spans()
    (attempt,), attributes = attempts_of(span), attributes_of(span)
    assert attempt["error.type"] == attributes["error.type"]
    assert attempt["error.message"] == attributes["llm.error.message"]
    assert_attempt_times(span, provider.ledger)
    assert retries_and_fallback(span) == (None, None)
    assert_failed(span, failure.value)


@pytest.mark.filterwarnings("ignore:Items? '.*' on TypedDict class:UserWarning")
def test_a_cached_answer_took_no_attempt(
    app: App, provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody was asked."""
    monkeypatch.setattr(litellm, "cache", Cache(type=cast("Any", "local")))

    async def scenario() -> None:
        await app.call("completion", caching=True, temperature=0.1)
        if isinstance(app, AsyncApp):
            await asyncio.sleep(0.05)  # it is cached in the background
        await app.call("completion", caching=True, temperature=0.1)

    app.run(scenario())
    assert len(provider.ledger) == 1
    asked, cached = telemetry.spans()
    assert len(attempts_of(asked)) == 1
    assert attempts_of(cached) == []
    assert attributes_of(cached)["llm.cache.hit"] is True
    assert retries_and_fallback(cached) == (None, None)


class Raises(CustomLogger):
    """A callback of the app's that is broken."""

    def log_pre_api_call(self, *_args: object, **_kwargs: object) -> None:
        raise ValueError("no")

    def log_success_event(self, *_args: object, **_kwargs: object) -> None:
        raise ValueError("no")

    async def async_log_success_event(self, *_args: object, **_kwargs: object) -> None:
        raise ValueError("no")

    def log_failure_event(self, *_args: object, **_kwargs: object) -> None:
        raise ValueError("no")

    async def async_log_failure_event(self, *_args: object, **_kwargs: object) -> None:
        raise ValueError("no")


@pytest.mark.usefixtures("restored_callbacks")
@pytest.mark.parametrize("script", [Script(), FAILS], ids=["well", "badly"])
def test_a_broken_callback_makes_no_attempt(
    app: App, provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    """LiteLLM swallows what callbacks raise: there is the one attempt that there was."""
    monkeypatch.setattr(litellm, "callbacks", [Raises()])
    provider.script(script)
    if script.status == 200:
        app.ask("completion")
    else:
        with pytest.raises(litellm.InternalServerError):
            app.ask("completion")
    (span,) = telemetry.spans()
    assert without_duration(attempts_of(span)) == expected_attempts(provider.ledger)


SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "a",
        "schema": {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
    },
}


def test_an_answer_that_litellm_refuses(
    app: App, provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is not as the app's schema wants it fails the attempt that got it; LiteLLM asks again."""
    monkeypatch.setattr(litellm, "enable_json_schema_validation", True)
    provider.scripts([Script(content=('{"c": 1}',))])
    provider.script(Script(content=('{"b": "x"}',)))
    app.ask("completion", num_retries=1, response_format=SCHEMA)
    ledger = provider.ledger
    assert len(ledger) == 2
    (span,) = telemetry.spans()
    first, second = attempts_of(span)
    assert first["error.type"] == "JSONSchemaValidationError"
    assert "error.type" not in second
    assert_attempt_times(span, ledger)
    assert retries_and_fallback(span) == (1, False)


@pytest.mark.parametrize("asked", [{"num_retries": 1}, {"max_retries": 1}], ids=["by LiteLLM", "by the client"])
def test_a_stream_that_was_retried(
    app: App, provider: OpenAIProvider, telemetry: Recorder, asked: dict[str, object]
) -> None:
    """Attempts before the first chunk are attempts of the stream, the last of which ends with it."""
    provider.scripts([FAILS, Script(delay=0.01)])
    chunks = app.read("completion", stream_options={"include_usage": True}, **asked)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello, world!"
    ledger = provider.ledger
    (span,) = telemetry.spans()
    attempts = attempts_of(span)
    assert without_duration(attempts) == expected_attempts(ledger)
    assert_attempt_times(span, ledger)
    assert cast("float", attempts[-1]["duration"]) >= ledger[-1].chunk_times[-1] - ledger[-1].chunk_times[0]
    assert retries_and_fallback(span) == (1, False)
    assert attributes_of(span)["llm.response.stream_outcome"] == "completed"
    assert_counted_once(telemetry, span, ledger[-1].usage)


def test_a_stream_that_was_cut_is_one_failed_attempt(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """It has the error that the span has."""
    provider.script(Script(cut_after=3))
    with pytest.raises(litellm.exceptions.openai.APIError):
        app.read("completion")
    (span,) = telemetry.spans()
    attributes, (attempt,) = attributes_of(span), attempts_of(span)
    assert attempt["error.type"] == attributes["error.type"]
    assert attempt["error.message"] == attributes["llm.error.message"]
    assert attributes["llm.error.category"] == "stream_interrupted"
    assert retries_and_fallback(span) == (None, None)


def test_a_stream_of_a_fallback(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The stream is the other model's."""
    provider.scripts([FAILS])
    AsyncApp(provider).read("completion", fallbacks=["openai/gpt-4o-mini"])
    ledger = provider.ledger
    (span,) = telemetry.spans()
    assert without_duration(attempts_of(span)) == expected_attempts(ledger)
    assert attributes_of(span)["gen_ai.request.model"] == "gpt-4o-mini"
    assert retries_and_fallback(span) == (0, True)


def test_calls_at_once_do_not_mix_their_attempts(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Each of many calls has the attempts that it made."""
    app = AsyncApp(provider)
    provider.scripts([Script(status=500, headers=SOON, first_delay=0.02) for _ in range(4)])
    provider.script(Script(first_delay=0.02))

    async def scenario() -> None:
        await asyncio.gather(*(app.call("completion", model=f"openai/m{n}", max_retries=4) for n in range(5)))

    app.run(scenario())
    ledger = provider.ledger
    for span in telemetry.spans():
        model = attributes_of(span)["gen_ai.request.model"]
        own = [exchange for exchange in ledger if exchange.body["model"] == model]
        assert without_duration(attempts_of(span)) == expected_attempts(own)
        assert_attempt_times(span, own)
    assert len(telemetry.spans()) == 5
