"""The SDK's batches, with an exporter that knows when they end."""

from __future__ import annotations

from opentelemetry.metrics import Meter

from agentops_otel_litellm.exporters.agentops.exporter import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.dropped_spans import CountingBatchSpanProcessor


class AgentOpsSpanProcessor(CountingBatchSpanProcessor):
    """Takes no longer than AGENTOPS_MAX_WAIT_TIME to shut down: the SDK's own hands over one batch after another, and
    the exporter may take that long for each.
    """

    def __init__(self, exporter: AgentOpsSpanExporter, **options: float) -> None:
        super().__init__(exporter, **options)
        self._agentops = exporter

    def observe_with(self, meter: Meter) -> None:
        super().observe_with(meter)
        self._agentops.observe_with(meter)

    def shutdown(self) -> None:
        self._agentops.begin_shutdown()
        super().shutdown()
