"""A stream that the application drops ends at once, on the thread and in the context that dropped it."""

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

APP_CONTEXT: ContextVar[str] = ContextVar("apps", default="another's")
CLEAN_UPS: list[tuple[str, str]] = []
"""The thread of each clean-up, and the value of the context variable there."""


def piece(number: int) -> GenericStreamingChunk:
    return GenericStreamingChunk(
        text="x", is_finished=number == 5, finish_reason="stop", index=0, tool_use=None, usage=None
    )


class Cleaning(litellm.CustomLLM):
    """A provider whose streams clean up at their end."""

    def streaming(self, *_args: Any, **_kwargs: Any) -> Iterator[GenericStreamingChunk]:  # noqa: ANN401 - LiteLLM's
        try:
            yield from map(piece, range(6))
        finally:
            CLEAN_UPS.append((threading.current_thread().name, APP_CONTEXT.get()))

    async def astreaming(self, *_args: Any, **_kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:  # type: ignore[override]  # noqa: ANN401 - LiteLLM's
        try:
            for number in range(6):
                yield piece(number)
        finally:
            CLEAN_UPS.append((threading.current_thread().name, APP_CONTEXT.get()))

    def completion(self, *_args: Any, **_kwargs: Any) -> litellm.ModelResponse:  # noqa: ANN401 - LiteLLM's
        """A call that starts a nested stream and drops it."""
        inner = litellm.completion("cleaning/inner", MESSAGES, stream=True)
        next(inner)
        del inner
        self.cleaned_within = list(CLEAN_UPS)
        return litellm.ModelResponse(model="outer")


PROVIDER = Cleaning()


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # LiteLLM logs on a thread, which may hold a stream for a while, with us or without.
    monkeypatch.setattr(executor, "submit", lambda *_args, **_kwargs: Future())
    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "cleaning", "custom_handler": PROVIDER}])
    CLEAN_UPS.clear()
    token = APP_CONTEXT.set("the app's")
    yield
    APP_CONTEXT.reset(token)


CLEANED_UP_HERE = [("MainThread", "the app's")]
OPEN_STREAM: dict[str, Callable[[], Any]] = {
    "chat": lambda: litellm.completion("cleaning/m", MESSAGES, stream=True),
    "text": lambda: litellm.text_completion(model="cleaning/m", prompt="hello", stream=True),
    "responses": lambda: litellm.responses(model="cleaning/m", input="hello", stream=True),
}


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("api", OPEN_STREAM)
def test_a_dropped_stream_ends_at_once(api: str, chunks: int, telemetry: Recorder) -> None:
    """Its clean-up has run when `del` returns, on the same thread; the span has the chunks that were received."""
    stream = OPEN_STREAM[api]()
    for _ in range(chunks):
        next(stream)
    gc.collect()
    assert CLEAN_UPS == []
    del stream
    assert CLEAN_UPS == CLEANED_UP_HERE
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert attributes["llm.response.stream_outcome"] == "abandoned"
    assert attributes["llm.response.chunk_count"] == chunks


def test_leaving_a_loop_ends_its_stream(telemetry: Recorder) -> None:
    for _ in OPEN_STREAM["chat"]():
        break
    assert CLEAN_UPS == CLEANED_UP_HERE
    assert len(telemetry.spans()) == 1


def test_the_garbage_collector_ends_a_stream_in_a_cycle(telemetry: Recorder) -> None:
    """On the thread on which it runs."""
    cycle: list[Any] = [OPEN_STREAM["chat"]()]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert CLEAN_UPS == CLEANED_UP_HERE
    assert len(telemetry.spans()) == 1


def test_the_event_loop_ends_a_dropped_asynchronous_stream(telemetry: Recorder) -> None:
    """In the context of the task that dropped it."""

    async def scenario() -> None:
        stream = await litellm.acompletion("cleaning/m", MESSAGES, stream=True)
        await stream.__anext__()
        del stream
        for _ in range(5):
            await asyncio.sleep(0)
        assert CLEAN_UPS == CLEANED_UP_HERE

    asyncio.run(scenario())
    assert len(telemetry.spans()) == 1


def test_a_stream_that_a_custom_provider_drops_ends_before_its_call(telemetry: Recorder) -> None:
    litellm.completion("cleaning/outer", MESSAGES)
    assert PROVIDER.cleaned_within == CLEANED_UP_HERE
    assert len(telemetry.spans()) == 2
