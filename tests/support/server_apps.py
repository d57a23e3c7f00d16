"""Servers for applications: `test_servers` starts each one and stops it with signals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CALLS = 20
START_LIMIT, STOP_LIMIT = 180.0, 60.0  # seconds

MODEL = "gpt-4o-mini"
CALLING = f"""
import pathlib
import litellm

def call(model):
    litellm.completion("openai/" + model, [dict(role="user", content="hi")], mock_response="ok", api_key="k")

def ask():
    call("gpt-4o")  # the first is slow: LiteLLM imports more
    for _ in range({CALLS}):
        call({MODEL!r})
    pathlib.Path("answered").touch()
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["path"] == "/ask":
        ask()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
"""
WSGI = """
def app(environ, start_response):
    if environ["PATH_INFO"] == "/ask":
        ask()
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
"""
CELERY = """
from celery import Celery
from celery.signals import worker_ready

app = Celery("served", broker="filesystem://")
pathlib.Path("queue").mkdir(exist_ok=True)
app.conf.broker_transport_options = {name: "queue" for name in ("data_folder_in", "data_folder_out", "control_folder")}
task = app.task(name="ask")(ask)

@worker_ready.connect
def begin(**_):
    task.delay()
"""
SCRIPT = """
import time

ask()
time.sleep(600)
"""
PROXY = """
model_list:
  - model_name: good
    litellm_params: {model: openai/gpt-4o-mini, api_key: k, mock_response: ok}
litellm_settings: {telemetry: false}
general_settings: {master_key: sk-master}
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """How an application is served."""

    command: str
    """Arguments for Python, with the port if the server has one."""
    app: str
    needs: tuple[str, ...] = ()
    """Required modules."""
    route: str | None = "/ask"
    """The route at which the application makes its calls; `None` if it makes them at its start."""


SERVERS: Mapping[str, Server] = {
    "python": Server(command="served.py", app=SCRIPT, route=None),
    "uvicorn": Server(command="-m uvicorn served:app --port {port} --log-level warning", app=ASGI, needs=("uvicorn",)),
    "uvicorn, 2 workers": Server(
        command="-m uvicorn served:app --port {port} --log-level warning --workers 2", app=ASGI, needs=("uvicorn",)
    ),
    **{
        f"gunicorn, {worker}": Server(
            command=f"-m gunicorn served:app -w 2 -k {kind} -b 127.0.0.1:{{port}} --log-level error",
            app=ASGI if "uvicorn" in kind else WSGI,
            needs=("gunicorn", *needs),
        )
        for worker, kind, needs in (
            ("sync", "sync", ()),
            ("gthread", "gthread --threads 4", ()),
            ("uvicorn", "uvicorn_worker.UvicornWorker", ("uvicorn_worker",)),
            ("gevent", "gevent", ("gevent",)),
        )
    },
    "hypercorn": Server(command="-m hypercorn served:app -b 127.0.0.1:{port}", app=ASGI, needs=("hypercorn",)),
    "hypercorn, 2 workers": Server(
        command="-m hypercorn served:app -w 2 -b 127.0.0.1:{port}", app=ASGI, needs=("hypercorn",)
    ),
    "granian": Server(
        command="-m granian --interface asgi --workers 2 --port {port} --no-log served:app",
        app=ASGI,
        needs=("granian",),
    ),
    "celery, prefork": Server(
        command="-m celery -A served worker -c 2 -l error -P prefork", app=CELERY, needs=("celery",), route=None
    ),
    "celery, solo": Server(
        command="-m celery -A served worker -l error -P solo", app=CELERY, needs=("celery",), route=None
    ),
    "litellm proxy": Server(
        command="-m litellm.proxy.proxy_cli -c config.yaml --host 127.0.0.1 --port {port}",
        app="",
        needs=("litellm_proxy_extras", "uvicorn", "apscheduler"),
        route="/v1/chat/completions",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """How a server ended."""

    code: int
    seconds: float
    """The time from the signal to the end of the process."""
    errors: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(name: str, number: signal.Signals, folder: Path, endpoint: str | None) -> Stopped:
    """Serve an application in a folder, request its calls, and send the signal to the server at once.

    Telemetry goes to the `endpoint`; with `None` the server runs without us.
    """
    server, port = SERVERS[name], free_port()
    (folder / "served.py").write_text(CALLING + server.app)
    (folder / "config.yaml").write_text(PROXY)
    environment = {each: value for each, value in os.environ.items() if not each.startswith(("OTEL_", "AGENTOPS_"))}
    environment |= {
        "OPENAI_API_KEY": "k",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONWARNINGS": "ignore",
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), *environment.get("PYTHONPATH", "").split(os.pathsep)])
    launcher: list[str] = []
    if endpoint is not None:
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "served"}
        launcher = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]
    command = [*launcher, sys.executable, *server.command.format(port=port).split()]
    with running(command, folder, environment) as process:
        _call(server, port, folder, process)
        sent = time.monotonic()
        process.send_signal(number)
        code = process.wait(STOP_LIMIT)
        seconds = time.monotonic() - sent
    return Stopped(code=code, seconds=seconds, errors=(folder / "errors").read_text())


@contextmanager
def running(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program. It and its child processes are ended with the block."""
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=errors, stderr=errors, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _call(server: Server, port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the application has made its calls."""
    until = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < until:
        if server.route is None:
            if (folder / "answered").exists():
                return
        elif _reaches(port):
            for _ in range(CALLS if server.route != "/ask" else 1):
                _request(f"http://127.0.0.1:{port}{server.route}", is_chat=server.route != "/ask")
            return
        time.sleep(0.1)
    raise AssertionError((folder / "errors").read_text())


def _reaches(port: int) -> bool:
    try:
        _request(f"http://127.0.0.1:{port}/", is_chat=False)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _request(url: str, *, is_chat: bool) -> None:
    body = b'{"model": "good", "messages": [{"role": "user", "content": "hi"}]}' if is_chat else None
    request = urllib.request.Request(
        url, body, {"Content-Type": "application/json", "Authorization": "Bearer sk-master"}
    )
    with urllib.request.urlopen(request, timeout=START_LIMIT) as response:
        response.read()
