"""A pretend OpenAI on loopback, so that the examples run without a key and without a network."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ("Because ", "blue ", "light ", "scatters ", "most.")
USAGE = {"prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20}
TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
}


class Provider(BaseHTTPRequestHandler):
    """Answers chat completions, streamed or not, and embeddings."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(0.05)
        if request["model"] == "gpt-missing":
            self.reply(404, {"error": {"message": "The model does not exist", "code": "model_not_found"}})
        elif self.path.endswith("/embeddings"):
            vectors = [
                {"object": "embedding", "index": i, "embedding": [0.1] * 8} for i, _ in enumerate(request["input"])
            ]
            usage = {"prompt_tokens": 2, "total_tokens": 2}
            self.reply(200, {"object": "list", "model": request["model"], "data": vectors, "usage": usage})
        elif request.get("stream"):
            self.stream(request)
        else:
            self.reply(200, completion(request))

    def stream(self, request: dict[str, object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        start = {"role": "assistant", "content": ""}
        deltas: list[dict[str, str]] = [start, *({"content": word} for word in WORDS), {}]
        for delta in deltas:
            choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
            self.event({**envelope(request, "chat.completion.chunk"), "choices": [choice]})
            time.sleep(0.02)
        self.event({**envelope(request, "chat.completion.chunk"), "choices": [], "usage": USAGE})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, chunk: dict[str, object]) -> None:
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def reply(self, status: int, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Leave the terminal to the example."""


def envelope(request: dict[str, object], kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-1", "object": kind, "created": 0, "model": request["model"]}


def completion(request: dict[str, object]) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": "".join(WORDS)}
    if "tools" in request:
        message = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
    reason = "tool_calls" if "tools" in request else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {**envelope(request, "chat.completion"), "choices": [choice], "usage": USAGE}


@contextmanager
def serve() -> Iterator[str]:
    """Serve while the block runs; yields the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
