"""What the benchmarks compare: this package, its peers, and the floor."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from typing import Any, NamedTuple, Protocol

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader, Sum
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.exporters.batch_processor import CountingBatchSpanProcessor

PEERS = {
    "openinference": "openinference.instrumentation.litellm",
    "openllmetry": "opentelemetry.instrumentation.litellm",
}
"""Name of a peer → the module of its instrumentor."""
SUBJECTS = ("ours", "floor", *PEERS)
AT_START = {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"}
"""Attributes that the floor sets when a span starts. It sets all others when the span ends."""


class Encoder(SpanExporter):
    """Encodes spans as the OTLP exporter does, sends nothing, and keeps the newest batch."""

    def __init__(self) -> None:
        self.newest: Sequence[ReadableSpan] = ()
        self.count = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        self.newest = tuple(spans)
        self.count += len(spans)
        return SpanExportResult.SUCCESS


class Pipeline:
    """The SDK's providers that a subject records with. Nothing leaves the process."""

    def __init__(self, sampler: Sampler = ALWAYS_ON, processor: type[BatchSpanProcessor] = BatchSpanProcessor) -> None:
        self.exporter = Encoder()
        self.reader = InMemoryMetricReader()
        self.spans = TracerProvider(sampler=sampler)
        self.spans.add_span_processor(processor(self.exporter))
        self.metrics = MeterProvider(metric_readers=[self.reader])

    def flush(self) -> None:
        """Encode the queued spans and collect the metrics."""
        self.spans.force_flush()
        self.reader.collect()


Opened = list[tuple[trace.Span, Token[Context]]]


class Subject(Protocol):
    """Something that traces LiteLLM and can be switched on and off."""

    def enable(self) -> None: ...

    def disable(self) -> None: ...

    def start(self) -> Opened:
        """Called before each call while the subject is enabled."""

    def end(self, opened: Opened) -> None:
        """Called after each call with the result of `start`."""


class Nothing:
    """LiteLLM alone."""

    def enable(self) -> None: ...

    def disable(self) -> None: ...

    def start(self) -> Opened:
        return []

    def end(self, opened: Opened) -> None: ...


class Instrumented(Nothing):
    """Either this package (`ours`) or a peer. Raises: `ImportError` if the peer is not installed."""

    def __init__(self, name: str, pipeline: Pipeline) -> None:
        module = importlib.import_module(PEERS[name]) if name in PEERS else None
        self._instrumentor: Any = module.LiteLLMInstrumentor() if module else LiteLLMInstrumentor()
        self._pipeline = pipeline

    def enable(self) -> None:
        pipeline = self._pipeline
        self._instrumentor.instrument(
            tracer_provider=pipeline.spans, meter_provider=pipeline.metrics, skip_dep_check=True
        )

    def disable(self) -> None:
        self._instrumentor.uninstrument()


class _Span(NamedTuple):
    """What the floor writes for one span."""

    name: str
    kind: trace.SpanKind
    at_start: Mapping[str, AttributeValue]
    at_end: Mapping[str, AttributeValue]
    events: Sequence[Event]


class Floor(Nothing):
    """Creates the spans by hand that this package creates for one call, with the same attributes and events, and
    records as many values of the same metrics.

    `call` makes the call from which these are read.
    """

    def __init__(self, call: Callable[[], object], pipeline: Pipeline) -> None:
        sample = Pipeline()
        ours = Instrumented("ours", sample)
        ours.enable()
        call()
        sample.flush()
        ours.disable()
        spans = sorted(sample.exporter.newest, key=lambda span: span.start_time or 0)
        assert spans, "the call was not traced"
        self._spans = [_read(span) for span in spans]
        self._tracer = pipeline.spans.get_tracer("floor")
        meter = pipeline.metrics.get_meter("floor")
        self._values: list[tuple[Callable[..., None], Mapping[str, Any], int]] = []
        data = sample.reader.get_metrics_data()
        assert data is not None, "the call recorded no metrics"
        for metric in (m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics):
            if isinstance(metric.data, Histogram):
                record = meter.create_histogram(metric.name).record
                self._values += [(record, point.attributes or {}, point.count) for point in metric.data.data_points]
            elif isinstance(metric.data, Sum) and metric.data.is_monotonic:
                add = meter.create_counter(metric.name).add
                self._values += [(add, point.attributes or {}, 1) for point in metric.data.data_points]
        assert self._values, "the call recorded no metrics"

    def start(self) -> Opened:
        opened: Opened = []
        for recorded in self._spans:
            span = self._tracer.start_span(recorded.name, kind=recorded.kind, attributes=recorded.at_start)
            opened.append((span, otel_context.attach(trace.set_span_in_context(span))))
        return opened

    def end(self, opened: Opened) -> None:
        for record, attributes, count in self._values:
            for _ in range(count):
                record(1, attributes)
        for (span, token), recorded in zip(reversed(opened), reversed(self._spans), strict=True):
            span.set_attributes(recorded.at_end)
            for event in recorded.events:
                span.add_event(event.name, event.attributes)
            otel_context.detach(token)
            span.end()


def _read(span: ReadableSpan) -> _Span:
    attributes = dict(span.attributes or {})
    at_start = {name: value for name, value in attributes.items() if name in AT_START}
    at_end = {name: value for name, value in attributes.items() if name not in AT_START}
    return _Span(span.name, span.kind, at_start, at_end, span.events)


def subject(name: str, sampler: Sampler, call: Callable[[], object]) -> tuple[Subject, Pipeline]:
    """A subject, and the pipeline that it records with. Raises: `ImportError` if it is not installed."""
    pipeline = Pipeline(sampler, CountingBatchSpanProcessor if name == "ours" else BatchSpanProcessor)
    return (Floor(call, pipeline) if name == "floor" else Instrumented(name, pipeline)), pipeline
