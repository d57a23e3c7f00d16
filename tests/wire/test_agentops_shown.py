"""What AgentOps is shown of spans, beside what the app's spans are, and the links to look at traces."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    format_trace_id,
    set_span_in_context,
)

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.agentops_copies import SpanCopies
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.version import SCOPE
from support.logged_warnings import LoggedWarnings
from support.servers.agentops_platform import TRACES_ROUTE, AgentOpsPlatform, Fault, without_suffix

REMOTE = SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
SETTINGS = Settings(default_tags=("nightly", "eu"), trace_name="a run")
LIMITS = SpanLimits(max_span_attributes=2, max_events=1, max_links=1)


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(memory: InMemorySpanExporter) -> Tracer:
    provider = TracerProvider(
        resource=Resource({"service.name": "app"}, schema_url="https://opentelemetry.io/schemas/1.30.0"),
        span_limits=LIMITS,
        shutdown_on_exit=False,
    )
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return provider.get_tracer("app", "1.2", "https://opentelemetry.io/schemas/1.29.0", {"of": "the scope"})


def test_all_else_survives(tracer: Tracer, memory: InMemorySpanExporter, logged: LoggedWarnings) -> None:
    """Name, tags and status are another; events, links, resource, scope, times and what was dropped are not."""
    with tracer.start_as_current_span("root", kind=SpanKind.SERVER) as span:
        for number in range(3):
            span.set_attribute(f"a.{number}", number)
            span.add_event(f"event {number}", {"n": number})
            span.add_link(REMOTE, {"n": number})
    assert [line for line in logged.take() if "full" not in line] == []  # the SDK's, of its limits
    (ended,) = memory.get_finished_spans()
    before = encode_spans([ended])
    shown = encode_spans([SpanCopies(SETTINGS).copy(ended)])
    (changed,) = shown.resource_spans[0].scope_spans[0].spans
    (original,) = before.resource_spans[0].scope_spans[0].spans
    assert (original.dropped_attributes_count, original.dropped_events_count, original.dropped_links_count) == (1, 2, 2)
    assert (changed.name, changed.status.code) == ("a run.operation", StatusCode.OK.value)
    tags, kind = changed.attributes.pop(), changed.attributes.pop()
    assert (kind.key, kind.value.string_value) == ("agentops.span.kind", "operation")
    assert tags.key == "agentops.tags"
    assert [value.string_value for value in tags.value.array_value.values] == ["nightly", "eu"]
    changed.name, changed.status.code = original.name, original.status.code
    assert shown == before
    assert encode_spans([ended]) == before


def test_status(tracer: Tracer, memory: InMemorySpanExporter) -> None:
    """OK where nothing was said; what the app says stays."""
    for status in (None, Status(StatusCode.OK), Status(StatusCode.ERROR, "no answer")):
        with tracer.start_as_current_span("span") as span:
            if status is not None:
                span.set_status(status)
    shown = [SpanCopies(SETTINGS).copy(span).status for span in memory.get_finished_spans()]
    assert [(status.status_code, status.description) for status in shown] == [
        (StatusCode.OK, None),
        (StatusCode.OK, None),
        (StatusCode.ERROR, "no answer"),
    ]


def test_only_first_spans_have_the_name_of_the_trace(tracer: Tracer, memory: InMemorySpanExporter) -> None:
    """Those without a parent, or with one in another process. All spans have the tags. Without settings, none has."""
    with tracer.start_as_current_span("root"), tracer.start_as_current_span("child"):
        pass
    tracer.start_span("called", set_span_in_context(NonRecordingSpan(REMOTE))).end()
    spans = memory.get_finished_spans()

    def told(settings: Settings) -> list[tuple[str, bool]]:
        shown = [SpanCopies(settings).copy(span) for span in spans]
        return [(span.name, "agentops.tags" in (span.attributes or {})) for span in shown]

    assert [span.name for span in spans] == ["child", "root", "called"]
    assert told(SETTINGS) == [("child.operation", True), ("a run.operation", True), ("a run.operation", True)]
    assert told(Settings()) == [("child.operation", False), ("root.operation", False), ("called.operation", False)]


OF_A_BATCH = {
    "gen_ai.operation.name": "create_batch",
    "agentops.span.kind": "operation",
    "llm.vendor": "litellm",
    "gen_ai.conversation.id": "a conversation",
}


@pytest.mark.parametrize(
    ("scope", "kind", "left"),
    [
        (SCOPE, "operation", ["agentops.span.kind", "llm.vendor"]),
        (SCOPE, "llm", [*OF_A_BATCH]),
        ("app", "operation", [*OF_A_BATCH]),
    ],
)
def test_what_is_no_call_of_a_model_has_no_names_of_one(
    memory: InMemorySpanExporter, scope: str, kind: str, left: list[str]
) -> None:
    """Of our spans: those of others are shown as they are. The app's span keeps its names, for other backends."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    written = {**OF_A_BATCH, "agentops.span.kind": kind}
    provider.get_tracer(scope).start_span("create_batch", attributes=written).end()
    (ended,) = memory.get_finished_spans()
    assert {*(SpanCopies(SETTINGS).copy(ended).attributes or ())} == {*left, "agentops.tags"}
    assert ended.attributes == written


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("wanted", "stderr", "printed"),
    [("", Terminal, True), ("", io.StringIO, False), ("true", io.StringIO, True), ("false", Terminal, False)],
)
def test_links(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    wanted: str,
    stderr: type[io.StringIO],
    printed: bool,  # noqa: FBT001
    platform: AgentOpsPlatform,
    tracer: Tracer,
    memory: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    logged: LoggedWarnings,
) -> None:
    """Once for each trace that began here, when it has been delivered, and where somebody reads it."""
    monkeypatch.setenv("AGENTOPS_APP_URL", "https://agentops.example/")
    monkeypatch.setenv("AGENTOPS_LOG_SESSION_REPLAY_URL", wanted)
    monkeypatch.setattr(sys, "stderr", out := stderr())
    exporter = AgentOpsSpanExporter()
    with tracer.start_as_current_span("root") as root, tracer.start_as_current_span("child"):
        pass
    tracer.start_span("called", set_span_in_context(NonRecordingSpan(REMOTE))).end()
    spans = memory.get_finished_spans()
    platform.fail(Fault(status=503, retry_after="0"), TRACES_ROUTE)
    exporter.export(spans[:1])
    assert out.getvalue() == ""
    assert len(logged.take()) == 1
    platform.recover()
    exporter.export(spans[1:])
    exporter.export(spans[1:])
    exporter.shutdown()
    link = f"https://agentops.example/sessions?trace_id={format_trace_id(root.get_span_context().trace_id)}"
    assert out.getvalue() == f"AgentOps: {link}\n" * printed


@pytest.mark.parametrize(
    "base",
    [
        "https://me:canary@agentops.example",
        "https://agentops.example/?key=canary",
        "https://agentops.example/;key=canary",
        "https://agentops.example/#canary",
    ],
)
def test_links_have_no_secrets(
    base: str, platform: AgentOpsPlatform, tracer: Tracer, memory: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users, passwords, queries and fragments of AGENTOPS_APP_URL are left out."""
    monkeypatch.setenv("AGENTOPS_APP_URL", base)
    monkeypatch.setenv("AGENTOPS_LOG_SESSION_REPLAY_URL", "true")
    monkeypatch.setattr(sys, "stderr", out := io.StringIO())
    exporter = AgentOpsSpanExporter()
    tracer.start_span("root").end()
    exporter.export(memory.get_finished_spans())
    exporter.shutdown()
    assert platform.spans
    assert out.getvalue().startswith("AgentOps: https://")
    assert "canary" not in out.getvalue()


class Broken(io.StringIO):
    def write(self, _text: str) -> int:
        raise RuntimeError("its widget is gone")


class Closed(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.close()


@pytest.mark.parametrize("stderr", [Closed, Broken, lambda: None], ids=["closed", "broken", "none"])
def test_links_where_there_is_no_stderr(
    stderr: Callable[[], io.StringIO | None],
    platform: AgentOpsPlatform,
    tracer: Tracer,
    memory: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Spans are delivered all the same."""
    monkeypatch.setenv("AGENTOPS_LOG_SESSION_REPLAY_URL", "true")
    monkeypatch.setattr(sys, "stderr", stderr())
    tracer.start_span("root").end()
    exporter = AgentOpsSpanExporter()
    for _ in range(2):
        exporter.export(memory.get_finished_spans())
        assert exporter.last_error is None
    exporter.shutdown()
    assert [without_suffix(span) for span in platform.spans] == ["root"] * 2
