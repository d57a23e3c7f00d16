"""The cost of a trace: the sum of the costs of its calls."""

from __future__ import annotations

from dataclasses import replace
from math import fsum

from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.operations import BILLED, kind_named


class TraceCost:
    """The sum of the costs of a trace's calls: the call of the root span, and all calls below it. (The root span is the
    first span of the trace in this process.)

    There is no lock: the garbage collector may end a call on a thread that already owns the lock. Instead, each change
    is a single operation of a set or a list, which is atomic.
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
        """Add the call of `span`, which begins. Return whether it was added: not if it is in a different trace."""
        added = span.get_span_context()
        if added.trace_id != self._root.trace_id:
            return False
        self._has_several_calls = True
        self._open.add(added.span_id)
        return True

    def add_ended_call(self, span: Span, call: Call) -> Call:
        """Add the cost of a call that has ended, and return the call.

        The call of the root span is returned with the sum in `trace_cost`. The sum is absent if a call below the root
        has not ended or has an unknown cost, or if there are no calls below the root.
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
        """Remove a call whose end is not recorded in this process."""
        self._open.discard(span.get_span_context().span_id)


def trace_cost_of(span: Span, context: Context, outer: TraceCost | None) -> TraceCost | None:
    """Return the `TraceCost` to which the call of `span` adds its cost. `context` is that in which the call begins.

    If there is an enclosing call in the same trace, that is `outer`, its `TraceCost`. Otherwise it is a new one if
    `span` is the first span of its trace in this process, and `None` if the call begins below a span of the
    application.
    """
    if outer is not None and outer.add_call(span):
        return outer
    parent = get_current_span(context).get_span_context()
    return None if parent.is_valid and not parent.is_remote else TraceCost(span)


def _has_a_price(call: Call) -> bool:
    """Whether the provider bills a call whose cost is unknown. Then the trace's cost is unknown as well."""
    if call.usage is not None:
        return True
    if call.answered_by_another:
        return False
    if call.failure is not None and (call.stream is None or not call.stream.chunk_count):  # nothing was received
        return False
    return call.operation is not None and kind_named(call.operation) in BILLED
