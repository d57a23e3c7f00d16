"""The spans that are open: what an exporter, which sees spans only once they have ended, cannot know."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A span's place in its trace. Span ids alone are random enough to tell all spans apart."""

    span_id: int
    parent: int | None
    """`None` at the top of this process: what called it from elsewhere is not shown."""
    name: str | None
    """`None` for an ancestor of which nothing is known."""
    started: int

    @classmethod
    def of(cls, span: ReadableSpan) -> Node:
        parent = span.parent.span_id if span.parent and not span.parent.is_remote else None
        return cls(span_id=span.context.span_id, parent=parent, name=span.name, started=span.start_time or 0)


class OpenSpans(SpanProcessor):
    """The places of spans that are open, and of those that ended lately: their children may be shown later.

    At most `limit` of each are kept; the oldest go first. There is no lock: a garbage collection may end a span, on
    a thread that would be holding it. Each step leaves both dictionaries whole.
    """

    def __init__(self, limit: int = 1_024) -> None:
        self._limit = limit
        self._open: OrderedDict[int, Node] = OrderedDict()
        self._ended: OrderedDict[int, Node] = OrderedDict()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
        self._keep(self._open, Node.of(span))

    def on_end(self, span: ReadableSpan) -> None:
        node = self._open.get(span.context.span_id)
        self._keep(self._ended, node if node is not None and node.name == span.name else Node.of(span))
        self._open.pop(span.context.span_id, None)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        return True  # OpenTelemetry 1.39's says nothing, and the processors after it are not flushed

    def find(self, span_id: int) -> Node | None:
        return self._open.get(span_id) or self._ended.get(span_id)

    def _keep(self, nodes: OrderedDict[int, Node], node: Node) -> None:
        nodes[node.span_id] = node
        if len(nodes) > self._limit:
            with suppress(KeyError):  # others made the room
                nodes.popitem(last=False)


OPEN_SPANS = OpenSpans()
"""The one a configurator registers: the SDK makes exporters without arguments, so both find it here."""
