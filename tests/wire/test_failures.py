"""Calls that fail: what the span and the event say, and that the app's exception is the one LiteLLM raised."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb

import litellm
import openai
import pytest
from litellm import exceptions
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.trace import StatusCode

import agentops_otel_litellm
from agentops_otel_litellm import LiteLLMInstrumentor
from support import releases
from support.apps import App, AsyncApp
from support.instrumented import RECORDER
from support.provider_errors import errors
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the provider does → what is said of the failure beside its type."""

    script: Script
    error: str
    said: Attributes
    sentence: str


# A category → how it is put into words.
SENTENCES = {
    "auth": "the credentials were rejected",
    "rate_limit": "the rate limit was reached",
    "quota": "the budget or quota is used up",
    "invalid_request": "the request is invalid",
    "server_error": "the provider had an internal error",
    "context_length": "the request is longer than the model's context",
    "content_filter": "the content was rejected by a policy",
    "not_found": "the model or resource does not exist",
    "timeout": "no response was received in time",
}


def case(
    script: Script, error: str, category: str, status: int | None, *, retryable: bool = False, **more: object
) -> Case:
    said: Attributes = {
        "llm.error.category": category,
        "llm.error.retryable": retryable,
        **({} if status is None else {"llm.error.status_code": status}),
        "llm.error.provider": "openai",
        **{f"llm.error.{name}": value for name, value in more.items()},
    }
    facts = "openai" if status is None else f"HTTP {status}, openai"
    return Case(script=script, error=error, said=said, sentence=f"{SENTENCES[category]} ({facts})")


KNOWN_KEY_ERROR = "Incorrect API key provided: sk-1"
LIMITED = {"retry-after": "7", "x-request-id": "req-1"}
UNTIL = {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:27:30 GMT"}
TOO_LONG = "This model's maximum context length is 10 tokens."
REFUSED = "Your request was rejected as a result of our safety system: content_policy_violation"
CASES = {
    "a refused key": case(Script(status=401, error_message=KNOWN_KEY_ERROR), "AuthenticationError", "auth", 401),
    "a refused key in other words": case(
        Script(status=401),
        "AuthenticationError" if releases.STATUS_DECIDES_ERROR_CLASS else "BadRequestError",
        "auth",
        401,
    ),
    "no permission": case(
        Script(status=403), "APIError" if releases.CONFLICTS_ARE_API_ERRORS else "BadRequestError", "auth", 403
    ),
    "too often": case(
        Script(status=429, headers=LIMITED),
        "RateLimitError",
        "rate_limit",
        429,
        retryable=True,
        retry_after=7.0,
        request_id="req-1",
    ),
    "too often, until a date": case(
        Script(status=429, headers=UNTIL), "RateLimitError", "rate_limit", 429, retryable=True, retry_after=30.0
    ),
    "not paid for": case(Script(status=429, error_code="insufficient_quota"), "RateLimitError", "quota", 429),
    "in conflict": case(
        Script(status=409),
        "APIError" if releases.CONFLICTS_ARE_API_ERRORS else "BadRequestError",
        "invalid_request",
        409,
        retryable=True,
    ),
    "broken, and not to be asked again": case(
        Script(status=500, headers={"x-should-retry": "false"}), "InternalServerError", "server_error", 500
    ),
    "too long": case(
        Script(status=400, error_code="context_length_exceeded", error_message=TOO_LONG),
        "ContextWindowExceededError",
        "context_length",
        400,
    ),
    "against the policy": case(
        Script(status=400, error_message=f"invalid_request_error: {REFUSED}"),
        "ContentPolicyViolationError",
        "content_filter",
        400,
    ),
    "against the policy in other words": case(
        Script(status=400, error_message=REFUSED, error_code="content_policy_violation"),
        "BadRequestError" if releases.POLICY_ERRORS_NEED_TWO_WORDS else "ContentPolicyViolationError",
        "content_filter",
        400,
    ),
    "invalid": case(Script(status=400), "BadRequestError", "invalid_request", 400),
    "not there": case(
        Script(status=404),
        "NotFoundError" if releases.STATUS_DECIDES_ERROR_CLASS else "BadRequestError",
        "not_found",
        404,
    ),
    "broken": case(Script(status=500), "InternalServerError", "server_error", 500, retryable=True),
    "overloaded": case(Script(status=503), "ServiceUnavailableError", "server_error", 503, retryable=True),
    "too slow": case(Script(first_delay=1), "Timeout", "timeout", None, retryable=True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_failure_is_told(app: App, provider: OpenAIProvider, telemetry: Recorder, case: Case) -> None:
    """The span has an error's status, its class, and facts put into words that quote nobody; so does the event."""
    provider.script(case.script)
    with pytest.raises(getattr(exceptions, case.error)) as raised:
        app.ask("completion", timeout=0.2 if case.script.first_delay else 10)
    assert type(raised.value).__name__ == case.error
    (span,) = telemetry.spans()
    message = f"{case.error}: {case.sentence}"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, message)
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert errors(attributes_of(span)) == {
        "error.type": case.error,
        "llm.error.type": case.error,
        "llm.error.message": message,
        **case.said,
    }
    (record,) = telemetry.logs()
    assert_is_event(record, {"exception.type": f"litellm.exceptions.{case.error}", "exception.message": message})
    assert span.context is not None
    assert (record.log_record.trace_id, record.log_record.span_id) == (span.context.trace_id, span.context.span_id)


def assert_is_event(record: ReadableLogRecord, attributes: Attributes) -> None:
    log = record.log_record
    assert log.event_name == "gen_ai.client.operation.exception"
    assert log.severity_number is not None
    assert log.severity_number.name == "WARN"
    assert log.body is None
    assert dict(log.attributes or {}) == attributes


def test_a_failed_call_says_what_was_asked(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """An error span has everything that was known before the error."""
    provider.script(Script(status=500))
    with pytest.raises(litellm.InternalServerError):
        app.ask("completion", temperature=0.5)
    attributes = telemetry.attributes()
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "llm.request.messages_count": 2,
        "server.address": provider.address,
        "server.port": provider.port,
        "litellm.call_type": app.name("completion"),
    }
    assert {name: attributes.get(name) for name in expected} == expected
    assert [name for name in attributes if name.startswith(("gen_ai.response", "llm.response", "llm.usage"))] == []


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize("how", ["refused", "cut"])
def test_a_provider_that_is_not_there(app: App, provider: OpenAIProvider, telemetry: Recorder, how: str) -> None:
    """Nobody answered, so there is no status: the connection failed."""
    provider.script(Script(cut_after=0))
    base = provider.base_url if how == "cut" else f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(openai.APIError):
        app.ask("completion", api_base=base)
    attributes = errors(telemetry.attributes())
    assert attributes["llm.error.category"] == "connection"
    assert "llm.error.status_code" not in attributes


def traits(error: BaseException) -> dict[str, object]:
    """What an app can see of an exception, but for what names the call; of what it was raised for also."""
    seen = {name: str(value) for name, value in vars(error).items() if name not in {"litellm_debug_info", "request"}}
    frames = extract_tb(error.__traceback__)
    ours = [frame for frame in frames if OURS in Path(frame.filename).parents]
    return {
        "type": type(error),
        "text": str(error),
        "args": error.args,
        "cause": error.__cause__ and traits(error.__cause__),
        "context": error.__context__ and traits(error.__context__),
        "suppressed": error.__suppress_context__,
        "notes": getattr(error, "__notes__", None),
        "frames": [f"{Path(frame.filename).name}:{frame.name}" for frame in frames if frame not in ours],
        "deeper for us": len(ours) > 4,
        **seen,
    }


OURS = Path(agentops_otel_litellm.__file__).parent


def test_the_apps_exception_is_the_one_it_gets_without_us(app: App, provider: OpenAIProvider) -> None:
    """Class, text, attributes, causes and traceback are LiteLLM's, but for a frame where we stood between."""
    provider.script(Script(status=429, headers={"retry-after": "7", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}))

    def fail() -> dict[str, object]:
        with pytest.raises(litellm.RateLimitError) as raised:
            app.ask("completion")
        return traits(raised.value)

    traced = fail()
    LiteLLMInstrumentor().uninstrument()
    try:
        assert traced == fail()
    finally:
        LiteLLMInstrumentor().instrument(**RECORDER.providers)


def test_a_cancelled_call_is_told(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """Cancelling a task that waits for LiteLLM ends the span then and there."""
    app = AsyncApp(provider)
    provider.script(Script(first_delay=0.5))

    async def scenario() -> None:
        task = asyncio.create_task(app.call())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(telemetry.spans()) == 1

    app.run(scenario())
    attributes = telemetry.attributes()
    assert attributes["error.type"] == "CancelledError"
    assert attributes["llm.error.category"] == "cancelled"
    assert telemetry.span().status.status_code is StatusCode.ERROR
    assert "llm.error.provider" not in attributes
    assert telemetry.logs() == []
    (duration,) = telemetry.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "CancelledError"
