"""A LiteLLM proxy, started with the launcher, in front of the test's provider."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from support.launching import environment

NEEDS = ("apscheduler", "fastapi", "orjson", "uvicorn")
"""Some of the packages that LiteLLM's proxy needs."""
KEY = "sk-master"
START_LIMIT = 120
"""Seconds that the proxy may take to start."""


def is_installed() -> bool:
    return all(find_spec(module) is not None for module in NEEDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    url: str
    log: Path


@contextmanager
def running_proxy(folder: Path, settings: dict[str, Any], *arguments: str, **variables: str) -> Iterator[Proxy]:
    """Run the proxy with these settings, a configuration of LiteLLM's. `arguments` come before those of the proxy."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config, log = folder / "config.yaml", folder / "proxy.log"
    config.write_text(json.dumps({"general_settings": {"master_key": KEY}, **settings}), "utf-8")
    scripts = Path(sys.executable).parent
    command = [str(scripts / "opentelemetry-instrument"), *arguments, str(scripts / "litellm"), "-c", str(config)]
    with (
        log.open("w") as output,
        subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment(LITELLM_LOCAL_MODEL_COST_MAP="True", **variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/health/liveliness", process, log)
            yield Proxy(url=f"http://127.0.0.1:{port}", log=log)
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the proxy serves requests."""
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text("utf-8", "replace")[-3_000:])
