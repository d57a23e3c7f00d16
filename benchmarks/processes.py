"""The processes that the benchmarks start: the loopback provider, and the workers that measure one subject each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTOPS_"))}
"""The environment without OpenTelemetry's and this package's settings, so that the defaults are measured."""


@contextmanager
def provider(chunks: int = 100) -> Iterator[str]:
    """Run `provider.py`. Yields its URL, without a path."""
    command = [sys.executable, str(HERE / "provider.py"), str(chunks)]
    with subprocess.Popen(  # noqa: S603 - of this directory
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class Worker:
    """A process that runs a script of this directory. It reads a line of JSON for each request, and prints one."""

    def __init__(self, script: str, *arguments: str, environment: Mapping[str, str] = ENVIRONMENT) -> None:
        command = [sys.executable, str(HERE / script), *arguments]
        self._process = subprocess.Popen(  # noqa: S603 - of this directory
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def is_ready(self) -> bool:
        """Wait until the worker is ready. Return whether it is; if not, its subject is not installed."""
        return bool(self._response() == {"ready": True})

    def request(self, **request: object) -> Any:  # noqa: ANN401 - JSON
        """Send a request and return the worker's response."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._response()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _response(self) -> Any:  # noqa: ANN401 - JSON
        """The next line of JSON. Other lines are messages of LiteLLM. Raises: `RuntimeError` if the worker failed."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self._process.args!r} ended with status {self._process.wait()}")
