"""The context in which LiteLLM runs callbacks, which are the application's code.

A model call that a callback makes is a separate call, so this package and other instrumentations record it as one. A
callback that writes to the current span must not write to the span of the traced call.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextvars import Token
from functools import wraps
from types import TracebackType
from typing import Any

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import NonRecordingSpan, get_current_span, set_span_in_context

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.invocation import CURRENT, Invocation, outside_of_calls
from agentops_otel_litellm.invocation.suppression import without_suppression

_SETTING_CONTEXT = guard("setting the context of callbacks")


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
    invocation = context.get(CURRENT)
    if not isinstance(invocation, Invocation):
        return context
    outside, span = without_suppression(context), get_current_span(context)
    return (
        set_span_in_context(NonRecordingSpan(span.get_span_context()), outside)
        if invocation.has_span(span)
        else outside
    )


def wrap_input_logging(log: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method with which LiteLLM runs callbacks before a request to a provider, or after its response."""

    @wraps(log)
    def traced_log(*args: object, **kwargs: object) -> object:
        if not getattr(sys.modules.get("litellm"), "input_callback", None):
            return log(*args, **kwargs)
        with ApplicationContext():
            return log(*args, **kwargs)

    return traced_log


def wrap_otel_callback_method(method: Callable[..., Any]) -> Callable[..., Any]:
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
