"""`run`: starts an application with `opentelemetry-instrument`, and with this package's distro and configurator, even
if others are installed.

The application's command is checked first: does it exist, and can it be traced? `opentelemetry-instrument`, the
launcher, adds a directory to PYTHONPATH, from which Python's module `site` imports the module that starts
OpenTelemetry. So a Python that ignores PYTHONPATH, or does not import `site`, is not traced, without a warning.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import PurePath
from typing import NoReturn

from agentops_otel_litellm.cli.report import NAME
from agentops_otel_litellm.settings import sdk_is_disabled

PREFIX = "agentops-otel-litellm: "
LAUNCHER = "opentelemetry-instrument"
FIND_PACKAGES = """
from importlib.util import find_spec
names = {"agentops_otel_litellm": "agentops-otel-litellm", "litellm": "litellm"}
print(*(name for module, name in names.items() if find_spec(module) is None))
"""
"""A program that prints which of the needed packages a Python lacks."""
NOT_FOUND = 127
"""The exit code that shells use for an unknown command."""
PYTHON = re.compile(r"(?:python|pypy)[\d.]*w?(?:\.exe)?", re.IGNORECASE)
ASSIGNMENT = re.compile(r"(\w+)=")
"""The beginning of `NAME=value`, which shells accept before a command. The value may be a key: it is never shown."""
BLOCKING_OPTIONS = {"I": "ignores PYTHONPATH", "E": "ignores PYTHONPATH", "S": "does not import `site`"}
"""Option of Python that prevents OpenTelemetry from being started → what this option does."""
_OPTIONS_WITH_VALUE = "WX"
_LAST_OPTIONS = "cm"
"""The options `-c` and `-m`, whose value is the program. All later arguments are the application's, not Python's."""


def run(command: Sequence[str]) -> NoReturn:
    """Replace this process with the application, traced. If it cannot be traced, print why on stderr, and run it
    untraced.
    """
    from opentelemetry.instrumentation.auto_instrumentation import run as launch

    found = is_found(command, os.environ)
    problem = find_problem(command, os.environ)
    if found and sdk_is_disabled():
        problem = "OTEL_SDK_DISABLED=true: nothing is traced.", "Unset OTEL_SDK_DISABLED."
    if problem is not None:
        _print_to_stderr(" ".join(problem))
    if not found:
        sys.exit(NOT_FOUND)
    os.environ["OTEL_PYTHON_DISTRO"] = os.environ["OTEL_PYTHON_CONFIGURATOR"] = NAME
    # The launcher reads its arguments from `sys.argv`. It does not read arguments after `--` as its options.
    sys.argv = [LAUNCHER, "--", *command]
    launch()
    raise AssertionError("The launcher replaces this process.")


def find_problem(command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Why the command cannot be run or traced, and advice; `None` if no problem is found."""
    path = _find_executable(command, environment)
    if path is None and (variable := ASSIGNMENT.match(command[0])):
        return (
            f"{variable[1]}=… is an environment variable, not a command.",
            "Put variables before agentops-otel-litellm.",
        )
    if path is None and command[0].endswith(".py"):
        return f"{command[0]} cannot be executed as a command.", f"Run it with Python: python {command[0]}"
    if path is None:
        return (
            f"The command {command[0]!r} is not found.",
            "Correct the name, or activate the environment in which the command is installed.",
        )
    if is_python(command[0]):
        option, where = find_blocking_option(command[1:]), "the command"
    else:
        option, where = find_blocking_option(_interpreter_options(path)), f"the first line of {path}"
    if option is None:
        return None
    return (
        f"Python is started with -{option}, which {BLOCKING_OPTIONS[option]}: nothing is traced.",
        f"Remove -{option} from {where}.",
    )


def without_launcher(command: Sequence[str]) -> tuple[Sequence[str], str | None]:
    """Split `opentelemetry-instrument` and its options off a command. Also return the option of the application that
    the launcher rejects, because it is the beginning of several of its own; `None` if there is none.
    """
    if not command or PurePath(command[0]).name != LAUNCHER:
        return command, None
    options = _launcher_options()
    rest = list(command[1:])
    while rest and rest[0].startswith("--") and rest[0] != "--":
        rest = rest[1 if "=" in rest[0] else 2 :]
    if rest[:1] == ["--"]:
        return rest[1:] or command, None
    for argument in rest[: rest.index("--") if "--" in rest else None]:
        name = argument.partition("=")[0]
        if name.startswith("--") and name not in options and sum(each.startswith(name) for each in options) > 1:
            return rest or command, name
    return rest or command, None


def _launcher_options() -> set[str]:
    """The options of the launcher: one for each variable of OpenTelemetry, such as `--traces_exporter`."""
    variables: set[str] = set()
    for found in entry_points(group="opentelemetry_environment_variables"):
        with suppress(Exception):  # a broken package
            variables |= {name for name in dir(found.load()) if name.startswith("OTEL_")}
    return {f"--{name.removeprefix('OTEL_').removeprefix('PYTHON_').lower()}" for name in variables}


def other_python(command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Why the Python that runs the command cannot trace LiteLLM, and advice: it does not have this package, or LiteLLM.
    `None` if it has both, or if the command is not run by a Python that is known.
    """
    path = _find_executable(command, environment)
    python = path if path is not None and is_python(command[0]) else _interpreter(path)
    if python is None:
        return None
    try:
        ran = subprocess.run(  # noqa: S603 - the user's own Python
            [python, "-c", FIND_PACKAGES],
            env={**environment, "OTEL_SDK_DISABLED": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lacking = ran.stdout.split() if ran.returncode == 0 else []
    if not lacking:
        return None
    install = f"{python} -m pip install {' '.join(lacking)}"
    return (
        f"{python} does not have {' and '.join(lacking)}: nothing is traced.",
        f"Use the Python in which they are installed, {sys.executable}, or install them: {install}",
    )


def _interpreter(path: str | None) -> str | None:
    """The absolute path of the Python in the first line of a script; `None` if there is none."""
    if path is None:
        return None
    words = _first_line(path)
    return words[0] if words and is_python(words[0]) and PurePath(words[0]).is_absolute() else None


def display_name(command: Sequence[str]) -> str:
    """The name of the command, as messages may quote it: only `KEY` if it is an assignment such as `KEY=value`."""
    variable = ASSIGNMENT.match(command[0])
    return variable[1] if variable else command[0]


def is_found(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether the command exists."""
    return _find_executable(command, environment) is not None


def is_python(name: str) -> bool:
    """Whether a command is a Python interpreter, by its name."""
    return PYTHON.fullmatch(PurePath(name).name) is not None


def find_blocking_option(arguments: Sequence[str]) -> str | None:
    """The letter of the first of Python's options among the arguments that prevents OpenTelemetry from being started;
    `None` if there is none.
    """
    rest = iter(arguments)
    for argument in rest:
        if argument == "--check-hash-based-pycs":
            next(rest, None)
        if not argument.startswith("-") or argument in {"-", "--"}:
            return None  # the application's arguments begin here
        if argument.startswith("--"):
            continue
        for position, letter in enumerate(argument[1:], 2):
            if letter in BLOCKING_OPTIONS:
                return letter
            if letter in _LAST_OPTIONS:
                return None
            if letter in _OPTIONS_WITH_VALUE:
                if position == len(argument):
                    next(rest, None)
                break
    return None


def _find_executable(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    return shutil.which(command[0], path=environment.get("PATH"))


def _interpreter_options(path: str) -> list[str]:
    """The options of Python in the first line of a script, such as `#!/usr/bin/python3 -Es`, or `-I` in
    `#!/usr/bin/env -S python -I`.
    """
    words = _first_line(path)
    for position, word in enumerate(words):
        if is_python(word):
            return words[position + 1 :]
    return []


def _first_line(path: str) -> list[str]:
    """The words in the first line of a script, after `#!`."""
    try:
        with open(path, "rb") as script:  # noqa: PTH123 - to read only the first line, because the file may be large
            line = script.readline(512)
    except OSError:
        return []
    return line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []


def _print_to_stderr(line: str) -> None:
    """Print a line on stderr. If stderr is closed, the line is dropped: stdout belongs to the application."""
    with suppress(AttributeError, OSError):
        sys.stderr.write(f"{PREFIX}{line}\n")
        sys.stderr.flush()
