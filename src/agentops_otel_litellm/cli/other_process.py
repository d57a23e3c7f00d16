"""Runs a module of this package in a process of its own, and returns its result.

For work that imports LiteLLM or sets up exporters, which may print, download, and start threads.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

MARK = "agentops-otel-litellm: "
"""Prefix of the line with the result."""


def run_module(module: str, environment: Mapping[str, str], seconds: float) -> Any:  # noqa: ANN401 - JSON
    """Run a module as a program and return the result that it prints; `None` if it fails.

    Raises `subprocess.TimeoutExpired` if it takes longer than `seconds`.
    """
    done = subprocess.run(  # noqa: S603 - this Python, and a module of this package
        [sys.executable, "-m", module],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    result = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    return None if result is None else json.loads(result.removeprefix(MARK))


def print_result(result: object) -> None:
    """In the other process: print the result on a line of its own, whatever was printed before."""
    print(f"\n{MARK}{json.dumps(result)}", flush=True)  # noqa: T201 - the parent process reads it
