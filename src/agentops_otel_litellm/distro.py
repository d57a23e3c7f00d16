"""The distro and its configurator: defaults for what the user has not decided, and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, MutableMapping
from functools import partial
from importlib.metadata import EntryPoint

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # an untyped module
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer_provider

from agentops_otel_litellm.configuration import configure_unset
from agentops_otel_litellm.defaults import CONSOLE, SIGNALS, apply_defaults, exporters, resource_attributes
from agentops_otel_litellm.open_spans import OPEN_SPANS
from agentops_otel_litellm.providers import TRACES
from agentops_otel_litellm.settings import Settings, sdk_is_disabled, set_log_level
from agentops_otel_litellm.settings.values import number_of
from agentops_otel_litellm.version import __version__

logger = logging.getLogger(__name__)

DISTRO_NAME = "agentops-otel-litellm"
# Exporters for people at the app's own terminal, who know which app it is.
TERMINALS = {"console", CONSOLE}
SDK_QUEUE_SIZE = 2_048


ENVIRONMENT_NAME = "deployment.environment.name"
# What the SDK refuses to begin with, or tells of with a traceback → what it is a number of.
BATCHING = {
    "OTEL_BSP_SCHEDULE_DELAY": "milliseconds",
    "OTEL_BSP_MAX_QUEUE_SIZE": "spans",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "spans",
}


def drop_unusable_batching(environment: MutableMapping[str, str]) -> None:
    """Take out what the SDK's batches cannot be made with, and tell of it: no setting may keep the app untraced."""
    for variable, unit in BATCHING.items():
        text = environment.get(variable, "").strip()
        try:
            if text:
                number_of(unit)(text)
        except ValueError as accepted:
            logger.warning("%s=%r is not usable: it takes %s. The default is used.", variable, text, accepted)
            del environment[variable]
    queue, batch = (environment.get(variable, "").strip() for variable in list(BATCHING)[1:])
    if batch and int(batch) > int(queue or SDK_QUEUE_SIZE):
        logger.warning(
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=%s is not usable: OTEL_BSP_MAX_QUEUE_SIZE is %s. That is used.",
            batch,
            queue or SDK_QUEUE_SIZE,
        )
        environment["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] = queue or str(SDK_QUEUE_SIZE)


class AgentOpsDistro(BaseDistro):  # type: ignore[misc]  # upstream ignores its types
    """Sets only what the user has left unset."""

    _warned = False

    def _configure(self, **_kwargs: object) -> None:
        if sdk_is_disabled():
            return
        set_log_level()
        drop_unusable_batching(os.environ)
        apply_defaults(os.environ)
        sent = {name for signal in SIGNALS for name in exporters(signal, os.environ)} - TERMINALS
        if sent and not self._warned and "service.name" not in resource_attributes(os.environ):
            self._warned = True
            logger.warning(
                "No service name is set, so backends will show this app as unknown_service: set OTEL_SERVICE_NAME."
            )

    def load_instrumentor(self, entry_point: EntryPoint, **options: object) -> None:
        """Leave alone what the app, or the launcher, has instrumented before."""
        if not getattr(entry_point.load()(), "is_instrumented_by_opentelemetry", False):
            super().load_instrumentor(entry_point, **options)


class AgentOpsConfigurator(_OTelSDKConfigurator):
    """The SDK's own configuration of what the app has not set up, with a resource that names this distro.

    The console indents calls under spans that are still open, so it is told of those where it is in use.
    """

    def _configure(self, **kwargs: object) -> None:
        resource = {"telemetry.distro.name": DISTRO_NAME, "telemetry.distro.version": __version__}
        environment = Settings.from_environment().environment
        if environment is not None and ENVIRONMENT_NAME not in resource_attributes(os.environ):
            resource[ENVIRONMENT_NAME] = environment
        configure: Callable[..., None] = super()._configure
        makes_provider = TRACES.provider is None
        configure_unset(partial(configure, resource_attributes=resource, **kwargs))
        provider = get_tracer_provider()
        if makes_provider and CONSOLE in exporters("TRACES", os.environ) and isinstance(provider, TracerProvider):
            provider.add_span_processor(OPEN_SPANS)
