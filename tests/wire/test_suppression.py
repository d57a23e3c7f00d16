"""What other instrumentations find in a call of LiteLLM's, and outside of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import litellm
import openai
import pytest
import wrapt
from litellm.integrations.custom_logger import CustomLogger
from openai.resources.chat.completions import AsyncCompletions, Completions
from opentelemetry.context import Context, attach, detach, get_current, set_value
from opentelemetry.trace import INVALID_SPAN

from agentops_otel_litellm.invocation import context
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.patching import other_instrumentations
from support import releases
from support.apps import MESSAGES, App
from support.callback_lists import call_and_wait_for_logging
from support.logging_worker import settle
from support.recorder import Recorder

LANGUAGE_MODEL = "suppress_language_model_instrumentation"
Seen = list[str]


@pytest.fixture(params=["somebody.instrumentation.openai", "the_app"])
def wrapped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Seen]:
    """OpenAI's client, wrapped by an instrumentation that cannot be told to stand aside, or by the app."""
    seen: Seen = []

    def told(method: Callable[..., Any], _instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        seen.append(kwargs["model"])
        return method(*args, **kwargs)

    told.__module__ = request.param
    for kind in (Completions, AsyncCompletions):
        monkeypatch.setattr(kind, "create", wrapt.FunctionWrapper(kind.create, told))
    return request.param, seen


def test_a_wrapper_of_an_instrumentation_is_passed_by(app: App, telemetry: Recorder, wrapped: tuple[str, Seen]) -> None:
    """In a call of LiteLLM's, and not outside of it; what the app has put there for a purpose of its own is not."""
    (by, seen) = wrapped
    app.connection["api_key"] = f"sk-{by}-{app.style}"  # LiteLLM keeps clients, which keep what they were made with
    app.ask("completion")
    app.read("completion")
    passed_by = "instrumentation" in by or not releases.CHATS_USE_CREATE
    assert seen == ([] if passed_by else ["gpt-4o"] * 2)
    seen.clear()

    async def direct() -> None:
        kind = openai.OpenAI if app.style == "sync" else openai.AsyncOpenAI
        completions: Any = kind(base_url=app.provider.base_url, api_key="sk-test").chat.completions
        method = completions.with_raw_response.create
        assert inspect.iscoroutinefunction(method) is (app.style == "async")
        assert method.__name__ == "create"
        for each in (method, completions.create):
            answer = each(model="gpt-4o-mini", messages=MESSAGES)
            assert (await answer if inspect.isawaitable(answer) else answer) is not None

    app.run(direct())
    assert seen == ["gpt-4o-mini"] * 2
    assert len(telemetry.spans()) == 2


class Looks(CustomLogger):
    """A callback that looks at what it finds in its context."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def log_success_event(self, kwargs: dict[str, object], *_args: object, **_others: object) -> None:
        if kwargs["model"] == "looked-at":  # LiteLLM's worker may have logs left of other tests
            self.found.append(get_current().get(LANGUAGE_MODEL))

    async def async_log_success_event(self, kwargs: dict[str, object], *_args: object, **_others: object) -> None:
        self.log_success_event(kwargs)


@pytest.mark.parametrize("apps", [None, "the app's"])
def test_what_is_found(app: App, monkeypatch: pytest.MonkeyPatch, apps: str | None) -> None:
    """They are told to stand aside where LiteLLM's code runs; callbacks find what the app has said."""
    inside: list[object] = []

    class Provider(litellm.CustomLLM):
        def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            inside.append(get_current().get(LANGUAGE_MODEL))
            return litellm.ModelResponse()

        async def acompletion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
            return self.completion()

    callback = Looks()
    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "mine", "custom_handler": Provider()}])
    monkeypatch.setattr(litellm, "callbacks", [callback])
    monkeypatch.setattr(litellm, "success_callback", [])
    monkeypatch.setattr(litellm, "_async_success_callback", [])
    token = attach(set_value(LANGUAGE_MODEL, apps) if apps else get_current())
    app.run(call_and_wait_for_logging(app, model="mine/looked-at"))
    detach(token)
    settle()
    assert inside == [apps or "agentops_otel_litellm"]
    assert callback.found == [apps]


def test_opentelemetrys_own_find_what_takes_their_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance of the class that they ask for, which keeps nothing; releases that do not ask are left alone."""

    class InferenceData:
        kept: object = None

        def merge(self, other: object, *, overwrite: bool) -> None:
            self.kept = (other, overwrite)

    suppressing: dict[str, object] = {}
    for each in (context, other_instrumentations):
        monkeypatch.setattr(each, "SUPPRESSING", suppressing)
    module = ModuleType("util_genai")
    other_instrumentations._suppress_util_genai("KEY", "InferenceData", module)
    assert suppressing == {}
    module.KEY, module.InferenceData = "their.key", InferenceData  # type: ignore[attr-defined]
    other_instrumentations._suppress_util_genai("KEY", "InferenceData", module)
    (data,) = suppressing.values()
    assert isinstance(data, InferenceData)
    data.merge(InferenceData(), overwrite=True)
    assert data.kept is None
    call = cast("Invocation", SimpleNamespace(calls_a_model=True))
    inside = context.context_of(call, INVALID_SPAN, Context({"their.key": "the app's", "other": 1}))
    assert {name: inside[name] for name in ("their.key", "other")} == {"their.key": "the app's", "other": 1}
