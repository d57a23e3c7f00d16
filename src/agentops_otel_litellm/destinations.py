"""The destinations of telemetry, from environment variables and defaults.

The launcher uses this module before the application starts, so it does not import the SDK.
"""

from __future__ import annotations

from collections.abc import Mapping

Environment = Mapping[str, str]

SIGNALS = ("TRACES", "METRICS", "LOGS")
CONSOLE = "agentops_console"
AGENTOPS = "agentops"
TERMINALS: Mapping[str, str] = {"console": "the app's stdout", CONSOLE: "the app's stderr"}
"""Exporters that print to the application's own terminal → where they print."""


def exporters(signal: str, environment: Environment) -> tuple[str, ...]:
    """The exporters that the SDK creates for a signal: the user's choice, or the default. `none` is left out."""
    return _listed(environment.get(f"OTEL_{signal}_EXPORTER") or default_exporter(signal, environment))


def sends_to_agentops(environment: Environment) -> bool:
    """Whether traces are sent to AgentOps: `OTEL_TRACES_EXPORTER` names it, or a key is set and traces are not off."""
    named = exporters("TRACES", environment)
    return AGENTOPS in named or (bool(named) and _has_key(environment))


def destinations(signal: str, environment: Environment) -> tuple[str, ...]:
    """All exporters of a signal, including the AgentOps exporter if the user does not name it but the instrumentor adds
    it.
    """
    named = exporters(signal, environment)
    is_added = signal == "TRACES" and AGENTOPS not in named and sends_to_agentops(environment)
    return (*named, AGENTOPS) if is_added else named


def default_exporter(signal: str, environment: Environment) -> str:
    """The exporters of a signal whose variable `OTEL_…_EXPORTER` is not set, as a comma-separated list, or `none`."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    to_otlp = any(map(environment.get, endpoints)) or any(
        "otlp" in _listed(environment.get(f"OTEL_{other}_EXPORTER", "")) for other in SIGNALS
    )
    if signal == "TRACES" and _has_key(environment):
        return f"otlp,{AGENTOPS}" if to_otlp else AGENTOPS
    if to_otlp:
        return "otlp"
    if signal == "TRACES" and not any(exporters(other, environment) for other in ("METRICS", "LOGS")):
        return CONSOLE
    return "none"


def resource_attributes(environment: Environment) -> set[str]:
    """Names of the resource attributes that the user has set."""
    pairs = environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    names = {name.strip() for name, equals, _ in (pair.partition("=") for pair in pairs) if equals}
    return names | ({"service.name"} if environment.get("OTEL_SERVICE_NAME") else set())


def lacks_service_name(environment: Environment) -> bool:
    """Whether telemetry is sent to a backend, which needs a service name, and none is set."""
    sent = {name for signal in SIGNALS for name in destinations(signal, environment)} - TERMINALS.keys()
    return bool(sent) and "service.name" not in resource_attributes(environment)


def _has_key(environment: Environment) -> bool:
    return bool(environment.get("AGENTOPS_API_KEY", "").strip())


def _listed(exporter: str) -> tuple[str, ...]:
    """The exporters in a comma-separated list."""
    names = (name.strip() for name in exporter.split(","))
    return tuple(name for name in names if name and name.lower() != "none")
