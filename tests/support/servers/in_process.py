"""A provider inside the process: streams of LiteLLM without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import litellm
from litellm.types.utils import GenericStreamingChunk

PIECES = ("Hello", ", ", "world")
PROVIDER = "in-process"


class InProcessProvider(litellm.CustomLLM):
    """Streams three chunks, the last one with usage, and counts the streams."""

    def __init__(self) -> None:
        super().__init__()
        self.stream_count = 0

    @property
    def map(self) -> list[dict[str, object]]:
        """The value for `litellm.custom_provider_map`."""
        return [{"provider": PROVIDER, "custom_handler": self}]

    def streaming(self, *_args: object, **_kwargs: object) -> Iterator[GenericStreamingChunk]:
        self.stream_count += 1
        yield from _chunks()

    async def astreaming(  # type: ignore[override]  # LiteLLM annotates it as if it were awaited
        self, *_args: object, **_kwargs: object
    ) -> AsyncIterator[GenericStreamingChunk]:
        self.stream_count += 1
        for chunk in _chunks():
            await asyncio.sleep(0)  # a point at which it can be cancelled
            yield chunk


def _chunks() -> Iterator[GenericStreamingChunk]:
    for index, piece in enumerate(PIECES):
        last = index == len(PIECES) - 1
        yield GenericStreamingChunk(
            text=piece,
            is_finished=last,
            finish_reason="stop" if last else "",
            usage={"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18} if last else None,
            index=0,
            tool_use=None,
        )
