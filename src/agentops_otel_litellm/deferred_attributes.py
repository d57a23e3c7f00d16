"""Attributes and events of an ended span that are computed when a span processor or an exporter first reads them.

Most spans are read by an exporter's thread, many in a row. Computing their attributes there takes about a third of the
time that it would take on the application's thread, where LiteLLM's work has replaced this package's code and data in
the CPU's caches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Lock, RLock
from typing import Any, Generic, TypeVar

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


Collection = TypeVar("Collection", BoundedAttributes, BoundedList[Event])
"""One of the SDK's collections of a span. It counts what the SDK's limits have removed in `dropped`."""


class _Deferred(Generic[Collection]):
    """Base class of a collection that completes one of the SDK's collections when it is first read or changed."""

    def __init__(self, present: Collection, complete: Callable[[Collection], None]) -> None:
        self._present: Collection = present
        self._pending: Callable[[Collection], None] | None = complete
        self._is_complete = False
        self._completing = RLock()  # re-entrant, because a signal handler may read the collection meanwhile
        self._lock = Lock()  # its own, because methods of the SDK's class that own it read `_completed`

    def _completed(self) -> Collection:
        """Return the SDK's own collection, complete; to a signal handler that interrupts the completion, as it is."""
        if not self._is_complete:
            with self._completing:
                complete, self._pending = self._pending, None  # and with it the record of the call
                if complete is not None:
                    complete(self._present)
                    self._is_complete = True
        return self._present

    @property
    def dropped(self) -> int:
        return self._completed().dropped

    @dropped.setter
    def dropped(self, value: int) -> None:
        self._completed().dropped = value


class _DeferredAttributes(_Deferred[BoundedAttributes], BoundedAttributes):
    """The attributes of a span. All methods of the SDK's class read and change the dictionary `_dict` and `dropped`."""

    def __init__(self, present: BoundedAttributes, compute: ComputeAttributes) -> None:
        vars(self).update(vars(present))  # the limits

        def complete(attributes: BoundedAttributes) -> None:
            for name, value in compute(attributes).items():
                attributes[name] = value

        super().__init__(present, complete)

    @property
    def _dict(self) -> dict[str, Any]:
        found: dict[str, Any] = self._completed()._dict  # noqa: SLF001 - of the base class
        return found

    @_dict.setter
    def _dict(self, value: dict[str, Any]) -> None:
        self._completed()._dict = value  # noqa: SLF001 - as above


class _DeferredEvents(_Deferred[BoundedList[Event]], BoundedList[Event]):
    """The events of a span. All methods of the SDK's class read and change the deque `_dq` and `dropped`."""

    def __init__(self, present: BoundedList[Event], limits: SpanLimits, compute: ComputeEvents) -> None:
        def complete(events: BoundedList[Event]) -> None:
            for name, attributes, timestamp in compute():
                bounded = BoundedAttributes(
                    limits.max_event_attributes, attributes, max_value_len=limits.max_attribute_length
                )
                events.append(Event(name, bounded, timestamp))

        super().__init__(present, complete)

    @property
    def _dq(self) -> deque[Event]:
        found: deque[Event] = self._completed()._dq  # type: ignore[attr-defined]  # noqa: SLF001 - of the base class
        return found
