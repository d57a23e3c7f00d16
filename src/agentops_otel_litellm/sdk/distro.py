"""The distro and the configurator, with which `opentelemetry-instrument` and `init()` set OpenTelemetry up.

The distro sets defaults for variables that are not set; `defaults.py` has them. The configurator runs the SDK's
configuration, except for the providers that the application has set up itself. It adds the AgentOps exporter, and
arranges that telemetry is delivered before the process ends (`shutdown.py`).
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import EntryPoint
from traceback import walk_tb
from typing import TYPE_CHECKING

import agentops_otel_litellm.settings.usable_environment  # noqa: F401 - the SDK reads variables on import

# isort: split
from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # an untyped module
from opentelemetry.metrics import get_meter
from opentelemetry.sdk import _configuration
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_tracer_provider

from agentops_otel_litellm.exporters.batch_processor import CountingBatchSpanProcessor
from agentops_otel_litellm.exporters.delivery import DELIVERY, SIGNALS, TRACES, live_exporters
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.sdk.application import recording_failures, time_limit
from agentops_otel_litellm.sdk.defaults import apply_defaults
from agentops_otel_litellm.sdk.obstacles import obstacles
from agentops_otel_litellm.sdk.shutdown import CHILD, PROCESS_EXIT, flush_on_signals
from agentops_otel_litellm.settings import Settings, sdk_is_disabled, set_log_level
from agentops_otel_litellm.settings.declaration import (
    mark_first_process,
    quiet_child_process,
    warn_at_start_up,
    without_secrets,
)
from agentops_otel_litellm.settings.destinations import (
    AGENTOPS,
    CONSOLE,
    exporters,
    lacks_service_name,
    only_usable_exporters,
    resource_attributes,
)
from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables
from agentops_otel_litellm.version import SCOPE, __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

DISTRO_NAME = "agentops-otel-litellm"
ENVIRONMENT_NAME = "deployment.environment.name"
CONFIG_FILE = "OTEL_CONFIG_FILE"
_UNLOGGED = re.compile("HEADERS|CERTIFICATE|KEY|CREDENTIAL")
"""Variables whose values are never logged."""
_OTLP = "otlp_proto_"
"""Beginning of the names of the SDK's OTLP exporters. The user writes the rest in OTEL_EXPORTER_OTLP_PROTOCOL."""


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
        settings = Settings.from_environment()
        resource = {"telemetry.distro.name": DISTRO_NAME, "telemetry.distro.version": __version__}
        environment = settings.environment
        if environment is not None and ENVIRONMENT_NAME not in resource_attributes(os.environ):
            resource[ENVIRONMENT_NAME] = environment
        configure: Callable[..., None] = super()._configure
        unset = [signal for signal in SIGNALS if signal.provider is None]
        configure_unset(partial(configure, resource_attributes=resource, **kwargs))
        configured = [signal.provider for signal in unset if signal.provider is not None]
        limit = time_limit(settings, os.environ)
        PROCESS_EXIT.arrange(configured, limit)
        if not sdk_is_disabled():
            if settings.flush_on_signal:
                flush_on_signals(limit)
            CHILD.arrange(limit)
        DELIVERY.request(None)  # also if LiteLLM is not instrumented: other spans are sent there too
        provider = get_tracer_provider()
        if TRACES in unset and CONSOLE in exporters("TRACES", os.environ) and isinstance(provider, TracerProvider):
            from agentops_otel_litellm.exporters.console import OPEN_SPANS  # the SDK has imported the exporter

            provider.add_span_processor(OPEN_SPANS)


def configure_unset(configure: Callable[[], None]) -> None:
    """Run `configure`, the SDK's configuration, for the providers that are not set yet.

    The SDK's functions for the other providers are replaced by functions that do nothing, because a second provider
    for a signal would log a warning and start threads that export nothing. If the configuration fails, one log line
    states why, and the application runs with the providers that it has set itself.
    """
    already_set = [signal for signal in SIGNALS if signal.provider is not None]
    if len(already_set) == len(SIGNALS):
        return
    if already_set and os.environ.get(CONFIG_FILE):
        warn_at_start_up(logger, "%s is ignored, because the app has set up OpenTelemetry itself.", CONFIG_FILE)
        return
    import_exporters = getattr(_configuration, "_import_exporters", None)
    replacements: dict[str, object] = {signal.configured_by: _leave_as_it_is for signal in already_set}
    if import_exporters is not None:
        replacements["_import_exporters"] = lambda *names: [_record_failures(each) for each in import_exporters(*names)]
    processors: list[CountingBatchSpanProcessor] = []
    replacements["BatchSpanProcessor"] = partial(_processor, processors)
    before = live_exporters()
    try:
        with only_usable_exporters(os.environ), _replaced(replacements):
            configure()
        for processor in processors:  # not earlier, because the meter provider is created after the span processors
            processor.observe_with(get_meter(f"{SCOPE}.sdk", __version__))
        if TRACES not in already_set:
            DELIVERY.record_exporters(live_exporters() - before, TRACES.provider)
    except Exception as fault:
        warn_at_start_up(
            logger,
            "OpenTelemetry is not set up, or only in part (%s): telemetry is missing. "
            "Correct the setting, or install the missing package, and start the program again.",
            _describe(fault),
        )
        logger.debug("The configuration failed", exc_info=True)


def _leave_as_it_is(*_arguments: object, **_options: object) -> None:
    """Configure nothing."""


def _record_failures(named: Mapping[str, type]) -> dict[str, type]:
    """Record failed exports of all exporters except the AgentOps exporter, which queues undelivered spans."""
    return {name: exporter if name == AGENTOPS else recording_failures(exporter) for name, exporter in named.items()}


def _processor(created: list[CountingBatchSpanProcessor], exporter: SpanExporter) -> SpanProcessor:
    """Create the span processor for an exporter, in place of the SDK's `BatchSpanProcessor`."""
    agentops_exporter = next((each for each in live_exporters() if each is exporter), None)
    if agentops_exporter is None:
        processor = CountingBatchSpanProcessor(exporter)
    else:
        from agentops_otel_litellm.exporters.agentops import AgentOpsSpanProcessor

        processor = AgentOpsSpanProcessor(agentops_exporter)
    created.append(processor)
    return processor


@contextmanager
def _replaced(functions: Mapping[str, object]) -> Iterator[None]:
    """Replace functions of the SDK's module within the block. Names that the module does not have are ignored."""
    originals = {name: getattr(_configuration, name) for name in functions if hasattr(_configuration, name)}
    try:
        for name in originals:
            setattr(_configuration, name, functions[name])
        yield
    finally:
        for name, function in originals.items():
            setattr(_configuration, name, function)


def _describe(fault: Exception) -> str:
    """Describe an error of the SDK's configuration: the variables whose values it quotes, and its class or its text.

    The text is used only if the SDK's configuration raised the error itself: it is then about names of components.
    Errors of exporters can quote keys.
    """
    quoted = set(re.findall(r"'([^']*)'", str(fault)))
    quoted |= {name.removeprefix(_OTLP) for name in quoted}
    variables = [
        f"{variable}={without_secrets(variable, value)!r}"
        for variable, value in sorted(os.environ.items())
        if variable.startswith("OTEL_")
        and not _UNLOGGED.search(variable)
        and quoted & {value, *(part.strip() for part in value.split(","))}
    ]
    what = str(fault) if _raised_by_the_sdk(fault) else type(fault).__name__
    return ", ".join([*variables, what])


def _raised_by_the_sdk(fault: Exception) -> bool:
    frames = [frame for frame, _ in walk_tb(fault.__traceback__)]
    return bool(frames) and frames[-1].f_globals.get("__name__") == _configuration.__name__
