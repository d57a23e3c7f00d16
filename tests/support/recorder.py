"""SDK providers that keep telemetry in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    InMemoryMetricReader,
    Metric,
    MetricsData,
    Sum,
)
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind

from agentops_otel_litellm.background import OPEN_STREAMS
from agentops_otel_litellm.version import SCOPE
from support import conformance
from support.conformance import EMITTED

Attributes = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A data point, under the name and unit of its metric."""

    name: str
    unit: str
    attributes: Attributes
    exemplar_trace_ids: frozenset[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(Measured):
    """A data point of a histogram."""

    count: int
    sum: float
    bounds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total(Measured):
    """A data point of a counter."""

    value: float


class Providers(TypedDict):
    tracer_provider: TracerProvider
    meter_provider: MeterProvider
    logger_provider: LoggerProvider


class _Spans(InMemorySpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        EMITTED.add(map(_span, filter(_is_ours, spans)))
        return super().export(spans)


class _Logs(InMemoryLogRecordExporter):
    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        EMITTED.add(map(_log, filter(_is_ours, batch)))
        return super().export(batch)


class Recorder:
    """Tracer, meter and logger providers, and the telemetry since the last `forget`."""

    def __init__(self, *, sampler: Sampler = ALWAYS_ON, span_processors: Sequence[SpanProcessor] = ()) -> None:
        self._spans = _Spans()
        self._logs = _Logs()  # type: ignore[no-untyped-call]  # untyped upstream
        self._reader = InMemoryMetricReader(dict.fromkeys((HistogramInstrument, Counter), AggregationTemporality.DELTA))
        self.tracer_provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        for processor in (SimpleSpanProcessor(self._spans), *span_processors):
            self.tracer_provider.add_span_processor(processor)
        self.meter_provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        EMITTED.collecting.append(self.collect)

    @property
    def providers(self) -> Providers:
        """Keyword arguments for `LiteLLMInstrumentor.instrument` and `Telemetry`."""
        return {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
            "logger_provider": self.logger_provider,
        }

    def forget(self) -> None:
        OPEN_STREAMS.settle()
        self._spans.clear()
        self._logs.clear()
        self.collect()
        EMITTED.check()

    def collect(self) -> MetricsData | None:
        """The metrics since the last collection."""
        data = self._reader.get_metrics_data()
        if data is not None:
            EMITTED.add(_points(data))
        return data

    def spans(self) -> list[ReadableSpan]:
        """Finished spans, in the order in which they ended."""
        OPEN_STREAMS.settle()
        return list(self._spans.get_finished_spans())

    def wait_for_spans(self, count: int = 1) -> None:
        """Wait for `count` spans, since LiteLLM runs callbacks on its own threads."""
        deadline = time.monotonic() + 10
        while len(self.spans()) < count and time.monotonic() < deadline:
            time.sleep(0.005)

    def span(self) -> ReadableSpan:
        """The only CLIENT span; a `ValueError` if there are more or fewer."""
        (span,) = (span for span in self.spans() if span.kind is SpanKind.CLIENT)
        return span

    def attributes(self) -> Attributes:
        """The attributes of the one CLIENT span."""
        return attributes_of(self.span())

    def points(self, name: str | None = None) -> list[Point]:
        """Data points of all histograms, or of one, since the last collection."""
        return [point for point in self.measured()[0] if name in {None, point.name}]

    def measured(self) -> tuple[list[Point], list[Total]]:
        """Data points of histograms and sums since the last collection. Those of up-down counters are cumulative."""
        points: list[Point] = []
        totals: list[Total] = []
        for metric in self._metrics():
            common = {"name": metric.name, "unit": metric.unit or ""}
            if isinstance(metric.data, Histogram):
                points += [
                    Point(
                        **common,
                        attributes=dict(point.attributes or {}),
                        count=point.count,
                        sum=point.sum,
                        bounds=tuple(point.explicit_bounds),
                        exemplar_trace_ids=frozenset(exemplar.trace_id for exemplar in point.exemplars),
                    )
                    for point in metric.data.data_points
                ]
            elif isinstance(metric.data, Sum):
                totals += [
                    Total(
                        **common,
                        attributes=dict(point.attributes or {}),
                        value=point.value,
                        exemplar_trace_ids=frozenset(exemplar.trace_id for exemplar in point.exemplars),
                    )
                    for point in metric.data.data_points
                ]
        return points, totals

    def _metrics(self) -> Iterator[Metric]:
        data = self.collect()
        for of_resource in data.resource_metrics if data is not None else ():
            for of_scope in of_resource.scope_metrics:
                yield from of_scope.metrics

    def logs(self) -> list[ReadableLogRecord]:
        return list(self._logs.get_finished_logs())

    def everything(self) -> str:
        """All telemetry as text, for searching."""
        data = self.collect()
        spans = [span.to_json() for span in self.spans()]
        logs = [record.to_json() for record in self.logs()]
        return "\n".join([*spans, *logs, data.to_json() if data is not None else ""])


def attributes_of(span: ReadableSpan) -> Attributes:
    return dict(span.attributes or {})


def seconds(span: ReadableSpan) -> float:
    """The duration of the span."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def _is_ours(of_scope: ReadableSpan | ReadableLogRecord) -> bool:
    return of_scope.instrumentation_scope is not None and of_scope.instrumentation_scope.name == SCOPE


def _span(span: ReadableSpan) -> conformance.Span:
    return conformance.Span(
        name=span.name,
        kind=span.kind.name,
        status=span.status.status_code.name,
        message=span.status.description or "",
        attributes=attributes_of(span),
        events=[(event.name, dict(event.attributes or {})) for event in span.events],
    )


def _log(readable: ReadableLogRecord) -> conformance.Log:
    record = readable.log_record
    severity = record.severity_number
    return conformance.Log(
        name=record.event_name or "",
        severity=severity.name if severity is not None else "",
        attributes=dict(record.attributes or {}),
    )


def _points(data: MetricsData) -> Iterator[conformance.Point]:
    return (
        conformance.Point(
            name=metric.name,
            kind=type(metric.data).__name__.lower(),
            unit=metric.unit or "",
            attributes=dict(point.attributes or {}),
            bounds=getattr(point, "explicit_bounds", ()),
        )
        for of_resource in data.resource_metrics
        for of_scope in of_resource.scope_metrics
        if of_scope.scope.name == SCOPE
        for metric in of_scope.metrics
        for point in metric.data.data_points
    )
