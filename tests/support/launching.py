"""Programs that are run to their end under the real `opentelemetry-instrument`."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path

from support.project import ROOT

LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")


PRELUDE = """
import asyncio, os, sys
import litellm
from litellm import acompletion, completion
base = {"api_base": os.environ["PROVIDER"], "api_key": "sk-canary-key", "max_retries": 0}
chat = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "canary-prompt"}], **base}
"""


def environment(**variables: str) -> dict[str, str]:
    """The environment of a program in the activated virtual environment of the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTOPS_"))}
    path = os.pathsep.join([str(LAUNCHER.parent), os.environ.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **variables}


def launch(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command under the launcher to its end."""
    return run(str(LAUNCHER), *command, **variables)


def run_program(program: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the text of a program to its end, without the launcher. `options` are Python's."""
    return run(sys.executable, *options, "-c", textwrap.dedent(program), **variables)


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )


@cache
def quickstart() -> subprocess.CompletedProcess[str]:
    """Run the README's quickstart without any configuration."""
    return launch("python", "examples/quickstart.py", PATH=str(LAUNCHER.parent))
