"""`run`: `opentelemetry-instrument` with this package's distro and configurator, even if others are installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from agentops_otel_litellm.cli.app_command import find_problem, is_found
from agentops_otel_litellm.cli.examined import NAME
from agentops_otel_litellm.settings import sdk_is_disabled

PREFIX = "agentops-otel-litellm: "
NOT_FOUND = 127
"""The exit code of shells for an unknown command."""


def run(command: Sequence[str]) -> NoReturn:
    """Replace this process with the application, which gets its signals, streams and exit code.

    If the application cannot be traced, it runs nevertheless, after a line on stderr.
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
    # The launcher reads its arguments from sys.argv. Arguments after the dashes are not its own options.
    sys.argv = ["opentelemetry-instrument", "--", *command]
    launch()
    raise AssertionError("The launcher replaces this process.")


def _print_to_stderr(line: str) -> None:
    """Print a line for the user. If stderr is closed the line is dropped, because stdout is the application's."""
    with suppress(AttributeError, OSError):
        sys.stderr.write(f"{PREFIX}{line}\n")
        sys.stderr.flush()
