"""Invocation: a call while it is in progress."""

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

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, create_key, detach, get_current
from opentelemetry.trace import INVALID_SPAN, get_current_span, set_span_in_context

from agentops_otel_litellm.background import BACKGROUND
from agentops_otel_litellm.call import Call, StreamOutcome
from agentops_otel_litellm.features import COOLDOWNS, ERRORS, FEATURES, ROUTES
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.attempts import RunningAttempt
from agentops_otel_litellm.invocation.call_state import CallState
from agentops_otel_litellm.invocation.streamed_response import StreamedResponse
from agentops_otel_litellm.invocation.suppression import suppress_others
from agentops_otel_litellm.invocation.trace_cost import TraceCost, trace_cost_of
from agentops_otel_litellm.open_streams import OPEN_STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from contextvars import Token

    from opentelemetry.trace import Span

    from agentops_otel_litellm.operations import Operation
    from agentops_otel_litellm.telemetry import Telemetry

CURRENT = create_key("agentops_otel_litellm.invocation")
"""The key of an OpenTelemetry context for the current invocation."""

_SPAN_OUTSIDE = create_key("agentops_otel_litellm.span_outside")
"""The key of an invocation's context for the span that was current outside of all invocations."""


def outside_of_calls(context: Context) -> Context:
    """Return the context in which the current span is not the span of a call, but the span that was current before."""
    span = _span_outside(context)
    return context if span is get_current_span(context) else set_span_in_context(span, context)


def _span_outside(context: Context) -> Span:
    current, invocation = get_current_span(context), context.get(CURRENT)
    if not isinstance(invocation, Invocation) or not invocation.has_span_id_of(current):
        return current
    span: Span = context.get(_SPAN_OUTSIDE, INVALID_SPAN)  # type: ignore[assignment]  # nothing else is put there
    return span


def invocation_in(context: Mapping[str, object]) -> Invocation | None:
    """The current invocation of a context, if its call has not ended."""
    invocation = context.get(CURRENT)
    return invocation if isinstance(invocation, Invocation) and invocation.open else None


def call_in(context: Mapping[str, object]) -> Invocation | None:
    """The current invocation of a model call in a context, if the call has not ended."""
    invocation = invocation_in(context)
    return invocation if invocation is not None and invocation.calls_a_model else None


def is_suppressed(context: Mapping[str, object]) -> bool:
    """Whether instrumentation is suppressed in this context.

    OpenTelemetry's `is_instrumentation_enabled()` is not used, because it would get the current context twice.
    """
    return bool(context.get(_SUPPRESS_INSTRUMENTATION_KEY) or context.get("suppress_instrumentation"))


_RECORDING_NESTED = guard("recording the result of a nested call")
_RELATING_CALL = guard("finding the enclosing call and the route of a call")
_READING_REQUEST = guard("reading the request of a call")
_ENDING_SPAN = guard("ending a span")
_READING_CALL = guard("reading a finished call")
_CANCELLATIONS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class Invocation:
    """One call, from the request to the last chunk. It starts the span of the call, and ends it exactly once."""

    __slots__ = (
        "__weakref__",
        "_context",
        "_enclosing_call",
        "_ending",
        "_finalizer",
        "_is_finished",
        "_operation",
        "_outer_context",
        "_route",
        "_route_attempt",
        "_span",
        "_streamed",
        "_telemetry",
        "_unsettled",
        "_waiting_since",
        "settles_attempts",
        "state",
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
        self._outer_context: Context | None = context
        """The context in which the application made the call."""
        self._streamed: StreamedResponse | None = None
        self._waiting_since: float | None = None
        """When LiteLLM returned a coroutine or a stream manager that the application has not used yet."""
        self._finalizer: finalize[..., object] | None = None
        self._route: Invocation | None = None
        """The route of which this call is an attempt. `_route_attempt` is the attempt."""
        self._route_attempt: RunningAttempt | None = None
        self._unsettled: Callable[[str | None, float | None], None] | None = None
        """Ends the span of the last failed attempt, once the Router has decided on a cooldown."""
        self.settles_attempts = False
        """Whether this call is a route of the Router's Rust core, which decides on a cooldown when the attempt is
        over. Then the span of a failed attempt is ended only after this decision.
        """
        self._enclosing_call: Invocation | None = None
        self.trace_cost: TraceCost | None = None
        """The cost of the trace, if the first span of the trace in this process is the span of a call."""
        self.state = CallState(operation, parameters)
        """The facts that are known about the call."""
        suppressed: Mapping[str, object] = suppress_others(context) if operation.calls_a_model else {}
        self._span: Span = telemetry.start(self.state.initial_call(), context)
        # The span is open, and only an invocation ends it. So nothing below may raise, except a signal handler.
        inside = {**suppressed, **set_span_in_context(self._span, context)}
        self._context: Context | None = Context({**inside, CURRENT: self, _SPAN_OUTSIDE: _span_outside(context)})
        try:
            with _RELATING_CALL:
                self._relate_to_others(context)
            with _READING_REQUEST:
                self._read_request(context)
        except BaseException as error:
            self.end_with_error(error)
            raise

    @classmethod
    def begin(
        cls, telemetry: Telemetry, operation: Operation, parameters: Mapping[str, object], context: Context
    ) -> Invocation:
        """Return the invocation of a call that begins.

        If a signal handler of the application raises before the span is open, the call is recorded as one that failed
        with that exception.
        """
        invocation = cls.__new__(cls)
        try:
            invocation.__init__(telemetry, operation, parameters, context)  # type: ignore[misc]  # it has not run
            return invocation  # noqa: TRY300 - a signal handler may raise here
        except BaseException as error:
            if not hasattr(invocation, "_span"):
                invocation = cls(telemetry, operation, parameters, context)
            invocation.end_with_error(error)
            raise

    def _relate_to_others(self, context: Context) -> None:
        """Find the trace's cost, the enclosing call and the route that the call is a part of."""
        parent, open_parent = context.get(CURRENT), invocation_in(context)
        self.trace_cost = trace_cost_of(
            self._span, context, parent.trace_cost if isinstance(parent, Invocation) else None
        )
        if open_parent is not None:
            is_call = open_parent.calls_a_model
            self._enclosing_call = open_parent if is_call else open_parent._enclosing_call  # noqa: SLF001 - same class
            if open_parent.operation == "route":
                self._add_to_route(open_parent)

    def _read_request(self, context: Context) -> None:
        """Read the request, if the span is recorded."""
        state, telemetry = self.state, self._telemetry
        if self._span.is_recording():
            state.reader.is_recorded = True
            state.read_request()
            state.read_app(context, telemetry.metadata_keys, telemetry.baggage_keys)
            if telemetry.records_content:
                state.read_content()

    @property
    def open(self) -> bool:
        """Whether the call has not ended."""
        return not self._ending.locked()

    @property
    def calls_a_model(self) -> bool:
        """Whether this call is a call of a model, and not an operation around calls, such as a route or a batch."""
        return self._operation.calls_a_model

    @property
    def operation(self) -> str:
        """The name of its operation."""
        return self._operation.name

    def has_span(self, span: Span) -> bool:
        """Whether `span` is the span of this call."""
        return span is self._span

    def has_span_id_of(self, span: Span) -> bool:
        """Whether `span` has the ids of this call's span. Callbacks run in a non-recording span with the same ids."""
        return span is self._span or span.get_span_context() == self._span.get_span_context()

    def running(self) -> Running:
        """Return the context manager of a block in which LiteLLM runs for the call."""
        return Running(self)

    def enter(self) -> Token[Context] | None:
        """Make the call's span the current span, until `leave`, because LiteLLM starts to run for the call."""
        context = self._context
        return None if context is None else attach(context)

    def leave(self, token: Token[Context] | None, error: BaseException | None = None) -> None:
        """Restore the context, because LiteLLM has stopped running. If `error` is the end of the stream's iteration,
        the call is completed; any other error fails it.

        If a coroutine is collected before it has finished, this method runs in a different context, which is not
        changed.
        """
        if error is None:
            if token is not None:
                detach(token)
            return
        if get_current().get(CURRENT) is self:
            if token is not None:
                detach(token)
            else:  # a signal handler raised an exception before the token was stored
                self._restore_outer_context()
        if self._streamed is not None and isinstance(error, StopIteration | StopAsyncIteration):
            self._end("completed")
        else:
            self._fail(error)

    def end_with_error(self, error: BaseException) -> None:
        """End the call, if it has not ended, because `error` is being raised in the application.

        A signal handler may have raised it at any point of this package's code. If the context of the call is still the
        current one, the outer context is restored, because nothing else will detach it.
        """
        if self.open and get_current().get(CURRENT) is self:
            self._restore_outer_context()
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._end("cancelled" if isinstance(error, _CANCELLATIONS) else "failed", error=error)

    def _restore_outer_context(self) -> None:
        if self._outer_context is not None:
            attach(self._outer_context)

    def end_with_result(self, result: object) -> None:
        """End the call with the response that LiteLLM has returned, which is not a stream."""
        error = self.state.error
        self._offer_to_enclosing_call(result)
        self._end("completed" if error is None else "failed", result=result, error=error)

    def start_stream(self, stream: object) -> None:
        """Start to record the stream that LiteLLM has returned. The application may read it or drop it."""
        self._offer_to_enclosing_call(stream)
        if self.state.nested is not None:
            self.state.nested.set_result(stream)
        self._streamed = StreamedResponse(self.state.chunks(stream), perf_counter())
        self.state.attempts.forget_errors()
        OPEN_STREAMS.add(self)

    def wait_for_use(self, coroutine: Coroutine[Any, Any, Any] | None = None) -> None:
        """Keep the call open: LiteLLM has returned an object that makes the call when the application uses the object.

        The object is `coroutine`, or a stream manager. The wrapper of a stream manager reports when it is collected.
        """
        self._waiting_since = perf_counter()
        if coroutine is not None:
            self._finalizer = finalize(coroutine, OPEN_STREAMS.end_dropped, self)
            self._finalizer.atexit = False
        OPEN_STREAMS.add(self)

    def resume(self) -> None:
        """Resume the call, because the application awaits the coroutine."""
        if self._finalizer is not None:
            self._finalizer.detach()
        OPEN_STREAMS.discard(self)

    def add_chunk(self, token: Token[Context] | None, chunk: object) -> None:
        """Record `chunk`, which the stream has just returned, and detach the context that `enter` attached with
        `token`.
        """
        now = perf_counter()
        if token is not None:
            detach(token)
        streamed = self._streamed
        if streamed is not None:
            streamed.add(chunk, now)

    def drop_stream(self) -> None:
        """Have the background thread end the call, because the application has dropped the stream.

        A finalizer calls this, so it must not wait for a lock.

        LiteLLM's stream is released here, so that it is finalized on the thread and in the context in which the
        application dropped it.
        """
        if self.open:
            with suppress(Exception):  # logging would wait for a lock
                self._release_stream()
            OPEN_STREAMS.end_dropped(self)

    def _release_stream(self) -> None:
        if self._streamed is not None:
            self._streamed.chunks.release()
        if self.state.nested is not None:
            self.state.nested.release_streams()

    def close(self) -> None:
        """End the call, because the application has closed the stream."""
        self._end("closed")

    def abandon(self) -> None:
        """End the call, because nobody can read the stream any more. The call ends at the time of the last chunk;
        without a chunk, at the time at which LiteLLM returned the stream.
        """
        self._end("abandoned")

    def open_stream_call(self) -> Call | None:
        """The call with the facts that are known now; `None` if its stream is not open, or it calls no model.

        Any thread may call this.
        """
        if self._streamed is None or not self.calls_a_model:
            return None
        call = self.state.initial_call()
        return call if self.open else None

    def settle_attempt(self, model_id: str | None = None, cooldown_time: float | None = None) -> None:
        """End the span of the last failed attempt, if it still waits for the Router's decision.

        `cooldown_time` is in seconds, `None` if the deployment `model_id` is not put into cooldown.
        """
        unsettled, self._unsettled = self._unsettled, None
        if unsettled is not None:
            unsettled(model_id, cooldown_time)

    def disown(self) -> None:
        """Do not record the call: this process is a fork, and its parent records it."""
        self._ending.acquire(blocking=False)
        self._unsettled = None
        if self.trace_cost is not None:
            self.trace_cost.discard(self._span)
        self._release()

    def _end(self, outcome: StreamOutcome, *, result: object = None, error: BaseException | None = None) -> None:
        """End the call, unless it has ended. If the garbage collector closes a coroutine, the background thread ends
        it.
        """
        duration = perf_counter() - self.state.started
        is_collected = isinstance(error, GeneratorExit)
        try:
            if not self._ending.acquire(blocking=False):
                return
            if is_collected:
                # The garbage collector closes a coroutine that nobody awaits any more. It runs on any thread, which may
                # own any lock, so the span processors and exporters, which take locks, run on the background thread.
                BACKGROUND.submit(partial(self._complete, duration, outcome, result=result, error=error))
            else:
                self._complete(duration, outcome, result=result, error=error)
        except BaseException:  # raised by a signal handler of the application: the call is recorded first
            self._ending.acquire(blocking=False)  # it may have been raised before the line above ran
            if not is_collected and (not self._is_finished or self._span.is_recording()):
                self._complete(duration, outcome, result=result, error=error)
            raise

    def _complete(
        self, duration: float, outcome: StreamOutcome, *, result: object, error: BaseException | None
    ) -> None:
        """Read the finished call and end its span. A failed attempt of a route may wait for the Router's decision
        first.
        """
        self.settle_attempt()
        state, streamed = self.state, self._streamed
        with _ENDING_SPAN:
            if streamed is not None or self._waiting_since is not None:
                OPEN_STREAMS.discard(self)
                if outcome == "abandoned":
                    latest = self._waiting_since if streamed is None else streamed.latest
                    duration = (latest or state.started) - state.started
            call: Call | None = None
            with _READING_CALL:
                call = state.final_call(duration, outcome, result=result, streamed=streamed, error=error)
            call = call or state.initial_call()
            route = self._route
            if route is not None and route.settles_attempts and route.open and call.failure is not None:
                route.settle_attempt()
                route._unsettled = partial(self._finish_settled, call)  # noqa: SLF001 - same class
                return
            self._finish(call)
        self._release()

    def _finish(self, call: Call) -> None:
        self._require_features(call)
        self._is_finished = True
        call = self._telemetry.finish(self._span, call, self.trace_cost)
        self._end_route_attempt(call)
        if self._enclosing_call is not None and self._enclosing_call.state.nested is not None:
            self._enclosing_call.state.nested.add_nested_response(call.response)

    def _finish_settled(self, call: Call, model_id: str | None, cooldown_time: float | None) -> None:
        """Finish the failed attempt `call`, now that the Router has decided on a cooldown of the deployment."""
        with _ENDING_SPAN:
            routing = call.routing
            if routing is not None and cooldown_time is not None and routing.model_id == model_id:
                call = replace(call, routing=replace(routing, cooldown_time=cooldown_time))
            self._finish(call)
        self._release()

    def _require_features(self, call: Call) -> None:
        """Warn if LiteLLM lacks a function of a feature that the application uses with this call."""
        if not self.calls_a_model:
            return
        if call.failure is not None:
            FEATURES.require(ERRORS)
        if call.routing is not None and call.routing.model_group is not None and call.routing.model_id is not None:
            FEATURES.require(ROUTES)
            if call.failure is not None:
                FEATURES.require(COOLDOWNS)

    def _add_to_route(self, route: Invocation) -> None:
        """Add this call to the attempts of the route, if it is a call of one of the Router's deployments.

        Different calls inside a route, for instance a call that chooses a deployment, have no id of a deployment. If an
        earlier attempt waits for the Router's decision on a cooldown, it is ended: the decision was that there is none.
        """
        state = self.state
        routing = state.routing()
        if routing is not None and routing.model_id is not None:
            route.settle_attempt()
            self._route = route
            self._route_attempt = route.state.attempts.add(state.started, state.target(), routing)

    def _offer_to_enclosing_call(self, result: object) -> None:
        """Report the result to the enclosing call, because LiteLLM may return it as the result of that call, too."""
        if self._enclosing_call is None or not self._enclosing_call.open:
            return
        with _RECORDING_NESTED:
            self._enclosing_call.state.require_nested_responses().add_nested_result(result)

    def _end_route_attempt(self, call: Call) -> None:
        attempt = self._route_attempt
        if attempt is not None:
            attempt.ended = self.state.started + (call.timing.duration or 0)
            attempt.target, attempt.failure = call.target, call.failure
            attempt.from_cache = call.response is not None and call.response.cache_hit is True

    def _release(self) -> None:
        """Release the application's objects. The context of the call refers to this invocation and this invocation to
        the context; without this method, only the garbage collector would free the objects.
        """
        self._context = self._outer_context = self._streamed = self._finalizer = None
        self._route = self._route_attempt = self._enclosing_call = None
        self.state.release()


class Running:
    """A block in which LiteLLM runs for a call. Threads and tasks may share a stream, so each block has its own
    object.
    """

    __slots__ = ("_invocation", "_token")

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def __enter__(self) -> None:
        self._token = self._invocation.enter()

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._invocation.leave(self._token, error)
