"""Metrics: records the values of finished calls, on the thread that exports metrics.

Recording a value costs the SDK 10 to 20 µs, and a streamed call has one for each of its chunks. So a finished call is
only queued, and its values are recorded when the metrics are collected. The aggregates are the same, and the
application's thread only appends to a queue.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from threading import RLock
from weakref import WeakKeyDictionary

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeter, Observation
from opentelemetry.trace import NonRecordingSpan, SpanContext
from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.background import BACKGROUND
from agentops_otel_litellm.call import Call
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.records import clean_text
from agentops_otel_litellm.semconv.instruments import METRICS, Dimensions, Metric
from agentops_otel_litellm.version import SCOPE

Record = Callable[..., None]
"""An instrument's `record` or `add`: `(value, attributes, context=context)`."""
Attributes = dict[str, AttributeValue]

OpenStreamCalls = Callable[[], Iterable[Call]]

_GAUGES = count(1)


class Metrics:
    """The instruments of the metrics, and the queue of finished calls whose values are not recorded yet."""

    WAITING_LIMIT = 1_024
    """Number of queued values above which the background thread records them: collections can be minutes apart."""

    def __init__(
        self, meter: Meter, rows: Sequence[Metric] = METRICS, *, open_streams: OpenStreamCalls = tuple
    ) -> None:
        self._enabled = not isinstance(meter, NoOpMeter)
        self._names = _Names()
        self._start_empty()
        FORK.register("metrics", self._start_empty)
        self._recorded: list[tuple[Metric, Record]] = []
        instruments: dict[str, Record] = {}
        for row in rows:
            if row.instrument == "open streams":
                continue
            if row.name not in instruments:
                instruments[row.name] = _instrument(meter, row)
            self._recorded.append((row, instruments[row.name]))
        self._collections = _collections_of(meter)
        for row in rows:
            if row.instrument == "open streams":
                self._collections.observe_open_streams(meter, row, open_streams)

    def _start_empty(self) -> None:
        """Start with an empty queue. After a fork, the parent records its own calls."""
        self._waiting: deque[tuple[Call, SpanContext]] = deque()
        self._waiting_values = 0
        self._recording = RLock()

    def defer(self, call: Call, span_context: SpanContext) -> None:
        """Queue the call, whose values are recorded at the next collection. This takes no lock, because a finalizer or
        a signal handler may end a call.
        """
        if not self._enabled:
            return
        self._waiting.append((call, span_context))
        self._waiting_values += len(self._recorded) + (call.stream.chunk_count if call.stream else 0)
        self._collections.waiting[id(self)] = self
        if self._waiting_values > self.WAITING_LIMIT:
            with guard("queueing a call for the metrics"):
                BACKGROUND.submit(self.record_waiting)

    def record_waiting(self) -> None:
        """Record the values of all queued calls. The lock makes a collection of metrics wait for them."""
        with self._recording:
            self._waiting_values = 0
            while True:
                try:
                    call, span_context = self._waiting.popleft()
                except IndexError:
                    return
                self._record(call, span_context)

    def _record(self, call: Call, span_context: SpanContext) -> None:
        """Record the values that a finished call contributes to each metric."""
        # Only the identity of the span was queued: an exemplar needs nothing else.
        context = trace.set_span_in_context(NonRecordingSpan(span_context), otel_context.Context())
        is_route = call.operation is None
        for row, record in self._recorded:
            if is_route and not row.of_routes:
                continue
            with guard(f"recording the metric {row.name}"):
                for attributes, value, times in _measured(row, call, self._names):
                    for _ in range(times):
                        record(value, attributes, context=context)


class _Collections:
    """The callbacks of one meter's collections.

    A meter keeps its callbacks forever, and each `instrument()` creates new `Metrics` for the same meter. So this
    object refers to `Metrics` only while they have queued calls.
    """

    def __init__(self, meter: Meter) -> None:
        self.waiting: dict[int, Metrics] = {}
        """Id → `Metrics` with queued calls."""
        self._observed: set[str] = set()
        self._names = _Names()
        # A collection first runs the callbacks of observable instruments, and then reads the other instruments. This
        # gauge never has a value, so it is never exported. Its name is unique, because a meter ignores the callback of
        # a second instrument with the same name.
        meter.create_observable_gauge(f"{SCOPE}.collection_{next(_GAUGES)}", callbacks=[self._record_waiting])

    def _record_waiting(self, _options: CallbackOptions) -> Iterable[Observation]:
        while self.waiting:
            _, metrics = self.waiting.popitem()
            metrics.record_waiting()
        return ()

    def observe_open_streams(self, meter: Meter, row: Metric, open_streams: OpenStreamCalls) -> None:
        """Report the number of open streams at each collection; 0 for attributes whose streams have all ended."""
        if row.name in self._observed:
            return
        self._observed.add(row.name)
        known: dict[frozenset[tuple[str, AttributeValue]], Attributes] = {}

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            open_: Counter[object] = Counter()
            with guard(f"observing the metric {row.name}"):
                for call in open_streams():
                    for attributes, value, times in _measured(row, call, self._names):
                        key = frozenset(attributes.items())
                        known.setdefault(key, attributes)
                        open_[key] += int(value) * times
            return [Observation(open_[key], attributes) for key, attributes in known.items()]

        meter.create_observable_up_down_counter(row.name, [observe], row.unit, row.description)


_COLLECTIONS: WeakKeyDictionary[Meter, _Collections] = WeakKeyDictionary()


def _collections_of(meter: Meter) -> _Collections:
    if meter not in _COLLECTIONS:
        _COLLECTIONS[meter] = _Collections(meter)
    return _COLLECTIONS[meter]


def _measured(row: Metric, call: Call, names: _Names) -> Iterator[tuple[Attributes, float, int]]:
    """The values that a call contributes to a metric: attributes, value, and how often the value occurred."""
    measured = tuple(row.measure(call))
    if not measured:
        return
    known = {name: value for name, read in row.dimensions.items() if (value := read(call)) is not None}
    shared = names.bounded(known)
    for value, dimensions, times in measured:
        yield {**shared, **names.bounded(dimensions)} if dimensions else shared, value, times


def _instrument(meter: Meter, row: Metric) -> Record:
    if row.instrument == "counter":
        return meter.create_counter(row.name, row.unit, row.description).add
    return meter.create_histogram(
        row.name, row.unit, row.description, explicit_bucket_boundaries_advisory=row.buckets
    ).record


class _Names:
    """The values of metric dimensions that were recorded. Each new value creates a time series that exists as long as
    the process, and applications can pass any text as a model, so values beyond the limit are recorded as `_OTHER`.
    """

    LIMIT = 500
    OTHER = "_OTHER"

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def bounded(self, dimensions: Dimensions) -> Attributes:
        return {name: self._known(name, value) for name, value in dimensions.items()}

    def _known(self, name: str, value: AttributeValue) -> AttributeValue:
        """A value of a dimension, or `_OTHER` if the dimension has too many values."""
        if not isinstance(value, str):
            return value
        value = clean_text(value)
        seen = self._seen.setdefault(name, set())
        if len(seen) < self.LIMIT:
            seen.add(value)
        return value if value in seen else self.OTHER
