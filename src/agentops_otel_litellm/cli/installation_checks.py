"""Checks of `doctor` on the installation: the installed packages, the components that `opentelemetry-instrument` would
load, the application's command, and the functions of LiteLLM that this package patches (its patch points).
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, requires, version
from importlib.util import find_spec
from pathlib import Path

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts

from agentops_otel_litellm.cli.probe import PATCH_POINT_PROBE, PatchPoints, run_probe
from agentops_otel_litellm.cli.report import Examined, Record, is_ours, notice, ok, problem, starts_opentelemetry
from agentops_otel_litellm.cli.run import display_name, find_problem
from agentops_otel_litellm.instrumentor import LITELLM
from agentops_otel_litellm.patching.patch_points import PATCH_POINTS
from agentops_otel_litellm.sdk.distro import UPGRADE, describe_unsupported, is_switched_off
from agentops_otel_litellm.settings.config_file import INSTRUMENTATION, configuration_file, is_configured_by_file
from agentops_otel_litellm.settings.parsing import masked
from agentops_otel_litellm.version import __version__

DISTRIBUTION = "agentops-otel-litellm"
# OpenTelemetry's packages that this package requires.
NEEDED = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation",
    "opentelemetry-exporter-otlp-proto-http",
)
# Optional package → what it is for.
OPTIONAL = {
    "opentelemetry-exporter-otlp-proto-grpc": "OTLP over gRPC",
    "opentelemetry-configuration": "OTEL_CONFIG_FILE",
    "opentelemetry-distro": "a different distro, which can stay installed",
    "opentelemetry-util-genai": "the extra `upload`",
    "genai-prices": "the extra `prices`",
    "rich": "the extra `console`",
    "agentops": "the AgentOps SDK, which can stay installed",
}

LAUNCHER = "opentelemetry-instrument"
RUN = "agentops-otel-litellm run -- python app.py"
IMPORT_SECONDS = 60
"""Maximum seconds for the import of LiteLLM."""
PATCH_POINT_ADVICE = "Please report this, with the version of LiteLLM. Other calls are traced."


# --- installed packages ----------------------------------------------------------------------------------------------


def check_installed_packages(_examined: Examined) -> Iterator[Record]:
    """Report the versions of Python, of this package, and of required and optional packages."""
    yield ok(DISTRIBUTION, __version__)
    yield ok("Python", f"{platform.python_version()} ({sys.executable})")
    yield check_litellm()
    for name in NEEDED:
        yield _check_required(name)
    for name, what in OPTIONAL.items():
        found = installed_version(name)
        yield ok(name, f"{found or 'not installed'} ({what})")


def check_litellm() -> Record:
    """Report the version of LiteLLM, and whether it is supported."""
    found = installed_version("litellm")
    if found is None:
        return problem(
            "litellm",
            "LiteLLM is not installed for this Python: there are no calls to trace",
            "pip install litellm, or start the app and this command with the Python that has it.",
        )
    if get_dependency_conflicts((LITELLM,)):
        return problem("litellm", f"{found} {describe_unsupported(found)}: its calls are not traced", UPGRADE)
    return ok("litellm", found)


def installed_version(name: str) -> str | None:
    """The version of a package, if it is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _check_required(name: str) -> Record:
    """Report the version of a required package, and whether it is supported."""
    found = installed_version(name)
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
    """The requirements of this package on the package `name`, such as `litellm>=1.80`. Empty if this package is not
    installed, but only on PYTHONPATH.
    """
    try:
        requirements = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    return [
        each for each in requirements if each.startswith(name) and not each[len(name)].isalnum() and "extra" not in each
    ]


# --- what the launcher loads -----------------------------------------------------------------------------------------


def check_launch(examined: Examined) -> Iterator[Record]:
    """Report which components `opentelemetry-instrument`, the launcher, would load."""
    if examined.is_disabled:
        yield problem("SDK", "OTEL_SDK_DISABLED=true: nothing is traced", "Unset OTEL_SDK_DISABLED.")
    yield _launcher(examined)
    yield _distro(examined)
    yield _configurator(examined)
    yield from _configuration_file(examined)
    yield _instrumentation(examined)


def _launcher(examined: Examined) -> Record:
    """Report whether a directory on PYTHONPATH starts OpenTelemetry in every Python process, so also in `doctor`. If
    not, report which `opentelemetry-instrument` is on PATH, and whether it belongs to this Python.
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
        shown = masked("OTEL_PYTHON_DISTRO", named)
        text = f"OTEL_PYTHON_DISTRO names {shown!r}, which is not installed: {_describe(examined.distro)} is used"
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
        shown = masked("OTEL_PYTHON_CONFIGURATOR", named)
        text = f"OTEL_PYTHON_CONFIGURATOR names {shown!r}, which is not installed: {_describe(chosen)} is used"
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
            f"{masked_path} decides where telemetry is sent; of the variables, only those of this package are used",
        )


def _instrumentation(examined: Examined) -> Record:
    """Report whether this package's instrumentation of LiteLLM is installed and not switched off."""
    if is_switched_off(examined.variables):
        return problem(
            "instrumentation",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS switches this package off: LiteLLM is not traced",
            f"Remove {INSTRUMENTATION!r} (or '*') from OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.",
        )
    file = configuration_file(examined.variables)
    if file is not None and file.disables(INSTRUMENTATION):
        return problem(
            "instrumentation",
            f"`enabled: false` ({file.place(file.enabled[INSTRUMENTATION].line)}) switches this package off: LiteLLM "
            "is not traced",
            "Remove this line of the file.",
        )
    found = [each for each in entry_points(group="opentelemetry_instrumentor") if is_ours(each)]
    if not found:
        return problem("instrumentation", "not installed", "pip install agentops-otel-litellm")
    return ok("instrumentation", _describe(found[0]))


def _describe(entry_point: EntryPoint) -> str:
    package = entry_point.dist
    return f"{entry_point.name} ({f'{package.name} {package.version}' if package else entry_point.value})"


# --- the command -----------------------------------------------------------------------------------------------------


def check_command(examined: Examined) -> Iterator[Record]:
    """If the user passed the application's command, report whether it can be run and traced."""
    if not examined.command:
        return
    found = find_problem(examined.command, examined.variables)
    name = display_name(examined.command)
    yield problem(name, *found) if found else ok(name, "found, and no option of Python that prevents tracing")


# --- patch points ----------------------------------------------------------------------------------------------------


def check_patch_points(examined: Examined) -> Iterator[Record]:
    """Report how many patch points the installed LiteLLM has, and which ones it lacks although a feature needs them."""
    if installed_version("litellm") is None:
        return
    if not examined.imports_litellm:
        yield ok("litellm", "the patch points are not checked, because --quick does not import LiteLLM")
        return
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OTEL_SDK_DISABLED": "true"}  # no download of prices
    found = run_probe(PATCH_POINT_PROBE, {**examined.subprocess_environment, **quiet}, IMPORT_SECONDS)
    if found is None:
        yield problem("litellm", "cannot be imported", 'To see why: python -c "import litellm"')
        return
    points = PatchPoints(**found)
    yield ok(
        "litellm",
        f"{len(points.found)} of {len(PATCH_POINTS)} patch points found; the others are functions of other versions",
    )
    for name in points.absent:
        yield notice(
            name,
            "LiteLLM does not have this function: some calls are traced in part, or not at all",
            PATCH_POINT_ADVICE,
        )
