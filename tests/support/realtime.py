"""Realtime sessions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import litellm
from websockets.asyncio.server import Server, ServerConnection, serve

from support.apps import CALL_ID
from support.media import CANARY
from support.recorder import Attributes

MODEL = "openai/gpt-realtime"


SESSION = {"id": "sess_1", "type": "realtime", "model": "gpt-realtime-2025-08-28", "instructions": CANARY}


CREATED = {"type": "session.created", "event_id": "e1", "session": SESSION}


CLIENT_MESSAGE = json.dumps(
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"Say {CANARY}."}]},
    }
)


class ClientSocket:
    """The part of the proxy's socket that LiteLLM uses: a client that sends a message for each turn."""

    def __init__(self, *, leaves_after: int | None = None) -> None:
        self.scope: dict[str, object] = {"headers": []}
        self.received: list[dict[str, Any]] = []
        self.closed_with: int | None = None
        self._leaves_after = leaves_after
        self._turn_ended = asyncio.Semaphore(1)
        self._hangs_up = asyncio.Event()

    async def send_text(self, data: str) -> None:
        self.received.append(json.loads(data))
        turns = [message for message in self.received if message["type"] == "response.done"]
        if self._leaves_after is not None and len(turns) >= self._leaves_after:
            self._hangs_up.set()
        elif self.received[-1]["type"] == "response.done":
            self._turn_ended.release()

    async def receive_text(self) -> str:
        next_turn = asyncio.ensure_future(self._turn_ended.acquire())
        hang_up = asyncio.ensure_future(self._hangs_up.wait())
        done, waiting = await asyncio.wait({next_turn, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if hang_up in done:
            raise ConnectionError("the client hung up")
        return CLIENT_MESSAGE

    async def close(self, code: int = 1000, reason: str | None = None) -> None:  # noqa: ARG002 - as LiteLLM calls it
        self.closed_with = code


Provider = Callable[[ServerConnection], Awaitable[None]]


async def session(socket: ClientSocket, server: Server, model: str = MODEL) -> int:
    """Run LiteLLM's side of a session; return the port of the provider."""
    port: int = server.sockets[0].getsockname()[1]
    await litellm._arealtime(
        model=model,
        websocket=socket,
        api_base=f"http://127.0.0.1:{port}",
        api_key="sk-test",
        litellm_call_id=CALL_ID,
    )
    return port


def run_session(socket_of: Callable[[], ClientSocket], provider: Provider, **options: Any) -> tuple[ClientSocket, int]:  # noqa: ANN401 - the server's
    """Run a session with a provider; return the client's socket and the port."""

    async def scenario() -> tuple[ClientSocket, int]:
        socket = socket_of()
        async with serve(provider, "127.0.0.1", 0, **options) as server:
            return socket, await session(socket, server)

    return asyncio.run(scenario())


def identity(
    port: int, operation: str = "realtime", function: str = "_arealtime", model: str = "gpt-realtime"
) -> Attributes:
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "llm.request.model": f"openai/{model}",
        "llm.vendor": "litellm",
        "llm.provider": "openai",
        "litellm.provider": "openai",
        "litellm.call_id": CALL_ID,
        "litellm.call_type": function,
        "server.address": "127.0.0.1",
        "server.port": port,
    }
