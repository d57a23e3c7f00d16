"""Spans that a full queue drops are counted, in the metric of the semantic conventions and in one log line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from threading import Event

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.batch_processor import METRIC, CountingBatchSpanProcessor
from support.agentops_exports import ended_span
from support.launching import environment
from support.logged_warnings import LoggedWarnings
from support.servers.agentops_platform import DOWN, AgentOpsPlatform
from support.servers.otlp_receiver import OTLPReceiver

QUEUE = 8


class SlowExporter(SpanExporter):
    """Exports when it is let go."""

    def __init__(self) -> None:
        self.entered, self.let_go = Event(), Event()
        self.exported = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        assert self.let_go.wait(30)
        self.exported += len(spans)
        return SpanExportResult.SUCCESS


def counting(
    exporter: SpanExporter, reader: InMemoryMetricReader, **options: float
) -> tuple[CountingBatchSpanProcessor, TracerProvider]:
    """A processor that is observed with the reader, and a provider that has it."""
    processor = CountingBatchSpanProcessor(exporter, **options)
    processor.observe_with(MeterProvider([reader], shutdown_on_exit=False).get_meter("a test"))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return processor, provider


def counts(
    reader: InMemoryMetricReader, name: str = METRIC, component: str = "batching_span_processor"
) -> dict[object, int]:
    """How many spans were exported (`None`) and dropped, by `error.type`."""
    data = reader.get_metrics_data()
    assert data is not None
    points = [
        point
        for of_resource in data.resource_metrics
        for scope in of_resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name and isinstance(metric.data, Sum) and metric.unit == "{span}"
        for point in metric.data.data_points
    ]
    assert {(point.attributes or {}).get("otel.component.type") for point in points} == {component}
    assert len({(point.attributes or {}).get("otel.component.name") for point in points}) == 1
    return {(point.attributes or {}).get("error.type"): int(point.value) for point in points}


def test_dropped_spans_are_counted(logged: LoggedWarnings) -> None:
    exporter, reader = SlowExporter(), InMemoryMetricReader()
    _, provider = counting(
        exporter, reader, max_queue_size=QUEUE, max_export_batch_size=QUEUE, schedule_delay_millis=60_000
    )
    tracer = provider.get_tracer("a test")
    for _ in range(QUEUE):
        tracer.start_span("exported").end()
    assert exporter.entered.wait(30)  # the queue is empty again
    for _ in range(QUEUE + 5):
        tracer.start_span("five of these are dropped").end()
    assert counts(reader) == {None: QUEUE, "queue_full": 5}
    exporter.let_go.set()
    provider.shutdown()
    assert exporter.exported == 2 * QUEUE
    assert counts(reader) == {None: 2 * QUEUE, "queue_full": 5}
    lines = [line for line in logged.take() if not line.startswith("Queue full")]  # newer releases of the SDK have that
    (line,) = lines
    assert line == (
        "5 spans were dropped because the queue was full: spans end faster than they are exported. Increase "
        f"OTEL_BSP_MAX_QUEUE_SIZE ({QUEUE}), or check the destination."
    )


def test_nothing_is_logged_if_nothing_is_dropped() -> None:
    exporter, reader = SlowExporter(), InMemoryMetricReader()
    exporter.let_go.set()
    processor, provider = counting(exporter, reader)
    provider.get_tracer("a test").start_span("exported").end()
    provider.shutdown()
    assert counts(reader) == {None: 1}
    assert processor.span_exporter is exporter


def test_no_metric_of_a_process_without_spans() -> None:
    reader = InMemoryMetricReader()
    processor = CountingBatchSpanProcessor(SlowExporter())
    processor.observe_with(MeterProvider([reader], shutdown_on_exit=False).get_meter("a test"))
    assert reader.get_metrics_data() is None
    processor.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_child_process_counts_its_own() -> None:
    exporter, reader = SlowExporter(), InMemoryMetricReader()
    exporter.let_go.set()
    processor, provider = counting(exporter, reader)
    provider.get_tracer("a test").start_span("the parent's").end()
    child = os.fork()
    if not child:
        os._exit(0 if (processor._ended, processor._dropped) == (0, 0) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    provider.shutdown()
    assert counts(reader) == {None: 1}


APP = """
import agentops_otel_litellm
agentops_otel_litellm.init()
from opentelemetry import trace
for _ in range(1000):
    trace.get_tracer("app").start_span("work").end()
"""


@pytest.mark.parametrize("by_the_sdk", [False, True])
def test_metric_is_exported_once(by_the_sdk: bool) -> None:  # noqa: FBT001 - one of two
    """By us, or by the SDK, where it can and is asked to."""
    with OTLPReceiver() as backend:
        done = subprocess.run(
            [sys.executable, "-c", APP],
            env=environment(
                OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
                OTEL_SERVICE_NAME="a-test",
                OTEL_BSP_MAX_QUEUE_SIZE="10",
                OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED=str(by_the_sdk).lower(),
            ),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        points = [point for point in backend.metrics if point.name == METRIC and point.attributes.get("error.type")]
    assert {point.attributes["otel.component.name"] for point in points} == {"batching_span_processor/0"}
    assert len({point.scope for point in points}) == 1
    dropped = max(int(point.value or 0) for point in points)
    requests = [request for request in backend.requests if request.path.endswith("/traces")]
    # A span is also counted if the queue was full and the exporter's thread empties it at that moment.
    assert 1000 <= len(backend.spans) + dropped <= 1000 + len(requests)
    assert done.stderr.count("spans were dropped because the queue was full") == 1


def test_spans_that_agentops_does_not_get_are_counted(
    platform: AgentOpsPlatform, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exporter keeps as many as it may while AgentOps cannot be reached, and counts those it drops."""
    monkeypatch.setenv("AGENTOPS_MAX_QUEUE_SIZE", "10")
    exporter, reader = AgentOpsSpanExporter(), InMemoryMetricReader()
    exporter.observe_with(MeterProvider([reader], shutdown_on_exit=False).get_meter("a test"))
    exporter.export([ended_span() for _ in range(3)])
    assert counts(reader, "otel.sdk.exporter.span.exported", "agentops_span_exporter") == {
        None: 3,
    }
    platform.fail(DOWN)
    exporter.export([ended_span() for _ in range(14)])
    assert counts(reader, "otel.sdk.exporter.span.exported", "agentops_span_exporter") == {
        None: 3,
        "queue_full": 4,
    }
    exporter.shutdown()
    assert [line for line in logged.take() if "MAX_QUEUE_SIZE" in line or "not delivered" in line] != []
