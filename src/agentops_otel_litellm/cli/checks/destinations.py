"""Checks where each signal is sent, and what prevents its delivery."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.record import Record, notice, ok, problem
from agentops_otel_litellm.destinations import (
    AGENTOPS,
    SIGNALS,
    TERMINALS,
    destinations,
    lacks_service_name,
    sends_to_agentops,
)
from agentops_otel_litellm.exporters.agentops.delivery_errors import COPY
from agentops_otel_litellm.sdk.named_exporters import HTTP, entry_point_name, is_configured_by_file, missing_exporters
from agentops_otel_litellm.sdk.obstacles import (
    endpoint_variable,
    is_switched_off,
    missing_certificate_files,
    unusable_endpoints,
)
from agentops_otel_litellm.settings.masking import masked

SET_DESTINATION = "set OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318, or AGENTOPS_API_KEY."
GRPC_DEFAULT, HTTP_DEFAULT = "http://localhost:4317", "http://localhost:4318"


def check(examined: Examined) -> Iterator[Record]:
    """Report the destinations of each signal, and the problems of exporters, endpoints, keys and the service name."""
    by_file = is_configured_by_file(examined.variables)
    if by_file or not examined.has_our_distro:
        yield ok("all signals", f"configured by {'OTEL_CONFIG_FILE' if by_file else 'the other distro'}")
        yield from _agentops_added(examined)
        return
    for signal in SIGNALS:
        yield _check_signal(signal, examined)
    for missing in missing_exporters(examined.environment):
        yield problem(missing.signal.lower(), missing.text, missing.advice)
    for find in (unusable_endpoints, missing_certificate_files):
        for obstacle in find(examined.environment):
            yield problem(obstacle.name, obstacle.text, obstacle.advice)
    yield from _service_name(examined)
    if sends_to_agentops(examined.environment):
        yield from _check_agentops_key(examined)


def _check_signal(signal: str, examined: Examined) -> Record:
    """The destinations of a signal. It is a problem if traces have none, and a notice if they are only printed."""
    named = destinations(signal, examined.environment)
    name = signal.lower()
    variable = f"OTEL_{signal}_EXPORTER"
    origin = f"set by {variable}" if examined.variables.get(variable) else "by default"
    if not named:
        if signal == "TRACES":
            return problem(name, f"not sent, {origin}", f"Unset {variable}, or {SET_DESTINATION}")
        return ok(name, f"not sent, {origin}")
    text = f"{', '.join(_describe(signal, each, examined) for each in named)}; {origin}"
    if signal == "TRACES" and set(named) <= set(TERMINALS):
        return notice(name, text, f"To store them, {SET_DESTINATION}")
    return ok(name, text)


def _describe(signal: str, name: str, examined: Examined) -> str:
    """The destination of an exporter for the user, such as `OTLP over HTTP to http://localhost:4318`."""
    if name == AGENTOPS:
        return f"AgentOps ({masked('', examined.settings.exporter_endpoint or 'no usable URL')})"
    if name in TERMINALS:
        return TERMINALS[name]
    exporter = entry_point_name(signal, name, examined.environment)
    if name != "otlp" or exporter is None:
        return name
    variable = endpoint_variable(signal, examined.environment)
    endpoint = examined.environment.get(variable)
    protocol = "HTTP" if exporter == HTTP else "gRPC"
    if not endpoint:
        default = HTTP_DEFAULT if exporter == HTTP else GRPC_DEFAULT
        return f"OTLP over {protocol} to {default}, the default endpoint"
    return f"OTLP over {protocol} to {masked(variable, endpoint)} ({variable})"


def _service_name(examined: Examined) -> Iterator[Record]:
    if lacks_service_name(examined.environment):
        yield notice(
            "service.name",
            "no service name is set: backends show this app as unknown_service",
            "Set OTEL_SERVICE_NAME.",
        )


def _agentops_added(examined: Examined) -> Iterator[Record]:
    """The instrumentor adds AgentOps to the destinations, even if a different distro or a file configures the SDK."""
    if sends_to_agentops(examined.environment) and not is_switched_off(examined.variables):
        yield ok("traces", f"also {_describe('TRACES', AGENTOPS, examined)}, unless OTEL_TRACES_EXPORTER is none")
        yield from _check_agentops_key(examined)


def _check_agentops_key(examined: Examined) -> Iterator[Record]:
    key = examined.settings.api_key
    if key is None:
        yield problem("AGENTOPS_API_KEY", "no key is set: AgentOps accepts no spans", COPY)
    elif not _is_uuid(key):
        yield problem("AGENTOPS_API_KEY", "the key is not a UUID: AgentOps accepts no spans", COPY)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
