"""Attributes of an ended span that are computed when a span processor or an exporter first reads them.

Most spans are read by an exporter's thread, many in a row. Computing their attributes there takes about a third of the
time that it would take on the application's thread, where LiteLLM's work has replaced this package's code and data in
the CPU's caches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock, RLock
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

Compute = Callable[[Mapping[str, Any]], Mapping[str, AttributeValue]]
"""Function: the attributes that the span has already → the attributes to add. It raises no exception."""


def are_read_later(processor: object) -> bool:
    """Whether the attributes of ended spans are read later: whether all span processors below `processor`, the span
    processor of a tracer, only queue the ended spans.

    Any other processor reads the attributes when the span ends, so that it is useless to defer them.
    """
    processors = getattr(processor, "_span_processors", None)
    if processors is None:
        return isinstance(processor, BatchSpanProcessor)
    return all(map(are_read_later, processors))


def defer_attributes(span: Span, compute: Compute) -> bool:
    """Have `compute` add attributes to a span when its attributes are first read. The span is about to end.

    Return whether that is possible: only for a span of OpenTelemetry's SDK, and only once.
    """
    present = getattr(span, "_attributes", None)
    if type(present) is not BoundedAttributes:
        return False
    span._attributes = _DeferredAttributes(present, compute)  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
    return True


class _DeferredAttributes(BoundedAttributes):
    """The SDK's collection of a span's attributes, which is completed when it is first read or changed.

    All methods of the SDK's class read and change the dictionary `_dict` and the number `dropped`.
    """

    def __init__(self, present: BoundedAttributes, compute: Compute) -> None:
        vars(self).update(vars(present))  # the limits
        self._present, self._compute = present, compute
        self._is_complete = False
        self._completing = RLock()  # re-entrant, because a signal handler may read the attributes meanwhile
        self._lock = Lock()  # its own, because methods that own it read `_dict`, which changes `present`

    def _complete(self) -> BoundedAttributes:
        """Return the SDK's own collection with all attributes."""
        if not self._is_complete:
            with self._completing:
                if not self._is_complete:
                    for name, value in self._compute(self._present).items():
                        self._present[name] = value
                    self._is_complete = True
                    del self._compute  # and with it the record of the call
        return self._present

    @property
    def _dict(self) -> dict[str, Any]:
        found: dict[str, Any] = self._complete()._dict  # noqa: SLF001 - of the base class
        return found

    @_dict.setter
    def _dict(self, value: dict[str, Any]) -> None:
        self._complete()._dict = value  # noqa: SLF001 - as above

    @property
    def dropped(self) -> int:
        return self._complete().dropped

    @dropped.setter
    def dropped(self, value: int) -> None:
        self._complete().dropped = value
