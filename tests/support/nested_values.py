"""Values that are nested deeply."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.recorder import Recorder


def nested_dict(levels: int) -> object:
    return {"a": nested_dict(levels - 1)} if levels else 1


def export_counts(telemetry: Recorder) -> tuple[list[str], int, int]:
    """Names of spans, and numbers of log records and metrics, after encoding and decoding as OTLP."""
    spans = ExportTraceServiceRequest.FromString(encode_spans(telemetry.spans()).SerializeToString())
    logs = ExportLogsServiceRequest.FromString(encode_logs(telemetry.logs()).SerializeToString())
    collected = telemetry.collect()
    assert collected is not None
    metrics = ExportMetricsServiceRequest.FromString(encode_metrics(collected).SerializeToString())
    return (
        [span.name for of in spans.resource_spans for scope in of.scope_spans for span in scope.spans],
        sum(len(scope.log_records) for of in logs.resource_logs for scope in of.scope_logs),
        sum(len(scope.metrics) for of in metrics.resource_metrics for scope in of.scope_metrics),
    )
