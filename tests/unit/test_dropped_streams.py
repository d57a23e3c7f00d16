"""A stream that the application drops ends there and then: on its thread, and in its context."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any

import litellm
import pytest
from litellm.litellm_core_utils.thread_pool_executor import executor
from litellm.types.utils import GenericStreamingChunk

from support.apps import MESSAGES
from support.recorder import Recorder, attributes_of

APPS: ContextVar[str] = ContextVar("apps", default="another's")
CLEANED: list[tuple[str, str]] = []
"""Where each clean-up ran: the thread, and what the application's context holds."""


def piece(number: int) -> GenericStreamingChunk:
    return GenericStreamingChunk(
        text="x", is_finished=number == 5, finish_reason="stop", index=0, tool_use=None, usage=None
    )


class Cleaning(litellm.CustomLLM):
    """A provider whose streams clean up, as those do that hold a connection to a database."""

    def streaming(self, *_args: Any, **_kwargs: Any) -> Iterator[GenericStreamingChunk]:  # noqa: ANN401 - LiteLLM's
        try:
            yield from map(piece, range(6))
        finally:
            CLEANED.append((threading.current_thread().name, APPS.get()))

    async def astreaming(self, *_args: Any, **_kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:  # type: ignore[override]  # noqa: ANN401 - LiteLLM's
        try:
            for number in range(6):
                yield piece(number)
        finally:
            CLEANED.append((threading.current_thread().name, APPS.get()))

    def completion(self, *_args: Any, **_kwargs: Any) -> litellm.ModelResponse:  # noqa: ANN401 - LiteLLM's
        """A call that makes another, and drops its stream while it goes on itself."""
        inner = litellm.completion("cleaning/inner", MESSAGES, stream=True)
        next(inner)
        del inner
        self.cleaned_within = list(CLEANED)
        return litellm.ModelResponse(model="outer")


PROVIDER = Cleaning()


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # LiteLLM logs on a thread, which may hold a stream for a while, with us or without.
    monkeypatch.setattr(executor, "submit", lambda *_args, **_kwargs: Future())
    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "cleaning", "custom_handler": PROVIDER}])
    CLEANED.clear()
    token = APPS.set("the app's")
    yield
    APPS.reset(token)


HERE = [("MainThread", "the app's")]
OPEN: dict[str, Callable[[], Any]] = {
    "chat": lambda: litellm.completion("cleaning/m", MESSAGES, stream=True),
    "text": lambda: litellm.text_completion(model="cleaning/m", prompt="hello", stream=True),
    "responses": lambda: litellm.responses(model="cleaning/m", input="hello", stream=True),
}


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("api", OPEN)
def test_a_dropped_stream_ends_there(api: str, chunks: int, telemetry: Recorder) -> None:
    """The clean-up has run when `del` returns, on the application's thread; the span has what had come."""
    stream = OPEN[api]()
    for _ in range(chunks):
        next(stream)
    gc.collect()
    assert CLEANED == []
    del stream
    assert CLEANED == HERE
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert attributes["llm.response.stream_outcome"] == "abandoned"
    assert attributes["llm.response.chunk_count"] == chunks


def test_a_loop_that_is_left(telemetry: Recorder) -> None:
    for _ in OPEN["chat"]():
        break
    assert CLEANED == HERE
    assert len(telemetry.spans()) == 1


def test_a_stream_in_a_cycle(telemetry: Recorder) -> None:
    """What the garbage collector finds, it ends where it runs."""
    cycle: list[Any] = [OPEN["chat"]()]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert CLEANED == HERE
    assert len(telemetry.spans()) == 1


def test_an_asynchronous_stream(telemetry: Recorder) -> None:
    """The event loop ends it, in the context of whoever dropped it."""

    async def scenario() -> None:
        stream = await litellm.acompletion("cleaning/m", MESSAGES, stream=True)
        await stream.__anext__()
        del stream
        for _ in range(5):
            await asyncio.sleep(0)
        assert CLEANED == HERE

    asyncio.run(scenario())
    assert len(telemetry.spans()) == 1


def test_a_stream_within_another_call(telemetry: Recorder) -> None:
    """A stream that a custom provider drops ends before the call does that it was made in."""
    litellm.completion("cleaning/outer", MESSAGES)
    assert PROVIDER.cleaned_within == HERE
    assert len(telemetry.spans()) == 2
