"""Ten thousand streams, left in every way there is: nothing of them remains."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import litellm
import pytest

from agentops_otel_litellm.background import OPEN_STREAMS
from support.apps import MESSAGES
from support.recorder import Recorder, attributes_of
from support.servers.in_process import PROVIDER, InProcessProvider

MODEL = f"{PROVIDER}/model"


def stream() -> litellm.CustomStreamWrapper:
    opened = litellm.completion(MODEL, MESSAGES, stream=True)
    assert isinstance(opened, litellm.CustomStreamWrapper)
    return opened


def exhaust() -> None:
    assert len(list(stream())) == 4


def break_out() -> None:
    for _ in stream():
        break


def never_read() -> None:
    stream()


def lose_in_a_cycle() -> None:
    cycle: list[object] = [stream()]
    cycle.append(cycle)


async def stream_async() -> litellm.CustomStreamWrapper:
    opened = await litellm.acompletion(MODEL, MESSAGES, stream=True)
    assert isinstance(opened, litellm.CustomStreamWrapper)
    return opened


async def exhaust_async() -> None:
    assert len([chunk async for chunk in await stream_async()]) == 4


async def break_out_async() -> None:
    async for _ in await stream_async():
        break


async def never_read_async() -> None:
    await stream_async()


async def close() -> None:
    opened = await stream_async()
    await anext(opened)
    await opened.aclose()


async def cancel() -> None:
    opened = await stream_async()
    task = asyncio.ensure_future(anext(opened))
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# How the app leaves a stream → its outcome, and how often the app does so of a hundred times.
WAYS: dict[Callable[[], None], tuple[str, int]] = {
    exhaust: ("completed", 3),
    break_out: ("abandoned", 25),
    never_read: ("abandoned", 40),
    lose_in_a_cycle: ("abandoned", 10),
}
ASYNC_WAYS: dict[Callable[[], Awaitable[None]], tuple[str, int]] = {
    exhaust_async: ("completed", 2),
    break_out_async: ("abandoned", 5),
    never_read_async: ("abandoned", 5),
    close: ("closed", 5),
    cancel: ("cancelled", 5),
}


def leave(hundreds: int) -> None:
    async def asynchronously() -> None:
        for way, (_, times) in ASYNC_WAYS.items():
            for _ in range(hundreds * times):
                await way()

    for way, (_, times) in WAYS.items():
        for _ in range(hundreds * times):
            way()
    asyncio.run(asynchronously())


def remains(telemetry: Recorder) -> tuple[Counter[str], int]:
    """How many instances there are of each of our classes, and blocks of memory, when all is settled."""
    gc.collect()
    OPEN_STREAMS.settle()
    telemetry.forget()
    gc.collect()
    kinds = [type(each) for each in gc.get_objects()]
    ours = Counter(kind.__name__ for kind in kinds if str(kind.__module__).startswith("agentops_otel_litellm"))
    return ours, sys.getallocatedblocks()


@pytest.fixture
def small_heap() -> Iterator[None]:
    """The garbage collector goes through what comes of the test, and not through all of LiteLLM each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("small_heap")
def test_ten_thousand_streams_leave_nothing(telemetry: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each span ended with its outcome, none is open, and neither memory nor threads have grown since the 2,000th."""
    provider = InProcessProvider()
    monkeypatch.setattr(litellm, "custom_provider_map", provider.map)
    outcomes: Counter[object] = Counter()
    before: tuple[Counter[str], int] = (Counter(), 0)
    for part in range(5):
        leave(20)
        gc.collect()
        outcomes.update(attributes_of(span)["llm.response.stream_outcome"] for span in telemetry.spans())
        assert list(OPEN_STREAMS._streams) == []
        if part == 0:
            before = remains(telemetry)
        else:
            telemetry.forget()

    expected: Counter[object] = Counter()
    for outcome, times in (*WAYS.values(), *ASYNC_WAYS.values()):
        expected[outcome] += 100 * times
    assert expected.total() == 10_000
    assert outcomes == expected
    objects, blocks = remains(telemetry)
    assert objects == before[0]
    assert blocks - before[1] < 4_000  # half a block for each stream
    ours = sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("agentops"))
    assert set(ours) == {"agentops-background"}
