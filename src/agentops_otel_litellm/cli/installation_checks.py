"""Checks of `doctor` on the installation: the installed packages, the components that `opentelemetry-instrument` would
load, the application's command, and the functions of LiteLLM that this package patches (its patch points).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, requires, version
from importlib.util import find_spec
from pathlib import Path

from opentelemetry import environment_variables as api_environment_variables
from opentelemetry.instrumentation.dependencies import get_dependency_conflicts
from opentelemetry.sdk import environment_variables as sdk_environment_variables

from agentops_otel_litellm.cli.probe import PATCH_POINT_PROBE, PatchPoints, run_probe
from agentops_otel_litellm.cli.report import Examined, Record, is_ours, notice, ok, problem, starts_opentelemetry
from agentops_otel_litellm.cli.run import LAUNCHER, display_name, find_problem, other_python, without_launcher
from agentops_otel_litellm.instrumentor import LITELLM
from agentops_otel_litellm.patching.patch_points import PATCH_POINTS
from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.sdk.distro import UPGRADE, describe_unsupported, is_switched_off
from agentops_otel_litellm.settings.config_file import INSTRUMENTATION, configuration_file, is_configured_by_file
from agentops_otel_litellm.settings.parsing import masked, names
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

DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
RUN = "agentops-otel-litellm run -- python app.py"
IMPORT_SECONDS = 60
"""Maximum seconds for the import of LiteLLM."""
ENV_LINE = re.compile(r"\s*(?:export\s+)?((?:OTEL|AGENTOPS)_\w+)\s*=")
"""A line of a file `.env` that sets a variable of OpenTelemetry or of this package."""
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


BYPASSING = (
    (
        "crewai",
        "1",
        "its own clients for OpenAI, Anthropic, Gemini, Azure and Bedrock",
        "LLM(model=…, is_litellm=True)",
    ),
    ("dspy", "3.4", "its own engine for providers that it knows", 'dspy.LM(model, engine="litellm")'),
    (
        "mem0ai",
        "0",
        "the providers' clients for embeddings, and for models unless the provider is `litellm`",
        '{"llm": {"provider": "litellm", …}}; for embeddings, set `openai_base_url` to a LiteLLM proxy',
    ),
    (
        "pydantic-ai-slim",
        "0",
        "the providers' clients",
        "LiteLLMProvider(api_base=…) with a LiteLLM proxy, which you start with opentelemetry-instrument",
    ),
)
"""Package that can call models without LiteLLM, the first release that does, what it uses, and how LiteLLM is used."""


def libraries_without_litellm(_examined: Examined) -> Iterator[Record]:
    """Report installed libraries that can call models without LiteLLM, so that their calls are not traced."""
    for name, since, used, remedy in BYPASSING:
        found = installed_version(name)
        if found is not None and get_dependency_conflicts((f"{name}>={since}",)) is None:
            text = f"{found} uses {used}: such calls bypass LiteLLM, and this package does not trace them"
            yield notice(name, text, f"To use LiteLLM: {remedy}")


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
        printable = masked("OTEL_PYTHON_DISTRO", named)
        text = f"OTEL_PYTHON_DISTRO names {printable!r}, which is not installed: {_describe(examined.distro)} is used"
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
        printable = masked("OTEL_PYTHON_CONFIGURATOR", named)
        text = f"OTEL_PYTHON_CONFIGURATOR names {printable!r}, which is not installed: {_describe(chosen)} is used"
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


# --- names that are not installed or not read -----------------------------------------------------------------


def unknown_instrumentations(examined: Examined) -> Iterator[Record]:
    """Report names in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS that no installed instrumentation has."""
    installed = {found.name for found in entry_points(group="opentelemetry_instrumentor")}
    for name in names(examined.variables.get(DISABLED, "")):
        if name not in installed and name != "*":
            printable = masked(DISABLED, name)
            meant = INSTRUMENTATION if "litellm" in name.lower() else None
            yield problem(
                DISABLED,
                f"no installed instrumentation has the name {printable!r}, so nothing is switched off by it",
                f"Write {meant} to switch off this package, or remove {printable}."
                if meant
                else f"Correct or remove {printable}. Installed: {', '.join(sorted(installed))}",
            )


def misspelt_sdk_variables(examined: Examined) -> Iterator[Record]:
    """Report variables of OpenTelemetry that no component reads, but whose names are similar to one that is read."""
    known = {name for name in vars(sdk_environment_variables) if name.startswith("OTEL_")}
    known |= {name for name in vars(api_environment_variables) if name.startswith("OTEL_")}
    for variable in sorted({each for each in examined.variables if each.startswith("OTEL_")} - known - {*DEFAULTS}):
        close = get_close_matches(variable, known, n=1, cutoff=0.92)
        if close and not variable.startswith(("OTEL_PYTHON_", "OTEL_INSTRUMENTATION_", "OTEL_SEMCONV_")):
            text = "OpenTelemetry has no such variable, so nothing reads it"
            yield problem(variable, text, f"Rename {variable} to {close[0]}, if you mean that.")


def _describe(entry_point: EntryPoint) -> str:
    package = entry_point.dist
    return f"{entry_point.name} ({f'{package.name} {package.version}' if package else entry_point.value})"


# --- the command -----------------------------------------------------------------------------------------------------


def check_command(examined: Examined) -> Iterator[Record]:
    """If the user passed the application's command, report whether it can be run and traced."""
    if not examined.command:
        return
    command, ambiguous = without_launcher(examined.command)
    if ambiguous is not None:
        yield problem(
            LAUNCHER,
            f"the launcher stops with an error, because several of its own options begin with {ambiguous}",
            f"Write `--` before the command: {LAUNCHER} -- {display_name(command)} …",
        )
    found = find_problem(command, examined.variables) or other_python(command, examined.subprocess_environment)
    name = display_name(command)
    yield problem(name, *found) if found else ok(name, "found, and no option of Python that prevents tracing")
    yield from _proxy_callbacks(command)


def check_env_file(examined: Examined) -> Iterator[Record]:
    """Report variables in a file `.env` in the current directory that are not set in the environment."""
    try:
        lines = Path(".env").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    named = [found[1] for line in lines if (found := ENV_LINE.match(line))]
    unset = sorted({name for name in named if not examined.variables.get(name)})
    if unset:
        yield problem(
            ".env",
            f"this file sets {', '.join(unset)}, but nothing has loaded it; what the app loads comes too late, because "
            "OpenTelemetry is started before the app",
            "Load it before the app starts: set -a; . ./.env; set +a",
        )


OTEL_CALLBACKS = frozenset({"otel", "arize", "arize_phoenix", "langfuse_otel", "weave_otel", "langtrace", "levo"})
"""LiteLLM's callbacks that export each call with OpenTelemetry."""


def _proxy_callbacks(command: Sequence[str]) -> Iterator[Record]:
    """Report callbacks in the configuration of LiteLLM's proxy that export each call a second time."""
    rest = iter(command)
    for argument in rest:
        option, _, path = argument.partition("=")
        if option in {"--config", "-c"} and (path := path or next(rest, "")).endswith((".yaml", ".yml")):
            found = sorted(_named_callbacks(Path(path)) & OTEL_CALLBACKS)
            if found:
                yield problem(
                    Path(path).name,
                    f"LiteLLM's own callbacks {', '.join(found)} export every call a second time",
                    f"Remove {', '.join(found)} from the callbacks in this file.",
                )


def _named_callbacks(path: Path) -> set[str]:
    """The callbacks that a configuration of LiteLLM's proxy enables. Empty if it cannot be read, or without PyYAML."""
    try:
        yaml = import_module("yaml")  # LiteLLM's proxy requires it; the rest of `doctor` does not
        settings = yaml.safe_load(path.read_text("utf-8")).get("litellm_settings") or {}
    except Exception:  # noqa: BLE001 - a broken file can raise anything; LiteLLM reports it
        return set()
    named = [settings.get(name) or [] for name in ("callbacks", "success_callback", "failure_callback")]
    lists = [[each] if isinstance(each, str) else each for each in named]
    return {name for each in lists if isinstance(each, list) for name in each if isinstance(name, str)}


# --- patch points ----------------------------------------------------------------------------------------------------


def check_patch_points(examined: Examined) -> Iterator[Record]:
    """Report how many patch points the installed LiteLLM has, and which ones it lacks although a feature needs them."""
    if installed_version("litellm") is None:
        return
    if not examined.imports_litellm:
        yield ok("litellm", "the patch points are not checked, because --quick does not import LiteLLM")
        return
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OTEL_SDK_DISABLED": "true"}  # no download of prices
    try:
        found = run_probe(PATCH_POINT_PROBE, {**examined.subprocess_environment, **quiet}, IMPORT_SECONDS)
    except subprocess.TimeoutExpired:
        yield notice(
            "litellm",
            f"importing LiteLLM takes more than {IMPORT_SECONDS} s, so the patch points are not checked",
            'Give the container more CPU; to see what is slow: python -X importtime -c "import litellm". '
            "Or run doctor --quick.",
        )
        return
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
