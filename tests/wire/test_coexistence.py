"""Others that record the same calls: those in the same traces are named, and each records as it does without us."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple, cast

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger
from litellm.integrations.langfuse.langfuse_otel import LangfuseOtelLogger
from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig
from litellm.litellm_core_utils import litellm_logging
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # untyped
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.patching import other_instrumentations
from agentops_otel_litellm.patching.other_instrumentations import warn_of_other_recorders
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.telemetry import Telemetry
from support.apps import MESSAGES, App, AsyncApp
from support.callback_lists import LISTS, call_and_wait_for_logging
from support.conformance import Emitted
from support.instrumented import RECORDER, Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider, Script

TWICE = (
    "{} also records LiteLLM calls: each call is recorded twice. {} "
    "Or switch this package off: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=agentops_litellm."
)


@pytest.fixture(autouse=True)
def _nothing_told_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(other_instrumentations, "_warned", set())
    for name in LISTS:
        monkeypatch.setattr(litellm, name, [])
    monkeypatch.setattr(litellm_logging, "_in_memory_loggers", [])
    other_instrumentations._checked.clear()
    yield
    other_instrumentations._checked.clear()


OTEL_TWICE = TWICE.format(
    "LiteLLM's callback 'otel', which uses the same tracer provider,", "Remove 'otel' from LiteLLM's callbacks."
)


def litellms_own(telemetry: Recorder) -> OpenTelemetry:
    """LiteLLM's callback, writing where we write."""
    return OpenTelemetry(
        config=OpenTelemetryConfig(exporter=InMemorySpanExporter()), tracer_provider=telemetry.tracer_provider
    )


def test_litellms_own_callback_in_the_same_traces(
    app: App, telemetry: Recorder, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It records a span of its own, does not write on ours, and is warned of."""
    app.run(call_and_wait_for_logging(app))
    alone = attributes_of(telemetry.span())
    telemetry.forget()
    monkeypatch.setattr(litellm, "callbacks", [litellms_own(telemetry)])
    app.run(call_and_wait_for_logging(app))
    wait_for(telemetry, "litellm_request")
    spans = {span.name: span for span in telemetry.spans()}
    assert sorted(span.name for span in telemetry.spans()) == ["chat gpt-4o", "litellm_request", "raw_gen_ai_request"]
    ours = spans["chat gpt-4o"]
    volatile = {"gen_ai.response.id", "llm.response.id"}
    assert attributes_of(ours).keys() == alone.keys()
    assert {name for name, value in attributes_of(ours).items() if value != alone[name]} <= volatile
    assert [event.name for event in ours.events] == ["litellm.attempt"]
    assert spans["litellm_request"].parent is None
    (line,) = logged.take()
    assert line == OTEL_TWICE


class Exported(NamedTuple):
    """What a callback exported of a span."""

    name: str
    parent: str | None
    input_tokens: object


def exported(recorder: Recorder) -> list[Exported]:
    spans = recorder.spans()
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return sorted(
        Exported(
            span.name,
            names.get(span.parent.span_id, "a span that is not exported") if span.parent is not None else None,
            attributes_of(span).get("gen_ai.usage.input_tokens"),
        )
        for span in spans
    )


def own_callback(version: str) -> tuple[object, Recorder]:
    """LiteLLM's callback with a tracer provider of its own, as `langfuse_otel` and the like have one."""
    backend = Recorder()
    if version == "V1":
        config = OpenTelemetryConfig(exporter=InMemorySpanExporter())
        return OpenTelemetry(config=config, tracer_provider=backend.tracer_provider), backend
    logger = pytest.importorskip("litellm.integrations.otel.logger")
    return logger.OpenTelemetryV2(tracer_provider=backend.tracer_provider), backend


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("parent", ["none", "of the callback's backend"])
@pytest.mark.parametrize("operation", ["call", "stream", "failure"])
def test_callback_with_its_own_backend_exports_the_same_with_and_without_us(
    provider: OpenAIProvider, version: str, parent: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our span is neither a parent of theirs nor taken for one; where the application has one, that is."""

    async def scenario(app: AsyncApp, backend: Recorder) -> None:
        tracer = backend.tracer_provider.get_tracer("app")
        with nullcontext() if parent == "none" else tracer.start_as_current_span("app"):
            if operation == "stream":
                await app.rest(await app.stream(stream_options={"include_usage": True}))
            else:
                with suppress(litellm.InternalServerError):
                    await app.call()
            await asyncio.sleep(0.5)

    def export() -> list[Exported]:
        provider.reset()
        if operation == "failure":
            provider.script(Script(status=500))
        callback, backend = own_callback(version)
        for name in LISTS:
            monkeypatch.setattr(litellm, name, [])
        monkeypatch.setattr(litellm, "callbacks", [callback])
        app = AsyncApp(provider)
        app.run(scenario(app, backend))
        return exported(backend)

    traced = export()
    LiteLLMInstrumentor().uninstrument()
    try:
        untraced = export()
    finally:
        LiteLLMInstrumentor().instrument(**RECORDER.providers)
    assert traced == untraced
    assert traced != []
    assert {span.parent for span in traced} <= {None, "app", *(span.name for span in traced)}


def wait_for(telemetry: Recorder, name: str) -> None:
    deadline = time.monotonic() + 5
    while name not in {span.name for span in telemetry.spans()} and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("otel", {"OTEL_EXPORTER": "in_memory"}),
        ("arize_phoenix", {"PHOENIX_COLLECTOR_HTTP_ENDPOINT": "http://127.0.0.1:9/v1/traces"}),
        ("langfuse_otel", {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}),
    ],
)
@pytest.mark.usefixtures("logged")
def test_callback_with_its_own_provider_is_not_warned_of(
    app: App, monkeypatch: pytest.MonkeyPatch, name: str, variables: dict[str, str]
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    litellm_logging._init_custom_logger_compatible_class(cast("Any", name), None, None)
    app.ask("completion")


def test_a_callback_is_warned_of_once(app: App, telemetry: Recorder, logged: LoggedWarnings) -> None:
    for _ in range(2):
        litellms_own(telemetry)
    assert logged.take() == [OTEL_TWICE]
    app.ask("completion")
    assert logged.take() == []


def test_a_callback_that_was_there_before(
    app: App, telemetry: Recorder, logged: LoggedWarnings, instrumented_with: Reinstrument
) -> None:
    """It is found at the first call, and not looked for again."""
    litellm.success_callback.append(litellms_own(telemetry))
    assert len(logged.take()) == 1
    other_instrumentations._warned.clear()
    with instrumented_with(telemetry):
        app.ask("completion")
        assert len(logged.take()) == 1
        other_instrumentations._warned.clear()
        app.ask("embedding")
        assert logged.take() == []


def imported_instrumentor(monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> BaseInstrumentor:
    """Make an instrumentor with this name, which instruments nothing, the content of a module."""

    class Instrumentor(BaseInstrumentor):  # type: ignore[misc]  # untyped
        def instrumentation_dependencies(self) -> tuple[str, ...]:
            return ()

        def _instrument(self, **_kwargs: object) -> None: ...

        def _uninstrument(self, **_kwargs: object) -> None: ...

    imported = ModuleType(module)
    setattr(imported, name, Instrumentor)
    monkeypatch.setitem(sys.modules, module, imported)
    return Instrumentor()


def test_another_instrumentation_is_told_of(logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there and has not been switched on is not."""
    instrumentor = imported_instrumentor(monkeypatch, "openinference.instrumentation.litellm", "LiteLLMInstrumentor")
    warn_of_other_recorders(cast("Telemetry", TRACING.telemetry))
    assert logged.take() == []
    other_instrumentations._checked.clear()
    instrumentor.instrument()
    warn_of_other_recorders(cast("Telemetry", TRACING.telemetry))
    (line,) = logged.take()
    assert line == TWICE.format("OpenInference", "Switch it off: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=litellm.")


def test_laminar_is_warned_of(logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its instrumentation has no entry point, so no variable switches it off."""
    instrumentor = imported_instrumentor(
        monkeypatch, "lmnr.opentelemetry_lib.opentelemetry.instrumentation.litellm", "LitellmInstrumentor"
    )
    instrumentor.instrument()
    warn_of_other_recorders(cast("Telemetry", TRACING.telemetry))
    remedy = "Switch it off: Laminar.initialize(disabled_instruments={Instruments.LITELLM})."
    assert logged.take() == [TWICE.format("Laminar", remedy)]


TOKENS = ("gen_ai.usage.input_tokens", "llm.usage.total_tokens")
COSTS = ("gen_ai.usage.cost.amount", "agentops.cost.total")


INNER = "Span 'chat gpt-4o' is INTERNAL, and not CLIENT"
"""What the check of all spans finds: the conventions have no such kind for a call of a model."""


def measured_names(telemetry: Recorder) -> set[str]:
    return {point.name for points in telemetry.measured() for point in points}


@pytest.mark.parametrize(
    ("attributes", "is_inner"),
    [
        ({"gen_ai.operation.name": "chat"}, True),
        ({"openinference.span.kind": "LLM"}, True),
        ({"gen_ai.operation.name": "invoke_agent"}, False),
        ({"openinference.span.kind": "AGENT"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_call_that_an_outer_span_represents_has_no_tokens(  # noqa: PLR0913 - fixtures
    app: App,
    telemetry: Recorder,
    emitted: Emitted,
    caplog: pytest.LogCaptureFixture,
    attributes: dict[str, str],
    *,
    is_inner: bool,
) -> None:
    """Its span is INTERNAL, and has the attempts and the cost. The standard metrics are the outer instrumentation's."""
    tracer = telemetry.tracer_provider.get_tracer("framework.tracing")
    with (
        caplog.at_level("INFO", logger=other_instrumentations.logger.name),
        tracer.start_as_current_span("outer", attributes=attributes),
    ):
        for _ in range(2):
            app.ask("completion")
    spans = [span for span in telemetry.spans() if span.name != "outer"]
    for span in spans:
        written = attributes_of(span)
        assert span.kind is (SpanKind.INTERNAL if is_inner else SpanKind.CLIENT)
        assert [name for name in TOKENS if name in written] == ([] if is_inner else [*TOKENS])
        assert [name for name in COSTS if name in written] == [*COSTS]
        assert [event.name for event in span.events] == ["litellm.attempt"]
    names = measured_names(telemetry)
    standard = {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    assert standard & names == (set() if is_inner else standard)
    assert {"gen_ai.client.operation.cost", "litellm.client.attempts"} <= names
    line = (
        "framework.tracing records the calls of models that it makes through LiteLLM, with their tokens. So the spans "
        "of these calls in LiteLLM are INTERNAL, without tokens. To leave them out, set AGENTOPS_INNER_CALLS=none."
    )
    assert [each for each in caplog.messages if "framework.tracing" in each] == [line] * is_inner
    assert emitted.take() == [INNER] * is_inner


@pytest.mark.skipif(find_spec("opentelemetry.util.genai._inference_invocation") is None, reason="needs util-genai 1.2")
def test_opentelemetrys_instrumentations_represent_the_call_by_the_context(
    app: App, telemetry: Recorder, emitted: Emitted
) -> None:
    """Also below a span of the application, between theirs and LiteLLM's call. After it, a call is recorded in full."""
    handler = import_module("opentelemetry.util.genai.handler").TelemetryHandler(
        tracer_provider=telemetry.tracer_provider,
        meter_provider=telemetry.meter_provider,
        logger_provider=telemetry.logger_provider,
    )
    tracer = telemetry.tracer_provider.get_tracer("app")
    with handler.inference("openai", request_model="gpt-4o") as outer:
        with tracer.start_as_current_span("adapter"):
            app.ask("completion")
        outer.input_tokens, outer.output_tokens = 40, 12
    app.ask("completion")
    calls = [span for span in telemetry.spans() if span.name == "chat gpt-4o"]
    assert [span.kind for span in calls] == [SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.CLIENT]
    assert ["gen_ai.usage.input_tokens" in attributes_of(span) for span in calls] == [False, True, True]
    of_tokens = telemetry.points("gen_ai.client.token.usage")
    assert sum(point.count for point in of_tokens) == 2 * 2  # input and output of the outer call and of the last one
    assert emitted.take() == [INNER]


def test_a_setting_leaves_inner_calls_out(app: App, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_INNER_CALLS", "none")
    other_instrumentations.forget_settings()
    try:
        tracer = telemetry.tracer_provider.get_tracer("framework.tracing")
        with tracer.start_as_current_span("outer", attributes={"gen_ai.operation.name": "chat"}):
            app.run(call_and_wait_for_logging(app))
        assert [span.name for span in telemetry.spans()] == ["outer"]
        # The gauge of open streams is one of the process: it is exported once any test has read a stream.
        assert measured_names(telemetry) <= {"litellm.client.active_streams"}
        app.ask("completion")
        assert [span.name for span in telemetry.spans()] == ["outer", "chat gpt-4o"]
    finally:
        monkeypatch.delenv("AGENTOPS_INNER_CALLS")
        other_instrumentations.forget_settings()


def test_the_line_names_the_variable_that_switches_an_instrumentation_off(
    app: App, telemetry: Recorder, emitted: Emitted, caplog: pytest.LogCaptureFixture
) -> None:
    """The tracer of an instrumentation has the name of the module of its entry point."""
    (ours,) = (each for each in entry_points(group="opentelemetry_instrumentor") if each.name == "agentops_litellm")
    tracer = telemetry.tracer_provider.get_tracer(ours.module)
    attributes = {"openinference.span.kind": "LLM"}
    caplog.set_level("INFO", other_instrumentations.logger.name)
    with tracer.start_as_current_span("x", attributes=attributes):
        app.ask("completion")
    (line,) = (each for each in caplog.messages if "AGENTOPS_INNER_CALLS" in each)
    assert line.endswith("=none, or that span: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=agentops_litellm.")
    assert emitted.take() == [INNER]


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
        app.run(call_and_wait_for_logging(app))
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
