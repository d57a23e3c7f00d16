"""An OTLP/HTTP receiver that decodes exports for tests."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from agentops_otel_litellm.version import SCOPE
from support import conformance
from support.conformance import EMITTED

from . import LoopbackHandler, LoopbackServer

Attributes = dict[str, object]
"""Values as Python objects: an array is a list, a kvlist a dict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    path: str
    headers: dict[str, str]
    """Under lower-case names."""
    body: bytes
    """Decompressed, so that a test can search it for secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """Ids are in hex; a missing one is empty."""

    name: str
    kind: str
    """Such as `CLIENT`."""
    trace_id: str
    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    status: str
    """`UNSET`, `OK` or `ERROR`."""
    status_message: str
    events: list[tuple[str, Attributes]]
    scope: str
    resource: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedPoint:
    """A data point with the name of its metric. Only points of sums and gauges have `value`."""

    name: str
    unit: str
    kind: str
    """`histogram`, `sum` or `gauge`."""
    attributes: Attributes
    count: int | None = None
    sum: float | None = None
    bounds: tuple[float, ...] = ()
    bucket_counts: tuple[int, ...] = ()
    value: float | None = None
    exemplar_trace_ids: tuple[str, ...] = ()
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedLog:
    event_name: str
    severity_text: str
    severity_number: int
    body: object
    attributes: Attributes
    trace_id: str
    span_id: str
    scope: str


class OTLPReceiver(LoopbackServer):
    """Keeps the traces, metrics and logs that are exported to it, in order of arrival."""

    def __init__(self, handler: type[OTLPHandler] | None = None) -> None:
        super().__init__(handler or OTLPHandler)
        self.status = 200
        """The status of responses. If it is not 200, exports are kept only in `requests`."""
        self.requests: list[ReceivedRequest] = []
        self.spans: list[ReceivedSpan] = []
        self.metrics: list[ReceivedPoint] = []
        self.logs: list[ReceivedLog] = []
        self._arrival = threading.Condition()

    @property
    def endpoint(self) -> str:
        return self.url

    def wait_for_spans(self, count: int, timeout: float = 10.0) -> list[ReceivedSpan]:
        """Wait for `count` spans and return all; after the timeout, an `AssertionError` lists the received spans."""
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self.spans) >= count, timeout):
                names = [span.name for span in self.spans]
                raise AssertionError(f"{len(names)} of {count} spans arrived within {timeout} s: {names}")
            return list(self.spans)

    def accept(self, request: ReceivedRequest) -> int:
        """Keep the content of an export request; return the status of the response."""
        with self._arrival:
            self.requests.append(request)
            if self.status != 200:
                return self.status
            match request.path:
                case "/v1/traces":
                    spans = [*_spans(ExportTraceServiceRequest.FromString(request.body))]
                    self.spans.extend(spans)
                    EMITTED.add(self.conformance_item(each) for each in spans if each.scope == SCOPE)
                case "/v1/metrics":
                    points = [*_points(ExportMetricsServiceRequest.FromString(request.body))]
                    self.metrics.extend(points)
                    EMITTED.add(_emitted_point(each) for each in points if each.scope == SCOPE)
                case "/v1/logs":
                    logs = [*_logs(ExportLogsServiceRequest.FromString(request.body))]
                    self.logs.extend(logs)
                    EMITTED.add(_emitted_log(each) for each in logs if each.scope == SCOPE)
                case _:
                    return 404
            self._arrival.notify_all()
            return 200

    def conformance_item(self, span: ReceivedSpan) -> conformance.Item:
        """The span for the checks against the conventions."""
        return _emitted_span(span)


class OTLPHandler(LoopbackHandler):
    server: OTLPReceiver

    def respond(self) -> None:
        headers, body = self.received_headers, self.read_body()
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        status = self.server.accept(ReceivedRequest(path=self.route, headers=headers, body=body))
        self.reply(status, {"content-type": "application/x-protobuf"}, b"")  # the empty message: all accepted


def _spans(export: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for of_resource in export.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield ReceivedSpan(
                    name=span.name,
                    kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_span_id=span.parent_span_id.hex(),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    status=Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
                    status_message=span.status.message,
                    events=[(event.name, _attributes(event.attributes)) for event in span.events],
                    scope=of_scope.scope.name,
                    resource=_attributes(of_resource.resource.attributes),
                )


def _points(export: ExportMetricsServiceRequest) -> Iterator[ReceivedPoint]:
    for of_resource in export.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                for histogram_point in metric.histogram.data_points:
                    yield _histogram_point(metric, histogram_point, of_scope.scope.name)
                for point in (*metric.sum.data_points, *metric.gauge.data_points):
                    yield _number_point(metric, point, of_scope.scope.name)


def _histogram_point(metric: Metric, point: HistogramDataPoint, scope: str) -> ReceivedPoint:
    return ReceivedPoint(
        scope=scope,
        name=metric.name,
        unit=metric.unit,
        kind="histogram",
        attributes=_attributes(point.attributes),
        count=point.count,
        sum=point.sum,
        bounds=tuple(point.explicit_bounds),
        bucket_counts=tuple(point.bucket_counts),
        exemplar_trace_ids=tuple(exemplar.trace_id.hex() for exemplar in point.exemplars),
    )


def _number_point(metric: Metric, point: NumberDataPoint, scope: str) -> ReceivedPoint:
    return ReceivedPoint(
        scope=scope,
        name=metric.name,
        unit=metric.unit,
        kind=metric.WhichOneof("data") or "",
        attributes=_attributes(point.attributes),
        value=point.as_double if point.HasField("as_double") else point.as_int,
        exemplar_trace_ids=tuple(exemplar.trace_id.hex() for exemplar in point.exemplars),
    )


def _logs(export: ExportLogsServiceRequest) -> Iterator[ReceivedLog]:
    for of_resource in export.resource_logs:
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                yield ReceivedLog(
                    event_name=record.event_name,
                    severity_text=record.severity_text,
                    severity_number=record.severity_number,
                    body=_value(record.body),
                    attributes=_attributes(record.attributes),
                    trace_id=record.trace_id.hex(),
                    span_id=record.span_id.hex(),
                    scope=of_scope.scope.name,
                )


def _emitted_span(span: ReceivedSpan) -> conformance.Span:
    return conformance.Span(
        name=span.name,
        kind=span.kind,
        status=span.status,
        message=span.status_message,
        attributes=_with_tuples(span.attributes),
        events=[(name, _with_tuples(attributes)) for name, attributes in span.events],
    )


def _emitted_point(point: ReceivedPoint) -> conformance.Point:
    return conformance.Point(
        name=point.name,
        kind=point.kind,
        unit=point.unit,
        attributes=_with_tuples(point.attributes),
        bounds=point.bounds,
    )


def _emitted_log(log: ReceivedLog) -> conformance.Log:
    severity = SeverityNumber.Name(log.severity_number).removeprefix("SEVERITY_NUMBER_")
    return conformance.Log(name=log.event_name, severity=severity, attributes=_with_tuples(log.attributes))


def _with_tuples(attributes: Attributes) -> Attributes:
    """Attributes with tuples for arrays, as in the SDK."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in attributes.items()}


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> object:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case scalar:
            return getattr(value, scalar)
