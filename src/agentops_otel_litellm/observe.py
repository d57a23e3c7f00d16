"""Observation: a call while it happens."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from threading import Lock
from time import perf_counter, time_ns
from types import TracebackType
from typing import TYPE_CHECKING
from weakref import finalize

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
from agentops_otel_litellm.attempts import AttemptsSoFar, Try
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
        "_answered",
        "_context",
        "_ending",
        "_first_logging",
        "_forgotten",
        "_handed_on",
        "_kept_back",
        "_operation",
        "_parameters",
        "_request",
        "_routed",
        "_span",
        "_started",
        "_started_at",
        "_streamed",
        "_telemetry",
        "attempts",
        "cooldown_time",
        "logging",
        "provided",
        "translation",
        "usage_is_estimated",
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
        self._handed_on: float | None = None
        self._forgotten: finalize[..., object] | None = None
        self._answered: Answer | None = None
        self._kept_back: BaseException | None = None
        self.logging: object = parameters.get("litellm_logging_obj")
        """LiteLLM's logging object of the call, once there is one; the last, where LiteLLM made several."""
        if self.logging is not None:
            know(self.logging)
        self._first_logging = self.logging
        self.translation: object = None
        """The messages LiteLLM made of the app's, for a function of its own that it calls instead."""
        self.usage_is_estimated = False
        """Whether LiteLLM made up a usage, where the provider had counted nothing."""
        self.cooldown_time: float | None = None
        """Seconds for which the Router has set the call's deployment aside."""
        self.provided: object = None
        """The provider's part of a response of which LiteLLM's cache had the rest."""
        self._started_at = time_ns()
        self._started = perf_counter()
        self.attempts = AttemptsSoFar()
        self._span: Span = telemetry.start(self._begun(), context)
        around: Mapping[str, object] = set_span_in_context(self._span, context)
        if operation.calls_a_model:
            around = standing_aside(around)
        self._context: Context | None = Context({**around, CURRENT: self})
        self._routed: Try | None = None
        route = _route_in(context)
        if route is not None:
            self._is_tried_for(route)
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

    def set_up(self, logging: object) -> None:
        """LiteLLM set up the logging of the call, or of another that it makes for it: the first knows what was called,
        the last what came of it.
        """
        if self._first_logging is None:
            self._first_logging = logging
        self.logging = logging

    def is_continued_by(self, kwargs: Mapping[str, object]) -> bool:
        """Whether a call inside this one, with these parameters, is LiteLLM's next step of it, and no other's call.

        LiteLLM hands its logging object on. Where it has none yet, it has done nothing but make that call; and where
        it translates the app's request for another of its functions, the messages tell.
        """
        if kwargs.get("litellm_logging_obj") is not None or self.logging is None:
            return True
        return self.translation is not None and kwargs.get("messages") is self.translation

    def error_made(self, error: BaseException, of: object, at: float) -> None:
        """LiteLLM made its own error of one that came at that instant: it ends the attempt that is under way."""
        if self.attempts.under_way:
            self.attempt_failed(error, at)
        else:
            self.attempts.remade(of, error)

    def attempt_failed(self, error: BaseException, at: float, failure: Failure | None = None) -> None:
        """The attempt that is under way did."""
        self.attempts.fail(error, at, self._target(), failure or readers.read_failure(error))

    def try_failed(self, error: BaseException, asked: Mapping[str, object]) -> None:
        """LiteLLM called itself, to try this once, with the parameters it `asked` with: they count where it failed
        before it turned to anyone.
        """
        attempts, now = self.attempts, perf_counter()
        if attempts.under_way:
            self.attempt_failed(error, now)
        elif not attempts.failed_with(error):
            attempts.fail(error, now, readers.read_target(asked, None), readers.read_failure(error))

    def answered(self, answer: object, error: BaseException | None) -> None:
        """LiteLLM has an answer, or an error, that it will keep to itself."""
        if answer is not None:
            self._answered = self._answer(answer)
        self._kept_back = error

    def returned(self, result: object) -> None:
        """LiteLLM gave its response."""
        error = self._kept_back
        self._end("completed" if error is None else "failed", result=result, error=error)

    def streams(self, stream: object) -> None:
        """LiteLLM gave a stream of which the app will read, or not."""
        self._streamed = StreamedResponse(self._operation.shape.chunks(stream), perf_counter())
        self.attempts.forget_errors()
        OPEN_STREAMS.add(self)

    def hands_on(self, rest: object) -> None:
        """LiteLLM gave something that does the rest, such as a coroutine, which the app will use, or not."""
        self._handed_on = perf_counter()
        self._forgotten = finalize(rest, OPEN_STREAMS.forget, self)
        self._forgotten.atexit = False
        OPEN_STREAMS.add(self)

    def resumes(self) -> None:
        """The app uses it."""
        if self._forgotten is not None:
            self._forgotten.detach()
        OPEN_STREAMS.discard(self)

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
        """Nobody will ask for another chunk, or for any: the call was over at the last sign of life."""
        self._end("abandoned")

    def disowned(self) -> None:
        """The call is another's to tell of: of the process that this is a fork of, or of another function's."""
        self._ending.acquire(blocking=False)
        self._release()

    def _end(self, outcome: StreamOutcome, *, result: object = None, error: BaseException | None = None) -> None:
        if not self._ending.acquire(blocking=False):
            return
        duration = perf_counter() - self._started
        with _ENDING_SPAN:
            if self._streamed is not None or self._handed_on is not None:
                OPEN_STREAMS.discard(self)
                if outcome == "abandoned":
                    latest = self._handed_on if self._streamed is None else self._streamed.latest
                    duration = (latest or self._started) - self._started
            call = self._ended(duration, outcome, result, error)
            call = self._telemetry.finish(self._span, call)
            self._was_tried(call)
        self._release()

    def _is_tried_for(self, route: Observation) -> None:
        """What the Router sends to one of its deployments is an attempt at the routed call. (What else is called on its
        way, to choose one say, does not have a deployment's id.)
        """
        routing = self._routing()
        if routing is not None and routing.model_id is not None:
            self._routed = route.attempts.add(self._started, self._target(), routing)

    def _was_tried(self, call: Call) -> None:
        if self._routed is not None:
            self._routed.ended = self._started + (call.timing.duration or 0)
            self._routed.target, self._routed.failure = call.target, call.failure
            self._routed.needless = call.response is not None and call.response.cache_hit is True

    def _release(self) -> None:
        """Let go of what the app passed: our own context refers to us, so only the garbage collector would."""
        self._parameters, self._request, self._streamed = {}, None, None
        self._context = self.logging = self._first_logging = self.translation = None
        self._forgotten = self._routed = self.provided = None
        self._answered = self._kept_back = None
        self.attempts = AttemptsSoFar()

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
            chunks = self._streamed.chunks
            if failure is None and chunks.failure is not None:
                outcome, failure = "failed", chunks.failure
            stream = self._streamed.timed(outcome, self._started)
            answer = self._streamed_answer(chunks, outcome)
        elif self._answered is not None:
            answer = self._answered
        elif outcome == "completed":
            answer = self._answer(result)
        response, usage, cost = answer
        target = self._target()
        return Call(
            name=self._operation.name,
            operation=self._operation.name if self._operation.calls_a_model else None,
            target=target,
            attempts=self.attempts.over(self._started, self._started + duration, target, failure),
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
        shape, bought = self._operation.shape, result if self.provided is None else self.provided
        with _READING_RESPONSE:
            response = self._marked(shape.response(result))
        with _READING_USAGE:
            usage = shape.usage(bought)
        with _READING_COST:
            cost = shape.cost(bought)
            if usage is not None and not (cost and cost.total):
                cost = shape.price(bought, self.logging) or cost
        return response, usage, cost

    def _marked(self, response: Response) -> Response:
        """With what else is known of LiteLLM's cache. Of a response with parts from it, it says they all are."""
        if self.provided is not None:
            return replace(response, cache_hit=None, partial_cache_hit=True)
        return replace(response, cache_hit=True) if readers.read_cache_hit(self.logging) else response

    def _streamed_answer(self, chunks: readers.Chunks, outcome: StreamOutcome) -> Answer:
        """As far as it came; LiteLLM prices a stream at its end."""
        response: Response | None = None
        usage: Usage | None = None
        cost: Cost | None = None
        with _READING_RESPONSE:
            response = self._marked(chunks.response())
        if not self.usage_is_estimated:
            with _READING_USAGE:
                usage = chunks.usage()
        shape = self._operation.shape
        with _READING_COST:
            if usage is not None and outcome == "completed":
                cost = shape.stream_cost(self.logging)
                if not (cost and cost.total):
                    cost = shape.price(chunks, self.logging) or cost
        return response, usage, cost

    def _target(self) -> Target:
        with _READING_TARGET:
            return self._operation.shape.target(self._parameters, self.logging)
        return Target()

    def _routing(self) -> Routing | None:
        with _READING_ROUTING:
            routing = self._operation.shape.routing(self._parameters, self._first_logging)
            return replace(routing, cooldown_time=self.cooldown_time) if self.cooldown_time is not None else routing
        return None


def _route_in(context: Mapping[str, object]) -> Observation | None:
    """The Router's call on whose behalf one is made right now."""
    around = observation_in(context)
    return around if around is not None and around.operation == "route" else None


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
