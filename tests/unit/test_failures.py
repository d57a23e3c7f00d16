"""Calls that fail: what the span and the event say, and that the app's exception is the one LiteLLM raised."""

from __future__ import annotations

import litellm
import pytest

from support.apps import App, SyncApp
from support.provider_errors import errors
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider


def test_a_model_of_no_provider(app: App, telemetry: Recorder) -> None:
    """A model whose provider LiteLLM cannot tell is an invalid request of nobody's."""
    with pytest.raises(litellm.BadRequestError):
        app.ask("completion", model="no-such-model")
    attributes = telemetry.attributes()
    assert telemetry.span().name == "chat no-such-model"
    assert errors(attributes) == {
        "error.type": "BadRequestError",
        "llm.error.type": "BadRequestError",
        "llm.error.category": "invalid_request",
        "llm.error.retryable": False,
        "llm.error.status_code": 400,
        "llm.error.message": "BadRequestError: the request was rejected as invalid (HTTP 400)",
    }
    assert "gen_ai.provider.name" not in attributes


def test_an_exception_passes_as_it_is(provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What LiteLLM lets through is the very object that was raised, and nothing is hung on it."""
    error = KeyboardInterrupt("mine")

    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise error from ValueError("before")

    monkeypatch.setattr(litellm.main.openai_chat_completions, "completion", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        SyncApp(provider).ask("completion")
    assert raised.value is error
    assert (error.args, vars(error), type(error.__cause__)) == (("mine",), {}, ValueError)
    assert error.__context__ is None


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_passes(
    provider: OpenAIProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Interrupts and exits end the span as cancelled, and reach the app as they are: they are no fault of a provider's,
    and nobody is warned of them.
    """
    interrupt = kind()

    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise interrupt

    monkeypatch.setattr(litellm.main.openai_chat_completions, "completion", interrupted)
    with pytest.raises(kind) as raised:
        SyncApp(provider).ask("completion")
    assert raised.value is interrupt
    assert errors(telemetry.attributes()) == {
        "error.type": kind.__name__,
        "llm.error.type": kind.__name__,
        "llm.error.category": "cancelled",
        "llm.error.message": f"{kind.__name__}: the call was cancelled",
    }
    assert telemetry.logs() == []
