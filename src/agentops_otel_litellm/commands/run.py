"""`run`: `opentelemetry-instrument` with this package's distro and configurator, whatever else is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from agentops_otel_litellm.commands.app_command import is_found, trouble_with
from agentops_otel_litellm.commands.examined import NAME
from agentops_otel_litellm.settings import sdk_is_disabled

PREFIX = "agentops-otel-litellm: "
NOT_FOUND = 127
"""As shells have it."""


def run(command: Sequence[str]) -> NoReturn:
    """Take this process' place: signals, streams and the exit code are the app's. Where it cannot be traced, a line on
    stderr says so, and it runs all the same.
    """
    from opentelemetry.instrumentation.auto_instrumentation import run as launch

    found = is_found(command, os.environ)
    trouble = trouble_with(command, os.environ)
    if found and sdk_is_disabled():
        trouble = "OTEL_SDK_DISABLED=true: nothing is traced.", "Unset OTEL_SDK_DISABLED."
    if trouble is not None:
        _tell(" ".join(trouble))
    if not found:
        sys.exit(NOT_FOUND)
    os.environ["OTEL_PYTHON_DISTRO"] = os.environ["OTEL_PYTHON_CONFIGURATOR"] = NAME
    # The launcher reads its arguments from there. After the dashes, none are taken for options of its own.
    sys.argv = ["opentelemetry-instrument", "--", *command]
    launch()
    raise AssertionError("The launcher takes this process' place.")


def _tell(line: str) -> None:
    """For the user; where stderr is closed it is for nobody, and not for whoever reads the app's stdout."""
    with suppress(AttributeError, OSError):
        sys.stderr.write(f"{PREFIX}{line}\n")
        sys.stderr.flush()
