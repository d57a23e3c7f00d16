"""Observation: a call while it happens."""

from __future__ import annotations

import asyncio
import inspect
from array import array
from collections.abc import Coroutine
from operator import sub
from threading import Lock
from time import perf_counter, time_ns
from types import TracebackType
from typing import TYPE_CHECKING
from weakref import WeakSet

from opentelemetry.context import Context, attach, create_key, detach
from opentelemetry.trace import set_span_in_context

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import (
    Call,
    Cost,
    Failure,
    Request,
    Response,
    Route,
    Stream,
    StreamOutcome,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.stream_wrapper import traced_stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from opentelemetry.trace import Span

    from agentops_otel_litellm.emit import Telemetry
    from agentops_otel_litellm.operations import Operation

CURRENT = create_key("agentops_otel_litellm.observation")
"""Where an OpenTelemetry context holds the observation it is inside of."""

STREAMING: WeakSet[Observation] = WeakSet()
"""Streams handed to the app and not over yet."""

_READING_REQUEST = guard("reading a request")
_READING_TARGET = guard("reading whom a call asks")
_READING_ROUTE = guard("reading how LiteLLM carried a call")
_READING_RESPONSE = guard("reading a response")
_READING_USAGE = guard("reading a response's usage")
_READING_COST = guard("reading a response's cost")
_READING_CHUNK = guard("reading a chunk")
_READING_EXCEPTION = guard("reading an exception")
_TAKING_RESULT = guard("taking a result")
_ENDING_SPAN = guard("ending a span")
_CANCELLATIONS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class Observation:
    """One logical call, from the request to the last chunk; its span ends exactly once."""

    __slots__ = (
        "__weakref__",
        "_ending",
        "_operation",
        "_parameters",
        "_request",
        "_span",
        "_started",
        "_started_at",
        "_streamed",
        "_telemetry",
        "context",
        "logging",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        operation: Operation,
        parameters: Mapping[str, object],
        context: Context,
    ) -> None:
        self._telemetry = telemetry
        self._operation = operation
        self._parameters = parameters
        self._ending = Lock()
        self._streamed: StreamedResponse | None = None
        self.logging: object = parameters.get("litellm_logging_obj")
        """LiteLLM's logging object of the call, once there is one."""
        self._started_at = time_ns()
        self._started = perf_counter()
        self._span: Span = telemetry.start(self._begun(), context)
        self.context = Context({**set_span_in_context(self._span, context), CURRENT: self})
        self._request: Request | None = None
        if self._span.is_recording():
            with _READING_REQUEST:
                self._request = operation.shape.request(parameters)

    @property
    def open(self) -> bool:
        """Whether the call is still going on."""
        return not self._ending.locked()

    def running(self) -> Running:
        """The block in which LiteLLM runs on the call's behalf."""
        return Running(self)

    def enter(self) -> Token[Context] | None:
        """LiteLLM starts to run on the call's behalf: until it is left, the call's span is the current one."""
        return None if self._ending.locked() else attach(self.context)

    def leave(self, token: Token[Context] | None, error: BaseException | None = None) -> None:
        """LiteLLM handed control back: the end of an iteration ends the call well, another exception is its failure."""
        if token is not None:
            detach(token)
        if error is None:
            return
        if self._streamed is not None and isinstance(error, StopIteration | StopAsyncIteration):
            self._end("completed")
        else:
            self._end("cancelled" if isinstance(error, _CANCELLATIONS) else "failed", error=error)

    def returned(self, result: object) -> object:
        """What the app gets for LiteLLM's `result`: the same, or its stream in a wrapper."""
        with _TAKING_RESULT:
            if inspect.iscoroutine(result):
                return self._awaiting(result)
            if readers.is_stream(result):
                self._streamed = StreamedResponse(self._operation.shape.chunks(result), perf_counter())
                STREAMING.add(self)
                return traced_stream(result, self)
        self._end("completed", result=result)
        return result

    async def _awaiting(self, result: Coroutine[object, object, object]) -> object:
        with self.running():
            value = await result
        return self.returned(value)

    def received(self, token: Token[Context] | None, chunk: object) -> None:
        """The stream, running since `token`, gave `chunk` just now."""
        if self._streamed is not None:
            self._streamed.add(chunk, perf_counter())
        if token is not None:
            detach(token)

    def closed(self) -> None:
        """The app closed the stream."""
        self._end("closed")

    def abandoned(self) -> None:
        """Nobody will ask for another chunk: the call was over when the last one came."""
        self._end("abandoned")

    def _end(self, outcome: StreamOutcome, *, result: object = None, error: BaseException | None = None) -> None:
        if not self._ending.acquire(blocking=False):
            return
        duration = perf_counter() - self._started
        with _ENDING_SPAN:
            if self._streamed is not None:
                STREAMING.discard(self)
                if outcome == "abandoned":
                    duration = self._streamed.latest - self._started
            self._telemetry.finish(self._span, self._ended(duration, outcome, result, error))

    def _begun(self) -> Call:
        """The call as known when it starts."""
        return Call(
            operation=self._operation.name,
            target=self._target(),
            timing=Timing(started_at=self._started_at),
        )

    def _ended(self, duration: float, outcome: StreamOutcome, result: object, error: BaseException | None) -> Call:
        """The whole call. What cannot be read is absent, and what can be is not lost with it."""
        route: Route | None = None
        stream: Stream | None = None
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        failure: Failure | None = None
        with _READING_ROUTE:
            route = readers.read_route(self._parameters, self.logging)
        if error is not None:
            with _READING_EXCEPTION:
                failure = readers.read_failure(error)
        if self._streamed is not None:
            stream = self._streamed.timed(outcome, self._started)
            with _READING_RESPONSE:
                response = self._streamed.response()
            with _READING_USAGE:
                usage = self._streamed.usage()
            with _READING_COST:
                if usage is not None and outcome == "completed":
                    cost = readers.read_stream_cost(self.logging)
        elif error is None:
            with _READING_RESPONSE:
                response = self._operation.shape.response(result)
            with _READING_USAGE:
                usage = self._operation.shape.usage(result)
            with _READING_COST:
                cost = readers.read_cost(result)
        return Call(
            operation=self._operation.name,
            target=self._target(),
            timing=Timing(started_at=self._started_at, duration=duration),
            route=route,
            request=self._request,
            response=response,
            usage=usage,
            cost=cost,
            stream=stream,
            failure=failure,
        )

    def _target(self) -> Target:
        with _READING_TARGET:
            return readers.read_target(self._parameters, self.logging)
        return Target()


class Running:
    """LiteLLM is running on a call's behalf. Each entry has its own block: threads and tasks may share a stream."""

    __slots__ = ("_observation", "_token")

    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    def __enter__(self) -> None:
        self._token = self._observation.enter()

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._observation.leave(self._token, error)


class StreamedResponse:
    """A stream's chunks as they come: when, and what they amount to.

    After the first token a chunk is only put aside when it comes, and read with those that come after it: in the
    midst of LiteLLM's work reading takes 5 µs a chunk, and 1 µs when many are read in a row.
    """

    __slots__ = ("_chunks", "_first_token", "_instants", "_returned", "_waiting")

    WAITING_LIMIT = 64

    def __init__(self, chunks: readers.Chunks, returned: float) -> None:
        self._chunks = chunks
        self._returned = returned
        self._instants = array("d")
        self._waiting: list[object] = []
        self._first_token: float | None = None

    def add(self, chunk: object, at: float) -> None:
        """Take the chunk that came at that instant."""
        self._instants.append(at)
        self._waiting.append(chunk)
        if self._first_token is None or len(self._waiting) >= self.WAITING_LIMIT:
            self._read_waiting()

    def _read_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for chunk, at in zip(waiting, self._instants[-len(waiting) :], strict=False):
            with _READING_CHUNK:
                if self._chunks.add(chunk) and self._first_token is None:
                    self._first_token = at

    @property
    def latest(self) -> float:
        """The instant of the last sign of life."""
        return self._instants[-1] if self._instants else self._returned

    def timed(self, outcome: StreamOutcome, started: float) -> Stream:
        """Every instant in seconds since the call `started`."""
        self._read_waiting()
        instants = self._instants
        first_token = self._first_token
        return Stream(
            outcome=outcome,
            chunk_count=len(instants),
            first_chunk=instants[0] - started if instants else None,
            first_token=None if first_token is None else first_token - started,
            last_chunk=instants[-1] - started if instants else None,
            gaps=array("d", map(sub, instants[1:], instants)),
        )

    def response(self) -> Response:
        return self._chunks.response()

    def usage(self) -> Usage | None:
        return self._chunks.usage()


def end_streams() -> None:
    """The interpreter exits: what the app left unread is over, and its spans can still be exported."""
    for observation in list(STREAMING):
        observation.abandoned()
