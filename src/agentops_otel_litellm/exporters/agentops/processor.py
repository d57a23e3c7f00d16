"""The batch span processor for the AgentOps exporter."""

from __future__ import annotations

from opentelemetry.metrics import Meter

from agentops_otel_litellm.exporters.agentops.exporter import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.dropped_spans import CountingBatchSpanProcessor


class AgentOpsSpanProcessor(CountingBatchSpanProcessor):
    """A batch span processor that shuts down within AGENTOPS_MAX_WAIT_TIME.

    At shutdown, the SDK's processor exports its remaining batches one by one, and each export may take
    AGENTOPS_MAX_WAIT_TIME. So the exporter limits the time of all these exports together.
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
