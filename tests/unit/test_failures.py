"""Calls that fail: attributes and events of the error, and the exception that the application receives."""

from __future__ import annotations

import litellm
import pytest

from support.apps import App, SyncApp
from support.provider_errors import errors
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider


def test_a_model_without_provider_is_an_invalid_request(app: App, telemetry: Recorder) -> None:
    with pytest.raises(litellm.BadRequestError):
        app.ask("completion", model="no-such-model")
    attributes = telemetry.attributes()
    assert telemetry.span().name == "chat no-such-model"
    assert errors(attributes) == {
        "error.type": "BadRequestError",
        "llm.error.type": "BadRequestError",
        "llm.error.category": "invalid_request",
        "llm.error.retryable": False,
        "llm.error.message": "BadRequestError: the request is invalid",
    }
    assert "gen_ai.provider.name" not in attributes


def test_an_exception_reaches_the_app_unchanged(provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same object, and no attribute or context is added to it."""
    error = KeyboardInterrupt("mine")

    def interrupt(*_args: object, **_kwargs: object) -> None:
        raise error from ValueError("before")

    monkeypatch.setattr(litellm.main.openai_chat_completions, "completion", interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        SyncApp(provider).ask("completion")
    assert raised.value is error
    assert (error.args, vars(error), type(error.__cause__)) == (("mine",), {}, ValueError)
    assert error.__context__ is None


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exceptions_that_end_the_program_are_cancellations(
    provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Interrupts and exits reach the application unchanged, and no exception event is emitted for them."""
    error = kind()

    def interrupt(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr(litellm.main.openai_chat_completions, "completion", interrupt)
    with pytest.raises(kind) as raised:
        SyncApp(provider).ask("completion")
    assert raised.value is error
    assert errors(telemetry.attributes()) == {
        "error.type": kind.__name__,
        "llm.error.type": kind.__name__,
        "llm.error.category": "cancelled",
        "llm.error.message": f"{kind.__name__}: the call was cancelled",
    }
    assert telemetry.logs() == []
