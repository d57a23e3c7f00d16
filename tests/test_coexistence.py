"""Others that tell of the same calls: they are named, and what they say is not said on our spans."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from types import ModuleType
from typing import Any, cast

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger
from litellm.integrations.langfuse.langfuse_otel import LangfuseOtelLogger
from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig
from litellm.litellm_core_utils import litellm_logging
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # untyped
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentops_otel_litellm.callbacks import coexistence
from agentops_otel_litellm.callbacks.coexistence import look_around
from apps import MESSAGES, App
from conftest import Reinstrument, Told
from recorder import Recorder, attributes_of
from servers.openai_provider import Script
from test_agentops_string import LISTS

TWICE = (
    "{} also traces LiteLLM: every call is told of twice. {} "
    "Or switch this one off: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=agentops_litellm."
)


@pytest.fixture(autouse=True)
def _nothing_told_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(coexistence, "_told", set())
    for name in LISTS:
        monkeypatch.setattr(litellm, name, [])
    monkeypatch.setattr(litellm_logging, "_in_memory_loggers", [])
    look_around.cache_clear()
    yield
    look_around.cache_clear()


def litellms_own(telemetry: Recorder) -> OpenTelemetry:
    """LiteLLM's callback, writing where we write."""
    return OpenTelemetry(
        config=OpenTelemetryConfig(exporter=InMemorySpanExporter()), tracer_provider=telemetry.tracer_provider
    )


def test_litellms_own_callback_writes_on_its_own_spans(
    app: App, telemetry: Recorder, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes what it knows on the span that is the current one; ours is not one to be written on by then."""
    app.run(called_and_logged(app))
    alone = attributes_of(telemetry.span())
    telemetry.forget()
    monkeypatch.setattr(litellm, "callbacks", [litellms_own(telemetry)])
    app.run(called_and_logged(app))
    wait_for(telemetry, "raw_gen_ai_request")
    (ours,) = (span for span in telemetry.spans() if span.name == "chat gpt-4o")
    (theirs,) = (span for span in telemetry.spans() if span.name == "raw_gen_ai_request")
    volatile = {"gen_ai.response.id", "llm.response.id"}
    assert attributes_of(ours).keys() == alone.keys()
    assert {name for name, value in attributes_of(ours).items() if value != alone[name]} <= volatile
    assert [event.name for event in ours.events] == ["litellm.attempt"]
    assert theirs.parent is not None
    assert ours.context is not None
    assert theirs.parent.span_id == ours.context.span_id
    (line,) = told.take()
    assert line == TWICE.format("LiteLLM's callback 'otel'", "Take it out of LiteLLM's callbacks.")


async def called_and_logged(app: App, **parameters: object) -> None:
    """A chat, and time for LiteLLM's worker, which is a task of the loop."""
    try:
        await app.call(**parameters)  # type: ignore[arg-type]  # none is the operation
    finally:
        if app.style == "async":
            await asyncio.sleep(0.1)


def wait_for(telemetry: Recorder, name: str) -> None:
    deadline = time.monotonic() + 5
    while name not in {span.name for span in telemetry.spans()} and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("otel", {"OTEL_EXPORTER": "in_memory"}),
        ("arize_phoenix", {"PHOENIX_COLLECTOR_HTTP_ENDPOINT": "http://127.0.0.1:9/v1/traces"}),
    ],
)
def test_a_callback_by_name_is_told_of_once(
    app: App, told: Told, monkeypatch: pytest.MonkeyPatch, name: str, variables: dict[str, str]
) -> None:
    """When LiteLLM makes it of its name, and not again."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    for _ in range(2):
        monkeypatch.setattr(litellm_logging, "_in_memory_loggers", [])
        litellm_logging._init_custom_logger_compatible_class(cast("Any", name), None, None)
    (line,) = told.take()
    assert line.startswith(f"LiteLLM's callback '{name}' also traces LiteLLM")
    app.ask("completion")
    assert told.take() == []


def test_a_callback_that_was_there_before(
    app: App, telemetry: Recorder, told: Told, instrumented_with: Reinstrument
) -> None:
    """It is found at the first call, and not looked for again."""
    litellm.success_callback.append(litellms_own(telemetry))
    assert len(told.take()) == 1
    coexistence._told.clear()
    with instrumented_with(Recorder()):
        app.ask("completion")
        assert len(told.take()) == 1
        coexistence._told.clear()
        app.ask("embedding")
        assert told.take() == []


def test_another_instrumentation_is_told_of(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there and has not been switched on is not."""

    class LiteLLMInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # untyped
        def instrumentation_dependencies(self) -> tuple[str, ...]:
            return ()

        def _instrument(self, **_kwargs: object) -> None: ...

        def _uninstrument(self, **_kwargs: object) -> None: ...

    module = ModuleType("openinference.instrumentation.litellm")
    module.LiteLLMInstrumentor = LiteLLMInstrumentor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    look_around()
    assert told.take() == []
    look_around.cache_clear()
    LiteLLMInstrumentor().instrument()
    look_around()
    (line,) = told.take()
    assert line == TWICE.format("OpenInference", "Switch it off: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=litellm.")


class Judge(CustomLogger):
    """A callback that writes on the current span, and asks a model of its own, when it is told of `event`."""

    def __init__(self, event: str, connection: dict[str, object]) -> None:
        super().__init__()
        self.event, self.connection = event, {**connection, "litellm_call_id": None}

    def _judge(self, event: str) -> None:
        trace.get_current_span().set_attribute("written", "by a callback")
        if event == self.event:
            self.event = "none"  # it is told of its own call, too
            litellm.completion("openai/gpt-4o-mini", MESSAGES, **self.connection)

    def log_pre_api_call(self, *_args: object, **_kwargs: object) -> None:
        self._judge("input")

    def log_success_event(self, *_args: object, **_kwargs: object) -> None:
        self._judge("success")

    def log_failure_event(self, *_args: object, **_kwargs: object) -> None:
        self._judge("failure")

    async def async_log_success_event(self, *_args: object, **_kwargs: object) -> None:
        self._judge("success")

    async def async_log_failure_event(self, *_args: object, **_kwargs: object) -> None:
        self._judge("failure")


@pytest.mark.parametrize(("event", "status"), [("input", 200), ("success", 200), ("failure", 429)])
def test_a_callback_is_the_apps(
    app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, event: str, status: int
) -> None:
    """What it calls is a call of its own, beneath the one it is told of, on whose span it does not write."""
    monkeypatch.setattr(litellm, "callbacks", [Judge(event, app.connection)])
    app.provider.scripts([Script(), Script()] if event == "input" else [Script(status=status)])
    with pytest.raises(litellm.RateLimitError) if status == 429 else nullcontext():
        app.run(called_and_logged(app))
    wait_for(telemetry, "chat gpt-4o-mini")
    spans = {span.name: span for span in telemetry.spans()}
    assert sorted(span.name for span in telemetry.spans()) == ["chat gpt-4o", "chat gpt-4o-mini"]
    outer, inner = spans["chat gpt-4o"], spans["chat gpt-4o-mini"]
    assert outer.context is not None
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert all("written" not in attributes_of(span) for span in spans.values())


def test_langfuse_is_one_of_them() -> None:
    """LiteLLM's other callbacks of the kind are of the same class."""
    assert issubclass(cast("type", LangfuseOtelLogger), OpenTelemetry)
