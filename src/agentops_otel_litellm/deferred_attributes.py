"""Attributes and events of an ended span that are computed when a span processor or an exporter first reads them.

Most spans are read by an exporter's thread, many in a row. Computing their attributes there takes about a third of the
time that it would take on the application's thread, where LiteLLM's work has replaced this package's code and data in
the CPU's caches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import Any, Generic, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, SpanLimits
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

AddedAttributes = Mapping[str, AttributeValue]
ComputeAttributes = Callable[..., AddedAttributes]
"""Function: arguments of its own, and the attributes that the span has already → the attributes to add. It raises no
exception.
"""
ComputeEvents = Callable[..., Iterable[tuple[str, AddedAttributes, int]]]
"""Function: arguments of its own → events: name, attributes, time in nanoseconds since the epoch. It raises no
exception.
"""


def are_read_later(processor: object) -> bool:
    """Whether the attributes of ended spans are read later: whether all span processors below `processor`, the span
    processor of a tracer, only queue the ended spans.

    Any other processor reads the attributes when the span ends, so that it is useless to defer them.
    """
    processors = getattr(processor, "_span_processors", None)
    if processors is None:
        return isinstance(processor, BatchSpanProcessor)
    return all(map(are_read_later, processors))


def defer_attributes(span: Span, compute: ComputeAttributes, *arguments: object) -> bool:
    """Have `compute(*arguments, attributes)` add attributes to a span when its attributes are first read. The span is
    about to end.

    Return whether that is possible: only for a span of OpenTelemetry's SDK, and only once.
    """
    present = getattr(span, "_attributes", None)
    if type(present) is not BoundedAttributes:
        return False
    span._attributes = _DeferredAttributes(present, compute, arguments)  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
    return True


def defer_events(span: Span, compute: ComputeEvents, *arguments: object) -> bool:
    """Have `compute(*arguments)` add events to a span that has none, when its events are first read. The span is about
    to end.

    Return whether that is possible, as for `defer_attributes`.
    """
    present, limits = getattr(span, "_events", None), getattr(span, "_limits", None)
    if type(present) is not BoundedList or not isinstance(limits, SpanLimits) or len(present):
        return False
    span._events = _DeferredEvents(present, compute, (limits, *arguments))  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
    return True


Collection = TypeVar("Collection", BoundedAttributes, BoundedList[Event])
"""One of the SDK's collections of a span. It counts what the SDK's limits have removed in `dropped`."""


class _Deferred(Generic[Collection]):
    """Base class of a collection that completes one of the SDK's collections when it is first read or changed.

    It consists of few objects: thousands of spans can wait for their export, and Python's garbage collector takes the
    longer, and runs the more often, the more objects exist.
    """

    def __init__(self, present: Collection, compute: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._present: Collection = present
        self._compute = compute
        self._arguments: tuple[Any, ...] | None = arguments
        self._is_complete = False
        # Re-entrant: a signal handler may read the collection while it is being completed, and the methods of the SDK's
        # class read it while they own the lock. Not the lock of `present`, whose methods complete it.
        self._lock: Any = RLock()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute
        """The attributes that the SDK's class would set, such as limits."""
        if name == "_present":  # a copy that has no attributes yet
            raise AttributeError(name)
        return getattr(self._present, name)

    def _add(self, present: Collection, arguments: tuple[Any, ...]) -> None:
        """Compute the items that are missing, and add them to the SDK's collection."""
        raise NotImplementedError

    def _completed(self) -> Collection:
        """Return the SDK's own collection, complete; to a signal handler that interrupts the completion, as it is."""
        if not self._is_complete:
            with self._lock:
                arguments = self._arguments
                if arguments is not None:
                    self._complete(arguments)
        return self._present

    def _complete(self, arguments: tuple[Any, ...]) -> None:
        try:
            self._arguments = None  # a signal handler must not begin again; and the record of the call is released
            self._add(self._present, arguments)
            self._is_complete = True
        except BaseException:  # of a signal handler, such as Celery's time limit: the next reader begins again
            self._arguments = arguments
            raise

    @property
    def dropped(self) -> int:
        return self._completed().dropped

    @dropped.setter
    def dropped(self, value: int) -> None:
        self._completed().dropped = value


class _DeferredAttributes(_Deferred[BoundedAttributes], BoundedAttributes):
    """The attributes of a span. All methods of the SDK's class read and change the dictionary `_dict` and `dropped`."""

    def _add(self, present: BoundedAttributes, arguments: tuple[Any, ...]) -> None:
        for name, value in self._compute(*arguments, present).items():
            present[name] = value

    @property
    def _dict(self) -> dict[str, Any]:
        found: dict[str, Any] = self._completed()._dict  # noqa: SLF001 - of the base class
        return found

    @_dict.setter
    def _dict(self, value: dict[str, Any]) -> None:
        self._completed()._dict = value  # noqa: SLF001 - as above


class _DeferredEvents(_Deferred[BoundedList[Event]], BoundedList[Event]):
    """The events of a span. All methods of the SDK's class read and change the deque `_dq` and `dropped`."""

    def _add(self, present: BoundedList[Event], arguments: tuple[Any, ...]) -> None:
        limits: SpanLimits = arguments[0]

        def bounded(attributes: AddedAttributes) -> BoundedAttributes:
            return BoundedAttributes(limits.max_event_attributes, attributes, max_value_len=limits.max_attribute_length)

        computed = self._compute(*arguments[1:])
        # All at once: after an interruption, none of them is there twice.
        present.extend([Event(name, bounded(attributes), timestamp) for name, attributes, timestamp in computed])

    @property
    def _dq(self) -> deque[Event]:
        found: deque[Event] = self._completed()._dq  # type: ignore[attr-defined]  # noqa: SLF001 - of the base class
        return found
