"""The wrapper around streams that have what LiteLLM's chat streams lack: `close`, `with`, one way of iterating."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from itertools import count
from types import GeneratorType, TracebackType
from typing import cast

import pytest
from opentelemetry.context import get_current

from support.instrumented import Trace
from support.recorder import Recorder, attributes_of


class Stream:
    """A stream of numbers that knows what was done to it."""

    def __init__(self, length: int = 3) -> None:
        self.numbers = iter(range(length))
        self.done: list[str] = []

    def close(self) -> str:
        self.done.append("close")
        return "closed it"

    def __enter__(self) -> Stream:  # noqa: PYI034 - or another one
        self.done.append("enter")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.done.append(f"exit {kind.__name__ if kind else ''}".strip())
        return kind is KeyError


class SyncStream(Stream):
    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return next(self.numbers)


class AsyncStream(Stream):
    async def aclose(self) -> str:
        await asyncio.sleep(0)
        return self.close()

    async def __aenter__(self) -> Stream:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return self.__exit__(kind, error, traceback)

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        await asyncio.sleep(0)
        for number in self.numbers:
            return number
        raise StopAsyncIteration


def outcome(telemetry: Recorder) -> object:
    """How the one stream ended."""
    (span,) = telemetry.spans()
    return attributes_of(span)["llm.response.stream_outcome"]


def test_closing_ends_the_span(trace: Trace, telemetry: Recorder) -> None:
    """`close()` is passed on each time with its answer, and the span ends the first time."""
    original = SyncStream()
    stream = cast("SyncStream", trace(original))
    assert next(stream) == 0
    assert (stream.close(), stream.close()) == ("closed it", "closed it")
    assert original.done == ["close", "close"]
    assert outcome(telemetry) == "closed"


def test_closing_asynchronously_ends_the_span(trace: Trace, telemetry: Recorder) -> None:
    """`aclose()` ends it when it is done, not when it is called."""

    async def scenario() -> None:
        stream = cast("AsyncStream", trace(AsyncStream()))
        closing = stream.aclose()
        assert telemetry.spans() == []
        assert await closing == "closed it"

    asyncio.run(scenario())
    assert outcome(telemetry) == "closed"


def test_a_close_that_fails_fails_the_call(trace: Trace, telemetry: Recorder) -> None:
    """What closing raises reaches the app as it is."""

    class Stuck(SyncStream):
        def close(self) -> str:
            raise OSError("stuck")

    stream = cast("Stuck", trace(Stuck()))
    with pytest.raises(OSError, match="stuck"):
        stream.close()
    assert outcome(telemetry) == "failed"


@pytest.mark.parametrize(
    ("raised", "exited"), [(None, "exit"), (KeyError, "exit KeyError"), (ValueError, "exit ValueError")]
)
def test_leaving_a_block_ends_the_span(
    trace: Trace, telemetry: Recorder, raised: type[Exception] | None, exited: str
) -> None:
    """`with` gives the traced stream, and leaves it to the original whether an exception passes."""
    original = SyncStream()
    stream = trace(original)
    with pytest.raises(ValueError) if raised is ValueError else nullcontext():  # noqa: PT011, SIM117 - of this very test; the inner one is the subject
        with cast("SyncStream", stream) as entered:
            assert entered is stream
            if raised is not None:
                raise raised
    assert original.done == ["enter", exited]
    assert outcome(telemetry) == "closed"


@pytest.mark.parametrize(
    ("raised", "exited"), [(None, "exit"), (KeyError, "exit KeyError"), (ValueError, "exit ValueError")]
)
def test_leaving_an_asynchronous_block_ends_the_span(
    trace: Trace, telemetry: Recorder, raised: type[Exception] | None, exited: str
) -> None:
    """So does `async with`."""
    original = AsyncStream()
    stream = trace(original)

    async def scenario() -> None:
        async with cast("AsyncStream", stream) as entered:
            assert entered is stream
            if raised is not None:
                raise raised

    with pytest.raises(ValueError) if raised is ValueError else nullcontext():  # noqa: PT011 - of this very test; the inner one is the subject
        asyncio.run(scenario())
    assert original.done == ["enter", exited]
    assert outcome(telemetry) == "closed"


def test_an_exit_stack_asks_the_class(trace: Trace, telemetry: Recorder) -> None:
    """It takes a stream that `with` takes, and not one that `with` does not."""
    original = SyncStream()
    stream = cast("SyncStream", trace(original))
    with ExitStack() as stack:
        assert stack.enter_context(stream) is stream
    assert original.done == ["enter", "exit"]
    assert outcome(telemetry) == "closed"
    with ExitStack() as stack, pytest.raises((TypeError, AttributeError)):
        stack.enter_context(cast("SyncStream", trace(iter(()))))


def test_what_a_block_is_given_may_be_another_object(trace: Trace, telemetry: Recorder) -> None:
    """A stream whose `with` gives something else gives just that."""

    class Opener(SyncStream):
        def __enter__(self) -> Stream:
            return inner

    inner = SyncStream()
    with cast("Opener", trace(Opener())) as entered:
        assert entered is inner
    assert outcome(telemetry) == "closed"


def test_a_stream_is_iterated_in_its_own_way_only(trace: Trace) -> None:
    """A synchronous stream does not become an asynchronous one, nor the other way round."""
    synchronous, asynchronous = trace(SyncStream()), trace(AsyncStream())
    assert isinstance(synchronous, Iterator)
    assert not isinstance(synchronous, AsyncIterator)
    assert isinstance(asynchronous, AsyncIterator)
    assert not isinstance(asynchronous, Iterator)


def test_generators_are_streams(trace: Trace, telemetry: Recorder) -> None:
    """A generator stays one to the app, and closing it runs its `finally`."""
    closed: list[bool] = []

    def generate() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed.append(True)

    stream = trace(generate())
    assert isinstance(stream, GeneratorType)
    assert [next(stream), next(stream)] == [0, 1]
    stream.close()
    assert closed == [True]
    assert outcome(telemetry) == "closed"


def test_an_awaitable_result_is_one_call(trace: Trace, telemetry: Recorder) -> None:
    """A function that returns a coroutine is done when that is, and what it gives may be a stream."""

    async def opening() -> AsyncStream:
        await asyncio.sleep(0)
        return AsyncStream()

    async def scenario() -> list[int]:
        stream = await cast("Awaitable[AsyncStream]", trace(opening()))
        assert telemetry.spans() == []
        return [number async for number in stream]

    assert asyncio.run(scenario()) == [0, 1, 2]
    assert outcome(telemetry) == "completed"


@pytest.mark.parametrize("result", [None, [1, 2], "text", {"a": 1}, range(3)])
def test_other_results_are_returned_as_they_are(trace: Trace, telemetry: Recorder, result: object) -> None:
    """What is not an iterator is no stream: the app gets the very object, and the call is over."""
    assert trace(result) is result
    assert len(telemetry.spans()) == 1


def test_threads_that_share_a_stream_end_it_once(trace: Trace, telemetry: Recorder) -> None:
    """Threads may race for the chunks of one stream: each keeps its context, and there is one span."""
    stream = cast("SyncStream", trace(SyncStream(2_000)))
    start = threading.Barrier(4)

    def race() -> tuple[int, bool]:
        before = get_current()
        start.wait()
        return sum(1 for _ in stream), get_current() == before

    with ThreadPoolExecutor(4) as threads:
        results = [racer.result() for racer in [threads.submit(race) for _ in range(4)]]
    assert sum(taken for taken, _ in results) == 2_000
    assert [restored for _, restored in results] == [True] * 4
    assert outcome(telemetry) == "completed"


def test_closing_while_another_task_waits_restores_both_contexts(trace: Trace, telemetry: Recorder) -> None:
    """A task that waits for a chunk and one that closes the stream overlap, and neither is left in the span."""
    arrive = asyncio.Event

    class Stalled(AsyncStream):
        async def __anext__(self) -> int:
            await self.arrival.wait()
            raise StopAsyncIteration

        arrival: asyncio.Event

    async def scenario() -> list[bool]:
        original = Stalled()
        original.arrival = arrive()
        stream = cast("Stalled", trace(original))

        async def read() -> bool:
            before = get_current()
            assert [number async for number in stream] == []
            return get_current() == before

        async def close() -> bool:
            before = get_current()
            closing = asyncio.ensure_future(stream.aclose())
            await asyncio.sleep(0)
            original.arrival.set()
            await closing
            return get_current() == before

        return list(await asyncio.gather(read(), close()))

    assert asyncio.run(scenario()) == [True, True]
    assert len(telemetry.spans()) == 1
