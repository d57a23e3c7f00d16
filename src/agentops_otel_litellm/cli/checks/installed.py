"""Checks which packages are installed, and whether their versions are compatible."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts

from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.record import Record, ok, problem
from agentops_otel_litellm.instrumentor import LITELLM
from agentops_otel_litellm.sdk.obstacles import UPGRADE, describe_unsupported
from agentops_otel_litellm.version import __version__

DISTRIBUTION = "agentops-otel-litellm"
# OpenTelemetry's packages that this package requires; then optional packages → what they are for.
NEEDED = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation",
    "opentelemetry-exporter-otlp-proto-http",
)
OPTIONAL = {
    "opentelemetry-exporter-otlp-proto-grpc": "OTLP over gRPC",
    "opentelemetry-configuration": "OTEL_CONFIG_FILE",
    "opentelemetry-distro": "a different distro, which can stay installed",
    "opentelemetry-util-genai": "the extra `upload`",
    "genai-prices": "the extra `prices`",
    "agentops": "the AgentOps SDK, which can stay installed",
}


def check(_examined: Examined) -> Iterator[Record]:
    """Report the versions of Python, of this package, and of required and optional packages."""
    yield ok(DISTRIBUTION, __version__)
    yield ok("Python", f"{platform.python_version()} ({sys.executable})")
    yield litellm()
    for name in NEEDED:
        yield _check_required(name)
    for name, what in OPTIONAL.items():
        found = installed(name)
        yield ok(name, f"{found or 'not installed'} ({what})")


def litellm() -> Record:
    """Report the version of LiteLLM, and whether it is supported."""
    found = installed("litellm")
    if found is None:
        return problem(
            "litellm",
            "LiteLLM is not installed for this Python: there are no calls to trace",
            "pip install litellm, or start the app and this command with the Python that has it.",
        )
    if get_dependency_conflicts((LITELLM,)):
        return problem("litellm", f"{found} {describe_unsupported(found)}: its calls are not traced", UPGRADE)
    return ok("litellm", found)


def installed(name: str) -> str | None:
    """The version of a package, if it is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _check_required(name: str) -> Record:
    """Report the version of a required package, and whether it is supported."""
    found = installed(name)
    if found is None:
        return problem(name, "not installed", f"pip install {name}")
    conflict = get_dependency_conflicts(_required(name))
    if conflict is not None:
        return problem(
            name,
            f"{found} is not supported: this package requires {conflict.required}",
            f"pip install --upgrade '{conflict.required}'",
        )
    return ok(name, found)


def _required(name: str) -> list[str]:
    """The versions of the package `name` that this package requires; empty if this package is only on PYTHONPATH."""
    try:
        requirements = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    return [
        each for each in requirements if each.startswith(name) and not each[len(name)].isalnum() and "extra" not in each
    ]
