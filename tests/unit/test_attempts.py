"""Retries and fallbacks: one call, whose attempts are those that the provider saw."""

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


def test_a_call_that_came_to_no_provider_has_no_attempt(
    app: App, provider: OpenAIProvider, telemetry: Recorder
) -> None:
    """A model that nobody has, without a fallback."""
    with pytest.raises(litellm.BadRequestError) as failure:
        app.ask("completion", model="nosuch")
    assert provider.ledger == []
    (span,) = telemetry.spans()
    assert attempts_of(span) == []
    assert_failed(span, failure.value)


def test_a_parameter_that_is_not_supported_is_no_attempt(app: App, telemetry: Recorder) -> None:
    """LiteLLM finds out before it turns to the provider."""
    with pytest.raises(litellm.UnsupportedParamsError):
        app.ask("completion", model="anthropic/claude-x", logit_bias={"1": 1})
    (span,) = telemetry.spans()
    assert attempts_of(span) == []


def test_a_rule_of_the_apps_makes_no_attempt(
    app: App, provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that refuses the prompt does so before anybody is asked; one that refuses the answer fails the attempt."""

    def refuses(_text: str) -> bool:
        return False

    monkeypatch.setattr(litellm, "pre_call_rules", [refuses])
    with pytest.raises(Exception, match="LLM Response failed"):
        app.ask("completion")
    assert provider.ledger == []
    (span,) = telemetry.spans()
    assert attempts_of(span) == []


def test_a_call_that_was_retried_lets_go_of_what_the_app_passed(telemetry: Recorder) -> None:
    """The errors of its attempts hold on to all that was going on: they do not wait for the garbage collector."""

    class Prompt:
        """Something that can be watched."""

    class No(Exception):  # noqa: N818 - likewise
        pass

    errors: list[weakref.ref[No]] = []

    def tried(*, prompt: Prompt, again: bool = True, **_kwargs: object) -> object:
        if not again:
            raise No
        try:
            return traced(prompt=prompt, again=False, litellm_logging_obj="one")
        except No as error:
            errors.append(weakref.ref(error))
            return iter((1,))

    traced = traced_by(telemetry, tried)
    prompt = Prompt()
    watched = weakref.ref(prompt)
    gc.collect()
    gc.disable()
    try:
        stream = cast("Iterator[int]", traced(prompt=prompt))
        del prompt
        assert [error() for error in errors] == [None]
        assert next(stream) == 1
        assert list(stream) == []
        assert watched() is None
        (span,) = telemetry.spans()
        assert len(attempts_of(span)) == 1
    finally:
        gc.enable()


def test_an_error_that_is_made_of_another_is_the_same_attempts(telemetry: Recorder) -> None:
    """LiteLLM's functions may each make their own of what the one beneath them raised."""

    def exception_type(model: str, original_exception: BaseException) -> Exception:
        return RuntimeError(model, original_exception)

    turn_to_provider = hooks.record_attempt(lambda _logging: None)
    made = hooks.record_failed_attempt(exception_type)

    def tried(*, again: bool = True, **_kwargs: object) -> object:
        if not again:
            turn_to_provider("one")
            raise made("m", made("m", original_exception=ValueError("no")))
        try:
            return traced(again=False, litellm_logging_obj="one")
        except RuntimeError:
            return "answer"

    traced = traced_by(telemetry, tried)
    assert traced() == "answer"
    (span,) = telemetry.spans()
    assert [each["error.type"] for each in attempts_of(span)] == ["RuntimeError"]
