"""LiteLLM's functions, called as an app calls them: synchronously or not, each to the end of what it gives."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

from support.apps import CALL_ID
from support.servers.wire import WireProvider

Result: TypeAlias = Any
"""What LiteLLM gives: each function something else."""

with warnings.catch_warnings():  # of LiteLLM's proxy, which it imports at the first stream of bytes
    warnings.simplefilter("ignore")
    import_module("litellm.proxy.pass_through_endpoints.streaming_handler")

MODULES: dict[str, tuple[str, str]] = {
    "messages": ("litellm.anthropic_interface.messages", "create"),
    "generate_content": ("litellm.google_genai", "generate_content"),
    "generate_content_stream": ("litellm.google_genai", "generate_content_stream"),
}
"""Where LiteLLM has them that are not in its first module; no release has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCaller:
    """Calls LiteLLM in one of two styles; it reaches the test's provider."""

    wire: WireProvider
    asynchronous: bool

    def name(self, function: str) -> str:
        """What LiteLLM calls the function in this style."""
        return f"a{function}" if self.asynchronous else function

    def call(self, function: str, **parameters: object) -> Result:
        """What it gives: of a stream, its chunks."""
        if self.asynchronous:

            async def play() -> Result:
                result = await self.start(function, **parameters)
                return await rest(result) if hasattr(type(result), "__anext__") else result

            return asyncio.run(play())
        result = self.start(function, **parameters)
        if hasattr(type(result), "__next__"):
            return list(result)
        # LiteLLM gives asynchronous streams from synchronous functions, where it translates.
        return asyncio.run(rest(result)) if hasattr(type(result), "__anext__") else result

    def start(self, function: str, **parameters: object) -> Result:
        """What it gives, and no more; in the asynchronous style an awaitable of that."""
        connection = {"api_base": self.wire.url, "api_key": "sk-test", "litellm_call_id": CALL_ID}
        module, name = MODULES.get(function, ("litellm", function))
        return getattr(import_module(module), self.name(name))(**{**connection, **parameters})


async def rest(stream: Result) -> list[Result]:
    """The chunks that remain."""
    return [chunk async for chunk in stream]
