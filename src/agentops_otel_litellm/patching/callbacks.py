"""The context of LiteLLM's callbacks and threads, and the backstop, which records calls from LiteLLM's logging.

Callbacks are the application's code. If a callback calls a model, that is a separate call, which this package and
other instrumentations record. If a callback writes to the current span, it must not change the span of the traced call.

Threads that LiteLLM starts for a call run in the context of the call.

The backstop records calls that no patched function has traced. There are two kinds of them: an application may have
imported a function of LiteLLM before it was patched, and the proxy's pass-through endpoints call none of LiteLLM's
functions. LiteLLM logs such a call when it has ended. Only then is its span created, so the span has no child spans.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Token
from dataclasses import replace
from functools import partial, wraps
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, get_current_span, set_span_in_context

from agentops_otel_litellm import readers
from agentops_otel_litellm.background import KNOWN, mark_as_known
from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.context import (
    CURRENT,
    attach,
    call_in,
    detach,
    get_current,
    is_suppressed,
    outside_of_calls,
)
from agentops_otel_litellm.invocation.finished_call import ResponseFacts
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.operations import by_name, operation_logged_as, parameter_names
from agentops_otel_litellm.patching.executors import run_in_context
from agentops_otel_litellm.patching.other_instrumentations import without_suppression
from agentops_otel_litellm.patching.patch_points import CALLS, FEATURES
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.patching.wrapping import Function
from agentops_otel_litellm.telemetry import Telemetry

if TYPE_CHECKING:
    ModuleProxy = wrapt.ObjectProxy[ModuleType]
else:
    ModuleProxy = wrapt.ObjectProxy  # not subscriptable before wrapt 2

_SETTING_CONTEXT = guard("setting the context of callbacks")

# --- callbacks ----------------------------------------------------------------------------------------------


class ApplicationContext:
    """A block in which LiteLLM runs callbacks. During a call, the context is replaced by `_application_context`."""

    __slots__ = ("_context", "_token")

    def __enter__(self) -> None:
        self._token: Token[Context] | None = None
        with _SETTING_CONTEXT:
            context = get_current()
            self._context = self._context_for(context)
            if self._context is not context:
                self._token = attach(self._context)

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._token is not None and get_current() is self._context:
            detach(self._token)

    @staticmethod
    def _context_for(context: Context) -> Context:
        return _application_context(context)


class OutsideCalls(ApplicationContext):
    """A block in which LiteLLM's OpenTelemetry callbacks run.

    In it, the current span is the one that was current before the outermost traced call, or no span if there was none.
    Otherwise these callbacks would add their attributes, or child spans, to this package's spans.
    """

    __slots__ = ()

    @staticmethod
    def _context_for(context: Context) -> Context:
        return outside_of_calls(context)


_CALLBACKS = (
    *("callbacks", "success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback"),
    *("service_callback", "cache"),
)
"""Names in the module `litellm` of the application's objects that LiteLLM calls when it logs a call."""
_CALLBACKS_OF_CALL = (
    *("dynamic_success_callbacks", "dynamic_async_success_callbacks"),
    *("dynamic_failure_callbacks", "dynamic_async_failure_callbacks"),
)
"""Attributes of a logging object that have further callbacks for its call."""


def _runs_callbacks(logging: object) -> bool:
    """Whether LiteLLM calls the application's code when it logs a call."""
    litellm = sys.modules.get("litellm")
    return (
        litellm is None
        or any(map(vars(litellm).get, _CALLBACKS))
        or any(map(getattr(logging, "__dict__", {}).get, _CALLBACKS_OF_CALL))
    )


def _application_context(context: Context) -> Context:
    """The context in which the application's callbacks run.

    Other instrumentations are not suppressed. The current span has the ids of the call's span, so that spans of the
    callback become its children, but the callback cannot change it.
    """
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
    if invocation is None:
        return context
    outside, span = without_suppression(context), get_current_span(context)
    return (
        set_span_in_context(NonRecordingSpan(span.get_span_context()), outside)
        if invocation.has_span(span)
        else outside
    )


def wrap_otel_callback_method(method: Function) -> Function:
    """Wrap a method with which one of LiteLLM's OpenTelemetry callbacks records a call.

    These callbacks make the current span the parent of their own span, or add their attributes to it. They do not
    export the span of the traced call, so it must not be the current span in these methods.
    """
    if inspect.iscoroutinefunction(method):

        @wraps(method)
        async def traced_method_async(*args: object, **kwargs: object) -> object:
            with OutsideCalls():
                return await method(*args, **kwargs)

        return traced_method_async

    @wraps(method)
    def traced_method(*args: object, **kwargs: object) -> object:
        with OutsideCalls():
            return method(*args, **kwargs)

    return traced_method


# --- threads ------------------------------------------------------------------------------------------------


def carry_context_to_function(run_async_function: Function) -> Function:
    """Wrap LiteLLM's function that runs a coroutine from synchronous code, perhaps on a new thread, so that the
    coroutine runs in the caller's context.
    """

    @wraps(run_async_function)
    def traced_run_async_function(
        async_function: Callable[..., Awaitable[object]], *args: object, **kwargs: object
    ) -> object:
        context = get_current()

        async def run_async(*args: object, **kwargs: object) -> object:
            token = attach(context)
            try:
                return await async_function(*args, **kwargs)
            finally:
                detach(token)

        return run_async_function(run_async, *args, **kwargs)

    return traced_run_async_function


def carry_context_to_completion(litellm: ModuleType) -> object:
    """Replace the name `litellm` in a module that passes `litellm.completion` to a thread pool, so that the function
    runs in the caller's context.
    """
    return _ContextCarryingModule(litellm)


class _ContextCarryingModule(ModuleProxy):
    """The module `litellm`, except that its `completion` runs in the context in which the attribute was read."""

    # wrapt's proxy would equal the module, but `wrapping.py` distinguishes replacement and original by equality.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> object:
        value: object = getattr(self.__wrapped__, name)
        if name == "completion" and callable(value):
            return wraps(value)(partial(run_in_context, get_current(), value))
        return value


# --- the backstop -----------------------------------------------------------------------------------------


_RECORDING = guard("recording a call that was not traced")
_READING_RESPONSE = guard("reading a logged response")
_READING_USAGE = guard("reading a logged response's usage")
_claims: dict[int, object] = {}
"""Id of a logging object → a new object of the thread that is checking whether the call was recorded already."""


def wrap_logging_handler(handler: Function) -> Function:
    """Wrap a method with which LiteLLM logs the success or failure of a call. Its callbacks, if there are any, run in
    the application's context. If the call was not traced, it is recorded.
    """
    names = parameter_names(handler)[1:]

    def record_untraced(logging: object, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        telemetry = TRACING.telemetry
        if telemetry is None or logging in KNOWN:
            return
        with _RECORDING:
            _record_call(telemetry, logging, by_name(names, args, kwargs))

    if inspect.iscoroutinefunction(handler):

        @wraps(handler)
        async def traced_handler_async(logging: object, *args: object, **kwargs: object) -> object:
            if _runs_callbacks(logging):
                with ApplicationContext():
                    result = await handler(logging, *args, **kwargs)
            else:
                result = await handler(logging, *args, **kwargs)
            record_untraced(logging, args, kwargs)
            return result

        return traced_handler_async

    @wraps(handler)
    def traced_handler(logging: object, *args: object, **kwargs: object) -> object:
        if _runs_callbacks(logging):
            with ApplicationContext():
                result = handler(logging, *args, **kwargs)
        else:
            result = handler(logging, *args, **kwargs)
        record_untraced(logging, args, kwargs)
        return result

    return traced_handler


def _record_call(telemetry: Telemetry, logging: object, arguments: Mapping[str, Any]) -> None:
    """Record the span of an untraced call that has ended, unless it started before LiteLLM was instrumented."""
    context, error = get_current(), arguments.get("exception")
    if error is None and not readers.is_over(logging):  # a part of a stream
        return
    if not _claim(logging):  # LiteLLM may log the end of a call several times
        return
    timing = readers.logged_timing(logging, arguments.get("start_time"), arguments.get("end_time"))
    if timing is None or timing.started_at < TRACING.since * 1e9 or not readers.was_made(logging):
        return
    if is_suppressed(context) or call_in(context) is not None:
        return
    operation = operation_logged_as(getattr(logging, "call_type", None))
    parameters = {**readers.logged_parameters(logging), "litellm_logging_obj": logging}
    FEATURES.require(CALLS)
    invocation = Invocation(telemetry, operation, parameters, context, timing.started_at)
    if isinstance(error, BaseException):
        invocation.end_logged(timing.duration, error=error)
        return
    result = readers.logged_result(logging, arguments.get("result"))
    invocation.api_format = readers.api_format_of_response(result, invocation.api_format)
    invocation.unreturned_facts = _read_facts(invocation, result, cache_hit=arguments.get("cache_hit") is True)
    invocation.end_logged(timing.duration, result=result)


def _claim(logging: object) -> bool:
    """Return whether the caller must record the call of this logging object, and mark the call as recorded.

    The result is `False` if the call was recorded already, or if a different thread is in this function for the same
    call. This takes no lock, because a signal handler of the application can interrupt it and run LiteLLM's handlers.
    """
    claim = object()
    if _claims.setdefault(id(logging), claim) is not claim:  # atomic: only one of several threads stores its claim
        return False
    try:
        if logging in KNOWN:
            return False
        mark_as_known(logging)
        return True
    finally:
        del _claims[id(logging)]


def _read_facts(invocation: Invocation, result: object, *, cache_hit: bool) -> ResponseFacts:
    """Response, usage and cost of a call that LiteLLM has logged. It logs neither attempts nor the times of chunks."""
    api_format, logging = invocation.api_format, invocation.logging
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    with _READING_RESPONSE:
        response = api_format.response(result)
        if cache_hit:
            response = replace(response, cache_hit=True)
    with _READING_USAGE:
        usage = readers.logged_usage(logging, result, api_format)
        cost = readers.logged_cost(logging, result, usage)
    return response, usage, cost
