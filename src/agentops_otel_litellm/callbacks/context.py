"""The context in which callbacks run: LiteLLM runs the app's code there, which is not LiteLLM's.

A model that a callback calls is a call of its own, whoever tells of it. And what a callback says about the current
span is not said about the call: its span is ours alone to write.
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
from agentops_otel_litellm.observing.observation import CURRENT, Observation, outside_of_calls
from agentops_otel_litellm.observing.suppression import without_suppression

_MAKING_CONTEXT = guard("making the context of callbacks")


class AsTheApp:
    """A block in which LiteLLM runs callbacks for a call that may be going on."""

    __slots__ = ("_context", "_token")

    def __enter__(self) -> None:
        self._token: Token[Context] | None = None
        with _MAKING_CONTEXT:
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
        return _apps(context)


class OutsideCalls(AsTheApp):
    """A block in which LiteLLM's own OpenTelemetry callbacks run: the current span is the application's, or none."""

    __slots__ = ()

    @staticmethod
    def _context_for(context: Context) -> Context:
        return outside_of_calls(context)


def _apps(context: Context) -> Context:
    around = context.get(CURRENT)
    if not isinstance(around, Observation):
        return context
    outside, span = without_suppression(context), get_current_span(context)
    return set_span_in_context(NonRecordingSpan(span.get_span_context()), outside) if around.has(span) else outside


def input_callbacks(log: Callable[..., Any]) -> Callable[..., Any]:
    """LiteLLM tells callbacks that it turns to a provider, or that one has answered."""

    @wraps(log)
    def told(*args: object, **kwargs: object) -> object:
        if not getattr(sys.modules.get("litellm"), "input_callback", None):
            return log(*args, **kwargs)
        with AsTheApp():
            return log(*args, **kwargs)

    return told


def otel_callback_method(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method with which LiteLLM's own OpenTelemetry callbacks record a call.

    They take the current span for the parent of theirs, or write on it and record no span of their own. Our span is
    no part of what they export, so it is hidden from them. Other callbacks have it: what they call is its child.
    """
    if inspect.iscoroutinefunction(method):

        @wraps(method)
        async def traced_async(*args: object, **kwargs: object) -> object:
            with OutsideCalls():
                return await method(*args, **kwargs)

        return traced_async

    @wraps(method)
    def traced(*args: object, **kwargs: object) -> object:
        with OutsideCalls():
            return method(*args, **kwargs)

    return traced
