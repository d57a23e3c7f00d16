"""How calls are nested: the OpenTelemetry context in which LiteLLM runs a call, and the cost of a trace's calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import fsum
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, create_key, get_current
from opentelemetry.trace import INVALID_SPAN, Span, get_current_span, set_span_in_context

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.invocation import suppression
from agentops_otel_litellm.operations import BILLED, kind_named

if TYPE_CHECKING:
    from agentops_otel_litellm.invocation.invocation import Invocation

CURRENT = create_key("agentops_otel_litellm.invocation")
"""The key of an OpenTelemetry context for the current invocation, which may have ended."""
_SPAN_OUTSIDE = create_key("agentops_otel_litellm.span_outside")
"""The key of an invocation's context for the span that was current outside of all invocations."""


def invocation_in(context: Mapping[str, object]) -> Invocation | None:
    """The current invocation of a context, if its call has not ended."""
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    return None if invocation is None or invocation.has_ended() else invocation


def call_in(context: Mapping[str, object]) -> Invocation | None:
    """The current invocation of a model call in a context, if the call has not ended."""
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    return None if invocation is None or not invocation.calls_a_model or invocation.has_ended() else invocation


def current_call() -> Invocation | None:
    """The invocation of the model call that LiteLLM is working on, if it is traced and has not ended."""
    context = get_current()
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    if invocation is None or not invocation.calls_a_model or invocation.has_ended() or is_suppressed(context):
        return None
    return invocation


def current_invocation() -> Invocation | None:
    """The invocation that LiteLLM is working on, if it is traced and has not ended: a call, or an operation around
    calls, such as a route.
    """
    context = get_current()
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    return None if invocation is None or invocation.has_ended() or is_suppressed(context) else invocation


def is_suppressed(context: Mapping[str, object]) -> bool:
    """Whether instrumentation is suppressed in this context.

    OpenTelemetry's `is_instrumentation_enabled()` is not used, because it would get the current context twice.
    """
    return bool(context.get(_SUPPRESS_INSTRUMENTATION_KEY) or context.get("suppress_instrumentation"))


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


# --- the span outside of all calls --------------------------------------------------------------------------


def outside_of_calls(context: Context) -> Context:
    """Return the context in which the current span is not the span of a call, but the span that was current before."""
    span = span_outside(context)
    return context if span is get_current_span(context) else set_span_in_context(span, context)


def span_outside(context: Context) -> Span:
    """The current span of a context; if that is the span of a call, the span that was current before."""
    current = get_current_span(context)
    invocation: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
    if invocation is None or not invocation.has_span_id_of(current):
        return current
    span: Span = context.get(_SPAN_OUTSIDE, INVALID_SPAN)  # type: ignore[assignment]  # nothing else is put there
    return span


def context_of(invocation: Invocation, span: Span, context: Context) -> Context:
    """The context in which LiteLLM runs for a call that was made in `context`.

    The call's span is the current one. In a call of a model, other instrumentations are suppressed; entries that the
    application has made are kept.
    """
    suppressing = suppression.SUPPRESSING if invocation.calls_a_model else {}
    inside = {**suppressing, **set_span_in_context(span, context)}
    return Context({**inside, CURRENT: invocation, _SPAN_OUTSIDE: span_outside(context)})


# --- the cost of a trace ------------------------------------------------------------------------------------


class TraceCost:
    """The cost of all calls below a root span, and of the call of the root span itself.

    There is no lock, because the garbage collector may end a call on a thread that owns it. Each change is a single
    operation of a set or a list, which is atomic.
    """

    __slots__ = ("_costs", "_has_several_calls", "_has_unknown_cost", "_open", "_root")

    def __init__(self, root: Span) -> None:
        self._root = root.get_span_context()
        self._open: set[int] = set()
        """Span ids of the calls below the root that have not ended."""
        self._costs: list[float] = []
        self._has_unknown_cost = False
        self._has_several_calls = False

    def add_call(self, span: Span) -> bool:
        """Add a call that begins below the root, unless its trace is a different one. Return whether it was added."""
        own = span.get_span_context()
        if own.trace_id != self._root.trace_id:
            return False
        self._has_several_calls = True
        self._open.add(own.span_id)
        return True

    def add_ended_call(self, span: Span, call: Call) -> Call:
        """Add the cost of a call that has ended, and return the call. The call of the root span gets the sum, if it is
        known.
        """
        if call.cost is not None:
            self._costs.append(call.cost.total)
        elif _has_a_price(call):
            self._has_unknown_cost = True
        span_id = span.get_span_context().span_id
        self._open.discard(span_id)
        if span_id != self._root.span_id or not self._has_several_calls:
            return call
        if self._open or self._has_unknown_cost or not self._costs:
            return call
        return replace(call, trace_cost=fsum(self._costs))

    def discard(self, span: Span) -> None:
        """Remove a call that is not recorded."""
        self._open.discard(span.get_span_context().span_id)


def trace_cost_of(span: Span, context: Context, outer: TraceCost | None) -> TraceCost | None:
    """Return the `TraceCost` to which the call of `span`, which begins in `context`, adds its cost.

    That is `outer`, the `TraceCost` of the enclosing call, or a new one if `span` is the first span of its trace in
    this process. It is `None` if the call begins below a span of the application.
    """
    if outer is not None and outer.add_call(span):
        return outer
    parent = get_current_span(context).get_span_context()
    return None if parent.is_valid and not parent.is_remote else TraceCost(span)


def _has_a_price(call: Call) -> bool:
    """Whether the provider bills a call whose cost is unknown. Then the sum is unknown as well."""
    if call.usage is not None:
        return True
    if call.answered_by_another:
        return False
    if call.failure is not None and (call.stream is None or not call.stream.chunk_count):
        return False
    return call.operation is not None and kind_named(call.operation) in BILLED
