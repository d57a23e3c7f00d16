"""Which distro, configurator and instrumentation would run under `opentelemetry-instrument`, and why."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from agentops_otel_litellm.commands.examined import Examined, is_ours, starts_opentelemetry
from agentops_otel_litellm.commands.record import Record, notice, ok, problem
from agentops_otel_litellm.launch.named_exporters import is_configured_by_file
from agentops_otel_litellm.launch.obstacles import INSTRUMENTATION, is_switched_off
from agentops_otel_litellm.settings.masking import masked

LAUNCHER = "opentelemetry-instrument"
RUN = "agentops-otel-litellm run -- python app.py"


def check(examined: Examined) -> Iterator[Record]:
    if examined.is_disabled:
        yield problem("SDK", "OTEL_SDK_DISABLED=true: nothing is traced", "Unset OTEL_SDK_DISABLED.")
    yield _launcher(examined)
    yield _distro(examined)
    yield _configurator(examined)
    yield from _file(examined)
    yield _instrumentation(examined)


def _launcher(examined: Examined) -> Record:
    path = examined.given.get("PYTHONPATH", "").split(os.pathsep)
    if any(map(starts_opentelemetry, path)):
        loaded = getattr(sys.modules.get("sitecustomize"), "__file__", None) or ""
        started = starts_opentelemetry(str(Path(loaded).parent))
        return notice(
            LAUNCHER,
            "this command runs under it" if started else "PYTHONPATH has every Python start with OpenTelemetry",
            "Start this command without it: else its defaults seem to be yours." if started else "",
        )
    beside = Path(sys.executable).with_name(LAUNCHER)
    found = shutil.which(LAUNCHER, path=examined.given.get("PATH"))
    if found is None:
        where = f": {beside}" if beside.exists() else ""
        return notice(LAUNCHER, f"not on PATH{where}", "Activate the environment, or name the launcher with its path.")
    if beside.exists() and Path(found).resolve() != beside.resolve():
        return notice(LAUNCHER, f"{found} is that of another Python", f"Take this one's: {beside}")
    return ok(LAUNCHER, f"{found}; an app that is started without it is not traced")


def _distro(examined: Examined) -> Record:
    named = examined.given.get("OTEL_PYTHON_DISTRO")
    others = [each for each in examined.distros if not is_ours(each)]
    if examined.distro is None:
        return problem("distro", "this package's is not installed", "pip install agentops-otel-litellm")
    if named and named != examined.distro.name:
        text = f"OTEL_PYTHON_DISTRO={named!r} is not installed: {_shown(examined.distro)} is used"
        return problem("distro", text, "Unset OTEL_PYTHON_DISTRO.")
    if not examined.has_our_distro:
        return problem(
            "distro",
            f"{_shown(examined.distro)}, by OTEL_PYTHON_DISTRO: its defaults decide where telemetry goes, not ours",
            f"Unset OTEL_PYTHON_DISTRO, or start the app with: {RUN}",
        )
    why = "by OTEL_PYTHON_DISTRO" if named else "where OTEL_PYTHON_DISTRO is not set, this package sets it"
    if not others:
        return ok("distro", f"{_shown(examined.distro)}, {why}")
    return notice(
        "distro",
        f"{_shown(examined.distro)}, {why}; installed as well: {', '.join(map(_shown, others))}",
        f"To have this one however the app is started: {RUN}",
    )


def _configurator(examined: Examined) -> Record:
    named = examined.given.get("OTEL_PYTHON_CONFIGURATOR")
    chosen = examined.configurator
    if chosen is None:
        return problem("configurator", "none is installed: the SDK is not set up", "pip install agentops-otel-litellm")
    if named and named != chosen.name:
        text = f"OTEL_PYTHON_CONFIGURATOR={named!r} is not installed: {_shown(chosen)} is used"
        return problem("configurator", text, "Unset OTEL_PYTHON_CONFIGURATOR.")
    if is_ours(chosen):
        return ok("configurator", f"{_shown(chosen)}, {'by OTEL_PYTHON_CONFIGURATOR' if named else 'by the distro'}")
    why = "by OTEL_PYTHON_CONFIGURATOR" if named else "the first that is found"
    return notice("configurator", f"{_shown(chosen)}, {why}", f"To have this package's, start the app with: {RUN}")


def _file(examined: Examined) -> Iterator[Record]:
    path = examined.given.get("OTEL_CONFIG_FILE")
    if not path:
        return
    shown = masked("OTEL_CONFIG_FILE", path)
    if not is_configured_by_file(examined.given):
        yield notice(
            "OTEL_CONFIG_FILE", "this release of OpenTelemetry's SDK does not read it", "Upgrade opentelemetry-sdk."
        )
    elif find_spec("opentelemetry.configuration") is None:
        yield problem(
            "OTEL_CONFIG_FILE",
            f"{shown} is not read, and nothing is exported: a package is missing",
            "pip install opentelemetry-configuration, or unset OTEL_CONFIG_FILE.",
        )
    elif not Path(path).is_file():
        yield problem("OTEL_CONFIG_FILE", f"{shown} is no file: nothing is exported", "Correct or unset it.")
    else:
        yield notice("OTEL_CONFIG_FILE", f"{shown} decides where telemetry goes; of variables, AgentOps' alone do")


def _instrumentation(examined: Examined) -> Record:
    if is_switched_off(examined.given):
        return problem(
            "instrumentation",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS switches this one off: LiteLLM is not traced",
            f"Take {INSTRUMENTATION!r} (or '*') out of it.",
        )
    found = [each for each in entry_points(group="opentelemetry_instrumentor") if is_ours(each)]
    if not found:
        return problem("instrumentation", "this package's is not installed", "pip install agentops-otel-litellm")
    return ok("instrumentation", _shown(found[0]))


def _shown(entry_point: EntryPoint) -> str:
    package = entry_point.dist
    return f"{entry_point.name} ({f'{package.name} {package.version}' if package else entry_point.value})"
