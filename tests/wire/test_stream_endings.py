"""Every way in which a stream ends: its span ends with it, once, and says how."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator

import litellm
import pytest
from opentelemetry.trace import StatusCode

from agentops_otel_litellm.background import OPEN_STREAMS
from support import releases
from support.apps import App, AsyncApp
from support.recorder import Recorder, attributes_of, seconds
from support.servers.openai_provider import OpenAIProvider, Script

ROLE = int(releases.ROLE_ONLY_CHUNKS_ARE_PASSED_ON)
"""How many chunks there are that say no more than a role."""
Ending = Callable[[App], Awaitable[None]]
AsyncEnding = Callable[[litellm.CustomStreamWrapper], Awaitable[None]]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """A test leaves no stream open. Streams of earlier tests may wait for the garbage collector."""
    before = list(OPEN_STREAMS._streams)
    yield
    OPEN_STREAMS.settle()
    assert [stream for stream in OPEN_STREAMS._streams if stream not in before] == []


async def read_to_the_end(app: App) -> None:
    await app.rest(await app.stream())


async def break_out(app: App) -> None:
    stream = await app.stream()
    await app.next(stream)
    await app.next(stream)


async def lose_in_a_cycle(app: App) -> None:
    stream = await app.stream()
    await app.next(stream)
    await app.next(stream)
    cycle: list[object] = [stream]
    cycle.append(cycle)
    del stream, cycle
    gc.collect()


async def never_iterate(app: App) -> None:
    await app.stream()


async def raise_between_chunks(app: App) -> None:
    stream = await app.stream()
    await app.next(stream)
    await app.next(stream)
    with pytest.raises(ZeroDivisionError):
        1 / 0  # noqa: B018 - the app's own mistake


async def be_cut(app: App) -> None:
    app.provider.script(Script(cut_after=2))
    stream = await app.stream()
    with pytest.raises(litellm.exceptions.openai.APIError):
        await app.rest(stream)


async def leave_to_the_exit(app: App) -> None:
    stream = await app.stream()
    await app.next(stream)
    await app.next(stream)
    OPEN_STREAMS.close()
    del stream


async def read_beyond_the_end(app: App) -> None:
    stream = await app.stream()
    await app.rest(stream)
    assert await app.next(stream) is None
    assert await app.rest(stream) == []


# How the app leaves a stream of five chunks and the role's → its outcome, its status, and how many chunks it had.
ENDINGS: dict[Ending, tuple[str, StatusCode, int]] = {
    read_to_the_end: ("completed", StatusCode.UNSET, 5 + ROLE),
    read_beyond_the_end: ("completed", StatusCode.UNSET, 5 + ROLE),
    break_out: ("abandoned", StatusCode.UNSET, 2),
    lose_in_a_cycle: ("abandoned", StatusCode.UNSET, 2),
    leave_to_the_exit: ("abandoned", StatusCode.UNSET, 2),
    raise_between_chunks: ("abandoned", StatusCode.UNSET, 2),
    never_iterate: ("abandoned", StatusCode.UNSET, 0),
    be_cut: ("failed", StatusCode.ERROR, ROLE + 1),
}


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
def test_however_a_stream_ends_its_span_does_once(app: App, telemetry: Recorder, ending: Ending) -> None:
    """Its outcome says how, its status whether that is an error, and its chunks how far it came."""

    async def scenario() -> None:
        await ending(app)

    app.run(scenario())
    gc.collect()
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    outcome, status, count = ENDINGS[ending]
    assert attributes["llm.response.stream_outcome"] == outcome
    assert span.status.status_code is status
    assert attributes["llm.response.chunk_count"] == count
    assert attributes["gen_ai.request.model"] == "gpt-4o"
    assert ("error.type" in attributes) == (status is StatusCode.ERROR)
    if count == 2:
        reasons = ("error",) if outcome == "failed" else None  # what the application did not wait for is unknown
        assert attributes.get("gen_ai.response.finish_reasons") == reasons
        assert attributes["llm.response.content_length"] == len("Hello" if ROLE else "Hello, ")


async def close(stream: litellm.CustomStreamWrapper) -> None:
    await stream.aclose()


async def close_twice(stream: litellm.CustomStreamWrapper) -> None:
    await stream.aclose()
    await stream.aclose()


async def be_cancelled(stream: litellm.CustomStreamWrapper) -> None:
    task = asyncio.create_task(anext(stream))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def run_out_of_time(stream: litellm.CustomStreamWrapper) -> None:
    with pytest.raises((TimeoutError, asyncio.TimeoutError)):
        await asyncio.wait_for(anext(stream), timeout=0.05)


# What an asynchronous app can do to a stream that has stalled after two chunks → outcome, status, error.
ASYNC_ENDINGS: dict[AsyncEnding, tuple[str, StatusCode, str | None]] = {
    close: ("closed", StatusCode.UNSET, None),
    close_twice: ("closed", StatusCode.UNSET, None),
    be_cancelled: ("cancelled", StatusCode.ERROR, "CancelledError"),
    run_out_of_time: ("cancelled", StatusCode.ERROR, "CancelledError"),
}


@pytest.mark.parametrize("ending", ASYNC_ENDINGS, ids=lambda ending: ending.__name__)
def test_an_asynchronous_stream_can_also_be_closed_and_cancelled(
    provider: OpenAIProvider, telemetry: Recorder, ending: AsyncEnding
) -> None:
    """Closing is no error and cancellation is; both leave what had come until then."""
    app = AsyncApp(provider)
    provider.script(Script(delay=0.3))

    async def scenario() -> None:
        stream = await app.stream()
        await app.next(stream)
        await app.next(stream)
        await ending(stream)

    app.run(scenario())
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    outcome, status, error = ASYNC_ENDINGS[ending]
    assert (attributes["llm.response.stream_outcome"], span.status.status_code) == (outcome, status)
    assert attributes.get("error.type") == error
    assert attributes.get("llm.error.category") == ("cancelled" if error else None)
    assert "gen_ai.response.finish_reasons" not in attributes
    assert attributes["llm.response.chunk_count"] == 2
    assert attributes["llm.response.content_length"] == len("Hello" if ROLE else "Hello, ")


def test_an_abandoned_stream_is_over_when_its_last_chunk_came(app: App, telemetry: Recorder) -> None:
    """The time the app kept a stream that it did not read is not the call's."""

    async def scenario() -> float:
        asked_at = time.perf_counter()
        stream = await app.stream()
        await app.next(stream)
        last_seen = time.perf_counter() - asked_at
        time.sleep(0.3)  # noqa: ASYNC251 - nothing else is to run
        return last_seen

    last_seen = app.run(scenario())
    (span,) = telemetry.spans()
    assert seconds(span) <= last_seen
    first_chunk = attributes_of(span)["gen_ai.response.time_to_first_chunk"]
    assert seconds(span) == pytest.approx(first_chunk, abs=1e-6)
