"""The command that starts an app, and what in it keeps the launcher from being heard.

The launcher puts a directory on PYTHONPATH, in which Python's `site` finds what starts OpenTelemetry. A Python that
ignores PYTHONPATH, or has no `site`, runs the app untraced and says nothing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import PurePath

PYTHON = re.compile(r"(?:python|pypy)[\d.]*w?(?:\.exe)?", re.IGNORECASE)
ASSIGNMENT = re.compile(r"(\w+)=")
"""What a shell takes for a variable before a command. The value may be a key: it is not shown."""
DEAF = {"I": "ignores PYTHONPATH", "E": "ignores PYTHONPATH", "S": "imports no `site`"}
"""Options of Python's with which it does not hear of the launcher → why."""
_WITH_VALUE = "WX"
_LAST = "cm"
"""What follows these is the app's."""


def trouble_with(command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str] | None:
    """What keeps the command from being run or traced, and what to do; `None` where nothing is seen."""
    path = _path(command, environment)
    if path is None and (variable := ASSIGNMENT.match(command[0])):
        return f"{variable[1]}=… is a variable, not a command.", "Put variables before this command."
    if path is None and command[0].endswith(".py"):
        return f"{command[0]} is no command of its own.", f"Put python before it: python {command[0]}"
    if path is None:
        return f"The command {command[0]!r} is not found.", "Correct it, or activate the environment that has it."
    if is_python(command[0]):
        deaf, where = deaf_option(command[1:]), "the command"
    else:
        deaf, where = deaf_option(_interpreter_options(path)), f"the first line of {path}"
    if deaf is None:
        return None
    return (
        f"Python is started with -{deaf}, which {DEAF[deaf]}: the launcher is not heard, and nothing is traced.",
        f"Take -{deaf} out of {where}.",
    )


def name_of(command: Sequence[str]) -> str:
    """What the command is called in what is told of it."""
    variable = ASSIGNMENT.match(command[0])
    return variable[1] if variable else command[0]


def is_found(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether there is what the command names."""
    return _path(command, environment) is not None


def is_python(name: str) -> bool:
    return PYTHON.fullmatch(PurePath(name).name) is not None


def deaf_option(arguments: Sequence[str]) -> str | None:
    """The letter of Python's first option with which it does not hear of the launcher."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--check-hash-based-pycs":
            next(rest, None)
        if not argument.startswith("-") or argument in {"-", "--"}:
            return None  # the app begins
        if argument.startswith("--"):
            continue
        for position, letter in enumerate(argument[1:], 2):
            if letter in DEAF:
                return letter
            if letter in _LAST:
                return None
            if letter in _WITH_VALUE:
                if position == len(argument):
                    next(rest, None)
                break
    return None


def _path(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    return shutil.which(command[0], path=environment.get("PATH"))


def _interpreter_options(path: str) -> list[str]:
    """Those that a script's first line gives to Python: `#!/usr/bin/python3 -Es`, `#!/usr/bin/env -S python -I`."""
    try:
        with open(path, "rb") as script:  # noqa: PTH123 - of a program it may be megabytes
            line = script.readline(512)
    except OSError:
        return []
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    for position, word in enumerate(words):
        if is_python(word):
            return words[position + 1 :]
    return []
