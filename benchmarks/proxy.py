"""What tracing costs the LiteLLM proxy: CPU time of its process for a request and for a streamed chunk, in turns.

    python -m venv stock
    stock/bin/pip install 'litellm[proxy]' opentelemetry-distro opentelemetry-exporter-otlp-proto-http
    python -m venv ours && ours/bin/pip install . 'litellm[proxy]'
    python benchmarks/proxy.py bare=stock stock=stock:launcher ours=ours:launcher

Each subject is `NAME=VENV` or `NAME=VENV:launcher`: the virtual environment whose `litellm` runs, and whether
`opentelemetry-instrument` starts it. Instrumentations of HTTP libraries and web frameworks are disabled. All proxies
run all the time and take turns. The provider and the OTLP receiver (`provider.py`) have processes of their own.

The output is the median of the rounds: CPU milliseconds for a request and CPU microseconds for a chunk, with the
export of what was recorded; requests per second, and the 99th percentile of their duration; and the ratios to the
subject `stock`, or to the first one. Linux only, because CPU times are read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import socket
from typing import Any, NamedTuple

import httpx
from processes import ENVIRONMENT, provider

CONFIGURATION = """
model_list:
  - model_name: a-model
    litellm_params: {{model: openai/gpt-4o-mini, api_base: {url}/v1, api_key: sk-a-key}}
litellm_settings: {{telemetry: false}}
general_settings: {{master_key: sk-a-master-key}}
"""
REQUEST = {"model": "a-model", "messages": [{"role": "user", "content": "Will it rain in Paris?"}]}
HEADERS = {"Authorization": "Bearer sk-a-master-key"}
STARTING = 180
"""Seconds until a proxy must serve requests."""
EXPORT = 6.5
"""Seconds after the load until what was recorded is exported. The SDK exports spans every 5 s."""
TICK = os.sysconf("SC_CLK_TCK")
CALLERS, STREAM_CALLERS = 8, 4

Values = dict[str, float]
"""Column of the output → value."""


class Proxy(NamedTuple):
    """A proxy that was started."""

    address: str
    process: subprocess.Popen[bytes]
    output: Path

    def wait_until_live(self) -> None:
        """Raises: `RuntimeError` with the end of its output if the proxy does not start."""
        until = time.monotonic() + STARTING
        while time.monotonic() < until and self.process.poll() is None:
            try:
                httpx.get(f"{self.address}/health/liveliness", trust_env=False).raise_for_status()
            except httpx.HTTPError:  # noqa: PERF203 - it does not serve yet
                time.sleep(0.5)
            else:
                return
        raise RuntimeError(f"the proxy did not start:\n{self.output.read_text()[-2_000:]}")

    def cpu_seconds(self) -> float:
        """User and system time of the process and of its children that have ended."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICK

    async def load(self, count: int, callers: int, *, stream: bool = False) -> list[float]:
        """Make `count` requests, `callers` at a time. Return the seconds that each took."""
        taken: list[float] = []
        requests, url = iter(range(count)), f"{self.address}/v1/chat/completions"

        async def caller(client: httpx.AsyncClient) -> None:
            for _ in requests:
                started = time.perf_counter()
                async with client.stream("POST", url, json={**REQUEST, "stream": stream}) as response:
                    response.raise_for_status()
                    async for _ in response.aiter_raw():
                        pass
                taken.append(time.perf_counter() - started)

        async with httpx.AsyncClient(timeout=60, headers=HEADERS, trust_env=False) as client:
            await asyncio.gather(*(caller(client) for _ in range(callers)))
        return taken

    def round(self, requests: int, streams: int, chunks: int) -> Values:
        cpu, started = self.cpu_seconds(), time.perf_counter()
        taken = asyncio.run(self.load(requests, CALLERS))
        elapsed = time.perf_counter() - started
        time.sleep(EXPORT)
        for_requests = self.cpu_seconds() - cpu
        cpu = self.cpu_seconds()
        asyncio.run(self.load(streams, STREAM_CALLERS, stream=True))
        time.sleep(EXPORT)
        return {
            "CPU of a request, ms": for_requests / requests * 1e3,
            "CPU of a chunk, µs": (self.cpu_seconds() - cpu) / streams / chunks * 1e6,
            "requests per second": requests / elapsed,
            "p99, ms": sorted(taken)[int(requests * 0.99)] * 1e3,
        }


@contextmanager
def proxy(name: str, venv: Path, directory: Path, *, receiver: str, is_launched: bool) -> Iterator[Proxy]:
    """Run a proxy whose configuration is in `directory`."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    programs = venv.absolute() / "bin"
    launcher = [str(programs / "opentelemetry-instrument")] if is_launched else []
    command = [*launcher, str(programs / "litellm"), "-c", str(directory / "proxy.yaml"), "--port", str(port)]
    environment = ENVIRONMENT | {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "OTEL_SERVICE_NAME": name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "fastapi,starlette,asgi,httpx,aiohttp-client,requests",
    }
    output = directory / f"{name}.log"
    with output.open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - what the user named
            [*command, "--host", "127.0.0.1"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield Proxy(f"http://127.0.0.1:{port}", process, output)
    finally:
        process.kill()
        process.wait()


def show(rounds: Mapping[str, Sequence[Values]]) -> None:
    """Print the medians, and their ratios to the subject `stock`."""
    medians = {
        name: {column: statistics.median(values[column] for values in measured) for column in measured[0]}
        for name, measured in rounds.items()
    }
    reference = "stock" if "stock" in medians else next(iter(medians))
    columns = list(medians[reference])
    print(f"| subject | {' | '.join(f'{column} | ÷ {reference}' for column in columns)} |")
    print(f"|---|{'--:|--:|' * len(columns)}")
    for name, values in medians.items():
        cells = (f"{values[column]:.2f} | {values[column] / medians[reference][column]:.2f}" for column in columns)
        print(f"| {name} | {' | '.join(cells)} |")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="+", metavar="NAME=VENV[:launcher]")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--requests", type=int, default=500, help="of each round (default: 500)")
    parser.add_argument("--streams", type=int, default=40, help="of each round (default: 40)")
    parser.add_argument("--chunks", type=int, default=100, help="of each stream (default: 100)")
    options: Any = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the proxies are stopped
    with ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory()))
        url, receiver = running.enter_context(provider(options.chunks)), running.enter_context(provider())
        (directory / "proxy.yaml").write_text(CONFIGURATION.format(url=url))
        proxies: dict[str, Proxy] = {}
        for subject in options.subjects:
            name, _, rest = subject.partition("=")
            venv, _, how = rest.partition(":")
            started = proxy(name, Path(venv), directory, receiver=receiver, is_launched=how == "launcher")
            proxies[name] = running.enter_context(started)
        for each in proxies.values():
            each.wait_until_live()
        for each in proxies.values():  # warm up
            asyncio.run(each.load(150, CALLERS))
            asyncio.run(each.load(10, STREAM_CALLERS, stream=True))
        time.sleep(EXPORT)
        rounds: dict[str, list[Values]] = {name: [] for name in proxies}
        for _ in range(options.rounds):
            for name, each in proxies.items():
                rounds[name].append(each.round(options.requests, options.streams, options.chunks))
        show(rounds)


if __name__ == "__main__":
    main()
