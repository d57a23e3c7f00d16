"""Where telemetry is sent: the exporters of each signal, by the user's variables or by default.

The exporters that the user names are checked as well, because OpenTelemetry would set up nothing at all if one of them
is not installed. The launcher uses this module before the application starts, so it does not import the SDK, and common
exporters are known without a search through the installed packages.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import NamedTuple

from agentops_otel_litellm.settings.parsing import warn_at_start_up

logger = logging.getLogger(__name__)

Environment = Mapping[str, str]

SIGNALS = ("TRACES", "METRICS", "LOGS")
CONSOLE = "agentops_console"
AGENTOPS = "agentops"
TERMINALS: Mapping[str, str] = {"console": "the app's stdout", CONSOLE: "the app's stderr"}
"""Exporters that print to the application's own terminal → where they print."""

HTTP, GRPC = "otlp_proto_http", "otlp_proto_grpc"
OTLP = {"grpc": GRPC, "http/protobuf": HTTP}
"""The exporter `otlp` for each value of OTEL_EXPORTER_OTLP_PROTOCOL."""
PACKAGES = {GRPC: "opentelemetry-exporter-otlp-proto-grpc", "prometheus": "opentelemetry-exporter-prometheus"}
"""Exporter → its package, for exporters that are not installed with this package."""
_INSTALLED = {"console", HTTP}
_INSTALLED_FOR_TRACES = {AGENTOPS, CONSOLE}


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


# --- exporters that are not installed --------------------------------------------------------------------------


class MissingExporter(NamedTuple):
    """An exporter that is named but not installed."""

    signal: str
    name: str
    text: str
    advice: str


def missing_exporters(environment: Environment) -> list[MissingExporter]:
    """The missing exporters of all signals. The list is empty if a file configures the SDK, which then reads no
    names.
    """
    if is_configured_by_file(environment):
        return []
    found = (_missing(signal, name, environment) for signal in SIGNALS for name in exporters(signal, environment))
    return [each for each in found if each is not None]


def is_configured_by_file(environment: Environment) -> bool:
    """Whether OTEL_CONFIG_FILE configures the exporters. Older releases of the SDK do not read it."""
    if not environment.get("OTEL_CONFIG_FILE"):
        return False
    from opentelemetry.sdk import environment_variables

    return hasattr(environment_variables, "OTEL_CONFIG_FILE")


def entry_point_name(signal: str, name: str, environment: Environment) -> str | None:
    """The entry point of an exporter; `None` for `otlp` with an unknown protocol."""
    if name != "otlp":
        return name
    protocol = environment.get(protocol_variable(signal, environment), "").strip()
    return OTLP.get(protocol) if protocol else GRPC  # the SDK's default


def protocol_variable(signal: str, environment: Environment) -> str:
    """The variable with the OTLP protocol of a signal."""
    own = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
    return own if environment.get(own) else "OTEL_EXPORTER_OTLP_PROTOCOL"


@contextmanager
def only_usable_exporters(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Log the missing exporters, and remove their names from the variables within the block. If a name is unknown, the
    SDK does not set up the other exporters either.
    """
    missing = missing_exporters(environment)
    for text, advice in dict.fromkeys((each.text, each.advice) for each in missing):
        warn_at_start_up(logger, "%s This exporter is left out. %s", text, advice)
    hidden: dict[str, str] = {}
    for signal in {each.signal for each in missing}:
        variable = f"OTEL_{signal}_EXPORTER"
        gone = {each.name for each in missing if each.signal == signal}
        if variable in environment:  # otherwise it is a default, which is installed
            hidden[variable] = environment[variable]
            environment[variable] = ",".join(n for n in exporters(signal, environment) if n not in gone) or "none"
    try:
        yield
    finally:
        environment.update(hidden)


def _missing(signal: str, name: str, environment: Environment) -> MissingExporter | None:
    """The exporter that the user names for a signal, if it is not installed, with advice; otherwise `None`."""
    wanted = entry_point_name(signal, name, environment)
    if wanted is not None and _is_installed(signal, wanted):
        return None
    variable = f"OTEL_{signal}_EXPORTER"
    if name == "otlp":
        protocol = protocol_variable(signal, environment)
        http = f"unset {protocol} to send OTLP over HTTP, usually to port 4318."
        if wanted is None:
            text = f"{protocol}={environment[protocol]!r} is not a supported protocol."
            return MissingExporter(signal, name, text, f"Use grpc or http/protobuf, or {http}")
        text = "OTLP over gRPC needs a package that is not installed."
        return MissingExporter(signal, name, text, f"pip install {PACKAGES[GRPC]}, or {http}")
    text = f"{variable} names {name!r}, which no installed package provides."
    if name in PACKAGES:
        return MissingExporter(signal, name, text, f"pip install {PACKAGES[name]}")
    known = sorted({"otlp", *(each.name for each in entry_points(group=_group(signal)))})
    return MissingExporter(signal, name, text, f"Name one of: {', '.join(known)}, none.")


def _is_installed(signal: str, name: str) -> bool:
    if name in _INSTALLED or (signal == "TRACES" and name in _INSTALLED_FOR_TRACES):
        return True
    return bool(entry_points(group=_group(signal), name=name))


def _group(signal: str) -> str:
    return f"opentelemetry_{signal.lower()}_exporter"
