"""OpenTelemetry's global providers: whether somebody has set them."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple


class Signal(NamedTuple):
    """Where the API stores the provider of a signal, and the function of the SDK that creates it."""

    module: str
    variable: str
    configured_by: str

    @property
    def provider(self) -> object | None:
        """The provider, if one is set. The API's getter would set a default one, and the SDK could not be configured
        afterwards.
        """
        return getattr(import_module(self.module), self.variable, None)


TRACES = Signal("opentelemetry.trace", "_TRACER_PROVIDER", "_init_tracing")
METRICS = Signal("opentelemetry.metrics._internal", "_METER_PROVIDER", "_init_metrics")
LOGS = Signal("opentelemetry._logs._internal", "_LOGGER_PROVIDER", "_init_logging")
SIGNALS = (TRACES, METRICS, LOGS)
