"""The distro, which sets defaults for variables that are not set, and the configurator, which creates providers that
are not set.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint

import agentops_otel_litellm.sdk.usable_environment  # noqa: F401 - the SDK reads variables on import

# isort: split
from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # an untyped module
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer_provider

from agentops_otel_litellm.destinations import CONSOLE, exporters, lacks_service_name, resource_attributes
from agentops_otel_litellm.exporters.delivery import DELIVERY
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.open_spans import OPEN_SPANS
from agentops_otel_litellm.processes import mark_first_process, quiet_child_process, warn_at_start_up
from agentops_otel_litellm.sdk.child_exit import CHILD
from agentops_otel_litellm.sdk.configuration import configure_unset
from agentops_otel_litellm.sdk.defaults import apply_defaults
from agentops_otel_litellm.sdk.exit import PROCESS_EXIT
from agentops_otel_litellm.sdk.flush import time_limit
from agentops_otel_litellm.sdk.global_providers import SIGNALS, TRACES
from agentops_otel_litellm.sdk.obstacles import obstacles
from agentops_otel_litellm.sdk.sdk_variables import drop_unusable_variables
from agentops_otel_litellm.sdk.termination import flush_on_signals
from agentops_otel_litellm.settings import Settings, sdk_is_disabled, set_log_level
from agentops_otel_litellm.version import __version__

logger = logging.getLogger(__name__)

DISTRO_NAME = "agentops-otel-litellm"
ENVIRONMENT_NAME = "deployment.environment.name"


class AgentOpsDistro(BaseDistro):  # type: ignore[misc]  # upstream ignores its types
    """Sets defaults for variables that the user has not set."""

    _warned = False
    _has_checked_obstacles = False

    def _configure(self, **_kwargs: object) -> None:
        """Set the defaults, and log problems of the environment."""
        if sdk_is_disabled():
            return
        mark_first_process()
        quiet_child_process()
        set_log_level()
        drop_unusable_variables(os.environ)
        apply_defaults(os.environ)
        self._warn_of_obstacles()
        if not self._warned and lacks_service_name(os.environ):
            self._warned = True
            warn_at_start_up(
                logger,
                "No service name is set, so backends will show this app as unknown_service: set OTEL_SERVICE_NAME.",
            )

    def load_instrumentor(self, entry_point: EntryPoint, **options: object) -> None:
        """Load an instrumentor, unless the application or the launcher has loaded it already."""
        if not getattr(entry_point.load()(), "is_instrumented_by_opentelemetry", False):
            super().load_instrumentor(entry_point, **options)

    def _warn_of_obstacles(self) -> None:
        if self._has_checked_obstacles:
            return
        self._has_checked_obstacles = True
        with guard("checking what prevents tracing or delivery"):
            for obstacle in obstacles(os.environ):
                warn_at_start_up(logger, "%s %s", obstacle.text, obstacle.advice)


class AgentOpsConfigurator(_OTelSDKConfigurator):
    """Creates the providers that the application has not set, as the SDK's configurator does. Their resource names this
    distro.

    If the console exporter is used, a span processor stores the open spans, under which the console indents calls.
    """

    def _configure(self, **kwargs: object) -> None:
        """Create the providers that are not set, and arrange that telemetry is delivered before the process ends."""
        resource = {"telemetry.distro.name": DISTRO_NAME, "telemetry.distro.version": __version__}
        environment = Settings.from_environment().environment
        if environment is not None and ENVIRONMENT_NAME not in resource_attributes(os.environ):
            resource[ENVIRONMENT_NAME] = environment
        configure: Callable[..., None] = super()._configure
        unset = [signal for signal in SIGNALS if signal.provider is None]
        configure_unset(partial(configure, resource_attributes=resource, **kwargs))
        configured = [signal.provider for signal in unset if signal.provider is not None]
        PROCESS_EXIT.arrange(configured, time_limit(os.environ))
        flush_on_signals(os.environ)
        CHILD.arrange(os.environ)
        DELIVERY.request(None)  # also if LiteLLM is not instrumented: other spans are sent there too
        provider = get_tracer_provider()
        if TRACES in unset and CONSOLE in exporters("TRACES", os.environ) and isinstance(provider, TracerProvider):
            provider.add_span_processor(OPEN_SPANS)
