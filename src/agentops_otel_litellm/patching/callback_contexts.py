"""The OpenTelemetry context in which LiteLLM runs callbacks, and threads that it starts for a call.

Callbacks are the application's code. A model call that a callback makes is a separate call, so this package and other
instrumentations record it as one. A callback that writes to the current span must not write to the span of the traced
call.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextvars import Token
from functools import wraps
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

import wrapt
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import NonRecordingSpan, get_current_span, set_span_in_context

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.invocation.nesting import CURRENT, outside_of_calls
from agentops_otel_litellm.invocation.suppression import without_suppression
from agentops_otel_litellm.patching.wrapping import Function

if TYPE_CHECKING:
    ModuleProxy = wrapt.ObjectProxy[ModuleType]
else:
    ModuleProxy = wrapt.ObjectProxy  # not subscriptable before wrapt 2

_SETTING_CONTEXT = guard("setting the context of callbacks")

# --- callbacks ----------------------------------------------------------------------------------------------


class ApplicationContext:
    """A block in which LiteLLM runs callbacks, perhaps during a call. The context is that of the application."""

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
    """A block in which LiteLLM's own OpenTelemetry callbacks run: the current span is the application's, or none."""

    __slots__ = ()

    @staticmethod
    def _context_for(context: Context) -> Context:
        return outside_of_calls(context)


def _application_context(context: Context) -> Context:
    """The context in which the application's callbacks run: other instrumentations are not suppressed, and the current
    span has the ids of the call's span, but cannot be changed.
    """
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    if invocation is None:
        return context
    outside, span = without_suppression(context), get_current_span(context)
    return (
        set_span_in_context(NonRecordingSpan(span.get_span_context()), outside)
        if invocation.has_span(span)
        else outside
    )


def wrap_otel_callback_method(method: Function) -> Function:
    """Wrap a method with which LiteLLM's own OpenTelemetry callbacks record a call.

    These callbacks use the current span as the parent of their own span, or add their attributes to the current span.
    The span of the traced call is not part of their export, so in these methods it is not the current span. In other
    callbacks it is, so that calls which these callbacks make are its children.
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
    """Patch LiteLLM's function that runs a coroutine from synchronous code, on a thread if a loop is running."""

    @wraps(run_async_function)
    def traced_run_async_function(
        async_function: Callable[..., Awaitable[object]], *args: object, **kwargs: object
    ) -> object:
        context = get_current()

        async def run_in_context(*args: object, **kwargs: object) -> object:
            token = attach(context)
            try:
                return await async_function(*args, **kwargs)
            finally:
                detach(token)

        return run_async_function(run_in_context, *args, **kwargs)

    return traced_run_async_function


def carry_context_to_completion(litellm: ModuleType) -> object:
    """Patch the name `litellm` in a module that has thread pools call `litellm.completion`."""
    return _ContextCarryingModule(litellm)


class _ContextCarryingModule(ModuleProxy):
    """The module `litellm`, except that its `completion` runs in the context in which the attribute was read."""

    # The proxy must not be equal to the module: `patches` distinguishes a replacement from its original by equality.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> object:
        value: object = getattr(self.__wrapped__, name)
        return _in_current_context(value) if name == "completion" and callable(value) else value


def _in_current_context(function: Function) -> Function:
    """Return a function that runs `function` in the context that is current now."""
    context = get_current()

    @wraps(function)
    def run_in_context(*args: object, **kwargs: object) -> object:
        token = attach(context)
        try:
            return function(*args, **kwargs)
        finally:
            detach(token)

    return run_in_context
