"""Where telemetry goes, by what the user has set, and by default.

The launcher reads this too, before the app starts: nothing of the SDK is imported.
"""

from __future__ import annotations

from collections.abc import Mapping

Environment = Mapping[str, str]

SIGNALS = ("TRACES", "METRICS", "LOGS")
CONSOLE = "agentops_console"
AGENTOPS = "agentops"
TERMINALS: Mapping[str, str] = {"console": "the app's stdout", CONSOLE: "the app's stderr"}
"""Exporters for people at the app's own terminal, who know which app it is, and where they write."""


def exporters(signal: str, environment: Environment) -> tuple[str, ...]:
    """What the SDK sends a signal with: what the user says, or else the default; `none` is no destination."""
    return _listed(environment.get(f"OTEL_{signal}_EXPORTER") or default_exporter(signal, environment))


def sends_to_agentops(environment: Environment) -> bool:
    """Whether AgentOps is a destination of traces: it is named, or has a key and traces are not switched off."""
    named = exporters("TRACES", environment)
    return AGENTOPS in named or (bool(named) and _has_key(environment))


def destinations(signal: str, environment: Environment) -> tuple[str, ...]:
    """The exporters of a signal, with that of AgentOps, which the instrumentor adds where it is not named."""
    named = exporters(signal, environment)
    is_added = signal == "TRACES" and AGENTOPS not in named and sends_to_agentops(environment)
    return (*named, AGENTOPS) if is_added else named


def default_exporter(signal: str, given: Environment) -> str:
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    to_otlp = any(map(given.get, endpoints)) or any(
        "otlp" in _listed(given.get(f"OTEL_{other}_EXPORTER", "")) for other in SIGNALS
    )
    if signal == "TRACES" and _has_key(given):
        return f"otlp,{AGENTOPS}" if to_otlp else AGENTOPS
    if to_otlp:
        return "otlp"
    if signal == "TRACES" and not any(exporters(other, given) for other in ("METRICS", "LOGS")):
        return CONSOLE
    return "none"


def resource_attributes(environment: Environment) -> set[str]:
    """Names of the attributes that the user gives the resource."""
    pairs = environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    names = {name.strip() for name, equals, _ in (pair.partition("=") for pair in pairs) if equals}
    return names | ({"service.name"} if environment.get("OTEL_SERVICE_NAME") else set())


def lacks_service_name(environment: Environment) -> bool:
    """Whether the app has no name where telemetry goes to where several apps are: it needs one only there."""
    sent = {name for signal in SIGNALS for name in destinations(signal, environment)} - TERMINALS.keys()
    return bool(sent) and "service.name" not in resource_attributes(environment)


def _has_key(environment: Environment) -> bool:
    return bool(environment.get("AGENTOPS_API_KEY", "").strip())


def _listed(exporter: str) -> tuple[str, ...]:
    """The exporters in a comma-separated list."""
    names = (name.strip() for name in exporter.split(","))
    return tuple(name for name in names if name and name.lower() != "none")
