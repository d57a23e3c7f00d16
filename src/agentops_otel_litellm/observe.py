"""Observation: a call while it happens."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from threading import Lock
from time import perf_counter, time_ns
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,
    Context,
    attach,
    create_key,
    detach,
    get_current,
)
from opentelemetry.trace import set_span_in_context

from agentops_otel_litellm import readers
from agentops_otel_litellm.attempts import AttemptsSoFar
from agentops_otel_litellm.call import (
    Call,
    Cost,
    Failure,
    Request,
    Response,
    Routing,
    Stream,
    StreamOutcome,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.logging_objects import know
from agentops_otel_litellm.open_streams import OPEN_STREAMS
from agentops_otel_litellm.streamed_response import StreamedResponse
from agentops_otel_litellm.suppression import standing_aside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from opentelemetry.trace import Span

    from agentops_otel_litellm.emit import Telemetry
    from agentops_otel_litellm.operations import Operation

CURRENT = create_key("agentops_otel_litellm.observation")
"""Where an OpenTelemetry context holds the observation it is inside of."""


def observation_in(context: Mapping[str, object]) -> Observation | None:
    """The observation a context is inside of, if its call is still going on."""
    observation = context.get(CURRENT)
    return observation if isinstance(observation, Observation) and observation.open else None


def is_suppressed(context: Mapping[str, object]) -> bool:
    """What `is_instrumentation_enabled()` says, which looks for the context twice more."""
    return bool(context.get(_SUPPRESS_INSTRUMENTATION_KEY) or context.get("suppress_instrumentation"))


Answer = tuple[Response | None, Usage | None, Cost | None]

_READING_REQUEST = guard("reading a request")
_READING_TARGET = guard("reading the provider of a call")
_READING_ROUTING = guard("reading how LiteLLM carried a call")
_READING_RESPONSE = guard("reading a response")
_READING_USAGE = guard("reading a response's usage")
_READING_COST = guard("reading a response's cost")
_READING_EXCEPTION = guard("reading an exception")
_ENDING_SPAN = guard("ending a span")
_CANCELLATIONS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class Observation:
    """One logical call, from the request to the last chunk; its span ends exactly once."""

    __slots__ = (
        "__weakref__",
        "_context",
        "_ending",
        "_operation",
        "_parameters",
        "_request",
        "_route",
        "_span",
        "_started",
        "_started_at",
        "_streamed",
        "_telemetry",
        "attempts",
        "cooldown_time",
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
        if self.logging is not None:
            know(self.logging)
        self.cooldown_time: float | None = None
        """Seconds for which the Router has set the call's deployment aside."""
        self._route = _route_in(context)
        self._started_at = time_ns()
        self._started = perf_counter()
        self.attempts = AttemptsSoFar(self._started)
        self._span: Span = telemetry.start(self._begun(), context)
        around: Mapping[str, object] = set_span_in_context(self._span, context)
        if operation.calls_a_model:
            around = standing_aside(around)
        self._context: Context | None = Context({**around, CURRENT: self})
        self._request: Request | None = None
        if self._span.is_recording():
            with _READING_REQUEST:
                self._request = operation.shape.request(parameters)

    @property
    def open(self) -> bool:
        """Whether the call is still going on."""
        return not self._ending.locked()

    @property
    def calls_a_model(self) -> bool:
        """Whether it is a call of its own; else it is what LiteLLM does around calls."""
        return self._operation.calls_a_model

    @property
    def operation(self) -> str:
        """The name of its operation."""
        return self._operation.name

    def has(self, span: Span) -> bool:
        """Whether the span is its own."""
        return span is self._span

    def running(self) -> Running:
        """The block in which LiteLLM runs on the call's behalf."""
        return Running(self)

    def enter(self) -> Token[Context] | None:
        """LiteLLM starts to run on the call's behalf: until `leave`, the call's span is the current one."""
        context = self._context
        return None if context is None else attach(context)

    def leave(self, token: Token[Context] | None, error: BaseException | None = None) -> None:
        """LiteLLM stopped running: the end of an iteration ends the call well, another exception is its failure.

        A coroutine that is collected instead of finished is left in a foreign context, and leaves that as it is.
        """
        if token is not None and (error is None or get_current().get(CURRENT) is self):
            detach(token)
        if error is None:
            return
        if self._streamed is not None and isinstance(error, StopIteration | StopAsyncIteration):
            self._end("completed")
        else:
            self._end("cancelled" if isinstance(error, _CANCELLATIONS) else "failed", error=error)

    def attempt_failed(self, error: BaseException, cause: object, asked: Mapping[str, object]) -> None:
        """LiteLLM made `error` of `cause`; the parameters it `asked` with count where it had yet to turn to anyone."""
        attempts = self.attempts
        if attempts.is_news(error, cause):
            target = self._target() if attempts.under_way else readers.read_target(asked, None)
            attempts.fail(error, target, readers.read_failure(error))

    def returned(self, result: object) -> None:
        """LiteLLM gave its response."""
        self._end("completed", result=result)

    def streams(self, stream: object) -> None:
        """LiteLLM gave a stream of which the app will read, or not."""
        self._streamed = StreamedResponse(self._operation.shape.chunks(stream), perf_counter())
        OPEN_STREAMS.add(self)

    def received(self, token: Token[Context] | None, chunk: object) -> None:
        """The stream, entered with `token`, gave `chunk` just now."""
        now = perf_counter()
        if token is not None:
            detach(token)
        streamed = self._streamed
        if streamed is not None:
            streamed.add(chunk, now)

    def closed(self) -> None:
        """The app closed the stream."""
        self._end("closed")

    def abandoned(self) -> None:
        """Nobody will ask for another chunk: the call was over when the last one came."""
        self._end("abandoned")

    def disowned(self) -> None:
        """The call is the parent's, of which this process is a fork."""
        self._ending.acquire(blocking=False)
        self._release()

    def _end(self, outcome: StreamOutcome, *, result: object = None, error: BaseException | None = None) -> None:
        if not self._ending.acquire(blocking=False):
            return
        duration = perf_counter() - self._started
        with _ENDING_SPAN:
            if self._streamed is not None:
                OPEN_STREAMS.discard(self)
                if outcome == "abandoned":
                    duration = self._streamed.latest - self._started
            call = self._ended(duration, outcome, result, error)
            self._tell_route(call)
            self._telemetry.finish(self._span, call)
        self._release()

    def _tell_route(self, call: Call) -> None:
        """What the Router sends to one of its deployments is an attempt of the routed call."""
        if self._route is not None and call.routing is not None and call.routing.model_group is not None:
            ended = self._started + (call.timing.duration or 0)
            self._route.attempts.add(call.target, call.failure, self._started, ended)

    def _release(self) -> None:
        """Let go of what the app passed: our own context refers to us, so only the garbage collector would."""
        self._parameters, self._request, self._streamed = {}, None, None
        self._context = self.logging = self._route = None
        self.attempts = AttemptsSoFar(self._started)

    def _begun(self) -> Call:
        """The call as known when it starts."""
        operation = self._operation
        if operation.calls_a_model:
            name, routing = operation.name, None
        else:
            name, routing = None, self._routing()
        return Call(
            name=operation.name,
            operation=name,
            target=self._target(),
            routing=routing,
            timing=Timing(started_at=self._started_at),
        )

    def _ended(self, duration: float, outcome: StreamOutcome, result: object, error: BaseException | None) -> Call:
        """The whole call. What cannot be read is absent, and what can be is not lost with it."""
        routing: Routing | None = None
        failure: Failure | None = None
        stream: Stream | None = None
        answer: Answer = (None, None, None)
        if self._span.is_recording():  # only spans tell it: of a call that is not sampled there are only metrics
            routing = self._routing()
        if error is not None:
            with _READING_EXCEPTION:
                failure = readers.read_failure(error)
        if self._streamed is not None:
            stream = self._streamed.timed(outcome, self._started)
            answer = self._streamed_answer(self._streamed.chunks, outcome)
        elif error is None:
            answer = self._answer(result)
        response, usage, cost = answer
        target = self._target()
        return Call(
            name=self._operation.name,
            operation=self._operation.name if self._operation.calls_a_model else None,
            target=target,
            attempts=self.attempts.over(self._started + duration, target, failure),
            timing=Timing(started_at=self._started_at, duration=duration),
            routing=routing,
            request=self._request,
            response=response,
            usage=usage,
            cost=cost,
            stream=stream,
            failure=failure,
        )

    def _answer(self, result: object) -> Answer:
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        shape = self._operation.shape
        with _READING_RESPONSE:
            response = shape.response(result)
        with _READING_USAGE:
            usage = shape.usage(result)
        with _READING_COST:
            cost = shape.cost(result)
        return response, usage, cost

    def _streamed_answer(self, chunks: readers.Chunks, outcome: StreamOutcome) -> Answer:
        """As far as it came; LiteLLM prices a stream at its end."""
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        with _READING_RESPONSE:
            response = chunks.response()
        with _READING_USAGE:
            usage = chunks.usage()
        with _READING_COST:
            if usage is not None and outcome == "completed":
                cost = self._operation.shape.stream_cost(self.logging)
        return response, usage, cost

    def _target(self) -> Target:
        with _READING_TARGET:
            return self._operation.shape.target(self._parameters, self.logging)
        return Target()

    def _routing(self) -> Routing | None:
        with _READING_ROUTING:
            routing = self._operation.shape.routing(self._parameters, self.logging)
            return replace(routing, cooldown_time=self.cooldown_time) if self.cooldown_time is not None else routing
        return None


def _route_in(context: Mapping[str, object]) -> Observation | None:
    """The Router's call on whose behalf one is made right now."""
    around = observation_in(context)
    return around if around is not None and not around.calls_a_model else None


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
