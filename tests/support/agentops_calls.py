"""Spans of calls that an OTLP receiver gets in place of AgentOps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry
from support.recorder import Recorder
from support.servers.otlp_receiver import OTLPReceiver, ReceivedSpan

DEFAULT_VOCABULARIES = ("gen_ai", "llm", "agentops")


TOKEN_COUNTS = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "cache_read_input_tokens": 4,
    "reasoning_tokens": 2,
    "total_tokens": 18,
}


@contextmanager
def recording_to(mode: str, names: Sequence[str], provider: TracerProvider) -> Iterator[None]:
    settings = Settings.from_environment({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": mode})
    others = Recorder().providers
    own = TRACING.telemetry
    TRACING.telemetry = Telemetry(
        [VOCABULARIES[name] for name in names],
        settings=settings,
        tracer_provider=provider,
        meter_provider=others["meter_provider"],
        logger_provider=others["logger_provider"],
    )
    try:
        yield
    finally:
        TRACING.telemetry = own


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOps:
    """A collector, and the tracer provider that exports to it."""

    receiver: OTLPReceiver
    provider: TracerProvider

    @contextmanager
    def recording(self, mode: str, names: Sequence[str] = DEFAULT_VOCABULARIES) -> Iterator[None]:
        """Send the spans of calls in the block to the receiver, in these vocabularies."""
        with recording_to(mode, names, self.provider):
            yield

    def spans(self) -> list[ReceivedSpan]:
        return self.receiver.wait_for_spans(1)

    def span(self) -> ReceivedSpan:
        """The only span of a model call."""
        (span,) = (span for span in self.spans() if span.attributes["agentops.span.kind"] == "llm")
        return span


@pytest.fixture
def agentops() -> Iterator[AgentOps]:
    with OTLPReceiver() as receiver:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.endpoint}/v1/traces")))
        yield AgentOps(receiver=receiver, provider=provider)
        provider.shutdown()
