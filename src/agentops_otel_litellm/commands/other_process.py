"""Work that is done by a process of its own, for it prints, fetches and starts what it likes: a module that answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

MARK = "agentops-otel-litellm: "
"""What the line with the answer begins with."""


def asked(module: str, environment: Mapping[str, str], seconds: float) -> Any:  # noqa: ANN401 - it is JSON
    """What a module answers that is run as a program; `None` where it has come to nothing.

    `subprocess.TimeoutExpired` where that takes longer.
    """
    done = subprocess.run(  # noqa: S603 - this Python, and a module of ours
        [sys.executable, "-m", module],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    answer = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    return None if answer is None else json.loads(answer.removeprefix(MARK))


def answer(said: object) -> None:
    """Answer, in that process: on a line of its own, whatever was printed before."""
    print(f"\n{MARK}{json.dumps(said)}", flush=True)  # noqa: T201 - that is how
