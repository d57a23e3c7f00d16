"""Observation: a call while it happens."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import finalize

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,
    Context,
    attach,
    create_key,
    detach,
    get_current,
)
from opentelemetry.trace import INVALID_SPAN, get_current_span, set_span_in_context

from agentops_otel_litellm.background import BACKGROUND
from agentops_otel_litellm.call import (
    Call,
    StreamOutcome,
)
from agentops_otel_litellm.features import COOLDOWNS, ERRORS, FEATURES, ROUTES
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.account import Account
from agentops_otel_litellm.observing.attempts import Try
from agentops_otel_litellm.observing.streamed_response import StreamedResponse
from agentops_otel_litellm.observing.suppression import standing_aside
from agentops_otel_litellm.observing.trace_cost import TraceCost, trace_cost_of
from agentops_otel_litellm.open_streams import OPEN_STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from contextvars import Token

    from opentelemetry.trace import Span

    from agentops_otel_litellm.emit import Telemetry
    from agentops_otel_litellm.operations import Operation

CURRENT = create_key("agentops_otel_litellm.observation")
"""Where an OpenTelemetry context holds the observation it is inside of."""

_SPAN_OUTSIDE = create_key("agentops_otel_litellm.span_outside")
"""Where a context of an observation holds the span that was current outside of all observations."""


def outside_of_calls(context: Context) -> Context:
    """The context with the span that was current before LiteLLM was called, if the current one is ours."""
    span = _span_outside(context)
    return context if span is get_current_span(context) else set_span_in_context(span, context)


def _span_outside(context: Context) -> Span:
    current, around = get_current_span(context), context.get(CURRENT)
    if not isinstance(around, Observation) or not around.has_id_of(current):
        return current
    span: Span = context.get(_SPAN_OUTSIDE, INVALID_SPAN)  # type: ignore[assignment]  # nothing else is put there
    return span


def observation_in(context: Mapping[str, object]) -> Observation | None:
    """The observation a context is inside of, if its call is still going on."""
    observation = context.get(CURRENT)
    return observation if isinstance(observation, Observation) and observation.open else None


def call_in(context: Mapping[str, object]) -> Observation | None:
    """The same, where it is of a call of a model, and not of what LiteLLM does around calls."""
    observation = observation_in(context)
    return observation if observation is not None and observation.calls_a_model else None


def is_suppressed(context: Mapping[str, object]) -> bool:
    """What `is_instrumentation_enabled()` says, which looks for the context twice more."""
    return bool(context.get(_SUPPRESS_INSTRUMENTATION_KEY) or context.get("suppress_instrumentation"))


_TAKING_ANSWER = guard("taking what a call within another gave")
_PLACING_CALL = guard("placing a call among others")
_READING_REQUEST = guard("reading what a call is asked")
_ENDING_SPAN = guard("ending a span")
_READING_CALL = guard("putting a call together")
_CANCELLATIONS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class Observation:
    """One logical call, from the request to the last chunk; its span ends exactly once."""

    __slots__ = (
        "__weakref__",
        "_context",
        "_ending",
        "_forgotten",
        "_handed_on",
        "_inside",
        "_is_finished",
        "_operation",
        "_outside",
        "_route",
        "_routed",
        "_span",
        "_streamed",
        "_telemetry",
        "_unsettled",
        "account",
        "settles_attempts",
        "trace_cost",
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
        self._ending = Lock()
        self._is_finished = False
        """Whether the span is being ended."""
        self._outside: Context | None = context
        """The context that the call was made in."""
        self._streamed: StreamedResponse | None = None
        self._handed_on: float | None = None
        self._forgotten: finalize[..., object] | None = None
        self._route: Observation | None = None
        self._routed: Try | None = None
        self._unsettled: Callable[[str | None, float | None], None] | None = None
        """What ends the span of the attempt that failed last, once the Router has decided on a cooldown."""
        self.settles_attempts = False
        """Whether it is a route of the Router's Rust core, which decides on a cooldown after the attempt is over."""
        self._inside: Observation | None = None
        self.trace_cost: TraceCost | None = None
        """What is spent in the trace, where the first span of it is ours."""
        self.account = Account(operation, parameters)
        """What is known of the call."""
        aside: Mapping[str, object] = standing_aside(context) if operation.calls_a_model else {}
        self._span: Span = telemetry.start(self.account.begun(), context)
        # The span is open, and only an observation ends it: what fails from here on is done without.
        inside = {**aside, **set_span_in_context(self._span, context)}
        self._context: Context | None = Context({**inside, CURRENT: self, _SPAN_OUTSIDE: _span_outside(context)})
        try:
            with _PLACING_CALL:
                self._take_place(context)
            with _READING_REQUEST:
                self._read_what_is_asked(context)
        except BaseException as error:
            self.interrupted(error)
            raise

    @classmethod
    def begin(
        cls, telemetry: Telemetry, operation: Operation, parameters: Mapping[str, object], context: Context
    ) -> Observation:
        """Return the observation of a call that begins. If a signal handler of the application's raises before the span
        is open, the call is recorded as one that failed with that.
        """
        observation = cls.__new__(cls)
        try:
            observation.__init__(telemetry, operation, parameters, context)  # type: ignore[misc]  # it has not run
            return observation  # noqa: TRY300 - here, too, one may be raised
        except BaseException as error:
            if not hasattr(observation, "_span"):
                observation = cls(telemetry, operation, parameters, context)
            observation.interrupted(error)
            raise

    def _take_place(self, context: Context) -> None:
        """Beneath and beside others."""
        around, outside = context.get(CURRENT), observation_in(context)
        self.trace_cost = trace_cost_of(
            self._span, context, around.trace_cost if isinstance(around, Observation) else None
        )
        if outside is not None:
            self._inside = outside if outside.calls_a_model else outside._inside  # noqa: SLF001 - another of the kind
            if outside.operation == "route":
                self._is_tried_for(outside)

    def _read_what_is_asked(self, context: Context) -> None:
        """Where a span tells of it."""
        account, telemetry = self.account, self._telemetry
        if self._span.is_recording():
            account.reader.is_recorded = True
            account.read_request()
            account.read_app(context, telemetry.metadata_keys, telemetry.baggage_keys)
            if telemetry.records_content:
                account.read_content()

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

    def has_id_of(self, span: Span) -> bool:
        """Whether the span is its own, or stands for it: callbacks have one that does not record."""
        return span is self._span or span.get_span_context() == self._span.get_span_context()

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
        if error is None:
            if token is not None:
                detach(token)
            return
        if get_current().get(CURRENT) is self:
            if token is not None:
                detach(token)
            else:  # a signal handler raised an exception before the token was stored
                self._step_outside()
        if self._streamed is not None and isinstance(error, StopIteration | StopAsyncIteration):
            self._end("completed")
        else:
            self._end("cancelled" if isinstance(error, _CANCELLATIONS) else "failed", error=error)

    def interrupted(self, error: BaseException) -> None:
        """An exception is on its way to the application, which a signal handler may have raised at any point of ours.

        A call that has ended is left alone. If the call's context was made the current one and nothing else is going
        to undo that, the one outside is the current one again.
        """
        if self.open and get_current().get(CURRENT) is self:
            self._step_outside()
        self._end("cancelled" if isinstance(error, _CANCELLATIONS) else "failed", error=error)

    def _step_outside(self) -> None:
        if self._outside is not None:
            attach(self._outside)

    def returned(self, result: object) -> None:
        """LiteLLM gave its response."""
        error = self.account.error
        self._gave(result)
        self._end("completed" if error is None else "failed", result=result, error=error)

    def streams(self, stream: object) -> None:
        """LiteLLM gave a stream of which the app will read, or not."""
        self._gave(stream)
        if self.account.answers is not None:
            self.account.answers.give(stream)
        self._streamed = StreamedResponse(self.account.chunks(stream), perf_counter(), self.account.transcript())
        self.account.attempts.forget_errors()
        OPEN_STREAMS.add(self)

    def hands_on(self, rest: Coroutine[Any, Any, Any] | None = None) -> None:
        """LiteLLM returned something that does the rest, which the app will use, or not: the coroutine `rest`, or a
        stream manager, which is wrapped.
        """
        self._handed_on = perf_counter()
        if rest is not None:
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

    def forgotten(self) -> None:
        """Nobody can read the stream any more. A finalizer calls this: it waits for no lock; a thread does the rest.

        LiteLLM's stream is let go of here, so that it ends on the thread and in the context of whoever dropped it.
        """
        if self.open:
            with suppress(Exception):  # nothing could be logged here without waiting for a lock
                self._let_go_of_stream()
            OPEN_STREAMS.forget(self)

    def _let_go_of_stream(self) -> None:
        if self._streamed is not None:
            self._streamed.chunks.let_go()
        if self.account.answers is not None:
            self.account.answers.let_go_of_streams()

    def closed(self) -> None:
        """The app closed the stream."""
        self._end("closed")

    def abandoned(self) -> None:
        """Nobody will ask for another chunk, or for any: the call was over at the last sign of life."""
        self._end("abandoned")

    def so_far(self) -> Call | None:
        """The call as known, where it is one of a model and its stream has not ended. Asked by any thread."""
        if self._streamed is None or not self.calls_a_model:
            return None
        call = self.account.begun()
        return call if self.open else None

    def settle(self, model_id: str | None = None, cooldown_time: float | None = None) -> None:
        """End the span of the attempt that failed last, if it still waits for the Router's decision.

        `cooldown_time` is in seconds, `None` if the deployment `model_id` is not set aside.
        """
        unsettled, self._unsettled = self._unsettled, None
        if unsettled is not None:
            unsettled(model_id, cooldown_time)

    def disowned(self) -> None:
        """The call is another's to tell of: of the process that this is a fork of, or of another function's."""
        self._ending.acquire(blocking=False)
        self._unsettled = None
        if self.trace_cost is not None:
            self.trace_cost.left_out(self._span)
        self._release()

    def _end(self, outcome: StreamOutcome, *, result: object = None, error: BaseException | None = None) -> None:
        duration = perf_counter() - self.account.started
        is_collected = isinstance(error, GeneratorExit)
        try:
            if not self._ending.acquire(blocking=False):
                return
            if is_collected:
                # The garbage collector closes a coroutine that nobody awaits any more, on any thread and with any lock
                # held. The span processors and exporters, which take locks, run elsewhere.
                BACKGROUND.submit(partial(self._complete, duration, outcome, result=result, error=error))
            else:
                self._complete(duration, outcome, result=result, error=error)
        except BaseException:  # what a signal handler of the application's raised here: the call is recorded first
            self._ending.acquire(blocking=False)  # it may have been raised before the line above ran
            if not is_collected and (not self._is_finished or self._span.is_recording()):
                self._complete(duration, outcome, result=result, error=error)
            raise

    def _complete(
        self, duration: float, outcome: StreamOutcome, *, result: object, error: BaseException | None
    ) -> None:
        self.settle()
        account, streamed = self.account, self._streamed
        with _ENDING_SPAN:
            if streamed is not None or self._handed_on is not None:
                OPEN_STREAMS.discard(self)
                if outcome == "abandoned":
                    latest = self._handed_on if streamed is None else streamed.latest
                    duration = (latest or account.started) - account.started
            call: Call | None = None
            with _READING_CALL:
                call = account.ended(duration, outcome, result=result, streamed=streamed, error=error)
            call = call or account.begun()
            route = self._route
            if route is not None and route.settles_attempts and route.open and call.failure is not None:
                route.settle()
                route._unsettled = partial(self._finish_settled, call)  # noqa: SLF001 - another of the kind
                return
            self._finish(call)
        self._release()

    def _finish(self, call: Call) -> None:
        self._require_features(call)
        self._is_finished = True
        call = self._telemetry.finish(self._span, call, self.trace_cost)
        self._was_tried(call)
        if self._inside is not None and self._inside.account.answers is not None:
            self._inside.account.answers.come_of_another_as(call.response)

    def _finish_settled(self, call: Call, model_id: str | None, cooldown_time: float | None) -> None:
        """Finish the failed attempt `call`, now that the Router has decided on a cooldown of the deployment."""
        with _ENDING_SPAN:
            routing = call.routing
            if routing is not None and cooldown_time is not None and routing.model_id == model_id:
                call = replace(call, routing=replace(routing, cooldown_time=cooldown_time))
            self._finish(call)
        self._release()

    def _require_features(self, call: Call) -> None:
        """What the call shows the application to use."""
        if not self.calls_a_model:
            return
        if call.failure is not None:
            FEATURES.require(ERRORS)
        if call.routing is not None and call.routing.model_group is not None and call.routing.model_id is not None:
            FEATURES.require(ROUTES)
            if call.failure is not None:
                FEATURES.require(COOLDOWNS)

    def _is_tried_for(self, route: Observation) -> None:
        """What the Router sends to one of its deployments is an attempt at the routed call. (What else is called on its
        way, to choose one say, does not have a deployment's id.)
        """
        account = self.account
        routing = account.routing()
        if routing is not None and routing.model_id is not None:
            route.settle()
            self._route = route
            self._routed = route.account.attempts.add(account.started, account.target(), routing)

    def _gave(self, result: object) -> None:
        """That may be given as the answer to the call that this one is made in."""
        if self._inside is None or not self._inside.open:
            return
        with _TAKING_ANSWER:
            self._inside.account.answers_now().come_of_another(result)

    def _was_tried(self, call: Call) -> None:
        if self._routed is not None:
            self._routed.ended = self.account.started + (call.timing.duration or 0)
            self._routed.target, self._routed.failure = call.target, call.failure
            self._routed.needless = call.response is not None and call.response.cache_hit is True

    def _release(self) -> None:
        """Let go of what the app passed: our own context refers to us, so only the garbage collector would."""
        self._context = self._outside = self._streamed = self._forgotten = self._route = self._routed = self._inside = (
            None
        )
        self.account.let_go()


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
