"""An application whose spans go to AgentOps and to another exporter, and what the pages of AgentOps display of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.semconv import choose_vocabularies
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry
from support.recorder import Recorder
from support.servers.agentops_pages import PageSpan, Project, Row, page_span, project, rows
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.otlp_receiver import ReceivedSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The platform, and what it received. Spans are sent when the pages are read."""

    platform: AgentOpsPlatform
    provider: TracerProvider
    exporter: AgentOpsSpanExporter
    others: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    """The exporter beside AgentOps'."""

    @property
    def tracer(self) -> Tracer:
        """The application's tracer."""
        return self.provider.get_tracer("app")

    def received(self) -> list[ReceivedSpan]:
        assert self.exporter.force_flush()
        return self.platform.spans

    def spans(self) -> list[PageSpan]:
        """The spans on the pages of their traces, in the order of their start."""
        return [page_span(span) for span in sorted(self.received(), key=lambda span: span.start_ns)]

    def call(self) -> PageSpan:
        """The only call of a model."""
        (span,) = (page for page in self.spans() if page.label == "llm")
        return span

    def rows(self) -> list[Row]:
        return rows(self.received())

    def project(self) -> Project:
        return project(self.received())

    def spans_of_others(self) -> tuple[ReadableSpan, ...]:
        """The spans as any other exporter receives them."""
        return self.others.get_finished_spans()


@contextmanager
def pages_of(platform: AgentOpsPlatform, environment: dict[str, str]) -> Iterator[Pages]:
    """Send the spans of LiteLLM's calls in the block to the platform, which the variables of this process name."""
    settings = Settings.from_environment({**platform.environment, **environment})
    exporter = AgentOpsSpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    pages = Pages(platform=platform, provider=provider, exporter=exporter)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.add_span_processor(SimpleSpanProcessor(pages.others))
    others = Recorder().providers
    own = TRACING.telemetry
    TRACING.telemetry = Telemetry(
        choose_vocabularies(settings, {**platform.environment, **environment}),
        settings=settings,
        tracer_provider=provider,
        meter_provider=others["meter_provider"],
        logger_provider=others["logger_provider"],
    )
    try:
        yield pages
    finally:
        TRACING.telemetry = own
        provider.shutdown()
