"""TraceCost: what the calls of one trace cost in this process, added up where the span they are all beneath is ours."""

from __future__ import annotations

from dataclasses import replace
from math import fsum

from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.operations import BILLED, kind_named


class TraceCost:
    """What has been spent beneath a span so far. It lives as long as the calls do.

    There is no lock: a garbage collection may end a call, on a thread that would be holding it. Each step is a single
    one of a set's or a list's.
    """

    __slots__ = ("_is_shared", "_known", "_open", "_root", "_unknown")

    def __init__(self, root: Span) -> None:
        self._root = root.get_span_context()
        self._open: set[int] = set()
        """Span ids of the calls beneath that are going on."""
        self._known: list[float] = []
        self._unknown = self._is_shared = False

    def takes(self, span: Span) -> bool:
        """Whether a call begins beneath it, in the same trace: that is waited for."""
        own = span.get_span_context()
        if own.trace_id != self._root.trace_id:
            return False
        self._is_shared = True
        self._open.add(own.span_id)
        return True

    def over(self, span: Span, call: Call) -> Call:
        """A call is over. Where others were made beneath it, the first of all gets the sum, if that is known."""
        if call.cost is not None:
            self._known.append(call.cost.total)
        elif _has_a_price(call):
            self._unknown = True
        span_id = span.get_span_context().span_id
        self._open.discard(span_id)
        if span_id != self._root.span_id or not self._is_shared:
            return call
        if self._open or self._unknown or not self._known:
            return call
        return replace(call, trace_cost=fsum(self._known))

    def left_out(self, span: Span) -> None:
        """Of that call another tells."""
        self._open.discard(span.get_span_context().span_id)


def trace_cost_of(span: Span, context: Context, around: TraceCost | None) -> TraceCost | None:
    """What the call of a `span` that begins in `context` adds to: what the call around it does, or, where it is the
    first of its trace in this process, one of its own; `None` beneath a span of the app's.
    """
    if around is not None and around.takes(span):
        return around
    parent = get_current_span(context).get_span_context()
    return None if parent.is_valid and not parent.is_remote else TraceCost(span)


def _has_a_price(call: Call) -> bool:
    """Whether a call without a price was bought, so that nobody knows what it cost."""
    if call.usage is not None:
        return True
    if call.answered_by_another:
        return False
    if call.failure is not None and (call.stream is None or not call.stream.chunk_count):
        return False
    return call.operation is not None and kind_named(call.operation) in BILLED
