"""Tracks open spans for the console exporter, because exporters receive spans only after they have ended."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A span's position in its trace. The span id identifies it, because span ids are random."""

    span_id: int
    parent: int | None
    """`None` for the first span of this process, because a parent in a different process is not printed."""
    name: str | None
    """`None` for an unknown ancestor."""
    started: int

    @classmethod
    def of(cls, span: ReadableSpan) -> Node:
        parent = span.parent.span_id if span.parent and not span.parent.is_remote else None
        return cls(span_id=span.context.span_id, parent=parent, name=span.name, started=span.start_time or 0)


class OpenSpans(SpanProcessor):
    """Stores the nodes of open spans, and of spans that ended recently, whose children may be exported later.

    At most `limit` nodes of open spans and `limit` nodes of ended spans are stored; the oldest are dropped first.
    There is no lock, because a garbage collection can end a span on the thread that owns the lock. Both dictionaries
    are consistent after each step.
    """

    def __init__(self, limit: int = 1_024) -> None:
        self._limit = limit
        self._open: OrderedDict[int, Node] = OrderedDict()
        self._ended: OrderedDict[int, Node] = OrderedDict()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        self._store(self._open, Node.of(span))

    def on_end(self, span: ReadableSpan) -> None:
        node = self._open.get(span.context.span_id)
        self._store(self._ended, node if node is not None and node.name == span.name else Node.of(span))
        self._open.pop(span.context.span_id, None)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        return True  # OpenTelemetry 1.39's base class returns None, which stops the flush of the next processors

    def find(self, span_id: int) -> Node | None:
        return self._open.get(span_id) or self._ended.get(span_id)

    def _store(self, nodes: OrderedDict[int, Node], node: Node) -> None:
        nodes[node.span_id] = node
        if len(nodes) > self._limit:
            with suppress(KeyError):  # a span on a different thread has removed the oldest one
                nodes.popitem(last=False)


OPEN_SPANS = OpenSpans()
"""The instance that the configurator registers. The SDK creates exporters without arguments, so they import it."""
