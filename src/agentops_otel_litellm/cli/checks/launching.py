"""Checks which distro, configurator and instrumentation `opentelemetry-instrument` would load, and why."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from agentops_otel_litellm.cli.examined import Examined, is_ours, starts_opentelemetry
from agentops_otel_litellm.cli.record import Record, notice, ok, problem
from agentops_otel_litellm.sdk.named_exporters import is_configured_by_file
from agentops_otel_litellm.sdk.obstacles import INSTRUMENTATION, is_switched_off
from agentops_otel_litellm.settings.masking import masked

LAUNCHER = "opentelemetry-instrument"
RUN = "agentops-otel-litellm run -- python app.py"


def check(examined: Examined) -> Iterator[Record]:
    """Report what the launcher would load."""
    if examined.is_disabled:
        yield problem("SDK", "OTEL_SDK_DISABLED=true: nothing is traced", "Unset OTEL_SDK_DISABLED.")
    yield _launcher(examined)
    yield _distro(examined)
    yield _configurator(examined)
    yield from _configuration_file(examined)
    yield _instrumentation(examined)


def _launcher(examined: Examined) -> Record:
    """Report whether OpenTelemetry is started through PYTHONPATH. If not, report which `opentelemetry-instrument` is on
    PATH, and whether it belongs to this Python.
    """
    python_path = examined.variables.get("PYTHONPATH", "").split(os.pathsep)
    if any(map(starts_opentelemetry, python_path)):
        loaded = getattr(sys.modules.get("sitecustomize"), "__file__", None)
        doctor_is_traced = loaded is not None and starts_opentelemetry(str(Path(loaded).parent))
        return notice(
            LAUNCHER,
            "doctor runs under opentelemetry-instrument"
            if doctor_is_traced
            else "a sitecustomize on PYTHONPATH starts OpenTelemetry in every Python process",
            "Run doctor without opentelemetry-instrument, which sets variables that this report then shows as yours."
            if doctor_is_traced
            else "",
        )
    beside = Path(sys.executable).with_name(LAUNCHER)
    found = shutil.which(LAUNCHER, path=examined.variables.get("PATH"))
    if found is None:
        where = f": {beside}" if beside.exists() else ""
        return notice(
            LAUNCHER, f"the launcher is not on PATH{where}", "Activate the environment, or use the full path."
        )
    if beside.exists() and Path(found).resolve() != beside.resolve():
        return notice(LAUNCHER, f"{found} belongs to a different Python", f"Run {beside} instead.")
    return ok(LAUNCHER, f"{found}; an app that is started without it is not traced")


def _distro(examined: Examined) -> Record:
    """Report which distro the launcher would load, and why."""
    named = examined.variables.get("OTEL_PYTHON_DISTRO")
    others = [each for each in examined.distros if not is_ours(each)]
    if examined.distro is None:
        return problem("distro", "not installed", "pip install agentops-otel-litellm")
    if named and named != examined.distro.name:
        text = f"OTEL_PYTHON_DISTRO names {named!r}, which is not installed: {_describe(examined.distro)} is used"
        return problem("distro", text, "Unset OTEL_PYTHON_DISTRO.")
    if not examined.has_our_distro:
        return problem(
            "distro",
            f"{_describe(examined.distro)}, set by OTEL_PYTHON_DISTRO: the defaults of that distro apply, not the "
            "defaults of this package",
            f"Unset OTEL_PYTHON_DISTRO, or start the app with: {RUN}",
        )
    origin = "set by OTEL_PYTHON_DISTRO" if named else "by default"
    if not others:
        return ok("distro", f"{_describe(examined.distro)}, {origin}")
    return notice(
        "distro",
        f"{_describe(examined.distro)}, {origin}; also installed: {', '.join(map(_describe, others))}",
        f"To ensure that this package's distro is used, start the app with: {RUN}",
    )


def _configurator(examined: Examined) -> Record:
    """Report which configurator the launcher would load, and why."""
    named = examined.variables.get("OTEL_PYTHON_CONFIGURATOR")
    chosen = examined.configurator
    if chosen is None:
        return problem(
            "configurator",
            "no configurator is installed, so the SDK is not set up",
            "pip install agentops-otel-litellm",
        )
    if named and named != chosen.name:
        text = f"OTEL_PYTHON_CONFIGURATOR names {named!r}, which is not installed: {_describe(chosen)} is used"
        return problem("configurator", text, "Unset OTEL_PYTHON_CONFIGURATOR.")
    if is_ours(chosen):
        return ok(
            "configurator",
            f"{_describe(chosen)}, {'set by OTEL_PYTHON_CONFIGURATOR' if named else 'chosen by the distro'}",
        )
    origin = "set by OTEL_PYTHON_CONFIGURATOR" if named else "the first one found"
    return notice(
        "configurator",
        f"{_describe(chosen)}, {origin}",
        f"To use this package's configurator, start the app with: {RUN}",
    )


def _configuration_file(examined: Examined) -> Iterator[Record]:
    """Report whether OTEL_CONFIG_FILE, if it is set, can be used."""
    path = examined.variables.get("OTEL_CONFIG_FILE")
    if not path:
        return
    masked_path = masked("OTEL_CONFIG_FILE", path)
    if not is_configured_by_file(examined.variables):
        yield notice(
            "OTEL_CONFIG_FILE",
            "the installed version of the OpenTelemetry SDK does not read this variable",
            "Upgrade opentelemetry-sdk.",
        )
    elif find_spec("opentelemetry.configuration") is None:
        yield problem(
            "OTEL_CONFIG_FILE",
            f"{masked_path} is not read and nothing is exported: opentelemetry-configuration is not installed",
            "pip install opentelemetry-configuration, or unset OTEL_CONFIG_FILE.",
        )
    elif not Path(path).is_file():
        yield problem(
            "OTEL_CONFIG_FILE",
            f"{masked_path} is not a file: nothing is exported",
            "Correct or unset OTEL_CONFIG_FILE.",
        )
    else:
        yield notice(
            "OTEL_CONFIG_FILE",
            f"{masked_path} decides where telemetry is sent; of the variables, only those of AgentOps are used",
        )


def _instrumentation(examined: Examined) -> Record:
    """Report whether this package's instrumentation of LiteLLM is installed and not switched off."""
    if is_switched_off(examined.variables):
        return problem(
            "instrumentation",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS switches this package off: LiteLLM is not traced",
            f"Remove {INSTRUMENTATION!r} (or '*') from OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.",
        )
    found = [each for each in entry_points(group="opentelemetry_instrumentor") if is_ours(each)]
    if not found:
        return problem("instrumentation", "not installed", "pip install agentops-otel-litellm")
    return ok("instrumentation", _describe(found[0]))


def _describe(entry_point: EntryPoint) -> str:
    package = entry_point.dist
    return f"{entry_point.name} ({f'{package.name} {package.version}' if package else entry_point.value})"
