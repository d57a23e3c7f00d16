"""Real backends: the commands of their pages in `docs`, and an agent whose calls they receive."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from support.launching import environment
from support.project import ROOT, SUPPORT
from support.servers.wire import Reply, WireProvider, events

Found = TypeVar("Found")

TIMEOUT = 120.0
"""Seconds for a backend to start, or to process what it received."""

USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 12,
    "total_tokens": 52,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
PRICE = (40 - 8) * 2.5e-6 + 8 * 1.25e-6 + 12 * 1e-5
"""US dollars, of gpt-4o."""
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
RESPONSES: tuple[dict[str, object], ...] = (
    {"content": "Let me look.", "reasoning_content": "The picture shows Rome.", "tool_calls": [CALL]},
    {"content": "It is sunny."},
)


def shell_blocks(page: str) -> list[str]:
    """The shell commands on a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


@contextmanager
def agent_provider() -> Iterator[WireProvider]:
    """The provider with the responses for `agent_app.py`."""
    with WireProvider() as provider:
        for answer in RESPONSES:
            reason = "tool_calls" if "tool_calls" in answer else "stop"
            choice = {"index": 0, "message": {"role": "assistant", **answer}, "finish_reason": reason}
            body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06"}
            provider.reply_once("/chat/completions", Reply(body={**body, "choices": [choice], "usage": USAGE}))
        provider.reply_once("/chat/completions", Reply(pieces=events(*map(_chunk, ("It ", "is ", "warm"))), delay=0.1))
        provider.reply("/chat/completions", Reply(status=429, body={"error": {"message": "Slow down."}}))
        data = [{"object": "embedding", "index": index, "embedding": [0.1, 0.2]} for index in (0, 1)]
        usage = {"prompt_tokens": 2, "total_tokens": 2}
        body = {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}
        provider.reply("/embeddings", Reply(body=body))
        found = {"file_id": "file-1", "filename": "rome.txt", "score": 0.75}
        page = {"object": "vector_store.search_results.page", "search_query": ["Where is it sunny?"]}
        text = [{"type": "text", "text": "Rome is sunny."}]
        provider.reply("/vs_1/search", Reply(body={**page, "data": [{**found, "content": text}]}))
        ranked = [{"index": 1, "relevance_score": 0.9}, {"index": 2, "relevance_score": 0.2}]
        units = {"billed_units": {"search_units": 1}}
        provider.reply("/rerank", Reply(body={"id": "rerank-1", "results": ranked, "meta": units}))
        yield provider


def _chunk(piece: str) -> dict[str, object]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}
    return {"id": "chatcmpl-3", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [choice]}


def run_agent(block: str, ports: Mapping[str, int]) -> None:
    """Run the agent with the command of a page, with other ports for the backend."""
    with agent_provider() as provider:
        command = block.replace("python agent.py", f"{sys.executable} {SUPPORT / 'agent_app.py'} {provider.url}")
        assert command != block
        done = subprocess.run(
            ["/bin/sh", "-ec", with_ports(command, ports)],
            env=environment(
                PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", OTEL_EXPORTER_OTLP_TIMEOUT="60"
            ),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "export" not in done.stderr, done.stderr


@contextmanager
def serving(block: str, directory: Path, ports: Mapping[str, int], health: str, **variables: str) -> Iterator[None]:
    """Run a backend with the command of a page, in its own directory and with other ports."""
    program = block.split(maxsplit=1)[0]
    executable = os.environ.get(program.upper()) or shutil.which(program)
    if executable is None:
        pytest.skip(f"{program} is not installed: `tox -e {program}`, or its path in {program.upper()}")
    kept = {name: value for name, value in environment(**variables).items() if name != "PYTHONPATH"}
    with (directory / "log").open("w") as log:
        server = subprocess.Popen(
            ["/bin/sh", "-ec", with_ports(block, ports)],
            cwd=directory,
            env={**kept, "PATH": f"{Path(executable).parent}:{os.environ['PATH']}", "HOME": str(directory)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: server.poll() is not None or is_responding(with_ports(health, ports)), "start")
        assert server.poll() is None, (directory / "log").read_text()
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def with_ports(text: str, ports: Mapping[str, int]) -> str:
    """The text with other ports in place of those of the page."""
    for page, real in ports.items():
        text = re.sub(rf"\b{page}\b", str(real), text)
    return text


def is_responding(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def fetch_json(url: str, body: object = None) -> Any:  # noqa: ANN401 - JSON is anything
    """The JSON response of a backend's API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})

    def send() -> list[Any]:
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return [json.load(response)]
        return []  # a server that has just started may hang up

    return wait_until(send, "respond")[0]


def wait_until(find: Callable[[], Found], action: str) -> Found:
    """The result of `find` as soon as it is true."""
    end = time.monotonic() + TIMEOUT
    while not (found := find()):
        assert time.monotonic() < end, f"it took too long to {action}"
        time.sleep(0.2)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
