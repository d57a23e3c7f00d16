"""Every way in which a call can end, played with and without us: the app cannot tell, and one span says how it went."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, cast

import anyio
import litellm
import pytest
from opentelemetry.context import attach, detach, get_current, set_value
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import StatusCode

from agentops_otel_litellm.background import OPEN_STREAMS
from support import releases
from support.apps import MESSAGES, App, AsyncApp, SyncApp
from support.recorder import Recorder, attributes_of, seconds
from support.servers.in_process import PROVIDER, InProcessProvider
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider, events

Play = Callable[[Any], Awaitable[object]]
"""An app: what it returns, and what leaves it as an exception, is what it saw."""

STALLED, SLOW = Script(delay=2), Script(first_delay=2)
"""One gives a chunk and then nothing, the other nothing at all: both hang up when the app does."""
PATIENCE = 0.3
"""Seconds in which LiteLLM has turned to the provider, and the first chunk has come, however busy the machine is."""
ERROR = ("error",)
ROLE = int(releases.ROLE_ONLY_CHUNKS_ARE_PASSED_ON)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What the span of a call says of how it went."""

    outcome: str | None
    """A stream's."""
    error: str | None = None
    chunks: int | None = None
    reasons: tuple[str, ...] | None = None
    script: Script = Script()  # noqa: RUF009 - frozen
    styles: tuple[type[App], ...] = (SyncApp, AsyncApp)
    category: str | None = None


COMPLETED = {"outcome": "completed", "chunks": ROLE + 5, "reasons": ("stop",)}
CUT_OFF = {"chunks": 1}
"""Without a finish reason, which is unknown if the application does not read the stream to its end."""
STUCK = {**CUT_OFF, "script": STALLED}
CANCELLED = {"outcome": "cancelled", "error": "CancelledError", "category": "cancelled", **STUCK}
UNANSWERED = {"outcome": None, "script": SLOW}
STALLED_TOO_LONG = {
    "outcome": "failed",
    "error": "Timeout" if releases.STALLED_STREAMS_TIME_OUT else "APIConnectionError",
    "category": "timeout",
    "reasons": ERROR,
    **STUCK,
}
CANCELLED_AT_ONCE = {**CANCELLED, "chunks": ROLE}
"""Where the provider has stalled once it had said no more than its role."""
ENDS: dict[Play, End] = {}


def ends(*styles: type[App], **how: Any) -> Callable[[Play], Play]:  # noqa: ANN401 - the fields of an `End`
    """An app whose call ends like that."""

    def enter(play: Play) -> Play:
        ENDS[play] = End(**how, styles=styles or (SyncApp, AsyncApp))
        return play

    return enter


def told(chunk: litellm.ModelResponseStream | None) -> object:
    if chunk is None:
        return None
    choice = chunk.choices[0]
    return type(chunk), choice.delta.content, choice.finish_reason


async def opened(app: App) -> litellm.CustomStreamWrapper:
    """A stream of which the first chunk was read."""
    stream = await app.stream()
    await app.next(stream)
    return stream


# --- calls that are not streamed --------------------------------------------------------------------------


@ends(outcome=None, reasons=("stop",))
async def returned(app: App) -> object:
    response = await app.call()
    return type(response), response.choices[0].message.content


@ends(
    outcome=None,
    script=Script(status=401),
    error="AuthenticationError" if releases.STATUS_DECIDES_ERROR_CLASS else "BadRequestError",
    category="auth",
)
async def refused(app: App) -> object:
    return await app.call()


@ends(outcome=None, script=Script(cut_after=0), error="InternalServerError", category="connection")
async def hung_up_on(app: App) -> object:
    return await app.call()


@ends(outcome=None, error="Timeout", category="timeout", script=SLOW)
async def timed_out(app: App) -> object:
    return await app.call(timeout=PATIENCE)


@ends(AsyncApp, **UNANSWERED, error="CancelledError", category="cancelled")
async def waited_for(app: AsyncApp) -> object:
    return await asyncio.wait_for(app.call(), PATIENCE)


@ends(AsyncApp, **UNANSWERED, error="CancelledError", category="cancelled")
async def cancelled(app: AsyncApp) -> object:
    task = asyncio.create_task(app.call())
    await asyncio.sleep(PATIENCE)
    task.cancel()
    return await task


@ends(AsyncApp, **UNANSWERED, error="CancelledError", category="cancelled")
async def given_up_by_a_scope(app: AsyncApp) -> object:
    with anyio.move_on_after(PATIENCE) as scope:
        await app.call()
    return scope.cancelled_caught


@ends(AsyncApp, **UNANSWERED, error="CancelledError", category="cancelled")
async def left_to_the_end_of_the_loop(app: AsyncApp) -> object:
    app.left = asyncio.create_task(app.call())  # type: ignore[attr-defined]  # held for as long as the app
    await asyncio.sleep(PATIENCE)
    return "over"


@ends(SyncApp, **UNANSWERED, error="KeyboardInterrupt", category="cancelled")
async def interrupted(app: SyncApp) -> object:
    with interruption():
        return await app.call()


# --- streams that come to an end --------------------------------------------------------------------------


@ends(**COMPLETED)
async def exhausted(app: App) -> object:
    return [told(chunk) for chunk in await app.rest(await app.stream())]


@ends(**COMPLETED)
async def read_again_after_its_end(app: App) -> object:
    stream = await app.stream()
    await app.rest(stream)
    return await app.next(stream), await app.rest(stream)


@ends(AsyncApp, **COMPLETED)
async def closed_after_its_end(app: AsyncApp) -> object:
    stream = await app.stream()
    await app.rest(stream)
    return await stream.aclose()


@ends(SyncApp, **COMPLETED)
async def read_in_another_thread(app: SyncApp) -> object:
    stream = await app.stream()
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: [told(chunk) for chunk in stream]).result()


@ends(AsyncApp, **{**COMPLETED, "chunks": 4})
async def read_in_another_loop(_app: AsyncApp) -> object:
    """HTTP clients belong to a loop; a provider inside the process does not."""
    provider = InProcessProvider()
    litellm.custom_provider_map = provider.map  # type: ignore[assignment]
    stream = await litellm.acompletion(f"{PROVIDER}/model", MESSAGES, stream=True)
    return await asyncio.to_thread(lambda: asyncio.run(AsyncApp.rest(_app, stream))) != [], provider.stream_count


@ends(SyncApp, **COMPLETED)
async def read_by_turns_in_two_threads(app: SyncApp) -> object:
    stream = await app.stream()
    chunks = [told(next(stream))]
    with ThreadPoolExecutor(1) as threads:
        chunks.append(threads.submit(lambda: told(next(stream))).result())
    return [*chunks, *map(told, stream)]


@ends(AsyncApp, **COMPLETED)
async def read_in_another_task(app: AsyncApp) -> object:
    stream = await app.stream()
    return await asyncio.create_task(app.rest(stream)) is not None


@ends(AsyncApp, **COMPLETED)
async def read_by_turns_in_tasks(app: AsyncApp) -> object:
    stream = await app.stream()
    chunks = []
    while (chunk := await asyncio.create_task(app.next(stream))) is not None:
        chunks.append(told(chunk))
    return chunks


@ends(**COMPLETED)
async def read_through_a_generator(app: App) -> object:
    stream = await app.stream()

    def synchronously() -> Generator[object, None, None]:
        for chunk in stream:
            yield told(chunk)

    async def asynchronously() -> AsyncGenerator[object, None]:
        async for chunk in stream:
            yield told(chunk)

    if app.style == "sync":
        return list(synchronously())
    return [each async for each in asynchronously()]


# --- streams that fail ------------------------------------------------------------------------------------


@ends(outcome=None, script=Script(status=429), error="RateLimitError", category="rate_limit")
async def refused_before_it_began(app: App) -> object:
    return await app.stream()


@ends(
    outcome="failed",
    error="APIConnectionError",
    category="stream_interrupted",
    chunks=ROLE + 1,
    reasons=ERROR,
    script=Script(cut_after=2),
)
async def cut(app: App) -> object:
    return [told(chunk) for chunk in await app.rest(await app.stream())]


@ends(**STALLED_TOO_LONG)
async def stalled_beyond_the_timeout(app: App) -> object:
    return [told(chunk) for chunk in await app.rest(await app.stream(timeout=PATIENCE))]


@ends(**STALLED_TOO_LONG)
async def stalled_beyond_the_stream_timeout(app: App) -> object:
    connection = {"model": "openai/gpt-4o", "api_base": app.provider.base_url, "api_key": "sk", "max_retries": 0}
    deployment = {"model_name": "fast", "litellm_params": {**connection, "stream_timeout": PATIENCE}}
    router = litellm.Router(model_list=[deployment], num_retries=0)  # which alone heeds it
    asked = getattr(router, app.name("completion"))(model="fast", messages=MESSAGES, stream=True)
    return [told(chunk) for chunk in await app.rest(asked if app.style == "sync" else await asked)]


# --- streams that the app ends ----------------------------------------------------------------------------


@ends(AsyncApp, outcome="closed", **STUCK)
async def closed(app: AsyncApp) -> object:
    stream = await opened(app)
    return await stream.aclose()


@ends(AsyncApp, outcome="closed", **STUCK)
async def closed_twice(app: AsyncApp) -> object:
    stream = await opened(app)
    return await stream.aclose(), await stream.aclose()


@ends(AsyncApp, outcome="closed", **STUCK)
async def closed_by_a_block(app: AsyncApp) -> object:
    async with aclosing(await app.stream()) as stream:
        return told(await anext(stream))


@ends(AsyncApp, outcome="closed", chunks=0)
async def closed_before_it_was_read(app: AsyncApp) -> object:
    return await (await app.stream()).aclose()


@ends(outcome="closed" if releases.STREAMS_ARE_CONTEXT_MANAGERS else "abandoned", **CUT_OFF)
async def closed_synchronously(app: App) -> object:
    """Which older releases of LiteLLM refuse."""
    with closing(cast("Any", await opened(app))):
        return "inside"


@ends(outcome="abandoned", chunks=0)
async def never_read(app: App) -> object:
    return type(await app.stream()).__mro__[0].__name__ is not None


@ends(outcome="abandoned", **CUT_OFF)
async def broken_out_of(app: App) -> object:
    stream = await app.stream()
    if app.style == "sync":
        for chunk in stream:
            return told(chunk)
    async for chunk in stream:
        return told(chunk)
    return None


@ends(outcome="abandoned", **CUT_OFF)
async def left_by_an_exception_of_the_apps(app: App) -> object:
    stream = await app.stream()
    while (chunk := await app.next(stream)) is not None:
        raise LookupError(told(chunk))
    return None


@ends(outcome="abandoned", **CUT_OFF)
async def lost_in_a_cycle(app: App) -> object:
    cycle: list[object] = [await opened(app)]
    cycle.append(cycle)
    return len(cycle)


@ends(outcome="abandoned", **CUT_OFF)
async def left_with_a_generator(app: App) -> object:
    stream = await app.stream()

    def synchronously() -> Generator[object, None, None]:
        for chunk in stream:
            yield told(chunk)

    async def asynchronously() -> AsyncGenerator[object, None]:
        async for chunk in stream:
            yield told(chunk)

    if app.style == "sync":
        with closing(synchronously()) as generator:
            return next(generator)
    async with aclosing(asynchronously()) as each:
        return await anext(each)


# --- streams that are cancelled ---------------------------------------------------------------------------


@ends(AsyncApp, **CANCELLED)
async def cancelled_while_it_waited(app: AsyncApp) -> object:
    stream = await opened(app)
    task = asyncio.create_task(app.next(stream))
    await asyncio.sleep(0.05)
    task.cancel()
    return await task


@ends(AsyncApp, **CANCELLED)
async def waited_for_too_long(app: AsyncApp) -> object:
    stream = await opened(app)
    return await asyncio.wait_for(app.next(stream), 0.05)


@ends(AsyncApp, **CANCELLED_AT_ONCE)
async def read_in_a_scope_that_is_cancelled(app: AsyncApp) -> object:
    seen: list[object] = []
    with anyio.move_on_after(PATIENCE) as scope:
        async for chunk in await app.stream():
            seen.append(told(chunk))  # noqa: PERF401 - it is cut off
    return scope.cancelled_caught, seen


@ends(AsyncApp, **CANCELLED_AT_ONCE)
async def read_in_a_group_that_fails(app: AsyncApp) -> object:
    async def read() -> None:
        await app.rest(await app.stream())

    async def fail() -> None:
        await asyncio.sleep(PATIENCE)
        raise LookupError

    kinds = []
    try:
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                group.create_task(read())
                group.create_task(fail())
        else:
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                group.start_soon(fail)
    except BaseException as error:  # noqa: BLE001 - a group of them, of one class or another
        kinds = [type(error).__name__, *(type(each).__name__ for each in getattr(error, "exceptions", ()))]
    return kinds


@ends(AsyncApp, **CANCELLED_AT_ONCE)
async def left_to_the_end_of_its_loop(app: AsyncApp) -> object:
    async def read() -> None:
        await app.rest(await app.stream())

    app.left = asyncio.create_task(read())  # type: ignore[attr-defined]  # held for as long as the app
    await asyncio.sleep(PATIENCE)
    return "over"


@ends(SyncApp, **{**CANCELLED, "error": "KeyboardInterrupt"})
async def interrupted_while_it_waited(app: SyncApp) -> object:
    stream = await opened(app)
    with interruption():
        return await app.rest(stream)


class interruption:  # noqa: N801 - reads as the statement it is
    """A block in which Ctrl+C is pressed after a moment."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What a scenario leaves to the garbage collector is collected when it is over: an HTTP client that closes a stream
    while it opens another, in the middle of a collection, waits for its own lock.
    """
    gc.disable()
    yield
    gc.enable()
    gc.collect(1)


# --- the driver -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that an app could see of what it did."""

    result: object
    errors: list[tuple[type[BaseException], str]]
    """The exception that left it, and what that came of; figures in their texts differ from one time to the next."""
    requests: Sequence[object]
    """What the provider was asked."""
    context_restored: bool
    lasted: float


def play(app: App, scenario: Play) -> Seen:
    restored: list[bool] = []

    async def watched() -> object:
        token = attach(set_value("mark", "the app's"))
        before = get_current()
        try:
            return await scenario(app)
        finally:
            restored.append(get_current() is before)
            detach(token)

    result, error, began = None, None, time.perf_counter()
    try:
        result = app.run(watched())
    except BaseException as raised:  # noqa: BLE001 - the app's, whatever it is
        error = raised.with_traceback(None)
    lasted = time.perf_counter() - began
    errors = []
    while error is not None:
        errors.append((type(error), re.sub(r"\d[\d.e-]*", "#", repr(error.args))))
        error = error.__cause__ or error.__context__
    asked = [exchange.body for exchange in app.provider.ledger]
    return Seen(result=result, errors=errors, requests=asked, context_restored=all(restored), lasted=lasted)


CASES = [
    pytest.param(scenario, style, id=f"{scenario.__name__}-{style.style}")
    for scenario, end in ENDS.items()
    for style in end.styles
]


@pytest.fixture(scope="module", autouse=True)
def all_is_imported(running_provider: OpenAIProvider) -> None:
    """LiteLLM imports some of itself in its first calls, for seconds in which no timeout strikes."""
    for style in (SyncApp, AsyncApp):
        style(running_provider).read()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """A test leaves no stream open and starts at most two threads of this package."""
    before = set(threading.enumerate())
    yield
    OPEN_STREAMS.settle()
    assert list(OPEN_STREAMS._streams) == []
    started = [thread.name for thread in threading.enumerate() if thread not in before]
    ours = [name for name in started if name.startswith("agentops")]
    assert len(ours) == len(set(ours)) <= 2


@pytest.mark.parametrize(("scenario", "style"), CASES)
def test_the_app_cannot_tell_and_the_span_can(
    provider: OpenAIProvider,
    telemetry: Recorder,
    scenario: Play,
    style: Callable[[OpenAIProvider], App],
) -> None:
    """It gets the same, the same exception leaves it, the same requests are made; and one span says how it ended."""
    end = ENDS[scenario]
    provider.script(end.script)
    with suppress_instrumentation():
        bare = play(style(provider), scenario)
    assert telemetry.spans() == []
    provider.reset()
    provider.script(end.script)

    traced = play(style(provider), scenario)
    OPEN_STREAMS.settle()
    if OPEN_STREAMS._streams:
        gc.collect()
    assert (traced.result, traced.errors, traced.requests) == (bare.result, bare.errors, bare.requests)
    assert (traced.context_restored, bare.context_restored) == (True, True)

    span = telemetry.span()
    attributes = attributes_of(span)
    assert attributes.get("llm.response.stream_outcome") == end.outcome
    assert attributes.get("error.type") == end.error
    assert attributes.get("llm.error.category") == end.category
    assert attributes.get("llm.response.chunk_count") == end.chunks
    assert attributes.get("gen_ai.response.finish_reasons") == end.reasons
    assert span.status.status_code is (StatusCode.ERROR if end.error else StatusCode.UNSET)
    assert 0 < seconds(span) <= traced.lasted + 0.02
    if end.outcome == "abandoned" and end.chunks == 1:  # over when its last chunk came
        assert seconds(span) == pytest.approx(attributes["gen_ai.response.time_to_first_chunk"], abs=1e-6)
    (duration,) = telemetry.points("gen_ai.client.operation.duration")
    assert (duration.count, duration.attributes.get("error.type")) == (1, end.error)


BEGUN = b'data: {"id": "chatcmpl-1", "object": "chat.completion.chunk", "cho'
OVERLOADED: dict[str, object] = {"error": {"message": "overloaded", "type": "server_error", "code": None}}


@pytest.mark.parametrize(
    ("pieces", "category"),
    [([], "connection"), ([BEGUN], "connection"), (events(OVERLOADED), "server_error")],
    ids=["before", "during", "instead"],
)
@pytest.mark.parametrize("style", [SyncApp, AsyncApp])
def test_a_stream_that_fails_at_its_first_chunk(  # noqa: PLR0913, PLR0917 - fixtures and cases
    provider: OpenAIProvider,
    wire: WireProvider,
    telemetry: Recorder,
    style: Callable[[OpenAIProvider], App],
    pieces: list[bytes],
    category: str,
) -> None:
    """The connection is lost before one came or in the midst of it, or the provider sends an error instead."""
    wire.reply("/chat/completions", Reply(pieces=[*pieces, b"never sent"], cut_after=len(pieces)))
    app = style(provider)

    async def scenario(app: App) -> object:
        return [told(chunk) for chunk in await app.rest(await app.stream(api_base=wire.url))]

    with suppress_instrumentation():
        bare = play(app, scenario)
    traced = play(app, scenario)
    assert traced.errors == bare.errors != []
    assert len(wire.ledger) == 2
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "failed"
    assert attributes["llm.response.chunk_count"] == 0
    assert attributes["llm.error.category"] == category
    assert "gen_ai.response.finish_reasons" not in attributes


AT_EXIT = """
import asyncio, gc, os, sys
import litellm
from agentops_otel_litellm import LiteLLMInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

class LoggedWarnings(SpanExporter):
    def export(self, spans):
        for span in spans:
            told = [span.attributes.get(name) for name in ("llm.response.stream_outcome", "error.type")]
            os.write(1, f"{PLAYED}: {told[0]} {told[1]}\\n".encode())
        return SpanExportResult.SUCCESS

CALL = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "a"}], "api_key": "sk", "stream": True}
list(litellm.completion(**CALL, mock_response="what LiteLLM imports late is imported once for all"))
CALL["api_base"] = sys.argv[1]

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(LoggedWarnings()))
LiteLLMInstrumentor().instrument(tracer_provider=provider)

def leave_open():
    global stream
    stream = litellm.completion(**CALL)
    next(stream)

def exit_with_one_open():
    leave_open()
    sys.exit(3)

def raise_with_one_open():
    leave_open()
    raise LookupError

async def read():
    global stream
    stream = await litellm.acompletion(**CALL)
    async for chunk in stream:
        yield chunk

async def exit_while_reading():
    async for _ in read():
        sys.exit(3)

async def exit_while_another_reads():
    async def all():
        return [chunk async for chunk in read()]
    CALL["api_base"] = sys.argv[2]
    other = asyncio.create_task(all())
    while "stream" not in globals():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    sys.exit(3)

def exit_in_a_loop():
    asyncio.run(exit_while_reading())

def exit_a_loop_that_reads():
    asyncio.run(exit_while_another_reads())

gc.freeze()  # or each child would go through all of LiteLLM's when it exits
for play in (exit_with_one_open, raise_with_one_open, exit_in_a_loop, exit_a_loop_that_reads):
    PLAYED = play.__name__
    child = os.fork()
    if not child:
        sys.stderr = open(os.devnull, "w")
        play()
        sys.exit(0)
    os.write(1, f"{PLAYED}: {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\\n".encode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="one import of LiteLLM for all programs")
def test_programs_that_exit_with_a_stream_open(provider: OpenAIProvider, running_wire: WireProvider) -> None:
    """The span of what is open when a program ends is exported, and the program's exit is what it was."""
    running_wire.reset()
    chunk: dict[str, object] = {"id": "1", "object": "chat.completion.chunk", "choices": []}
    running_wire.reply("/chat/completions", Reply(pieces=events(chunk, chunk), delay=5))
    program = [sys.executable, "-W", "ignore", "-c", AT_EXIT, provider.base_url, running_wire.url]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "exit_with_one_open: abandoned None",
        "exit_with_one_open: 3",
        "raise_with_one_open: abandoned None",
        "raise_with_one_open: 1",
        "exit_in_a_loop: abandoned None",
        "exit_in_a_loop: 3",
        "exit_a_loop_that_reads: cancelled CancelledError",
        "exit_a_loop_that_reads: 3",
    ]
