"""Attempts of a call, as events on its span."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import cast

import litellm
import pytest

from agentops_otel_litellm.patching import hooks
from support.apps import App
from support.attempts import attempts_of
from support.failed_attempts import (
    assert_failed,
    restored_num_retries,  # noqa: F401 - a fixture
)
from support.instrumented import traced_by
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider


def test_a_call_without_provider_has_no_attempt(app: App, provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM finds no provider for the model."""
    with pytest.raises(litellm.BadRequestError) as failure:
        app.ask("completion", model="nosuch")
    assert provider.ledger == []
    (span,) = telemetry.spans()
    assert attempts_of(span) == []
    assert_failed(span, failure.value)


def test_an_unsupported_parameter_makes_no_attempt(app: App, telemetry: Recorder) -> None:
    """LiteLLM rejects it before the request."""
    with pytest.raises(litellm.UnsupportedParamsError):
        app.ask("completion", model="anthropic/claude-x", logit_bias={"1": 1})
    (span,) = telemetry.spans()
    assert attempts_of(span) == []


def test_a_rejection_by_a_rule_of_the_app_makes_no_attempt(
    app: App, provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM applies rules for prompts before the request."""

    def reject(_text: str) -> bool:
        return False

    monkeypatch.setattr(litellm, "pre_call_rules", [reject])
    with pytest.raises(Exception, match="LLM Response failed"):
        app.ask("completion")
    assert provider.ledger == []
    (span,) = telemetry.spans()
    assert attempts_of(span) == []


def test_a_retried_call_releases_its_parameters(telemetry: Recorder) -> None:
    """Tracebacks of failed attempts refer to the parameters, and must be released without the garbage collector."""

    class Prompt:
        """An object that supports weak references."""

    class ProviderError(Exception):
        pass

    errors: list[weakref.ref[ProviderError]] = []

    def traced_function(*, prompt: Prompt, again: bool = True, **_kwargs: object) -> object:
        if not again:
            raise ProviderError
        try:
            return traced(prompt=prompt, again=False, litellm_logging_obj="one")
        except ProviderError as error:
            errors.append(weakref.ref(error))
            return iter((1,))

    traced = traced_by(telemetry, traced_function)
    prompt = Prompt()
    reference = weakref.ref(prompt)
    gc.collect()
    gc.disable()
    try:
        stream = cast("Iterator[int]", traced(prompt=prompt))
        del prompt
        assert [error() for error in errors] == [None]
        assert next(stream) == 1
        assert list(stream) == []
        assert reference() is None
        (span,) = telemetry.spans()
        assert len(attempts_of(span)) == 1
    finally:
        gc.enable()


def test_converted_errors_belong_to_one_attempt(telemetry: Recorder) -> None:
    """Nested functions of LiteLLM may each convert the error of the one that they call."""

    def exception_type(model: str, original_exception: BaseException) -> Exception:
        return RuntimeError(model, original_exception)

    start_attempt = hooks.record_attempt(lambda _logging: None)
    create_error = hooks.record_failed_attempt(exception_type)

    def traced_function(*, again: bool = True, **_kwargs: object) -> object:
        if not again:
            start_attempt("one")
            raise create_error("m", create_error("m", original_exception=ValueError("no")))
        try:
            return traced(again=False, litellm_logging_obj="one")
        except RuntimeError:
            return "response"

    traced = traced_by(telemetry, traced_function)
    assert traced() == "response"
    (span,) = telemetry.spans()
    assert [each["error.type"] for each in attempts_of(span)] == ["RuntimeError"]
