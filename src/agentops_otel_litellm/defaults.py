"""What OpenTelemetry's variables are set to where the user has not set them: each is declared once.

The launcher reads this too, before the app starts: nothing of the SDK is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import NamedTuple

Environment = Mapping[str, str]

SIGNALS = ("TRACES", "METRICS", "LOGS")
CONSOLE = "agentops_console"
AGENTOPS = "agentops"
# Milliseconds: with the SDK's 5,000, a call's line on the console comes long after the call.
CONSOLE_DELAY = "200"


class Default(NamedTuple):
    """What a variable is set to where it is unset or, as the specification has it, empty."""

    help: str
    values: tuple[str, ...]
    """What it may be set to: the first, unless `choose` says which."""
    choose: Callable[[Environment], str | None] | None = None
    """Which of them, by what the user has set; `None` leaves the variable unset."""

    def value(self, given: Environment) -> str | None:
        return self.choose(given) if self.choose else self.values[0]


def apply_defaults(environment: MutableMapping[str, str]) -> None:
    """Set what is unset, each by what the user has set."""
    given = dict(environment)
    for variable, default in DEFAULTS.items():
        value = default.value(given)
        if value is not None and not given.get(variable):
            environment[variable] = value


def exporters(signal: str, environment: Environment) -> tuple[str, ...]:
    """Where a signal goes: what the user says, or else the default; `none` is no destination."""
    exporter = environment.get(f"OTEL_{signal}_EXPORTER") or _exporter(signal, environment)
    return _destinations(exporter)


def sends_to_agentops(environment: Environment) -> bool:
    """Whether AgentOps is a destination of traces: it is named, or has a key and traces are not switched off."""
    named = exporters("TRACES", environment)
    return AGENTOPS in named or bool(named and environment.get("AGENTOPS_API_KEY", "").strip())


def _destinations(exporter: str) -> tuple[str, ...]:
    """The exporters in a comma-separated list."""
    names = (name.strip() for name in exporter.split(","))
    return tuple(name for name in names if name and name.lower() != "none")


def _exporter(signal: str, given: Environment) -> str:
    """The default exporter of a signal."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    if any(map(given.get, endpoints)) or any(
        "otlp" in _destinations(given.get(f"OTEL_{other}_EXPORTER", "")) for other in SIGNALS
    ):
        return "otlp"
    if signal == "TRACES" and not any(exporters(other, given) for other in ("METRICS", "LOGS")):
        return CONSOLE
    return "none"


def _console_delay(given: Environment) -> str | None:
    return CONSOLE_DELAY if CONSOLE in exporters("TRACES", given) else None


DEFAULTS: Mapping[str, Default] = {
    "OTEL_PYTHON_DISTRO": Default("Which distro gives these defaults: this one.", ("agentops",)),
    "OTEL_PYTHON_CONFIGURATOR": Default("Which configurator sets the SDK up: this distro's own.", ("agentops",)),
    "OTEL_TRACES_EXPORTER": Default(
        "Where traces go: to OTLP where an endpoint is set or another signal goes there; to the console where "
        "nothing goes anywhere.",
        ("otlp", CONSOLE, "none"),
        partial(_exporter, "TRACES"),
    ),
    "OTEL_METRICS_EXPORTER": Default(
        "Where metrics go: to OTLP where an endpoint is set or another signal goes there.",
        ("otlp", "none"),
        partial(_exporter, "METRICS"),
    ),
    "OTEL_LOGS_EXPORTER": Default(
        "Where events go: likewise.",
        ("otlp", "none"),
        partial(_exporter, "LOGS"),
    ),
    "OTEL_EXPORTER_OTLP_PROTOCOL": Default("How OTLP is sent. gRPC needs a package of its own.", ("http/protobuf",)),
    "OTEL_EXPORTER_OTLP_COMPRESSION": Default("How OTLP is compressed.", ("gzip",)),
    "OTEL_EXPORTER_OTLP_TIMEOUT": Default(
        "Seconds an export may take. With the SDK's 10, an app whose collector is down takes 14 s to exit.", ("3",)
    ),
    "OTEL_BSP_SCHEDULE_DELAY": Default(
        "Milliseconds for which ended spans are gathered; set only where the console is to show them soon.",
        (CONSOLE_DELAY,),
        _console_delay,
    ),
}
