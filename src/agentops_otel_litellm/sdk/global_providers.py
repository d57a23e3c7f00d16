"""OpenTelemetry's global providers, and whether they are set."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple


class Signal(NamedTuple):
    """The module and variable in which OpenTelemetry's API stores the provider of a signal, and the SDK's function that
    creates the provider.
    """

    module: str
    variable: str
    configured_by: str

    @property
    def provider(self) -> object | None:
        """The provider, if one is set. The API's own getter is not used: it sets a default provider if there is none,
        and then the SDK could not set its provider any more.
        """
        return getattr(import_module(self.module), self.variable, None)


TRACES = Signal("opentelemetry.trace", "_TRACER_PROVIDER", "_init_tracing")
METRICS = Signal("opentelemetry.metrics._internal", "_METER_PROVIDER", "_init_metrics")
LOGS = Signal("opentelemetry._logs._internal", "_LOGGER_PROVIDER", "_init_logging")
SIGNALS = (TRACES, METRICS, LOGS)
