"""The distro and its configurator: defaults for what the user has not decided, and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, MutableMapping
from typing import NamedTuple

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # an untyped module
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer_provider

from agentops_otel_litellm.exporters.console import OPEN_SPANS
from agentops_otel_litellm.settings import sdk_is_disabled
from agentops_otel_litellm.version import __version__

logger = logging.getLogger(__name__)

DISTRO_NAME = "agentops-otel-litellm"


class Default(NamedTuple):
    """What an OpenTelemetry variable is set to where the user has not set it."""

    value: str
    help: str


DEFAULTS: Mapping[str, Default] = {
    "OTEL_PYTHON_CONFIGURATOR": Default("agentops", "Which configurator sets the SDK up: this distro's own."),
    "OTEL_EXPORTER_OTLP_PROTOCOL": Default("http/protobuf", "How OTLP is sent. gRPC needs a package of its own."),
    "OTEL_EXPORTER_OTLP_COMPRESSION": Default("gzip", "How OTLP is compressed."),
    "OTEL_EXPORTER_OTLP_TIMEOUT": Default(
        "3", "Seconds an export may take. With the SDK's 10, an app whose collector is down takes 14 s to exit."
    ),
}

SIGNALS = ("TRACES", "METRICS", "LOGS")
CONSOLE = "agentops_console"
# Milliseconds: with the SDK's 5,000, a call's line on the console comes long after the call.
CONSOLE_DELAY = "200"


def apply_defaults(environment: MutableMapping[str, str]) -> None:
    """Set what is absent. Each signal goes where OTEL_* say; with no destination at all, traces go to the console."""
    for variable, default in DEFAULTS.items():
        environment.setdefault(variable, default.value)
    for variable, value in _exporters(environment).items():
        environment.setdefault(variable, value)
    if environment["OTEL_TRACES_EXPORTER"] == CONSOLE:
        environment.setdefault("OTEL_BSP_SCHEDULE_DELAY", CONSOLE_DELAY)


def _exporters(environment: Mapping[str, str]) -> dict[str, str]:
    """The exporter of each signal, by where the user wants things to go."""
    chosen = [name for signal in SIGNALS if (name := environment.get(f"OTEL_{signal}_EXPORTER"))]
    everywhere = bool(environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")) or "otlp" in chosen
    exporters = {
        f"OTEL_{signal}_EXPORTER": "otlp"
        if everywhere or environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
        else "none"
        for signal in SIGNALS
    }
    if not chosen and "otlp" not in exporters.values():
        exporters["OTEL_TRACES_EXPORTER"] = CONSOLE
    return exporters


def has_service_name(environment: Mapping[str, str]) -> bool:
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    return bool(environment.get("OTEL_SERVICE_NAME")) or any(
        attribute.partition("=")[0].strip() == "service.name" for attribute in attributes
    )


class AgentOpsDistro(BaseDistro):  # type: ignore[misc]  # upstream ignores its types
    """Sets only what the user has left unset."""

    _warned = False

    def _configure(self, **_kwargs: object) -> None:
        if sdk_is_disabled():
            return
        apply_defaults(os.environ)
        sent = any("otlp" in os.environ[f"OTEL_{signal}_EXPORTER"] for signal in SIGNALS)
        if sent and not self._warned and not has_service_name(os.environ):
            self._warned = True
            logger.warning(
                "No service name is set, so backends will show this app as unknown_service: set OTEL_SERVICE_NAME."
            )


class AgentOpsConfigurator(_OTelSDKConfigurator):
    """The SDK's own configuration, with a resource that names this distro.

    The console indents calls under spans that are still open, so it is told of those where it is in use.
    """

    def _configure(self, **kwargs: object) -> None:
        resource = {"telemetry.distro.name": DISTRO_NAME, "telemetry.distro.version": __version__}
        super()._configure(resource_attributes=resource, **kwargs)  # type: ignore[no-untyped-call]  # untyped upstream
        provider = get_tracer_provider()
        if CONSOLE in os.environ.get("OTEL_TRACES_EXPORTER", "") and isinstance(provider, TracerProvider):
            provider.add_span_processor(OPEN_SPANS)
