"""The distro and the configurator, with which `opentelemetry-instrument` and `init()` set OpenTelemetry up.

The distro sets the defaults in `defaults.py`, and warns of problems that prevent tracing or delivery. The configurator
lets the SDK create the providers that the application has not set. It adds the AgentOps exporter, and arranges that
telemetry is delivered before the process ends (`shutdown.py`).
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import agentops_otel_litellm.settings.usable_environment  # noqa: F401 - the SDK reads variables on import

# isort: split
from opentelemetry.instrumentation.dependencies import get_dependency_conflicts
from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # an untyped module
from opentelemetry.metrics import get_meter
from opentelemetry.sdk import _configuration
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.trace import get_tracer_provider

from agentops_otel_litellm.exporters.batch_processor import CountingBatchSpanProcessor
from agentops_otel_litellm.exporters.delivery import DELIVERY, SIGNALS, TRACES, live_exporters
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.instrumentor import LITELLM
from agentops_otel_litellm.sdk.application import RUN_SESSION, recording_failures, time_limit
from agentops_otel_litellm.sdk.defaults import apply_defaults
from agentops_otel_litellm.sdk.shutdown import CHILD, PROCESS_EXIT, flush_on_signals
from agentops_otel_litellm.settings import Settings, sdk_is_disabled, set_log_level
from agentops_otel_litellm.settings.backends import BACKENDS
from agentops_otel_litellm.settings.config_file import (
    INSTRUMENTATION,
    configuration_file,
    configure_by_file,
    describe_error,
)
from agentops_otel_litellm.settings.config_file import VARIABLE as CONFIG_FILE
from agentops_otel_litellm.settings.destinations import (
    AGENTOPS,
    BACKENDS_EXPORTER,
    CONSOLE,
    Environment,
    Obstacle,
    backends_in_use,
    exporters,
    lacks_service_name,
    missing_certificate_files,
    only_usable_exporters,
    resource_attributes,
    unusable_backends,
    unusable_endpoints,
)
from agentops_otel_litellm.settings.parsing import (
    FIRST_PROCESS,
    mark_first_process,
    names,
    quiet_child_process,
    warn_at_start_up,
    without_secrets,
)
from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables
from agentops_otel_litellm.version import SCOPE, __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

# --- the distro and the configurator ----------------------------------------------------------------------


logger = logging.getLogger(__name__)

DISTRO_NAME = "agentops-otel-litellm"
ENVIRONMENT_NAME = "deployment.environment.name"
_UNLOGGED = re.compile("HEADERS|CERTIFICATE|KEY|CREDENTIAL")
"""Variables whose values are never logged."""
_OTLP = "otlp_proto_"
"""Beginning of the names of the SDK's OTLP exporters, such as `otlp_proto_grpc`. The SDK appends a protocol."""


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
        """Load an instrumentor, unless the application or the launcher has loaded it already, or the file in
        OTEL_CONFIG_FILE has `enabled: false` for it.
        """
        file = configuration_file()
        if file is not None and file.disables(entry_point.name):
            return
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
    """Creates the providers that the application has not set, as the SDK's configurator does, with a resource that
    names this distro.
    """

    def _configure(self, **kwargs: object) -> None:
        """Create the providers that are not set, and arrange that telemetry is delivered before the process ends."""
        settings = Settings.from_environment()
        resource = {"telemetry.distro.name": DISTRO_NAME, "telemetry.distro.version": __version__}
        unset = [signal for signal in SIGNALS if signal.provider is None]
        configure: Callable[..., None] = super()._configure
        if configuration_file() is None:
            if settings.environment is not None and ENVIRONMENT_NAME not in resource_attributes(os.environ):
                resource[ENVIRONMENT_NAME] = settings.environment
            configure = partial(configure, resource_attributes=resource, **kwargs)
        elif find_spec("opentelemetry.configuration") is not None:
            added = {"service.name": settings.service_name, ENVIRONMENT_NAME: settings.environment}
            configure = partial(configure_by_file, os.environ[CONFIG_FILE], resource, added)
        configure_unset(configure)
        configured = [signal.provider for signal in unset if signal.provider is not None]
        limit = time_limit(settings, os.environ)
        PROCESS_EXIT.arrange(configured, limit)
        if not sdk_is_disabled():
            if settings.flush_on_signal:
                flush_on_signals(limit)
            CHILD.arrange(limit)
        RUN_SESSION.start()
        DELIVERY.request(None)  # even if LiteLLM is not instrumented, because AgentOps also receives other spans
        provider = get_tracer_provider()
        if TRACES in unset and CONSOLE in exporters("TRACES", os.environ) and isinstance(provider, TracerProvider):
            # The console prints a call below the names of its parent spans, which are still open. This span processor
            # stores the open spans.
            from agentops_otel_litellm.exporters.console import OPEN_SPANS

            provider.add_span_processor(OPEN_SPANS)


def configure_unset(configure: Callable[[], None]) -> None:
    """Run `configure`, the SDK's configuration, but only for the signals whose provider is not set yet.

    The SDK's functions for the other signals are replaced by functions that do nothing: a second provider for a signal
    would log a warning and start threads that export nothing. If the configuration fails, one warning states why, and
    the application runs with the providers that it has set itself.
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
        with only_usable_exporters(os.environ), replaced(_configuring_modules(), replacements):
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
    """Do nothing, in place of the SDK's function that creates a provider."""


def _record_failures(named: Mapping[str, type]) -> dict[str, type]:
    """Make exporter classes record failed exports. The AgentOps exporter does not need that, because it queues
    undelivered spans; nor the one for AGENTOPS_BACKEND, in whose place `_processor` creates one for each backend.
    """
    own = {AGENTOPS, BACKENDS_EXPORTER}
    return {name: exporter if name in own else recording_failures(exporter) for name, exporter in named.items()}


def _processor(
    created: list[CountingBatchSpanProcessor], exporter: SpanExporter, **options: float | None
) -> SpanProcessor:
    """Create an exporter's span processor, in place of the SDK's `BatchSpanProcessor`, and append it to `created`.
    `options` are the SDK's, from a configuration file; `None` is the default.

    That of the AgentOps exporter is a class of its own, which is imported only if there is such an exporter. So it is
    recognised without its class: it is one of `live_exporters()`.
    """
    console = sys.modules.get("agentops_otel_litellm.exporters.console")  # imported only if it is a destination
    chosen = {name: value for name, value in options.items() if value is not None}
    agentops_exporter = next((each for each in live_exporters() if each is exporter), None)
    backends = sys.modules.get("agentops_otel_litellm.exporters.backend_exporters")
    if backends is not None and isinstance(exporter, backends.BackendsSpanExporter):
        kind = recording_failures(backends.BackendSpanExporter)
        of_backends = [CountingBatchSpanProcessor(kind(name), **chosen) for name in exporter.names]
        created += of_backends
        several = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]  # untyped upstream
        for each in of_backends:
            several.add_span_processor(each)
        return several
    if agentops_exporter is None:
        prints = console is not None and isinstance(exporter, console.ConsoleSpanExporter)
        processor = CountingBatchSpanProcessor(exporter if prints else _without_others(exporter), **chosen)
    else:
        from agentops_otel_litellm.exporters.agentops import AgentOpsSpanProcessor

        processor = AgentOpsSpanProcessor(agentops_exporter, **chosen)
    created.append(processor)
    if console is not None and isinstance(exporter, console.ConsoleSpanExporter):
        console.print_after_cells(processor)
    return processor


def _without_others(exporter: SpanExporter) -> SpanExporter:
    """The exporter; if spans have attributes for the backends in AGENTOPS_BACKEND, without these."""
    if not backends_in_use(os.environ):
        return exporter
    from agentops_otel_litellm.exporters.backend_exporters import ConventionsExporter

    return ConventionsExporter(exporter, BACKENDS["otlp"].conventions)


def _configuring_modules() -> list[ModuleType]:
    """The modules whose functions create the providers: the SDK's, and that of the package which reads files."""
    reads_files = sys.modules.get("opentelemetry.configuration._tracer_provider")
    return [_configuration] if reads_files is None else [_configuration, reads_files]


@contextmanager
def replaced(modules: Collection[ModuleType], functions: Mapping[str, object]) -> Iterator[None]:
    """Replace functions of these modules within the block. Names that a module does not have are ignored."""
    originals = [
        (module, name, getattr(module, name)) for module in modules for name in functions & vars(module).keys()
    ]
    try:
        for module, name, _ in originals:
            setattr(module, name, functions[name])
        yield
    finally:
        for module, name, function in originals:
            setattr(module, name, function)


def _describe(fault: Exception) -> str:
    """Describe an error of the SDK's configuration: the variables whose values it quotes, and its text or its class.

    The text is used only if the SDK's configuration itself raised the error, because then it is about the name of a
    component. The text of an exporter's error can quote a key.
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
    what = str(fault) if _raised_by_the_sdk(fault) else describe_error(fault) or type(fault).__name__
    for value in sorted(quoted, key=len, reverse=True):
        what = what.replace(value, without_secrets("", value))
    return ", ".join([*variables, what])


def _raised_by_the_sdk(fault: Exception) -> bool:
    frames = [frame for frame, _ in walk_tb(fault.__traceback__)]
    return bool(frames) and frames[-1].f_globals.get("__name__") == _configuration.__name__


# --- problems that are reported at the start --------------------------------------------------------------


UPGRADE = f"pip install --upgrade '{LITELLM.replace(' ', '')}'"
PREFIX = "AGENTOPS_"
AGENTOPS_SDK_VARIABLES = frozenset(
    {
        "AGENTOPS_AUTO_INIT",
        "AGENTOPS_ENV_DATA_OPT_OUT",
        "AGENTOPS_FAIL_SAFE",
        "AGENTOPS_INSTRUMENT_LLM_CALLS",
        "AGENTOPS_PREFETCH_JWT_TOKEN",
        "AGENTOPS_SKIP_AUTO_END_SESSION",
    }
)
"""Variables of the AgentOps SDK (the package agentops), which this package does not read."""
_PRE_RELEASE = re.compile(r"(?:a|b|rc|dev)\d")


class Unread(NamedTuple):
    """A variable that is set, but that nothing reads."""

    variable: str
    meant: str | None
    """The setting with the most similar name; `None` if no name is similar."""


def obstacles(environment: Environment) -> Iterator[Obstacle]:
    """Find the problems of an environment to which the distro's defaults were added."""
    for find in OBSTACLES:
        yield from find(environment)


def is_switched_off(environment: Environment) -> bool:
    """Whether the user has disabled the instrumentation of LiteLLM by the variable. (A file in OTEL_CONFIG_FILE can
    disable it too.)
    """
    disabled = names(environment.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""))
    return INSTRUMENTATION in disabled or "*" in disabled


def describe_unsupported(version: str) -> str:
    """Why a version of LiteLLM is not supported, such as `is too old`."""
    if version in {"1.82.7", "1.82.8"} or version.startswith("1.107."):
        return "is a compromised release"
    return "is a pre-release" if _PRE_RELEASE.search(version) else "is too old"


def untraced_litellm(environment: Environment) -> Iterator[Obstacle]:
    """Find out whether LiteLLM is missing or unsupported. OpenTelemetry usually does not warn of either, and does not
    load the instrumentation.
    """
    if is_switched_off(environment):
        return
    conflict = get_dependency_conflicts((LITELLM,))
    if conflict is None:
        return
    if not conflict.found:
        yield Obstacle(
            "litellm",
            f"litellm is not installed for {sys.executable}: there are no calls to trace.",
            "pip install litellm, or start the app with the Python that has it.",
        )
        return
    version = conflict.found.rpartition(" ")[2]
    yield Obstacle("litellm", f"litellm {version} {describe_unsupported(version)}: its calls are not traced.", UPGRADE)


def misspelt_variables(environment: Environment) -> Iterator[Obstacle]:
    """Find variables that nothing reads, but whose names are similar to a setting. Other variables may belong to a
    different program, so they are not reported.
    """
    for variable, meant in unread(environment):
        if meant is not None:
            yield Obstacle(variable, f"{variable} is not a setting, so nothing reads it.", f"Did you mean {meant}?")


def unread(environment: Environment) -> Iterator[Unread]:
    """Find the variables AGENTOPS_* that are set but that nothing reads, sorted. Their values may be keys, so they are
    left out.
    """
    declared = {each.metadata["variable"] for each in fields(Settings)}
    for variable in sorted({*environment} - declared - AGENTOPS_SDK_VARIABLES - {FIRST_PROCESS}):
        if variable.startswith(PREFIX) and environment[variable]:
            yield Unread(variable, _nearest(variable, declared))


def _nearest(variable: str, declared: Collection[str]) -> str | None:
    """The setting whose name is most similar to a variable; `None` if no name is similar."""
    from difflib import get_close_matches  # imported here, because few applications have unread variables

    if variable.startswith(tuple(f"{each}_" for each in declared)):
        return None  # for example AGENTOPS_API_KEY_FILE, which is hardly a misspelt AGENTOPS_API_KEY
    # The names are compared without the prefix, which makes any two names similar.
    names = [each.removeprefix(PREFIX) for each in sorted(declared) if each.startswith(PREFIX)]
    close = get_close_matches(variable.removeprefix(PREFIX), names, n=1, cutoff=0.65)
    return f"{PREFIX}{close[0]}" if close else None


OBSTACLES: tuple[Callable[[Environment], Iterator[Obstacle]], ...] = (
    untraced_litellm,
    unusable_endpoints,
    unusable_backends,
    missing_certificate_files,
    misspelt_variables,
)
