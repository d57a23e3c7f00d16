"""Problems that prevent tracing or delivery and that can be detected before the application starts.

They are: LiteLLM is missing or unsupported, an endpoint is invalid, the file of a certificate does not exist, or a
variable is misspelt. Each is logged in one line, with the remedy, when the application starts. `doctor` reports them
too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts

from agentops_otel_litellm.instrumentor import LITELLM
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.declaration import FIRST_PROCESS, invalid_value, names
from agentops_otel_litellm.settings.destinations import (
    HTTP,
    SIGNALS,
    Environment,
    entry_point_name,
    exporters,
    is_configured_by_file,
)

INSTRUMENTATION = "agentops_litellm"
GRPC_PORT = 4317
UPGRADE = f"pip install --upgrade '{LITELLM.replace(' ', '')}'"
PREFIX = "AGENTOPS_"
AGENTOPS_SDK_VARIABLES = frozenset(
    {
        "AGENTOPS_AUTO_INIT",
        "AGENTOPS_AUTO_START_SESSION",
        "AGENTOPS_ENV_DATA_OPT_OUT",
        "AGENTOPS_FAIL_SAFE",
        "AGENTOPS_INSTRUMENT_LLM_CALLS",
        "AGENTOPS_PREFETCH_JWT_TOKEN",
        "AGENTOPS_SKIP_AUTO_END_SESSION",
    }
)
"""Variables of the AgentOps SDK (the package agentops), which this package does not read."""
_PRE_RELEASE = re.compile(r"(?:a|b|rc|dev)\d")


class Obstacle(NamedTuple):
    """A problem that prevents tracing or delivery."""

    name: str
    """The package or the variable that has the problem."""
    text: str
    advice: str


class Unread(NamedTuple):
    """A variable that is set, but that nothing reads."""

    variable: str
    meant: str | None
    """The setting with the most similar name."""


def obstacles(environment: Environment) -> Iterator[Obstacle]:
    """Find the problems of an environment that has the distro's defaults."""
    for find in OBSTACLES:
        yield from find(environment)


def is_switched_off(environment: Environment) -> bool:
    """Whether the user has disabled the instrumentation of LiteLLM."""
    disabled = names(environment.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""))
    return INSTRUMENTATION in disabled or "*" in disabled


def describe_unsupported(version: str) -> str:
    """Why a version of LiteLLM is outside the supported range."""
    if version in {"1.82.7", "1.82.8"} or version.startswith("1.107."):
        return "is a compromised release"
    return "is a pre-release" if _PRE_RELEASE.search(version) else "is too old"


def untraced_litellm(environment: Environment) -> Iterator[Obstacle]:
    """Find out whether LiteLLM is missing or unsupported. OpenTelemetry then skips its instrumentation, mostly without
    a warning.
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


def unusable_endpoints(environment: Environment) -> Iterator[Obstacle]:
    """Find invalid endpoints of OTLP over HTTP. The messages do not quote an endpoint, which can contain a password."""
    if is_configured_by_file(environment):
        return  # the file has the endpoints
    by_variable: dict[str, list[str]] = {}
    for signal in SIGNALS:
        if any(entry_point_name(signal, name, environment) == HTTP for name in exporters(signal, environment)):
            by_variable.setdefault(endpoint_variable(signal, environment), []).append(signal)
    for variable in by_variable:
        text = environment.get(variable, "").strip()
        found = text and _problem_of_endpoint(variable, text)
        if found:
            yield Obstacle(variable, *found)


def missing_certificate_files(environment: Environment) -> Iterator[Obstacle]:
    """Find certificates and keys of OTLP whose files do not exist. The variables are not removed, so nothing is sent
    over https: without the variable, certificates that the user has not chosen would be trusted.
    """
    for signal in ("", *(f"{each}_" for each in SIGNALS)):
        for file in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"):
            variable = f"OTEL_EXPORTER_OTLP_{signal}{file}"
            path = environment.get(variable, "")
            if path and not Path(path).exists():
                text = invalid_value(variable, repr(path), "no such file")
                yield Obstacle(variable, f"{text} Nothing is sent over https.", f"Correct or unset {variable}.")


def misspelt_variables(environment: Environment) -> Iterator[Obstacle]:
    """Find variables that nothing reads and whose names are similar to a setting. Other unread variables can belong to
    a different program.
    """
    for variable, meant in unread(environment):
        if meant is not None:
            yield Obstacle(variable, f"{variable} is not a setting, so nothing reads it.", f"Did you mean {meant}?")


def unread(environment: Environment) -> Iterator[Unread]:
    """The variables that are set but that nothing reads, by name. Their values are omitted, because they can be API
    keys.
    """
    declared = {each.metadata["variable"] for each in fields(Settings)}
    for variable in sorted({*environment} - declared - AGENTOPS_SDK_VARIABLES - {FIRST_PROCESS}):
        if variable.startswith(PREFIX) and environment[variable]:
            yield Unread(variable, _nearest(variable, declared))


def _nearest(variable: str, declared: Collection[str]) -> str | None:
    """The setting whose name is most similar to a variable; `None` if no name is similar."""
    from difflib import get_close_matches  # few applications need it

    if variable.startswith(tuple(f"{each}_" for each in declared)):
        return None  # such as AGENTOPS_API_KEY_FILE, which is not a typing error
    # Without the prefix, which would make any two names similar.
    names = [each.removeprefix(PREFIX) for each in sorted(declared) if each.startswith(PREFIX)]
    close = get_close_matches(variable.removeprefix(PREFIX), names, n=1, cutoff=0.65)
    return f"{PREFIX}{close[0]}" if close else None


def endpoint_variable(signal: str, environment: Environment) -> str:
    """The variable with the OTLP endpoint of a signal."""
    own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
    return own if environment.get(own) else "OTEL_EXPORTER_OTLP_ENDPOINT"


def split_url(text: str) -> SplitResult | None:
    """Split an HTTP URL with a host and a valid port, if any. `None` for anything else."""
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


OBSTACLES: tuple[Callable[[Environment], Iterator[Obstacle]], ...] = (
    untraced_litellm,
    unusable_endpoints,
    missing_certificate_files,
    misspelt_variables,
)
