"""An OpenAI-compatible provider that records what it sent, so that tests can compare telemetry with it."""

from __future__ import annotations

import base64
import itertools
import json
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from . import LoopbackHandler, LoopbackServer

JSON = dict[str, object]


def _usage() -> JSON:
    return {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The response to a request. By default it is successful."""

    content: tuple[str, ...] = ("Hello", ", ", "world", "!")
    """One piece for each chunk; a plain response has them joined. Empty: null, as is usual beside tool calls."""
    choices: int | None = None
    """The number of choices, which have the same content. `None`: the request's `n`."""
    tool_calls: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(id, function name, pieces of the arguments). The name and each piece have separate chunks."""
    finish_reason: str | None = None
    """`None`: `tool_calls` if there are any, else `stop`."""
    usage: JSON | None = field(default_factory=_usage)
    """`None`: no usage. Embeddings have only the counts of the prompt."""
    status: int = 200
    error_message: str = "The server had an error while processing your request."
    """`{authorization}` and `{prompt}` are replaced by those of the request, as real providers echo them."""
    error_code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    first_delay: float = 0.0
    """Seconds before the response, its headers included."""
    delay: float = 0.0
    """Seconds between chunks."""
    delays: tuple[float, ...] = ()
    """Seconds before each of the first chunks after the first one, in place of `delay`."""
    cut_after: int | None = None
    """Hang up after this number of chunks. 0: before any response, also a plain one."""
    model: str | None = None
    """`None`: a dated version of the requested model."""
    system_fingerprint: str | None = None
    service_tier: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what was sent in return. Times are from `time.perf_counter()`."""

    path: str
    body: JSON
    headers: dict[str, str]
    """The request's, under lower-case names."""
    received_at: float
    finished_at: float
    status: int | None = None
    """`None` if the connection ended before a response began."""
    response_id: str | None = None
    usage: JSON | None = None
    chunk_times: tuple[float, ...] = ()
    """The time before each chunk but `[DONE]` is sent, so no client has received it earlier."""
    cut: bool = False
    """The client or the script hung up before everything was sent."""


class OpenAIProvider(LoopbackServer):
    """Chat completions, completions and embeddings with the test's scripts; other routes are a 404."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.reset()

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def ledger(self) -> list[Exchange]:
        """Exchanges in order of arrival; waits for those under way, ten seconds for each (`TimeoutError`)."""
        return [exchange.result(timeout=10) for exchange in tuple(self._exchanges)]

    def script(self, script: Script) -> None:
        """Set the response to requests for which no script is queued."""
        self._script = script

    def scripts(self, scripts: Iterable[Script]) -> None:
        """Queue one script per request."""
        self._queue.extend(scripts)

    def reset(self) -> None:
        """Forget all scripts and exchanges. Ids of responses remain unique."""
        self._exchanges: list[Future[Exchange]] = []
        self._queue: deque[Script] = deque()
        self._script = Script()

    def scripted(self, _body: JSON) -> Script:
        """The script for a request with that body."""
        return self._queue.popleft() if self._queue else self._script

    def admit(self, exchange: Future[Exchange], route: str, body: JSON) -> tuple[Script, int]:
        """Record a request whose exchange follows, and return its script and number."""
        with self._lock:  # queued scripts go to requests in the order of the ledger
            self._exchanges.append(exchange)
            if route != _EMBEDDINGS and route not in _COMPLETIONS:
                script = Script(status=404, error_message=f"Unknown URL: {route}", error_code="unknown_url")
            else:
                script = self.scripted(body)
            return script, next(self._numbers)


class _Handler(LoopbackHandler):
    """Sends the scripted response to each request, and records in the ledger how much was sent."""

    server: OpenAIProvider
    exchange: Exchange
    """Replaced while the response is sent."""

    def respond(self) -> None:
        now = time.perf_counter()
        self.exchange = Exchange(
            path=self.route,
            body=json.loads(self.read_body() or b"{}"),
            headers=self.received_headers,
            received_at=now,
            finished_at=now,
        )
        entry: Future[Exchange] = Future()
        script, number = self.server.admit(entry, self.route, self.exchange.body)
        try:
            self._play(script, number)
        except ConnectionError:
            self.exchange = replace(self.exchange, cut=True)
            self.close_connection = True
        finally:
            entry.set_result(replace(self.exchange, finished_at=time.perf_counter()))

    def _play(self, script: Script, number: int) -> None:
        request = self.exchange.body
        self.pause(script.first_delay)
        self._cut_if_due(script)
        if script.status != 200:
            self._send(script, _error(script, request, self.exchange.headers.get("authorization", "")))
        elif self.route == _EMBEDDINGS:
            self._send(script, _embeddings(script, request))
        else:
            completion = _COMPLETIONS[self.route](script, request, number)
            self.exchange = replace(self.exchange, response_id=completion.id)
            if request.get("stream"):
                self._stream(script, completion.chunks())
            else:
                self._send(script, completion.response())

    def _send(self, script: Script, body: JSON) -> None:
        self.exchange = replace(self.exchange, status=script.status, usage=_usage_of(body))
        headers = {"content-type": "application/json", **script.headers}
        self.reply(script.status, headers, json.dumps(body).encode())

    def _stream(self, script: Script, chunks: Iterator[JSON]) -> None:
        self.exchange = replace(self.exchange, status=200)
        self.reply(200, {"content-type": "text/event-stream", **script.headers}, None)
        for chunk in chunks:
            number = len(self.exchange.chunk_times)
            if number:
                self.pause(script.delays[number - 1] if number <= len(script.delays) else script.delay)
            times = (*self.exchange.chunk_times, time.perf_counter())
            self.send_chunk(f"data: {json.dumps(chunk)}\n\n".encode())
            self.exchange = replace(self.exchange, chunk_times=times, usage=_usage_of(chunk))
            self._cut_if_due(script)
        self.send_chunk(b"data: [DONE]\n\n")
        self.send_chunk(b"")

    def _cut_if_due(self, script: Script) -> None:
        if len(self.exchange.chunk_times) == script.cut_after:
            self.hang_up()


class _Completion:
    """A response of /v1/completions, whole or in chunks."""

    id_prefix, kind, chunk_kind = "cmpl", "text_completion", "text_completion"

    def __init__(self, script: Script, request: JSON, number: int) -> None:
        requested_choices = request.get("n")
        self.script, self.request = script, request
        self.id = f"{self.id_prefix}-{number}"
        self.choices = range(script.choices or (requested_choices if isinstance(requested_choices, int) else 1))
        self.finish_reason = script.finish_reason or ("tool_calls" if script.tool_calls else "stop")

    def whole(self) -> JSON:
        """The content of a choice in a plain response."""
        return {"text": "".join(self.script.content)}

    def pieces(self) -> Iterator[JSON]:
        """The content of a choice in each chunk; the last one has the finish reason."""
        for piece in (*self.script.content, ""):
            yield {"text": piece}

    def response(self) -> JSON:
        end: JSON = {"logprobs": None, "finish_reason": self.finish_reason}
        body = self._body(self.kind, [{"index": index, **self.whole(), **end} for index in self.choices])
        return body if self.script.usage is None else {**body, "usage": self.script.usage}

    def chunks(self) -> Iterator[JSON]:
        options = self.request.get("stream_options")
        usage = self.script.usage if isinstance(options, dict) and options.get("include_usage") else None
        no_usage: JSON = {} if usage is None else {"usage": None}
        *pieces, last = self.pieces()
        for piece, finish_reason in (*((piece, None) for piece in pieces), (last, self.finish_reason)):
            for index in self.choices:
                choice: JSON = {"index": index, **piece, "logprobs": None, "finish_reason": finish_reason}
                yield {**self._body(self.chunk_kind, [choice]), **no_usage}
        if usage is not None:
            yield {**self._body(self.chunk_kind, []), "usage": usage}

    def _body(self, kind: str, choices: list[JSON]) -> JSON:
        script = self.script
        optional = {"system_fingerprint": script.system_fingerprint, "service_tier": script.service_tier}
        return {
            "id": self.id,
            "object": kind,
            "created": int(time.time()),
            "model": _model(script, self.request),
            "choices": choices,
            **{name: value for name, value in optional.items() if value is not None},
        }


class _ChatCompletion(_Completion):
    id_prefix, kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def whole(self) -> JSON:
        calls = []
        for call_id, name, arguments in self.script.tool_calls:
            function = {"name": name, "arguments": "".join(arguments)}
            calls.append({"id": call_id, "type": "function", "function": function})
        content = "".join(self.script.content) or None
        message: JSON = {"role": "assistant", "content": content, "refusal": None}
        return {"message": {**message, "tool_calls": calls} if calls else message}

    def pieces(self) -> Iterator[JSON]:
        first = "" if self.script.content else None
        yield {"delta": {"role": "assistant", "content": first, "refusal": None}}
        for piece in self.script.content:
            yield {"delta": {"content": piece}}
        for index, (call_id, name, arguments) in enumerate(self.script.tool_calls):
            call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
            yield {"delta": {"tool_calls": [{"index": index, **call}]}}
            for piece in arguments:
                yield {"delta": {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}}
        yield {"delta": {}}


_COMPLETIONS = {"/v1/chat/completions": _ChatCompletion, "/v1/completions": _Completion}
_EMBEDDINGS = "/v1/embeddings"


def _embeddings(script: Script, request: JSON) -> JSON:
    """Vectors of eighths, which are exact both in decimal and as 32-bit floats."""
    texts, requested = request["input"], request.get("dimensions")
    tokens = isinstance(texts, list) and any(isinstance(item, int) for item in texts)
    inputs = texts if isinstance(texts, list) and not tokens else [texts]
    dimensions = requested if isinstance(requested, int) else 8
    data: list[JSON] = []
    for index in range(len(inputs)):
        vector = [(index + place) % 8 / 8 for place in range(dimensions)]
        packed = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        embedding = packed if request.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    body: JSON = {"object": "list", "data": data, "model": _model(script, request)}
    if script.usage is None:
        return body
    prompt_tokens = script.usage["prompt_tokens"]
    return {**body, "usage": {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}}


def _error(script: Script, request: JSON, authorization: str) -> JSON:
    message = script.error_message.replace("{authorization}", authorization)
    return {
        "error": {
            "message": message.replace("{prompt}", _prompt(request)),
            "type": "server_error" if script.status >= 500 else "invalid_request_error",
            "param": None,
            "code": script.error_code,
        }
    }


def _prompt(request: JSON) -> str:
    messages = request.get("messages")
    if isinstance(messages, list):
        prompts = [str(message["content"]) for message in messages if message["role"] == "user"]
        return prompts[-1] if prompts else ""
    return str(request.get("prompt", request.get("input", "")))


def _model(script: Script, request: JSON) -> str:
    return script.model or f"{request['model']}-2024-08-06"


def _usage_of(body: JSON) -> JSON | None:
    usage = body.get("usage")
    return usage if isinstance(usage, dict) else None
