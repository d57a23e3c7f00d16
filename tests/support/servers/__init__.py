"""HTTP servers on the loopback interface, which tests use in place of mocks."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class LoopbackServer(ThreadingHTTPServer):
    """Serves on an ephemeral port of 127.0.0.1 until its `with` block ends, and then closes all connections."""

    request_queue_size = 128  # the default of 5 stalls a burst of concurrent clients for a second

    def __init__(self, handler: type[LoopbackHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.connections: set[socket.socket] = set()
        self._serving = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._serving.start()

    @property
    def address(self) -> str:
        return "127.0.0.1"

    @property
    def port(self) -> int:
        return self.server_port

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    def server_close(self) -> None:
        self.shutdown()
        self._serving.join()
        super().server_close()
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):  # it was closing by itself
                connection.shutdown(socket.SHUT_RDWR)


class LoopbackHandler(BaseHTTPRequestHandler):
    """A keep-alive connection that logs nothing and tolerates clients that hang up."""

    server: LoopbackServer
    connection: socket.socket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body, written after its headers, waits for their ACK

    def respond(self) -> None:
        """Respond to one request, of any method."""
        raise NotImplementedError

    def do_POST(self) -> None:
        self.respond()

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - http.server looks for these names

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden method's name
        """Tests read records, not logs."""

    @property
    def route(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path

    @property
    def received_headers(self) -> dict[str, str]:
        """The headers with lower-case names, for any spelling of the client. Repeated ones are joined by commas."""
        return {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def reply(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
        """Send a whole response, or with `None` the start of one whose body follows in chunks."""
        framing = {"transfer-encoding": "chunked"} if body is None else {"content-length": str(len(body))}
        self.send_response_only(status)  # no date: two responses are alike
        for name, value in {**framing, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body or b"")

    def send_chunk(self, data: bytes) -> None:
        """Send one chunk of a body; an empty one ends it."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def pause(self, seconds: float) -> None:
        """Wait, but notice at once if the client hangs up meanwhile (`ConnectionError`)."""
        self.connection.settimeout(seconds)
        try:
            if not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError("the client hung up")
        except (BlockingIOError, TimeoutError):
            pass  # it listens
        finally:
            self.connection.settimeout(None)

    def hang_up(self) -> None:
        """End the connection here and now (`ConnectionError`, as when the client does)."""
        self.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("hung up")
