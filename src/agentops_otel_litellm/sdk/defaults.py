"""The values that the distro sets for variables of OpenTelemetry that the user has not set.

The launcher imports this module before the application starts, so this module does not import the SDK.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.destinations import (
    AGENTOPS,
    BACKENDS_EXPORTER,
    CONSOLE,
    GRPC,
    SIGNALS,
    Environment,
    default_exporter,
    exporters,
    resource_attributes,
    sends_to_agentops,
)

SDK_BATCH_SIZE = 512
# Milliseconds. The SDK's default is 5,000, with which the console would print a call long after its end.
CONSOLE_DELAY = "200"


class Default(NamedTuple):
    """The default of a variable that is unset or empty. (OpenTelemetry's specification treats these two alike.)"""

    help: str
    values: tuple[str, ...]
    """The possible values, for the documentation. If `choose` is `None`, the first one is used."""
    choose: Callable[[Environment], str | None] | None = None
    """Function that chooses the value for the user's environment. If it returns `None`, the variable stays unset."""

    def value(self, environment: Environment) -> str | None:
        return self.choose(environment) if self.choose else self.values[0]


def apply_defaults(environment: MutableMapping[str, str]) -> None:
    """Set the variables that the user has not set."""
    users_environment = dict(environment)
    for variable, default in DEFAULTS.items():
        value = default.value(users_environment)
        if value is not None and not users_environment.get(variable):
            environment[variable] = value


def _delay(environment: Environment) -> str | None:
    """The milliseconds for which spans are collected before an export: for the console, or else for AgentOps. `None`,
    for the SDK's default, without these two.
    """
    if CONSOLE in exporters("TRACES", environment):
        return CONSOLE_DELAY
    return str(Settings.from_environment(environment).flush_interval) if sends_to_agentops(environment) else None


def _protocol(signal: str, environment: Environment) -> str | None:
    """`grpc` if the exporter that the user names implies it, so that the SDK does not log a conflict with the default
    of OTEL_EXPORTER_OTLP_PROTOCOL. `None` if the user has set a protocol.
    """
    named = exporters(signal, environment)
    is_implied = GRPC in named and "otlp" not in named and not environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    return "grpc" if is_implied else None


def _batch_size(environment: Environment) -> str | None:
    """The size of the queue, if the user has set one that is smaller than the SDK's default batch; otherwise `None`.
    The SDK does not accept a batch that is larger than the queue.
    """
    queue = environment.get("OTEL_BSP_MAX_QUEUE_SIZE", "").strip()
    return queue if queue.isdecimal() and 0 < int(queue) < SDK_BATCH_SIZE else None


def _service_name(environment: Environment) -> str | None:
    """`AGENTOPS_SERVICE_NAME`, if it is set and no variable of OpenTelemetry names the service."""
    return (
        None
        if "service.name" in resource_attributes(environment)
        else Settings.from_environment(environment).service_name
    )


DEFAULTS: Mapping[str, Default] = {
    "OTEL_PYTHON_DISTRO": Default(
        "The distro that sets the defaults in this table: `agentops` is the distro of this package.", ("agentops",)
    ),
    "OTEL_PYTHON_CONFIGURATOR": Default(
        "The configurator that sets up the SDK: `agentops` is the configurator of this package.", ("agentops",)
    ),
    "OTEL_TRACES_EXPORTER": Default(
        "The exporters of traces: `otlp` if an OTLP endpoint is set, or if metrics or events are exported by OTLP; "
        "`agentops_backends` if `AGENTOPS_BACKEND` names backends; `agentops` if `AGENTOPS_API_KEY` is set; "
        "`agentops_console` if no signal has an exporter.",
        ("otlp", AGENTOPS, f"otlp,{AGENTOPS}", BACKENDS_EXPORTER, CONSOLE, "none"),
        partial(default_exporter, "TRACES"),
    ),
    "OTEL_METRICS_EXPORTER": Default(
        "The exporter of metrics: `otlp` if an OTLP endpoint is set, or if traces or events are exported by OTLP.",
        ("otlp", "none"),
        partial(default_exporter, "METRICS"),
    ),
    "OTEL_LOGS_EXPORTER": Default(
        "The exporter of events: `otlp` if an OTLP endpoint is set, or if traces or metrics are exported by OTLP.",
        ("otlp", "none"),
        partial(default_exporter, "LOGS"),
    ),
    "OTEL_EXPORTER_OTLP_PROTOCOL": Default(
        "The transport for OTLP. gRPC needs an additional package.", ("http/protobuf",)
    ),
    **{
        f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL": Default(
            f"The transport for OTLP of this signal: `grpc` if `OTEL_{signal}_EXPORTER` is `otlp_proto_grpc`.",
            ("grpc",),
            partial(_protocol, signal),
        )
        for signal in SIGNALS
    },
    "OTEL_EXPORTER_OTLP_COMPRESSION": Default("The compression of OTLP.", ("gzip",)),
    "OTEL_EXPORTER_OTLP_TIMEOUT": Default(
        "Maximum duration of an export, in seconds. The SDK's default is 10 seconds: with that, a program takes up to "
        "14 seconds to exit if its collector is down.",
        ("3",),
    ),
    "OTEL_BSP_SCHEDULE_DELAY": Default(
        "Milliseconds for which finished spans are collected before they are exported: 200 for the console, so that "
        "a call is printed soon after its end; the value of `AGENTOPS_EXPORT_FLUSH_INTERVAL` for AgentOps; otherwise "
        "the SDK's default.",
        (CONSOLE_DELAY, str(Settings().flush_interval)),
        _delay,
    ),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": Default(
        "Maximum number of spans in a batch. The SDK's default is 512. If `OTEL_BSP_MAX_QUEUE_SIZE` is smaller than "
        "that, its value is used.",
        (),
        _batch_size,
    ),
    "OTEL_SERVICE_NAME": Default("The name of the service: the value of `AGENTOPS_SERVICE_NAME`.", (), _service_name),
}


# --- processes that the application starts ------------------------------------------------------------------

CHILD_PROCESSES = Path(__file__).with_name("child_processes")
"""The directory with the `sitecustomize` that Python processes load which the application starts.

The launcher `opentelemetry-instrument` puts a similar directory on PYTHONPATH, which child processes inherit. But its
`sitecustomize` prints an error in processes whose Python does not have OpenTelemetry.
"""


def prepare_child_processes() -> None:
    """Put `CHILD_PROCESSES` on PYTHONPATH, before the launcher's directory.

    The launcher calls this at the end of the start-up, by the entry point `opentelemetry_post_instrument`. It does
    nothing if the launcher did not start this process, or is a release that does not trace child processes.
    """
    from opentelemetry.instrumentation import auto_instrumentation

    launchers = str(Path(auto_instrumentation.__file__).resolve().parent)
    if launchers not in map(os.path.realpath, sys.path) or not hasattr(auto_instrumentation, "_initialize"):
        return
    ours = str(CHILD_PROCESSES)
    launchers_as_written = next(each for each in sys.path if os.path.realpath(each) == launchers)
    path = os.environ.get("PYTHONPATH")
    others = [] if path is None else path.split(os.pathsep)
    kept = [each for each in others if each not in (ours, launchers_as_written)]
    os.environ["PYTHONPATH"] = os.pathsep.join([ours, launchers_as_written, *kept])


def pyinstaller_hooks() -> list[str]:
    """The directories with PyInstaller's hooks, for the entry point `pyinstaller40`."""
    return [str(Path(__file__).with_name("pyinstaller"))]
