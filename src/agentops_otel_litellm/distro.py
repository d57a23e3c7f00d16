"""The distro and its configurator: defaults for what the user has not decided, and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # an untyped module
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer_provider

from agentops_otel_litellm.defaults import CONSOLE, SIGNALS, apply_defaults, exporters
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.named_exporters import only_usable_exporters
from agentops_otel_litellm.obstacles import obstacles
from agentops_otel_litellm.open_spans import OPEN_SPANS
from agentops_otel_litellm.settings import sdk_is_disabled
from agentops_otel_litellm.version import __version__

logger = logging.getLogger(__name__)

DISTRO_NAME = "agentops-otel-litellm"
# Exporters for people at the app's own terminal, who know which app it is.
TERMINALS = {"console", CONSOLE}


def has_service_name(environment: Mapping[str, str]) -> bool:
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    return bool(environment.get("OTEL_SERVICE_NAME")) or any(
        attribute.partition("=")[0].strip() == "service.name" for attribute in attributes
    )


@contextmanager
def setting_up() -> Iterator[None]:
    """Tell in a line of what the SDK cannot set up: upstream's launcher would log two tracebacks, and load no
    instrumentation.
    """
    try:
        with only_usable_exporters(os.environ):
            yield
    except Exception as error:  # whatever an exporter raises when it is made
        # The SDK's own are of names; what others say may quote a key.
        cause = str(error) if isinstance(error, RuntimeError) else type(error).__name__
        logger.warning("OpenTelemetry's SDK cannot be set up, and nothing is exported: %s", cause)
        logger.debug("How it came to that", exc_info=True)


class AgentOpsDistro(BaseDistro):  # type: ignore[misc]  # upstream ignores its types
    """Sets only what the user has left unset."""

    _warned = False
    _looked = False

    def _configure(self, **_kwargs: object) -> None:
        if sdk_is_disabled():
            return
        apply_defaults(os.environ)
        self._tell_of_obstacles()
        sent = {name for signal in SIGNALS for name in exporters(signal, os.environ)} - TERMINALS
        if sent and not self._warned and not has_service_name(os.environ):
            self._warned = True
            logger.warning(
                "No service name is set, so backends will show this app as unknown_service: set OTEL_SERVICE_NAME."
            )

    def _tell_of_obstacles(self) -> None:
        if self._looked:
            return
        self._looked = True
        with guard("looking for what is in the way"):
            for obstacle in obstacles(os.environ):
                logger.warning("%s %s", obstacle.text, obstacle.advice)


class AgentOpsConfigurator(_OTelSDKConfigurator):
    """The SDK's own configuration, with a resource that names this distro.

    The console indents calls under spans that are still open, so it is told of those where it is in use.
    """

    def _configure(self, **kwargs: object) -> None:
        resource = {"telemetry.distro.name": DISTRO_NAME, "telemetry.distro.version": __version__}
        with setting_up():
            super()._configure(resource_attributes=resource, **kwargs)  # type: ignore[no-untyped-call]  # untyped upstream
        provider = get_tracer_provider()
        if CONSOLE in exporters("TRACES", os.environ) and isinstance(provider, TracerProvider):
            provider.add_span_processor(OPEN_SPANS)
