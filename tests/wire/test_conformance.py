"""What is held against the conventions, when something is wrong with it: a check that cannot fail says nothing."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agentops_otel_litellm.version import SCOPE
from support.conformance import (
    Emitted,
)
from support.servers.otlp_receiver import OTLPReceiver


def test_all_that_is_received_is_looked_at(emitted: Emitted) -> None:
    """What crossed the wire, too."""
    with OTLPReceiver() as receiver:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.endpoint}/v1/traces")))
        for scope in (SCOPE, "the app"):
            span = provider.get_tracer(scope).start_span("planted", attributes={"planted": ["a", "b"]})
            span.end()
        receiver.wait_for_spans(2)
        provider.shutdown()
    assert emitted.take() == [
        "Span 'planted' has planted, which is neither the conventions' nor in a namespace of ours"
    ]
