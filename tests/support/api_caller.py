"""Calls LiteLLM's functions synchronously or asynchronously, and reads their streams to the end."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

from support.apps import CALL_ID
from support.servers.wire import WireProvider

Result: TypeAlias = Any
"""The result of any of LiteLLM's functions."""

with warnings.catch_warnings():  # from LiteLLM's proxy, which is imported at the first stream of bytes
    warnings.simplefilter("ignore")
    import_module("litellm.proxy.pass_through_endpoints.streaming_handler")

MODULES: dict[str, tuple[str, str]] = {
    "messages": ("litellm.anthropic_interface.messages", "create"),
    "generate_content": ("litellm.google_genai", "generate_content"),
    "generate_content_stream": ("litellm.google_genai", "generate_content_stream"),
}
"""Name → module and function of LiteLLM, if it is not in `litellm` itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCaller:
    """Calls LiteLLM with the test's provider, synchronously or asynchronously."""

    wire: WireProvider
    asynchronous: bool

    def name(self, function: str) -> str:
        """The function's name in this style."""
        return f"a{function}" if self.asynchronous else function

    def call(self, function: str, **parameters: object) -> Result:
        """The result of a function; the chunks if it is a stream."""
        if self.asynchronous:

            async def play() -> Result:
                result = await self.start(function, **parameters)
                return await rest(result) if hasattr(type(result), "__anext__") else result

            return asyncio.run(play())
        result = self.start(function, **parameters)
        if hasattr(type(result), "__next__"):
            return list(result)
        # For translated APIs, LiteLLM's synchronous functions return asynchronous streams.
        return asyncio.run(rest(result)) if hasattr(type(result), "__anext__") else result

    def start(self, function: str, **parameters: object) -> Result:
        """The result of a function, or an awaitable of it; streams are not read."""
        connection = {"api_base": self.wire.url, "api_key": "sk-test", "litellm_call_id": CALL_ID}
        module, name = MODULES.get(function, ("litellm", function))
        return getattr(import_module(module), self.name(name))(**{**connection, **parameters})


async def rest(stream: Result) -> list[Result]:
    """The remaining chunks."""
    return [chunk async for chunk in stream]
