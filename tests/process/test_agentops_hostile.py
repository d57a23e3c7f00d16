"""A collector or a token server that does not end its response, or sends a huge or invalid one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from support.agentops_exports import FAILURE, NO_TOKEN, NOT_DELIVERED, SUCCESS, export
from support.logged_warnings import LoggedWarnings

TOKEN = json.dumps({"token": "token"}).encode()
Respond = Callable[[BaseHTTPRequestHandler], None]


class HostileServer:
    """A token server and collector on loopback. It sends `token` and `traces` as its responses."""

    def __init__(self) -> None:
        self.authorizations: list[str | None] = []
        self.requests: list[str] = []
        self.token: Respond = lambda handler: send(handler, TOKEN)
        self.traces: Respond = lambda handler: send(handler, b"", "application/x-protobuf")
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append(self.path)
                is_token = self.path.endswith("/auth/token")
                if is_token:
                    server.authorizations.append(self.headers["Authorization"])
                with suppress(OSError):  # the exporter hangs up
                    (server.token if is_token else server.traces)(self)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        Thread(target=self.http.serve_forever, daemon=True).start()


def send(handler: BaseHTTPRequestHandler, body: bytes, content_type: str = "application/json") -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def drip_body(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte of the body every 50 ms, for 20 s."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/x-protobuf")
    handler.send_header("Content-Length", "400")
    handler.end_headers()
    for _ in range(400):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    """Send a header every 50 ms, for 20 s."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(400):
        handler.wfile.write(b"X-A: b\r\n")
        time.sleep(0.05)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    hostile = HostileServer()
    monkeypatch.setenv("AGENTOPS_API_KEY", "00000000-0000-4000-8000-000000000000")
    monkeypatch.setenv("AGENTOPS_API_ENDPOINT", hostile.url)
    monkeypatch.setenv("AGENTOPS_EXPORTER_ENDPOINT", f"{hostile.url}/v1/traces")
    monkeypatch.setenv("AGENTOPS_MAX_WAIT_TIME", "1000")
    yield hostile
    hostile.http.shutdown()


@pytest.mark.parametrize("route", ["token", "traces"])
@pytest.mark.parametrize("drip", [drip_body, drip_headers])
def test_a_response_that_does_not_end_is_given_up_at_the_deadline(
    server: HostileServer, logged: LoggedWarnings, route: str, drip: Respond
) -> None:
    """Later spans are delivered again."""
    good = getattr(server, route)
    setattr(server, route, drip)
    exporter = AgentOpsSpanExporter()
    begin = time.monotonic()
    export(exporter, "first")
    setattr(server, route, good)
    while not exporter.force_flush(1_000) and time.monotonic() - begin < 15:
        time.sleep(0.2)
    assert export(exporter, "second") is SUCCESS
    assert time.monotonic() - begin < 15
    exporter.shutdown()
    assert all(line.startswith("Spans are queued for AgentOps (ReadTimeout") for line in logged.take())


@pytest.mark.parametrize("body", [b'{"token":' + b"[" * 60_000, b'"' * 100_000, b"x" * 50_000_000], ids=len)
def test_an_invalid_response_of_the_token_server(server: HostileServer, logged: LoggedWarnings, body: bytes) -> None:
    """Deeply nested or huge: the spans are queued."""
    server.token = lambda handler: send(handler, body)
    exporter = AgentOpsSpanExporter()
    assert export(exporter, "span") is FAILURE
    assert "AgentOps sends no token" in str(exporter.last_error)
    assert server.requests == ["/v3/auth/token"]
    exporter.shutdown()
    assert logged.take() == [NO_TOKEN.format("ValueError"), NOT_DELIVERED.format(1)]


def test_a_compressed_response_is_not_expanded(server: HostileServer) -> None:
    """The spans were accepted, so it is not needed."""

    def send_bomb(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(b"nogz")

    server.traces = send_bomb
    exporter = AgentOpsSpanExporter()
    assert export(exporter, "span") is SUCCESS
    exporter.shutdown()


def test_no_password_of_netrc_is_sent(server: HostileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`requests` would send the password of the entry `default` to any server."""
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    exporter = AgentOpsSpanExporter()
    assert export(exporter, "span") is SUCCESS
    assert server.authorizations == [None]
    exporter.shutdown()
