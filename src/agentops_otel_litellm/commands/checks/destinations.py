"""Where each signal goes, and what is in the way there."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.record import Record, notice, ok, problem
from agentops_otel_litellm.destinations import (
    AGENTOPS,
    SIGNALS,
    TERMINALS,
    destinations,
    lacks_service_name,
    sends_to_agentops,
)
from agentops_otel_litellm.exporters.agentops.delivery_errors import COPY
from agentops_otel_litellm.launch.named_exporters import (
    HTTP,
    entry_point_name,
    is_configured_by_file,
    missing_exporters,
)
from agentops_otel_litellm.launch.obstacles import (
    endpoint_variable,
    endpoints_that_take_nothing,
    files_that_are_missing,
    is_switched_off,
)
from agentops_otel_litellm.settings.masking import masked

SEND = "set OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318, or AGENTOPS_API_KEY."
GRPC_DEFAULT, HTTP_DEFAULT = "http://localhost:4317", "http://localhost:4318"


def check(examined: Examined) -> Iterator[Record]:
    by_file = is_configured_by_file(examined.given)
    if by_file or not examined.has_our_distro:
        yield ok("all signals", f"as {'OTEL_CONFIG_FILE' if by_file else 'the other distro'} has it")
        yield from _agentops_beside(examined)
        return
    for signal in SIGNALS:
        yield _of(signal, examined)
    for missing in missing_exporters(examined.environment):
        yield problem(missing.signal.lower(), missing.text, missing.advice)
    for find in (endpoints_that_take_nothing, files_that_are_missing):
        for obstacle in find(examined.environment):
            yield problem(obstacle.name, obstacle.text, obstacle.advice)
    yield from _service_name(examined)
    if sends_to_agentops(examined.environment):
        yield from _agentops(examined)


def _of(signal: str, examined: Examined) -> Record:
    """Where a signal goes. Traces must go somewhere; what goes to a terminal alone is not kept."""
    named = destinations(signal, examined.environment)
    name = signal.lower()
    variable = f"OTEL_{signal}_EXPORTER"
    why = f"by {variable}" if examined.given.get(variable) else "by default"
    if not named:
        if signal == "TRACES":
            return problem(name, f"nowhere, {why}", f"Unset {variable}, or {SEND}")
        return ok(name, f"nowhere, {why}")
    text = f"{', '.join(_place(signal, each, examined) for each in named)}; {why}"
    if signal == "TRACES" and set(named) <= set(TERMINALS):
        return notice(name, text, f"To keep them, {SEND}")
    return ok(name, text)


def _place(signal: str, name: str, examined: Examined) -> str:
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
        return f"OTLP over {protocol} to {default}, where none is set"
    return f"OTLP over {protocol} to {masked(variable, endpoint)} ({variable})"


def _service_name(examined: Examined) -> Iterator[Record]:
    if lacks_service_name(examined.environment):
        yield notice("service.name", "not set: backends show the app as unknown_service", "Set OTEL_SERVICE_NAME.")


def _agentops_beside(examined: Examined) -> Iterator[Record]:
    """Whoever sets the SDK up, the instrumentor adds AgentOps where it is a destination."""
    if sends_to_agentops(examined.environment) and not is_switched_off(examined.given):
        yield ok("traces", f"{_place('TRACES', AGENTOPS, examined)} as well, unless OTEL_TRACES_EXPORTER is none")
        yield from _agentops(examined)


def _agentops(examined: Examined) -> Iterator[Record]:
    key = examined.settings.api_key
    if key is None:
        yield problem("AGENTOPS_API_KEY", "not set: AgentOps takes no spans", COPY)
    elif not _is_uuid(key):
        yield problem("AGENTOPS_API_KEY", "is no UUID: AgentOps takes no spans", COPY)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
