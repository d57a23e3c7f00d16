"""A loopback provider for the benchmarks, in a process of its own, so that its CPU time is not measured.

`python benchmarks/provider.py [chunks]` prints its URL and serves until its standard input ends:

- `POST /v1/chat/completions`: OpenAI's format, as JSON or as a stream of events. The stream reports usage only if the
  request has `stream_options.include_usage`.
- `POST /v1/messages`: Anthropic's format, as JSON or as a stream of events, which always reports usage.
- `POST /v1/traces`, `/v1/metrics`, `/v1/logs`: an OTLP receiver that drops what it receives.

Each stream has so many chunks with text (100 by default). If the model's name ends with `-unfinished`, the stream stops
after the first half of them, and the connection stays open until the client closes it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

Body = Mapping[str, Any]
Usage = Mapping[str, int]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n"
TEXT = "The weather in Paris is mild today, with some clouds in the evening."


def words(chunks: int) -> Iterator[str]:
    """Texts that differ, because LiteLLM fails a stream that repeats one text too often."""
    return (f"word {number} " for number in range(chunks))


def event(data: object, name: str = "") -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


class OpenAI:
    """Chat completions, in the format of OpenAI's API."""

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks

    def response(self, body: Body) -> Body:
        message = {"role": "assistant", "content": TEXT}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {**self._envelope(body, "chat.completion"), "choices": [choice], "usage": self._usage(16)}

    def events(self, body: Body) -> Iterator[bytes]:
        envelope = self._envelope(body, "chat.completion.chunk")

        def chunk(delta: Body, finish_reason: str | None = None) -> bytes:
            return event({**envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

        yield chunk({"role": "assistant", "content": ""})
        for text in words(self._chunks):
            yield chunk({"content": text})
        yield chunk({}, "stop")
        if (body.get("stream_options") or {}).get("include_usage"):
            yield event({**envelope, "choices": [], "usage": self._usage(2 * self._chunks)})
        yield event("[DONE]")

    @staticmethod
    def _envelope(body: Body, kind: str) -> Body:
        return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": body["model"]}

    @staticmethod
    def _usage(output: int) -> Usage:
        return {"prompt_tokens": 12, "completion_tokens": output, "total_tokens": 12 + output}


class Anthropic:
    """Messages, in the format of Anthropic's API."""

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks

    def response(self, body: Body) -> Body:
        message = self._message(body, {"input_tokens": 12, "output_tokens": 16})
        return {**message, "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"}

    def events(self, body: Body) -> Iterator[bytes]:
        def named(name: str, **data: object) -> bytes:
            return event({"type": name, **data}, name)

        yield named("message_start", message=self._message(body, {"input_tokens": 12, "output_tokens": 1}))
        yield named("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for text in words(self._chunks):
            yield named("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
        yield named("content_block_stop", index=0)
        ending = {"stop_reason": "end_turn", "stop_sequence": None}
        yield named("message_delta", delta=ending, usage={"output_tokens": 2 * self._chunks})
        yield named("message_stop")

    @staticmethod
    def _message(body: Body, usage: Usage) -> Body:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": []}
        return {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}


class Provider:
    """Serves the requests of one connection after the other, in one event loop."""

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks
        openai, anthropic = OpenAI(chunks), Anthropic(chunks)
        self._apis: dict[str, OpenAI | Anthropic] = {"/v1/chat/completions": openai, "/v1/messages": anthropic}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                path, body = await self._request(reader)
                api = self._apis.get(path)
                if api is None:
                    writer.write(HEAD % b"application/x-protobuf" + b"content-length: 0\r\n\r\n")
                elif (request := json.loads(body)).get("stream"):
                    await self._stream(api, request, reader, writer)
                else:
                    content = json.dumps(api.response(request)).encode()
                    writer.write(HEAD % b"application/json" + b"content-length: %d\r\n\r\n%b" % (len(content), content))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @staticmethod
    async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
        """The path and the body of the next request."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return first.split(" ")[1], await reader.readexactly(int(headers.get("content-length", "0")))

    async def _stream(
        self, api: OpenAI | Anthropic, request: Body, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send each event as a chunk of its own, which the client receives alone or with few others."""
        writer.write(HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n")
        is_unfinished = request["model"].endswith("-unfinished")
        for number, content in enumerate(api.events(request)):
            if is_unfinished and number > self._chunks // 2:
                await reader.readexactly(1)  # raises `IncompleteReadError` when the client closes the connection
            writer.write(b"%x\r\n%b\r\n" % (len(content), content))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")


async def main() -> None:
    chunks = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    async with await asyncio.start_server(Provider(chunks).serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        print(f"http://{host}:{port}", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        os._exit(0)  # without waiting for connections that clients keep open


if __name__ == "__main__":
    asyncio.run(main())
