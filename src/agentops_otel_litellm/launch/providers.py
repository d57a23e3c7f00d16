"""OpenTelemetry's global providers: whether somebody has set them."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple


class Signal(NamedTuple):
    """Where the API keeps a signal's provider, and what of the SDK's configuration makes one."""

    module: str
    variable: str
    configured_by: str

    @property
    def provider(self) -> object | None:
        """The one that was set. Asking the API for it would set what OTEL_PYTHON_TRACER_PROVIDER and the like name,
        and the SDK's configuration would then come too late.
        """
        return getattr(import_module(self.module), self.variable, None)


TRACES = Signal("opentelemetry.trace", "_TRACER_PROVIDER", "_init_tracing")
METRICS = Signal("opentelemetry.metrics._internal", "_METER_PROVIDER", "_init_metrics")
LOGS = Signal("opentelemetry._logs._internal", "_LOGGER_PROVIDER", "_init_logging")
SIGNALS = (TRACES, METRICS, LOGS)
