"""TraceCost: the sum of the costs of a trace's calls in this process, if the first of their spans is a call's."""

from __future__ import annotations

from dataclasses import replace
from math import fsum

from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.operations import BILLED, kind_named


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
