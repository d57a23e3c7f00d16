"""Runs the SDK's configuration, except for the providers that the application has set up itself."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from traceback import walk_tb
from typing import TYPE_CHECKING

from opentelemetry.metrics import get_meter
from opentelemetry.sdk import _configuration

from agentops_otel_litellm.destinations import AGENTOPS
from agentops_otel_litellm.exporters.delivery import DELIVERY, live_exporters
from agentops_otel_litellm.exporters.failures import recording_failures
from agentops_otel_litellm.processes import warn_at_start_up
from agentops_otel_litellm.sdk.global_providers import SIGNALS, TRACES
from agentops_otel_litellm.sdk.named_exporters import only_usable_exporters
from agentops_otel_litellm.settings.masking import without_secrets
from agentops_otel_litellm.version import SCOPE, __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from agentops_otel_litellm.exporters.dropped_spans import CountingBatchSpanProcessor

logger = logging.getLogger(__name__)

CONFIG_FILE = "OTEL_CONFIG_FILE"
# Values of these variables are never logged.
SECRET = re.compile("HEADERS|CERTIFICATE|KEY|CREDENTIAL")
OTLP = "otlp_proto_"


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
    from agentops_otel_litellm.exporters.dropped_spans import CountingBatchSpanProcessor

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
    quoted |= {name.removeprefix(OTLP) for name in quoted}
    variables = [
        f"{variable}={without_secrets(variable, value)!r}"
        for variable, value in sorted(os.environ.items())
        if variable.startswith("OTEL_")
        and not SECRET.search(variable)
        and quoted & {value, *(part.strip() for part in value.split(","))}
    ]
    what = str(fault) if _raised_by_the_sdk(fault) else type(fault).__name__
    return ", ".join([*variables, what])


def _raised_by_the_sdk(fault: Exception) -> bool:
    frames = [frame for frame, _ in walk_tb(fault.__traceback__)]
    return bool(frames) and frames[-1].f_globals.get("__name__") == _configuration.__name__
