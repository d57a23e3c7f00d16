"""Checks of the command that starts an application: does it exist, and can the launcher trace it?

The launcher adds a directory to PYTHONPATH, from which Python's `site` imports the module that starts OpenTelemetry. A
Python that ignores PYTHONPATH, or does not import `site`, runs the application untraced, without a warning.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import PurePath

PYTHON = re.compile(r"(?:python|pypy)[\d.]*w?(?:\.exe)?", re.IGNORECASE)
ASSIGNMENT = re.compile(r"(\w+)=")
"""An environment variable as shells accept it before a command. Its value may be a key, so it is never displayed."""
BLOCKING_OPTIONS = {"I": "ignores PYTHONPATH", "E": "ignores PYTHONPATH", "S": "does not import `site`"}
"""Python's option that keeps the launcher from starting OpenTelemetry → why it does."""
_OPTIONS_WITH_VALUE = "WX"
_LAST_OPTIONS = "cm"
"""Python's options `-c` and `-m`, whose value is the program. All later arguments are arguments of the application."""


def find_problem(command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Why the command cannot be run or traced, and what to do; `None` if no problem is found."""
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


def display_name(command: Sequence[str]) -> str:
    """The command's name as messages quote it. If it is an assignment such as `KEY=value`, only the variable is
    quoted.
    """
    variable = ASSIGNMENT.match(command[0])
    return variable[1] if variable else command[0]


def is_found(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether the command exists."""
    return _find_executable(command, environment) is not None


def is_python(name: str) -> bool:
    return PYTHON.fullmatch(PurePath(name).name) is not None


def find_blocking_option(arguments: Sequence[str]) -> str | None:
    """The letter of the first of Python's options that keeps the launcher from starting OpenTelemetry."""
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
    """The options in a script's first line: `#!/usr/bin/python3 -Es`, `#!/usr/bin/env -S python -I`."""
    try:
        with open(path, "rb") as script:  # noqa: PTH123 - only the first line: a program may have megabytes
            line = script.readline(512)
    except OSError:
        return []
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    for position, word in enumerate(words):
        if is_python(word):
            return words[position + 1 :]
    return []
