"""Attributes and events of an ended span that are computed when a span processor or an exporter first reads them.

Most spans are read by an exporter's thread, many in a row. Computing their attributes there takes about a third of the
time that it would take on the application's thread, where LiteLLM's work has replaced this package's code and data in
the CPU's caches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Lock, RLock
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, SpanLimits
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

AddedAttributes = Mapping[str, AttributeValue]
ComputeAttributes = Callable[[Mapping[str, Any]], AddedAttributes]
"""Function: the attributes that the span has already → the attributes to add. It raises no exception."""
ComputeEvents = Callable[[], Iterable[tuple[str, AddedAttributes, int]]]
"""Function that returns events: name, attributes, time in nanoseconds since the epoch. It raises no exception."""


def are_read_later(processor: object) -> bool:
    """Whether the attributes of ended spans are read later: whether all span processors below `processor`, the span
    processor of a tracer, only queue the ended spans.

    Any other processor reads the attributes when the span ends, so that it is useless to defer them.
    """
    processors = getattr(processor, "_span_processors", None)
    if processors is None:
        return isinstance(processor, BatchSpanProcessor)
    return all(map(are_read_later, processors))


def defer_attributes(span: Span, compute: ComputeAttributes) -> bool:
    """Have `compute` add attributes to a span when its attributes are first read. The span is about to end.

    Return whether that is possible: only for a span of OpenTelemetry's SDK, and only once.
    """
    present = getattr(span, "_attributes", None)
    if type(present) is not BoundedAttributes:
        return False
    span._attributes = _DeferredAttributes(present, compute)  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
    return True


def defer_events(span: Span, compute: ComputeEvents) -> bool:
    """Have `compute` add events to a span that has none, when its events are first read. The span is about to end.

    Return whether that is possible, as for `defer_attributes`.
    """
    present, limits = getattr(span, "_events", None), getattr(span, "_limits", None)
    if type(present) is not BoundedList or not isinstance(limits, SpanLimits) or len(present):
        return False
    span._events = _DeferredEvents(present, limits, compute)  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
    return True


class _DeferredAttributes(BoundedAttributes):
    """The SDK's collection of a span's attributes, which is completed when it is first read or changed.

    All methods of the SDK's class read and change the dictionary `_dict` and the number `dropped`.
    """

    def __init__(self, present: BoundedAttributes, compute: ComputeAttributes) -> None:
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


class _DeferredEvents(BoundedList[Event]):
    """The SDK's list of a span's events, which is completed when it is first read or changed.

    All methods of the SDK's class read and change the deque `_dq` and the number `dropped`.
    """

    def __init__(self, present: BoundedList[Event], limits: SpanLimits, compute: ComputeEvents) -> None:
        self._present, self._limits, self._compute = present, limits, compute
        self._is_complete = False
        self._completing = RLock()  # as in `_DeferredAttributes`
        self._lock = Lock()

    def _complete(self) -> BoundedList[Event]:
        """Return the SDK's own list with all events."""
        if not self._is_complete:
            with self._completing:
                if not self._is_complete:
                    limits = self._limits
                    for name, attributes, timestamp in self._compute():
                        bounded = BoundedAttributes(
                            limits.max_event_attributes, attributes, max_value_len=limits.max_attribute_length
                        )
                        self._present.append(Event(name, bounded, timestamp))
                    self._is_complete = True
                    del self._compute
        return self._present

    @property
    def _dq(self) -> deque[Event]:
        found: deque[Event] = self._complete()._dq  # type: ignore[attr-defined]  # noqa: SLF001 - of the base class
        return found

    @property
    def dropped(self) -> int:
        return self._complete().dropped

    @dropped.setter
    def dropped(self, value: int) -> None:
        self._complete().dropped = value
