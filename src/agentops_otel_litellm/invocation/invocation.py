"""Invocation: a call while it is in progress, from the request to the last chunk."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial
from threading import Lock
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any
from weakref import finalize

from agentops_otel_litellm import readers
from agentops_otel_litellm.background import BACKGROUND, OPEN_STREAMS, mark_as_known
from agentops_otel_litellm.call import App, Call, Estimate, Request, StreamOutcome
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.invocation.context import CURRENT, attach, context_of, detach, get_current
from agentops_otel_litellm.invocation.finished_call import ResponseFacts, finished_call, initial_call, read_headers
from agentops_otel_litellm.invocation.nesting import NestedResponses, nested_responses_of
from agentops_otel_litellm.invocation.timeline import (
    NO_ATTEMPTS,
    AttemptTracker,
    ChunkTimes,
    RunningAttempt,
    add_to_route,
)
from agentops_otel_litellm.records import Content, Limits
from agentops_otel_litellm.response_headers import ResponseHeaders
from agentops_otel_litellm.trace_cost import TraceCost, trace_cost_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from agentops_otel_litellm.operations import Operation
    from agentops_otel_litellm.telemetry import Telemetry

_READING_CONTENT = guard("reading message content")
_RECORDING_NESTED = guard("recording the result of a nested call")
_ENDING_SPAN = guard("ending a span")
_CANCELLATIONS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class Invocation:
    """One call in progress. It starts the call's span, collects facts while LiteLLM runs, and ends the span once."""

    # The request, read when the call starts and only if the span is recorded.
    is_recorded = False
    """Whether the call's span is recorded. A call that is not sampled contributes only to metrics. Two slow steps are
    omitted for it: calculating a price that LiteLLM does not have yet, and reading the parts of a price.
    """
    request: Request | None = None
    app: App | None = None
    content: Content | None = None
    """The content of the request; `None` if no content is captured."""
    content_limits: Limits

    # Facts from functions that LiteLLM calls inside the call. The hooks in `patching/hooks.py` set these.
    translation: object = None
    """The chat messages into which LiteLLM has translated a `generate_content` request, to call `completion`."""
    is_mocked = False
    """Whether the response is a mock, which the application has set."""
    cooldown_time: float | None = None
    """Seconds for which the Router has put the call's deployment into cooldown."""
    nested: NestedResponses | None = None
    """All results that LiteLLM received for the call, if it called itself or made other calls; otherwise `None`."""
    provider_response: object = None
    """The provider's part of a response, if the rest is from LiteLLM's cache."""
    is_usage_estimated = False
    """Whether LiteLLM has estimated the usage of a stream, because the provider counted no tokens."""
    calculated_usage: object = None
    """The usage of a stream as LiteLLM calculated it, with estimates of tokens that the provider did not count."""
    estimate: Estimate | None = None
    """LiteLLM's estimate of the usage, if the provider counted no tokens."""
    unreturned_facts: ResponseFacts | None = None
    """Response, usage and cost of a result that LiteLLM does not return, such as that of a realtime session."""
    error: BaseException | None = None
    """The error of the call, if LiteLLM does not raise it."""

    # The stream, if the result is one.
    chunks: readers.Chunks | None = None
    """Reads each chunk of the stream when it is received."""
    chunk_times: ChunkTimes
    response_headers: ResponseHeaders | None = None  # of the stream
    _waiting_since: float | None = None  # when LiteLLM returned a stream or a coroutine, on the monotonic clock
    _finalizer: finalize[..., object] | None = None
    _untrack: Callable[[], object] | None = None  # removes the call from `OPEN_STREAMS`

    # The calls around this call.
    trace_cost: TraceCost | None = None
    """The sum of the costs in the trace; `None` if the trace's first span in this process is not the span of a call."""
    settles_attempts = False
    """Whether this call is a route of the Router's Rust core. The core decides on a cooldown after an attempt has
    failed, so the span of the failed attempt is ended only after this decision.
    """
    is_inner = False
    """Whether a span of another instrumentation, around this call, represents the same call of a model."""
    _enclosing_call: Invocation | None = None  # the model call inside which LiteLLM, or a callback, makes this call
    _route: Invocation | None = None
    """The route of which this call is an attempt. `_route_attempt` is the attempt."""
    _route_attempt: RunningAttempt | None = None
    unsettled: Callable[[str | None, float | None], None] | None = None
    """In a route whose last attempt has failed: ends that attempt's span. The arguments are as in `settle_attempt`."""

    _is_finished = False  # whether ending the span has begun

    # --- the start ------------------------------------------------------------------------------------------

    def __init__(  # noqa: PLR0913 - two of them have defaults that fit most calls
        self,
        telemetry: Telemetry,
        operation: Operation,
        parameters: Mapping[str, object],
        context: Context,
        started_at: int | None = None,
        *,
        is_inner: bool = False,
    ) -> None:
        """Start the span.

        `parameters` are the arguments of LiteLLM's function by name, and `context` is the context of the application.
        `started_at`, in nanoseconds since the epoch, is given only for a call that started earlier.
        """
        self.telemetry = telemetry
        self.operation = operation
        if is_inner:
            self.is_inner = True
        self.calls_a_model = operation.calls_a_model
        """Whether this call is a call of a model, and not an operation around calls, such as a route or a batch."""
        self.api_format = readers.API_FORMATS[operation.api_format]
        self.parameters = parameters
        self.logging: object = readers.read_logging_object(parameters)
        """LiteLLM's logging object of the call; the last one, if LiteLLM made several. `None` before the first."""
        self.first_logging = self.logging
        """The first logging object has the routing of the call, the last one its result."""
        if self.logging is not None:
            mark_as_known(self.logging)
        self.attempts = AttemptTracker()
        self._ending = Lock()
        self.has_ended = self._ending.locked
        """`has_ended()` returns whether the call has ended."""
        self._outer_context: Context | None = context
        """The context in which the application made the call."""
        self.started_at, self.started = time_ns() if started_at is None else started_at, perf_counter()
        self._span: Span = telemetry.start(initial_call(self), context)
        # The span is open, and only this object ends it. If a signal handler raises below, the call is ended at once.
        self.context: Context | None = context_of(self, self._span, context)
        """The context in which LiteLLM runs for the call; `None` after the call has ended."""
        try:
            self._relate_to_others(context)
            self._read_request(context)
        except BaseException as error:
            self.end_with_error(error)
            raise

    @classmethod
    def begin(cls, *arguments: Any, is_inner: bool = False) -> Invocation:  # noqa: ANN401 - those of `__init__`
        """Return the invocation of a call that begins.

        If a signal handler of the application raises before the span is open, the call is recorded as one that failed
        with that exception.
        """
        invocation = cls.__new__(cls)  # before `__init__`, so that `except` finds out how far `__init__` got
        try:
            invocation.__init__(*arguments, is_inner=is_inner)  # type: ignore[misc]  # it has not run
            return invocation  # noqa: TRY300 - a signal handler may raise here
        except BaseException as error:
            if not hasattr(invocation, "_span"):
                invocation = cls(*arguments, is_inner=is_inner)
            invocation.end_with_error(error)
            raise

    def _relate_to_others(self, context: Context) -> None:
        """Find the enclosing call, the route of which this call is an attempt, and the sum of the trace's costs."""
        try:
            parent: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
            self.trace_cost = trace_cost_of(self._span, context, None if parent is None else parent.trace_cost)
            if parent is not None and not parent.has_ended():
                self._enclosing_call = parent
                if not parent.calls_a_model:
                    self._enclosing_call = parent._enclosing_call  # noqa: SLF001 - same class
                if parent.operation.name == "route":
                    self._route_attempt = add_to_route(self, parent)
                    self._route = None if self._route_attempt is None else parent
        except Exception as fault:  # must not reach the application
            log_fault("finding the enclosing call and the route of a call", fault)

    def _read_request(self, context: Context) -> None:
        """Read the request, the user and session, and the content of a call whose span is recorded.

        This happens before LiteLLM runs, because LiteLLM may change the parameters.
        """
        telemetry, parameters = self.telemetry, self.parameters
        try:
            self.is_mocked = readers.is_mocked(parameters)
            if not self._span.is_recording():
                return
            self.is_recorded = True
            self.request = self.api_format.request(parameters)
        except Exception as fault:  # must not reach the application
            log_fault("reading a request", fault)
        try:
            self.app = readers.read_app(parameters, context, telemetry.metadata_keys, telemetry.baggage_keys)
        except Exception as fault:  # must not reach the application
            log_fault("reading the user, session, tags and metadata of a call", fault)
        if telemetry.records_content and self.api_format.content is not None:
            with _READING_CONTENT:
                self.content_limits = telemetry.content_limits
                self.content = readers.read_within(self.content_limits, self.api_format.content.request, parameters)

    # --- while LiteLLM runs ---------------------------------------------------------------------------------

    def enter(self) -> Token[Context] | None:
        """Make the call's span the current span while LiteLLM runs. Return the token for `leave`."""
        context = self.context
        return None if context is None else attach(context)

    def leave(self, token: Token[Context] | None, error: BaseException | None = None) -> None:
        """Restore the context that `enter` replaced, when LiteLLM's function returns or raises `error`.

        `StopIteration` and `StopAsyncIteration` of a stream complete the call; any other exception fails it.
        """
        if error is None:
            if token is not None:
                detach(token)
            return
        # If a coroutine is collected, this runs in a different context, which must not change.
        if get_current().get(CURRENT) is self:
            is_restored = False
            try:
                if token is not None:
                    detach(token)
                    is_restored = True
            finally:
                if not is_restored:  # a signal handler raised an exception before the token was stored or used
                    self._restore_outer_context()
        if self.chunks is not None and isinstance(error, StopIteration | StopAsyncIteration):
            self._end("completed")
        else:
            self._fail(error)

    def has_span(self, span: Span) -> bool:
        """Whether `span` is the span of this call."""
        return span is self._span

    def has_span_id_of(self, span: Span) -> bool:
        """Whether `span` has the ids of this call's span, as the non-recording span in which callbacks run."""
        return span is self._span or span.get_span_context() == self._span.get_span_context()

    def settle_attempt(self, model_id: str | None = None, cooldown_time: float | None = None) -> None:
        """End the span of this route's last failed attempt, if it still waits for the Router's decision on a cooldown.

        `cooldown_time` is in seconds, `None` if the deployment `model_id` is not put into cooldown.
        """
        unsettled, self.unsettled = self.unsettled, None
        if unsettled is not None:
            unsettled(model_id, cooldown_time)

    # --- the stream -----------------------------------------------------------------------------------------

    def start_stream(self, stream: object) -> None:
        """Start to record the stream that LiteLLM has returned. The application may read it or drop it."""
        self._offer_to_enclosing_call(stream)
        if self.nested is not None:
            self.nested.set_result(stream)
        self.chunk_times, self.response_headers = ChunkTimes(), read_headers(self, stream)
        self.chunks = self.api_format.chunks(stream, captures_content=self.content is not None)
        self._waiting_since = perf_counter()
        self.attempts.forget_errors()
        self._untrack = OPEN_STREAMS.add(self)

    def wait_for_use(self, coroutine: Coroutine[Any, Any, Any] | None = None) -> None:
        """Keep the call open: LiteLLM has returned an object that sends the request when the application uses it.

        The object is `coroutine`, which ends the call if it is collected, or a stream manager, whose wrapper does that.
        """
        self._waiting_since = perf_counter()
        if coroutine is not None:
            self._finalizer = finalize(coroutine, OPEN_STREAMS.end_dropped, self)
            self._finalizer.atexit = False
        self._untrack = OPEN_STREAMS.add(self)

    def resume(self) -> None:
        """Resume the call, because the application awaits the coroutine."""
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._untrack is not None:
            self._untrack()

    def drop_stream(self) -> None:
        """Have the background thread end the call, because the application has dropped the stream.

        A finalizer calls this, so it must not wait for a lock.
        """
        if not self.has_ended():
            with suppress(Exception):  # not logged, because logging may wait for a lock
                self._release_stream()  # here, so that LiteLLM's stream is finalized on the thread that dropped it
            OPEN_STREAMS.end_dropped(self)

    def _release_stream(self) -> None:
        if self.chunks is not None:
            self.chunks.release()
        if self.nested is not None:
            self.nested.release_streams()

    def open_stream_call(self) -> Call | None:
        """The record of the call so far; `None` if it has no open stream, or if it is not a call of a model.

        Any thread may call this.
        """
        if self.chunks is None or not self.calls_a_model:
            return None
        call = initial_call(self)
        return None if self.has_ended() else call

    # --- the end --------------------------------------------------------------------------------------------

    def end_with_result(self, result: object) -> None:
        """End the call with the response that LiteLLM has returned, which is not a stream."""
        error = self.error
        self._offer_to_enclosing_call(result)
        self._end("completed" if error is None else "failed", result=result, error=error)

    def end_with_error(self, error: BaseException) -> None:
        """End the call, if it has not ended, because `error` is being raised in the application.

        A signal handler may have raised it at any point of this package's code. If the context of the call is still the
        current one, the outer context is restored, because nothing else will detach it.
        """
        if not self.has_ended() and get_current().get(CURRENT) is self:
            self._restore_outer_context()
        self._fail(error)

    def end_logged(self, duration: float | None, *, result: object = None, error: BaseException | None = None) -> None:
        """End a call that is recorded from LiteLLM's logging. `duration` is in seconds, `None` if unknown."""
        if self._ending.acquire(blocking=False):
            self._complete(duration, "completed" if error is None else "failed", result=result, error=error)

    def close(self) -> None:
        """End the call, because the application has closed the stream."""
        self._end("closed")

    def abandon(self) -> None:
        """End the call, because nobody can read the stream any more. The call ends at the time of the last chunk;
        without a chunk, at the time at which LiteLLM returned the stream.
        """
        self._end("abandoned")

    def disown(self) -> None:
        """Do not record the call in this process, which is a fork: the parent process records it."""
        self._ending.acquire(blocking=False)
        self.unsettled = None
        if self.trace_cost is not None:
            self.trace_cost.discard(self._span)
        self._release()

    def _fail(self, error: BaseException) -> None:
        self._end("cancelled" if isinstance(error, _CANCELLATIONS) else "failed", error=error)

    def _restore_outer_context(self) -> None:
        if self._outer_context is not None:
            attach(self._outer_context)

    def _offer_to_enclosing_call(self, result: object) -> None:
        """Report the result to the enclosing call, because LiteLLM may return it as the result of that call, too."""
        enclosing = self._enclosing_call
        if enclosing is not None and not enclosing.has_ended():
            with _RECORDING_NESTED:
                nested_responses_of(enclosing).add_nested_result(result)

    def _end(self, outcome: StreamOutcome, *, result: object = None, error: BaseException | None = None) -> None:
        """End the call, unless it has ended; on the background thread if the garbage collector closes its coroutine."""
        duration = perf_counter() - self.started
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
        except BaseException:  # a signal handler of the application raised: record the call, then pass the exception on
            self._ending.acquire(blocking=False)  # the handler may have run before the `acquire` above
            if not is_collected and (not self._is_finished or self._span.is_recording()):
                self._complete(duration, outcome, result=result, error=error)
            raise

    def _complete(
        self, duration: float | None, outcome: StreamOutcome, *, result: object, error: BaseException | None
    ) -> None:
        """Read the finished call and end its span. The span of a route's failed attempt is ended later, if the Router
        has yet to decide on a cooldown.
        """
        if self.unsettled is not None:
            self.settle_attempt()
        try:
            if self._untrack is not None:
                self._untrack()
                if outcome == "abandoned":
                    latest = None if self.chunks is None else self.chunk_times.latest
                    duration = (latest or self._waiting_since or self.started) - self.started
            call = finished_call(self, duration, outcome, result, error)
            route = self._route
            if route is not None and call.failure is not None and route.settles_attempts and not route.has_ended():
                route.settle_attempt()
                route.unsettled = partial(self._finish_settled, call)
                return
            self._finish(call)
        except Exception as fault:  # must not reach the application
            log_fault("ending a span", fault)
        self._release()

    def _finish_settled(self, call: Call, model_id: str | None, cooldown_time: float | None) -> None:
        """Finish the failed attempt `call`, now that the Router has decided on a cooldown of the deployment."""
        with _ENDING_SPAN:
            routing = call.routing
            if routing is not None and cooldown_time is not None and routing.model_id == model_id:
                call = replace(call, routing=replace(routing, cooldown_time=cooldown_time))
            self._finish(call)
        self._release()

    def _finish(self, call: Call) -> None:
        self._is_finished = True
        call = self.telemetry.finish(self._span, call, self.trace_cost)
        attempt, enclosing = self._route_attempt, self._enclosing_call
        if attempt is not None:
            attempt.ended = self.started + (call.timing.duration or 0)
            attempt.target, attempt.failure = call.target, call.failure
            attempt.from_cache = call.response is not None and call.response.cache_hit is True
        if enclosing is not None and enclosing.nested is not None:
            enclosing.nested.add_nested_response(call.response)

    def _release(self) -> None:
        """Release the objects of the application and of LiteLLM. The call's context and this invocation refer to each
        other. This breaks the reference cycle, so that the objects are freed without the garbage collector.
        """
        self.context = self._outer_context = self.chunks = self._finalizer = None
        self._route = self._route_attempt = self._enclosing_call = None
        self.parameters, self.request, self.app, self.content = {}, None, None, None
        self.logging = self.first_logging = self.translation = self.error = None
        self.nested = self.unreturned_facts = None
        self.provider_response = self.calculated_usage = self.estimate = None
        self.attempts = NO_ATTEMPTS
