"""The wrapper around streams with `close`, context methods and one way of iteration."""

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
    """A stream of numbers that records which of its methods were called."""

    def __init__(self, length: int = 3) -> None:
        self.numbers = iter(range(length))
        self.calls: list[str] = []

    def close(self) -> str:
        self.calls.append("close")
        return "closed it"

    def __enter__(self) -> Stream:  # noqa: PYI034 - or another one
        self.calls.append("enter")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.calls.append(f"exit {kind.__name__ if kind else ''}".strip())
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
    """The outcome of the one stream."""
    (span,) = telemetry.spans()
    return attributes_of(span)["llm.response.stream_outcome"]


def test_closing_ends_the_span(trace: Trace, telemetry: Recorder) -> None:
    """Each `close()` is forwarded and its result returned; the span ends at the first one."""
    original = SyncStream()
    stream = cast("SyncStream", trace(original))
    assert next(stream) == 0
    assert (stream.close(), stream.close()) == ("closed it", "closed it")
    assert original.calls == ["close", "close"]
    assert outcome(telemetry) == "closed"


def test_closing_asynchronously_ends_the_span(trace: Trace, telemetry: Recorder) -> None:
    """When `aclose()` has finished, not when it is called."""

    async def scenario() -> None:
        stream = cast("AsyncStream", trace(AsyncStream()))
        closing = stream.aclose()
        assert telemetry.spans() == []
        assert await closing == "closed it"

    asyncio.run(scenario())
    assert outcome(telemetry) == "closed"


def test_a_close_that_fails_fails_the_call(trace: Trace, telemetry: Recorder) -> None:
    """The exception reaches the application unchanged."""

    class Stuck(SyncStream):
        def close(self) -> str:
            raise OSError("stuck")

    stream = cast("Stuck", trace(Stuck()))
    with pytest.raises(OSError, match="stuck"):
        stream.close()
    assert outcome(telemetry) == "failed"


@pytest.mark.parametrize(
    ("exception", "exited"), [(None, "exit"), (KeyError, "exit KeyError"), (ValueError, "exit ValueError")]
)
def test_leaving_a_block_ends_the_span(
    trace: Trace, telemetry: Recorder, exception: type[Exception] | None, exited: str
) -> None:
    """`with` returns the traced stream, and the original decides whether to suppress an exception."""
    original = SyncStream()
    stream = trace(original)
    with pytest.raises(ValueError) if exception is ValueError else nullcontext():  # noqa: PT011, SIM117 - of this very test; the inner one is the subject
        with cast("SyncStream", stream) as entered:
            assert entered is stream
            if exception is not None:
                raise exception
    assert original.calls == ["enter", exited]
    assert outcome(telemetry) == "closed"


@pytest.mark.parametrize(
    ("exception", "exited"), [(None, "exit"), (KeyError, "exit KeyError"), (ValueError, "exit ValueError")]
)
def test_leaving_an_asynchronous_block_ends_the_span(
    trace: Trace, telemetry: Recorder, exception: type[Exception] | None, exited: str
) -> None:
    """The same applies to `async with`."""
    original = AsyncStream()
    stream = trace(original)

    async def scenario() -> None:
        async with cast("AsyncStream", stream) as entered:
            assert entered is stream
            if exception is not None:
                raise exception

    with pytest.raises(ValueError) if exception is ValueError else nullcontext():  # noqa: PT011 - of this very test; the inner one is the subject
        asyncio.run(scenario())
    assert original.calls == ["enter", exited]
    assert outcome(telemetry) == "closed"


def test_an_exit_stack_accepts_a_stream_with_context_methods(trace: Trace, telemetry: Recorder) -> None:
    """And rejects one without them."""
    original = SyncStream()
    stream = cast("SyncStream", trace(original))
    with ExitStack() as stack:
        assert stack.enter_context(stream) is stream
    assert original.calls == ["enter", "exit"]
    assert outcome(telemetry) == "closed"
    with ExitStack() as stack, pytest.raises((TypeError, AttributeError)):
        stack.enter_context(cast("SyncStream", trace(iter(()))))


def test_with_may_return_another_object(trace: Trace, telemetry: Recorder) -> None:
    """The object that the original `__enter__` returns reaches the application."""

    class Opener(SyncStream):
        def __enter__(self) -> Stream:
            return inner

    inner = SyncStream()
    with cast("Opener", trace(Opener())) as entered:
        assert entered is inner
    assert outcome(telemetry) == "closed"


def test_a_stream_keeps_its_kind_of_iteration(trace: Trace) -> None:
    """A synchronous stream does not become an asynchronous one, nor the other way round."""
    synchronous, asynchronous = trace(SyncStream()), trace(AsyncStream())
    assert isinstance(synchronous, Iterator)
    assert not isinstance(synchronous, AsyncIterator)
    assert isinstance(asynchronous, AsyncIterator)
    assert not isinstance(asynchronous, Iterator)


def test_generators_are_streams(trace: Trace, telemetry: Recorder) -> None:
    """A traced generator is an instance of `GeneratorType`, and closing it runs its `finally`."""
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
    """The call of a function that returns a coroutine ends with the coroutine, whose result may be a stream."""

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
def test_results_that_are_no_streams_are_returned_unchanged(trace: Trace, telemetry: Recorder, result: object) -> None:
    """Only iterators are streams. For other results the span has ended already."""
    assert trace(result) is result
    assert len(telemetry.spans()) == 1


def test_threads_that_share_a_stream_end_it_once(trace: Trace, telemetry: Recorder) -> None:
    """Each thread keeps its own context, and there is one span."""
    stream = cast("SyncStream", trace(SyncStream(2_000)))
    start = threading.Barrier(4)

    def race() -> tuple[int, bool]:
        before = get_current()
        start.wait()
        return sum(1 for _ in stream), get_current() == before

    with ThreadPoolExecutor(4) as threads:
        results = [racer.result() for racer in [threads.submit(race) for _ in range(4)]]
    assert sum(chunks for chunks, _ in results) == 2_000
    assert [restored for _, restored in results] == [True] * 4
    assert outcome(telemetry) == "completed"


def test_closing_while_another_task_waits_restores_both_contexts(trace: Trace, telemetry: Recorder) -> None:
    """Neither the task that waits for a chunk nor the one that closes the stream keeps the span as current."""
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
