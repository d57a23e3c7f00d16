"""Guardrails in calls without the proxy: a span for each run, and what a blocked call shows."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any, cast

import litellm
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

custom_guardrail = pytest.importorskip("litellm.integrations.custom_guardrail", reason="this LiteLLM has no guardrails")

from agentops_otel_litellm.readers.interventions import mark_intervention
from support.apps import MESSAGES
from support.guardrails import BLOCKED, Broken, Decorated, Judging, Masking, Plain, RaisingValueError
from support.recorder import Recorder, attributes_of
from support.routers import deployment
from support.servers.openai_provider import OpenAIProvider, Script

pytestmark = pytest.mark.usefixtures("restored_callbacks")

Connection = dict[str, Any]

NAME = "house-rules"


@pytest.fixture
def connection(provider: OpenAIProvider) -> Iterator[Connection]:
    yield {"model": "openai/gpt-4o", "api_base": provider.base_url, "api_key": "sk-test", "max_retries": 0}
    litellm.callbacks = []


def ask(connection: Connection, text: str = "Say hello to Ann.") -> object:
    """Call a model with the guardrail. Return the exception if the call is blocked."""
    messages = [{"role": "user", "content": text}]
    try:
        return asyncio.run(litellm.acompletion(messages=messages, guardrails=[NAME], **connection))
    except Exception as error:  # noqa: BLE001 - the tests examine it
        return error


def runs(telemetry: Recorder) -> list[ReadableSpan]:
    """The spans of guardrails."""
    return [span for span in telemetry.spans() if span.name.startswith("apply_guardrail")]


def facts(span: ReadableSpan) -> dict[str, object]:
    return {
        name.removeprefix("litellm.guardrail."): value
        for name, value in attributes_of(span).items()
        if name.startswith("litellm.guardrail.")
    }


PASSED = {"verdict": "success"}
INTERVENED = {"verdict": "guardrail_intervened"}


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [
        (Decorated, "pre_call", {**PASSED, "action": "allow"}),
        (Decorated, "post_call", PASSED),
        (Masking, "pre_call", {**PASSED, "action": "mask"}),
        (Masking, "post_call", {**PASSED, "action": "allow"}),
        (Plain, "pre_call", {}),
    ],
)
def test_a_run_is_a_span_within_the_call(
    telemetry: Recorder, connection: Connection, kind: type, mode: str, expected: dict[str, object]
) -> None:
    """Verdict and action are those of LiteLLM's record. A guardrail without a record has none."""
    litellm.callbacks = [kind(guardrail_name=NAME, event_hook=mode)]
    assert isinstance(ask(connection), litellm.ModelResponse)
    (run,) = runs(telemetry)
    call = telemetry.span()
    assert run.name == f"apply_guardrail {NAME}"
    assert run.kind is SpanKind.INTERNAL
    assert run.parent is not None
    assert call.context is not None
    assert run.parent.span_id == call.context.span_id
    assert facts(run) == {"name": NAME, "mode": mode, **expected}
    assert run.status.status_code is StatusCode.UNSET
    assert call.start_time <= run.start_time <= run.end_time <= call.end_time  # type: ignore[operator]


@pytest.mark.parametrize("kind", [Decorated, Masking, Plain])
def test_a_blocked_call_is_an_error_without_a_request(
    telemetry: Recorder, provider: OpenAIProvider, connection: Connection, kind: type
) -> None:
    """The call's span is the topmost one. Its category is that of a content filter, although the exception's class is
    a general one.
    """
    litellm.callbacks = [kind(guardrail_name=NAME, event_hook="pre_call")]
    error = ask(connection, BLOCKED)
    assert type(error).__name__ == "HTTPException"
    assert provider.ledger == []
    (run,) = runs(telemetry)
    call = telemetry.span()
    for span in run, call:
        assert span.status.status_code is StatusCode.ERROR
        assert attributes_of(span)["error.type"] == "HTTPException"
        assert attributes_of(span)["llm.error.category"] == "content_filter"
    assert facts(run) == {"name": NAME, "mode": "pre_call", **({} if kind is Plain else INTERVENED)}
    assert call.parent is None
    assert [event.name for event in call.events] == []


@pytest.mark.parametrize("kind", [Decorated, Masking, Plain])
def test_nothing_of_the_texts_is_recorded(telemetry: Recorder, connection: Connection, kind: type) -> None:
    """Neither the checked text nor the text of the exception, which quotes it."""
    litellm.callbacks = [kind(guardrail_name=NAME, event_hook="pre_call")]
    ask(connection, BLOCKED)
    assert len(runs(telemetry)) == 1
    assert "canary" not in telemetry.everything()


def test_a_failing_guardrail_is_not_an_intervention(telemetry: Recorder, connection: Connection) -> None:
    litellm.callbacks = [Broken(guardrail_name=NAME, event_hook="pre_call")]
    assert isinstance(ask(connection), Exception)
    (run,) = runs(telemetry)
    assert run.status.status_code is StatusCode.ERROR
    assert attributes_of(run)["llm.error.category"] == "connection"


def test_a_guardrail_may_raise_an_exception_of_python(telemetry: Recorder, connection: Connection) -> None:
    """Weak references to it are impossible. No warning is logged about that."""
    litellm.callbacks = [RaisingValueError(guardrail_name=NAME, event_hook="pre_call")]
    assert isinstance(ask(connection), ValueError)
    (run,) = runs(telemetry)
    for span in run, telemetry.span():
        assert span.status.status_code is StatusCode.ERROR
        assert attributes_of(span)["error.type"] == "ValueError"
    mark_intervention(ValueError())
    assert "canary" not in telemetry.everything()


def test_the_model_that_a_guardrail_asks_is_within_its_run(
    telemetry: Recorder, provider: OpenAIProvider, connection: Connection
) -> None:
    guardrail = Judging(guardrail_name=NAME, event_hook="pre_call")
    guardrail.judge = {**connection, "model": "openai/gpt-4.1", "messages": MESSAGES}
    litellm.callbacks = [guardrail]
    ask(connection)
    (run,) = runs(telemetry)
    names = {span.name: span for span in telemetry.spans()}
    judge = names["chat gpt-4.1"]
    assert run.context is not None
    assert judge.parent is not None
    assert judge.parent.span_id == run.context.span_id
    assert len(provider.ledger) == 2


def test_a_route_is_topmost(telemetry: Recorder, provider: OpenAIProvider) -> None:
    """A blocked call of the Router: the error is also on the route."""
    litellm.callbacks = [Decorated(guardrail_name=NAME, event_hook="pre_call")]
    rows = [deployment("fast", "openai/gpt-4o", "fast-1", provider.base_url)]
    router = litellm.Router(model_list=cast("Any", rows), num_retries=0)
    messages = [{"role": "user", "content": BLOCKED}]
    with pytest.raises(Exception, match="canary"):
        asyncio.run(router.acompletion("fast", messages, guardrails=[NAME]))
    (route,) = (span for span in telemetry.spans() if span.parent is None)
    assert route.name == "route fast"
    assert route.status.status_code is StatusCode.ERROR
    assert attributes_of(route)["llm.error.category"] == "content_filter"
    assert provider.ledger == []


def test_guardrails_of_a_class_from_before(telemetry: Recorder, connection: Connection) -> None:
    """A class that was created before LiteLLM was instrumented: the span has the times of LiteLLM's record."""
    decorator = inspect.unwrap(custom_guardrail.log_guardrail_information)

    class Earlier(Plain):
        async_pre_call_hook = decorator(vars(Plain)["async_pre_call_hook"])

    litellm.callbacks = [Earlier(guardrail_name=NAME, event_hook="pre_call")]
    ask(connection)
    (run,) = runs(telemetry)
    assert facts(run) == {"name": NAME, "mode": "pre_call", **PASSED, "action": "allow"}
    assert run.start_time is not None
    assert run.end_time is not None
    assert run.start_time <= run.end_time


def test_suppressed_guardrails_have_no_span(telemetry: Recorder, connection: Connection) -> None:
    litellm.callbacks = [Decorated(guardrail_name=NAME, event_hook="pre_call")]
    with suppress_instrumentation():
        ask(connection)
    assert telemetry.spans() == []


def test_methods_stay_plain_functions() -> None:
    """LiteLLM's decorator makes a plain function of an asynchronous method; so does the traced one, with the method's
    signature.
    """
    method = Decorated.async_pre_call_hook
    assert not inspect.iscoroutinefunction(method)
    assert list(inspect.signature(method).parameters) == ["self", "user_api_key_dict", "cache", "data", "call_type"]


def test_a_provider_error_is_not_an_intervention(
    telemetry: Recorder, provider: OpenAIProvider, connection: Connection
) -> None:
    litellm.callbacks = [Decorated(guardrail_name=NAME, event_hook="pre_call")]
    provider.script(Script(status=400, error_message="Bad.", error_code="bad"))
    ask(connection)
    (run,) = runs(telemetry)
    assert run.status.status_code is StatusCode.UNSET
    assert telemetry.attributes()["llm.error.category"] == "invalid_request"
