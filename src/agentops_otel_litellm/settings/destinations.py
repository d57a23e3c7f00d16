"""The destinations of telemetry: the exporters of each signal, which the user's variables or the defaults determine.

This module also finds exporters that are not installed, and invalid endpoints: if the user names an exporter that is
not installed, OpenTelemetry sets up nothing at all.

The launcher uses this module before the application starts. So it does not import the SDK, and it has the names of
common exporters, so that the installed packages need not be searched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from agentops_otel_litellm.settings.backends import (
    VARIABLE,
    WITH_OWN_EXPORTER,
    Target,
    chosen_backends,
    faults,
    target_of,
)
from agentops_otel_litellm.settings.config_file import configuration_file, is_configured_by_file
from agentops_otel_litellm.settings.parsing import invalid_value, masked, warn_at_start_up, without_secrets

logger = logging.getLogger(__name__)

Environment = Mapping[str, str]

SIGNALS = ("TRACES", "METRICS", "LOGS")
CONSOLE = "agentops_console"
AGENTOPS = "agentops"
BACKENDS_EXPORTER = "agentops_backends"
"""The exporter that sends to the backends in AGENTOPS_BACKEND, except AgentOps and OTLP, which have their own."""
TERMINALS: Mapping[str, str] = {"console": "the app's stdout", CONSOLE: "the app's stderr"}
"""Exporter that prints, rather than sends → where it prints."""

HTTP, GRPC = "otlp_proto_http", "otlp_proto_grpc"
OTLP = {"grpc": GRPC, "http/protobuf": HTTP}
"""Value of OTEL_EXPORTER_OTLP_PROTOCOL → the entry point of the exporter that the name `otlp` means."""
PACKAGES = {GRPC: "opentelemetry-exporter-otlp-proto-grpc", "prometheus": "opentelemetry-exporter-prometheus"}
"""Exporter → its package, for exporters that are not installed with this package."""
_INSTALLED = {"console", HTTP}
_INSTALLED_FOR_TRACES = {AGENTOPS, BACKENDS_EXPORTER, CONSOLE}


def exporters(signal: str, environment: Environment) -> tuple[str, ...]:
    """The names of the exporters that the SDK creates for a signal: those in OTEL_CONFIG_FILE, otherwise the user's
    choice or the default. Empty for `none`.
    """
    file = configuration_file(environment)
    if file is not None:
        return file.exporters.get(signal, ())
    return _listed(environment.get(f"OTEL_{signal}_EXPORTER") or default_exporter(signal, environment))


def sends_to_agentops(environment: Environment) -> bool:
    """Whether traces are sent to AgentOps: if `OTEL_TRACES_EXPORTER` or the file in OTEL_CONFIG_FILE names it, or if an
    API key is set and `OTEL_TRACES_EXPORTER` is not `none`.
    """
    if AGENTOPS in exporters("TRACES", environment):
        return True
    return _has_key(environment) and bool(_listed(environment.get("OTEL_TRACES_EXPORTER") or AGENTOPS))


def destinations(signal: str, environment: Environment) -> tuple[str, ...]:
    """The names of all exporters of a signal. Unlike `exporters`, this includes the AgentOps exporter if this package
    adds it to the exporters that the user names.
    """
    named = exporters(signal, environment)
    is_added = signal == "TRACES" and AGENTOPS not in named and sends_to_agentops(environment)
    return (*named, AGENTOPS) if is_added else named


def default_exporter(signal: str, environment: Environment) -> str:
    """The default value of a signal's variable `OTEL_…_EXPORTER`: a comma-separated list of exporters, or `none`."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    chosen = chosen_backends(environment)
    to_otlp = (
        any(map(environment.get, endpoints))
        or any("otlp" in _listed(environment.get(f"OTEL_{other}_EXPORTER", "")) for other in SIGNALS)
        or "otlp" in chosen
    )
    found = ["otlp"] if to_otlp else []
    if signal == "TRACES":
        found += [BACKENDS_EXPORTER] if set(chosen) - WITH_OWN_EXPORTER else []
        found += [AGENTOPS] if _has_key(environment) or AGENTOPS in chosen else []
    if found:
        return ",".join(found)
    if signal == "TRACES" and not any(exporters(other, environment) for other in ("METRICS", "LOGS")):
        return CONSOLE
    return "none"


def backends_in_use(environment: Environment) -> tuple[str, ...]:
    """The backends in AGENTOPS_BACKEND to which `BACKENDS_EXPORTER` sends; empty if the user's exporters do not include
    it.
    """
    own = tuple(name for name in chosen_backends(environment) if name not in WITH_OWN_EXPORTER)
    return own if own and BACKENDS_EXPORTER in exporters("TRACES", environment) else ()


def resource_attributes(environment: Environment) -> set[str]:
    """Names of the resource attributes that the user has set."""
    pairs = environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    names = {name.strip() for name, equals, _ in (pair.partition("=") for pair in pairs) if equals}
    return names | ({"service.name"} if environment.get("OTEL_SERVICE_NAME") else set())


def lacks_service_name(environment: Environment) -> bool:
    """Whether telemetry is sent to a backend although no service name is set. False if OTEL_CONFIG_FILE configures the
    SDK: the name can come from the file or from its resource detectors.
    """
    if is_configured_by_file(environment):
        return False
    sent = {name for signal in SIGNALS for name in destinations(signal, environment)} - TERMINALS.keys()
    return bool(sent) and "service.name" not in resource_attributes(environment)


def _has_key(environment: Environment) -> bool:
    file = configuration_file(environment)
    in_file = file is not None and "api_key" in file.options and bool(file.options["api_key"].text.strip())
    return in_file or bool(environment.get("AGENTOPS_API_KEY", "").strip())


def _listed(exporter: str) -> tuple[str, ...]:
    """The exporters in a comma-separated list."""
    names = (name.strip() for name in exporter.split(","))
    return tuple(name for name in names if name and name.lower() != "none")


# --- exporters that are not installed --------------------------------------------------------------------------


class MissingExporter(NamedTuple):
    """An exporter that the user names, but that is not installed, with a message and advice."""

    signal: str
    name: str
    text: str
    advice: str


def missing_exporters(environment: Environment) -> list[MissingExporter]:
    """The missing exporters of all signals. Empty if OTEL_CONFIG_FILE configures the SDK: then the names in other
    variables have no effect.
    """
    if is_configured_by_file(environment):
        return []
    found = (_missing(signal, name, environment) for signal in SIGNALS for name in exporters(signal, environment))
    return [each for each in found if each is not None]


def entry_point_name(signal: str, name: str, environment: Environment) -> str | None:
    """The entry point of the exporter with this name; `None` if the name is `otlp` and the protocol is unknown."""
    if name != "otlp":
        return name
    protocol = environment.get(protocol_variable(signal, environment), "").strip()
    return OTLP.get(protocol) if protocol else GRPC  # gRPC is the SDK's default


def protocol_variable(signal: str, environment: Environment) -> str:
    """The variable that sets the OTLP protocol of a signal."""
    own = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
    return own if environment.get(own) else "OTEL_EXPORTER_OTLP_PROTOCOL"


@contextmanager
def only_usable_exporters(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Warn of missing exporters, and remove their names from the variables during the block. With an unknown name, the
    SDK would not set up the other exporters either.
    """
    missing = missing_exporters(environment)
    for text, advice in dict.fromkeys((each.text, each.advice) for each in missing):
        warn_at_start_up(logger, "%s This exporter is left out. %s", text, advice)
    hidden: dict[str, str] = {}
    for signal in {each.signal for each in missing}:
        variable = f"OTEL_{signal}_EXPORTER"
        gone = {each.name for each in missing if each.signal == signal}
        if variable in environment:  # if not, the exporter is a default, and the SDK does not read its name here
            hidden[variable] = environment[variable]
            environment[variable] = ",".join(n for n in exporters(signal, environment) if n not in gone) or "none"
    try:
        yield
    finally:
        environment.update(hidden)


def _missing(signal: str, name: str, environment: Environment) -> MissingExporter | None:
    """Check one exporter that the user names for a signal. `None` if it is installed."""
    wanted = entry_point_name(signal, name, environment)
    if wanted is not None and _is_installed(signal, wanted):
        return None
    variable = f"OTEL_{signal}_EXPORTER"
    if name == "otlp":
        protocol = protocol_variable(signal, environment)
        http = f"unset {protocol} to send OTLP over HTTP, usually to port 4318."
        if wanted is None:
            text = f"{protocol}={masked(protocol, environment[protocol])!r} is not a supported protocol."
            return MissingExporter(signal, name, text, f"Use grpc or http/protobuf, or {http}")
        text = "OTLP over gRPC needs a package that is not installed."
        return MissingExporter(signal, name, text, f"pip install {PACKAGES[GRPC]}, or {http}")
    text = f"{variable} names {masked(variable, name)!r}, which no installed package provides."
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


# --- invalid endpoints and certificates -----------------------------------------------------------------------------

GRPC_PORT = 4317


class Obstacle(NamedTuple):
    """A problem that prevents tracing or delivery, with advice for the user."""

    name: str
    """The package or the variable that has the problem."""
    text: str
    advice: str


def unusable_endpoints(environment: Environment) -> Iterator[Obstacle]:
    """Find invalid endpoints of OTLP over HTTP. No message quotes an endpoint, because it can contain a password."""
    if is_configured_by_file(environment):
        return  # the file has the endpoints, and the variables are not used
    by_variable: dict[str, list[str]] = {}
    for signal in SIGNALS:
        if any(entry_point_name(signal, name, environment) == HTTP for name in exporters(signal, environment)):
            by_variable.setdefault(endpoint_variable(signal, environment), []).append(signal)
    for variable in by_variable:
        text = environment.get(variable, "").strip()
        found = text and _problem_of_endpoint(variable, text)
        if found:
            yield Obstacle(variable, *found)


def unusable_backends(environment: Environment) -> Iterator[Obstacle]:
    """Find the backends in AGENTOPS_BACKEND to which nothing is sent: because the user has chosen other exporters, or
    because a variable is missing or invalid.
    """
    chosen = [name for name in chosen_backends(environment) if name not in WITH_OWN_EXPORTER]
    if chosen and not backends_in_use(environment):
        others = "the file in OTEL_CONFIG_FILE" if is_configured_by_file(environment) else "OTEL_TRACES_EXPORTER"
        yield Obstacle(
            VARIABLE,
            f"{VARIABLE}={','.join(chosen)} has no effect, because {others} chooses other exporters.",
            f"Add {BACKENDS_EXPORTER} to the exporters there, or unset {VARIABLE}.",
        )
        return
    for fault in faults(environment):
        yield Obstacle(*fault)
    if "otlp" not in exporters("TRACES", environment):
        return
    variable = endpoint_variable("TRACES", environment)
    split = split_url(environment.get(variable, ""))
    for name in chosen:
        target = target_of(name, environment)
        if split is not None and isinstance(target, Target) and urlsplit(target.url).netloc == split.netloc:
            text = f"{variable} and {VARIABLE}={name} name the same server, to which each span is sent twice."
            yield Obstacle(variable, text, "Unset one of them.")


def missing_certificate_files(environment: Environment) -> Iterator[Obstacle]:
    """Find variables with certificates and keys for OTLP whose files do not exist.

    Unlike other invalid variables, they are not removed, so nothing is sent over https. If they were, the default
    certificates would be trusted, which the user has not chosen.
    """
    for signal in ("", *(f"{each}_" for each in SIGNALS)):
        for file in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"):
            variable = f"OTEL_EXPORTER_OTLP_{signal}{file}"
            path = environment.get(variable, "")
            if path and not Path(path).exists():
                text = invalid_value(variable, repr(without_secrets(variable, path)), "no such file")
                yield Obstacle(variable, f"{text} Nothing is sent over https.", f"Correct or unset {variable}.")


def endpoint_variable(signal: str, environment: Environment) -> str:
    """The variable that sets the OTLP endpoint of a signal."""
    own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
    return own if environment.get(own) else "OTEL_EXPORTER_OTLP_ENDPOINT"


def split_url(text: str) -> SplitResult | None:
    """Split an HTTP URL. `None` if the text is no such URL, or has no host or an invalid port."""
    try:
        split = urlsplit(text)
        is_url = split.scheme in {"http", "https"} and bool(split.hostname) and split.port != 0
    except ValueError:
        return None
    return split if is_url else None


def _problem_of_endpoint(variable: str, text: str) -> tuple[str, str] | None:
    """The problem of an endpoint, and what to do; `None` if no problem is found."""
    split = split_url(text)
    is_base = variable == "OTEL_EXPORTER_OTLP_ENDPOINT"
    signal = "traces" if is_base else variable.split("_")[3].lower()
    example = "http://localhost:4318" + ("" if is_base else f"/v1/{signal}")
    if split is None:
        return f"{variable} is not a URL that begins with http:// or https://.", f"Set it as in {variable}={example}"
    if split.port == GRPC_PORT:
        return (
            f"{variable} has port {GRPC_PORT}, the port of OTLP over gRPC, but OTLP is sent over HTTP.",
            f"Use the port of OTLP over HTTP, usually 4318: {variable}={example}",
        )
    path = split.path.rstrip("/")
    if is_base and path.endswith(tuple(f"/v1/{each.lower()}" for each in SIGNALS)):
        return (
            f"{variable} is a base URL, to which /v1/traces and so on are appended, but it ends in such a path.",
            f"Remove {path[path.rindex('/v1/') :]} from its end.",
        )
    if not is_base and not path:
        return (
            f"{variable} is used without changes, but has no path.",
            f"Append /v1/{signal}, or set OTEL_EXPORTER_OTLP_ENDPOINT instead.",
        )
    return None
