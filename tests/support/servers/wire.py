"""A provider for any API format: it sends the replies that the test has set."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from . import LoopbackHandler, LoopbackServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The response to a request, as a body or a stream."""

    body: object = None
    """Sent as JSON, or unchanged if it is bytes."""
    pieces: Sequence[bytes] | None = None
    """The pieces of a stream, each sent separately."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    first_delay: float = 0.0
    """Seconds before anything is sent."""
    delay: float = 0.0
    """Seconds between pieces."""
    cut_after: int | None = None
    """Hang up after this number of pieces."""

    @property
    def content_type(self) -> str:
        return "application/json" if self.pieces is None else "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, and how much of its reply was sent. Times are from `time.perf_counter()`."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """The request's, under lower-case names."""
    data: bytes
    received_at: float
    reply: Reply | None = None
    """The reply to the request."""
    piece_times: tuple[float, ...] = ()
    cut: bool = False

    @property
    def body(self) -> dict[str, object]:
        """The request's JSON."""
        parsed: dict[str, object] = json.loads(self.data or b"{}")
        return parsed


def events(*messages: object, names: bool = False) -> list[bytes]:
    """Server-sent events, one for each message; with `names`, named after the message's `type`."""
    pieces = []
    for message in messages:
        name = f"event: {message['type']}\n" if names and isinstance(message, dict) else ""
        text = message if isinstance(message, str) else json.dumps(message)
        pieces.append(f"{name}data: {text}\n\n".encode())
    return pieces


class WireProvider(LoopbackServer):
    """Replies by the end of the request's path. The first matching reply is used; other paths are a 404."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self._lock = threading.Lock()
        self.reset()

    @property
    def ledger(self) -> list[Exchange]:
        """Exchanges in order of arrival; waits for those under way, ten seconds for each (`TimeoutError`)."""
        return [exchange.result(timeout=10) for exchange in tuple(self._exchanges)]

    @property
    def was_called(self) -> bool:
        """Whether any request has arrived."""
        return bool(self._exchanges)

    def reset(self) -> None:
        self._exchanges: list[Future[Exchange]] = []
        self._replies: list[tuple[str, Reply, bool]] = []

    def reply(self, path_end: str, reply: Reply) -> None:
        """Set the reply to requests whose path has that end."""
        self._replies.append((path_end, reply, False))

    def reply_once(self, path_end: str, reply: Reply) -> None:
        """Set the reply to the next such request, with priority over permanent replies."""
        self._replies.insert(sum(once for *_, once in self._replies), (path_end, reply, True))

    def admit(self, exchange: Future[Exchange], path: str) -> Reply:
        with self._lock:
            self._exchanges.append(exchange)
            for entry in self._replies:
                path_end, reply, once = entry
                if path.endswith(path_end):
                    if once:
                        self._replies.remove(entry)
                    return reply
        return Reply(status=404, body={"error": {"message": f"Unknown URL: {path}", "type": "not_found"}})


class _Handler(LoopbackHandler):
    server: WireProvider
    exchange: Exchange

    def respond(self) -> None:
        self.exchange = Exchange(
            method=self.command,
            path=self.route,
            query=self.path.partition("?")[2],
            headers=self.received_headers,
            data=self.read_body(),
            received_at=time.perf_counter(),
        )
        entry: Future[Exchange] = Future()
        try:
            reply = self.server.admit(entry, self.route)
            self.exchange = replace(self.exchange, reply=reply)
            self._send(reply)
        except ConnectionError:
            self.exchange = replace(self.exchange, cut=True)
            self.close_connection = True
        finally:
            entry.set_result(self.exchange)

    def _send(self, reply: Reply) -> None:
        self.pause(reply.first_delay)
        headers = {"content-type": reply.content_type, **reply.headers}
        if reply.pieces is None:
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.reply(reply.status, headers, body)
            return
        self.reply(reply.status, headers, None)
        for number, piece in enumerate(reply.pieces):
            if number:
                self.pause(reply.delay)
            if number == reply.cut_after:
                self.hang_up()
            times = (*self.exchange.piece_times, time.perf_counter())
            self.send_chunk(piece)
            self.exchange = replace(self.exchange, piece_times=times)
        self.send_chunk(b"")
