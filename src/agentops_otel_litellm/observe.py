"""Observation: a call while it happens."""

from __future__ import annotations

import asyncio
import inspect
from array import array
from collections.abc import Coroutine
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

_READING_CHUNK = guard("reading a chunk")
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
            with guard("reading a request"):
                self._request = operation.shape.request(parameters)

    @property
    def open(self) -> bool:
        """Whether the call is still going on."""
        return not self._ending.locked()

    def running(self) -> Running:
        """The block in which LiteLLM runs on the call's behalf."""
        return Running(self)

    def left(self, error: BaseException | None) -> None:
        """LiteLLM handed control back: with an exception, the call is over."""
        if error is None:
            return
        if self._streamed is not None and isinstance(error, StopIteration | StopAsyncIteration):
            self._end("completed")
        else:
            self._end("cancelled" if isinstance(error, _CANCELLATIONS) else "failed", error=error)

    def returned(self, result: object) -> object:
        """What the app gets for LiteLLM's `result`: the same, or its stream in a wrapper."""
        with guard("taking a result"):
            if inspect.iscoroutine(result):
                return self._awaiting(result)
            if readers.is_stream(result):
                self._streamed = StreamedResponse(
                    result, self._operation.shape.chunks(), perf_counter() - self._started
                )
                STREAMING.add(self)
                return traced_stream(result, self)
        self._end("completed", result=result)
        return result

    async def _awaiting(self, result: Coroutine[object, object, object]) -> object:
        with self.running():
            value = await result
        return self.returned(value)

    def received(self, chunk: object) -> None:
        """The stream gave `chunk` just now."""
        now = perf_counter()
        with _READING_CHUNK:
            if self._streamed is not None:
                self._streamed.add(chunk, now - self._started)

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
        with guard("ending a span"):
            if self._streamed is not None:
                STREAMING.discard(self)
                if outcome == "abandoned":
                    duration = self._streamed.latest
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
        with guard("reading how LiteLLM carried a call"):
            route = readers.read_route(self._parameters, self.logging)
        if error is not None:
            with guard("reading an exception"):
                failure = readers.read_failure(error)
        if self._streamed is not None:
            stream = self._streamed.timed(outcome)
            with guard("reading a streamed response"):
                response = self._streamed.response()
            with guard("reading a stream's usage"):
                usage = self._streamed.usage()
            with guard("reading a stream's cost"):
                if usage is not None and outcome == "completed":
                    cost = readers.read_stream_cost(self.logging)
        elif error is None:
            with guard("reading a response"):
                response = self._operation.shape.response(result)
            with guard("reading a response's usage"):
                usage = self._operation.shape.usage(result)
            with guard("reading a response's cost"):
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
        with guard("reading whom a call asks"):
            return readers.read_target(self._parameters, self.logging)
        return Target()


class Running:
    """LiteLLM is running on a call's behalf: the call's span is current inside the block and only there.

    Leaving it normally keeps the call open, the end of an iteration ends it well, and any other exception is its
    failure. Each entry has a block of its own, for threads and tasks may share a stream.
    """

    __slots__ = ("_observation", "_token")

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        self._token: Token[Context] | None = None

    def __enter__(self) -> None:
        if self._observation.open:
            self._token = attach(self._observation.context)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            detach(self._token)
        self._observation.left(error)


class StreamedResponse:
    """A stream's chunks as they come: when, and what they amount to. None of them is kept."""

    __slots__ = ("_chunks", "_count", "_first", "_first_token", "_gaps", "_stream", "latest")

    def __init__(self, stream: object, chunks: readers.Chunks, returned: float) -> None:
        self._stream = stream
        self._chunks = chunks
        self._count = 0
        self._first: float | None = None
        self._first_token: float | None = None
        self._gaps = array("d")
        self.latest = returned
        """Seconds from the start of the call to the last sign of life."""

    def add(self, chunk: object, at: float) -> None:
        """Take the chunk that came `at` seconds after the start of the call."""
        self._count += 1
        if self._first is None:
            self._first = at
        else:
            self._gaps.append(at - self.latest)
        self.latest = at
        if self._chunks.add(chunk) and self._first_token is None:
            self._first_token = at

    def timed(self, outcome: StreamOutcome) -> Stream:
        return Stream(
            outcome=outcome,
            chunk_count=self._count,
            first_chunk=self._first,
            first_token=self._first_token,
            last_chunk=None if self._first is None else self.latest,
            gaps=self._gaps,
        )

    def response(self) -> Response:
        return self._chunks.response(self._stream)

    def usage(self) -> Usage | None:
        return self._chunks.usage(self._stream)


def end_streams() -> None:
    """The interpreter exits: what the app left unread is over, and its spans can still be exported."""
    for observation in list(STREAMING):
        observation.abandoned()
