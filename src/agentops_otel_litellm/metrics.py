"""Metrics: records the values of finished calls, on the thread that collects metrics.

Recording a value with the SDK takes 10 to 20 µs, and a streamed call has a value for each chunk. So the application's
thread only appends the finished call to a queue. The call's values are recorded when the metrics are collected. The
collected sums and histograms are the same.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from threading import RLock
from typing import ClassVar
from weakref import WeakKeyDictionary

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeter, Observation
from opentelemetry.trace import NonRecordingSpan, SpanContext
from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.background import BACKGROUND, in_steps
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
    """If more values are queued, the background thread records them, because collections can be minutes apart."""

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
        """Start with an empty queue. In the child of a fork, this drops the calls that the parent records."""
        self._waiting: deque[tuple[Call, SpanContext]] = deque()
        self._waiting_values = 0
        self._recording = RLock()

    def defer(self, call: Call, span_context: SpanContext) -> None:
        """Queue a finished call, whose values are recorded at the next collection.

        This takes no lock, because a finalizer or a signal handler may call it.
        """
        if not self._enabled:
            return
        self._waiting.append((call, span_context))
        self._waiting_values += len(self._recorded) + (len(call.stream.gaps or ()) if call.stream else 0)
        self._collections.waiting[id(self)] = self
        if self._waiting_values > self.WAITING_LIMIT:
            with guard("queueing a call for the metrics"):
                BACKGROUND.submit(self.record_waiting)

    def record_waiting(self) -> None:
        """Record the values of all queued calls. If a different thread is doing this, wait until it has finished."""
        with self._recording:
            self._waiting_values = 0
            for call, span_context in in_steps(self._take()):
                self._record(call, span_context)

    def _take(self) -> Iterator[tuple[Call, SpanContext]]:
        """Remove the queued calls from the queue, one after the other."""
        with suppress(IndexError):
            while True:
                yield self._waiting.popleft()

    def _record(self, call: Call, span_context: SpanContext) -> None:
        """Record the values that a finished call contributes to each metric."""
        # Exemplars need only the ids of the call's span, so only its span context was queued.
        context = trace.set_span_in_context(NonRecordingSpan(span_context), otel_context.Context())
        is_route = call.operation is None
        for row, record in self._recorded:
            if (is_route and not row.of_routes) or (call.is_inner and row.is_standard):
                continue
            with guard(f"recording the metric {row.name}"):
                for attributes, value in _measured(row, call, self._names):
                    record(value, attributes, context=context)


class _Collections:
    """The callbacks that run when the metrics of one meter are collected.

    A meter keeps its callbacks forever, and each `instrument()` creates new `Metrics` for the same meter. So this
    object refers to a `Metrics` only while that has queued calls; afterwards the `Metrics` can be freed.
    """

    def __init__(self, meter: Meter) -> None:
        self.waiting: dict[int, Metrics] = {}
        """Id of a `Metrics` object with queued calls → the object."""
        self._observed: set[str] = set()
        """Names of the metrics of open streams that have a callback."""
        self._names = _Names()
        # A collection first runs the callbacks of observable instruments, and then reads the other instruments. So the
        # callback of this gauge records the queued calls. The gauge itself never has a value, so it is not exported.
        # Its name is unique, because a meter ignores the callback of a second instrument with the same name.
        meter.create_observable_gauge(f"{SCOPE}.collection_{next(_GAUGES)}", callbacks=[self._record_waiting])

    def _record_waiting(self, _options: CallbackOptions) -> Iterable[Observation]:
        while self.waiting:
            _, metrics = self.waiting.popitem()
            metrics.record_waiting()
        return ()

    def observe_open_streams(self, meter: Meter, row: Metric, open_streams: OpenStreamCalls) -> None:
        """Report the number of open streams at each collection. If all streams with certain attributes have ended, 0 is
        reported for these attributes.
        """
        if row.name in self._observed:
            return
        self._observed.add(row.name)
        known: dict[frozenset[tuple[str, AttributeValue]], Attributes] = {}

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            open_: Counter[object] = Counter()
            with guard(f"observing the metric {row.name}"):
                for call in open_streams():
                    for attributes, value in _measured(row, call, self._names):
                        key = frozenset(attributes.items())
                        known.setdefault(key, attributes)
                        open_[key] += int(value)
            return [Observation(open_[key], attributes) for key, attributes in known.items()]

        meter.create_observable_up_down_counter(row.name, [observe], row.unit, row.description)


_COLLECTIONS: WeakKeyDictionary[Meter, _Collections] = WeakKeyDictionary()


def _collections_of(meter: Meter) -> _Collections:
    if meter not in _COLLECTIONS:
        _COLLECTIONS[meter] = _Collections(meter)
    return _COLLECTIONS[meter]


def _measured(row: Metric, call: Call, names: _Names) -> Iterator[tuple[Attributes, float]]:
    """The values that a call contributes to a metric, each with its attributes."""
    measured = tuple(row.measure(call))
    if not measured:
        return
    known = {name: value for name, read in row.dimensions.items() if (value := read(call)) is not None}
    shared = names.bounded(known)
    of_shared: Attributes | None = None
    for value, dimensions in measured:
        if dimensions:
            yield names.series(row.name, {**shared, **names.bounded(dimensions)}), value
        else:
            if of_shared is None:
                of_shared = names.series(row.name, shared)
            yield of_shared, value


def _instrument(meter: Meter, row: Metric) -> Record:
    if row.instrument == "counter":
        return meter.create_counter(row.name, row.unit, row.description).add
    return meter.create_histogram(
        row.name, row.unit, row.description, explicit_bucket_boundaries_advisory=row.buckets
    ).record


class _Names:
    """Limits the number of different values of each metric dimension, such as the model, and the number of time series
    of each metric.

    Each new value creates a time series that exists as long as the process, and applications can pass any text as a
    model. So after 500 different values of a dimension, each new one is replaced by `_OTHER`, and a number is left out.
    Combinations of several dimensions could still be numerous. So after 2,000 time series of a metric, all new ones are
    combined in one, which has the attribute that OpenTelemetry's specification defines for this purpose.
    """

    LIMIT = 500
    OTHER = "_OTHER"
    SERIES_LIMIT = 2_000
    """Number of time series, as in OpenTelemetry's specification. One of them is the combined one."""
    OVERFLOW: ClassVar[Attributes] = {"otel.metric.overflow": True}

    def __init__(self) -> None:
        self._seen: dict[str, set[AttributeValue]] = {}
        """Name of a dimension → its values."""
        self._series: dict[str, set[frozenset[tuple[str, AttributeValue]]]] = {}
        """Name of a metric → the attributes of its time series."""

    def bounded(self, dimensions: Dimensions) -> Attributes:
        """The attributes of a metric: the dimensions, with `_OTHER` in place of values beyond the limit."""
        known = {name: self._known(name, value) for name, value in dimensions.items()}
        return {name: value for name, value in known.items() if value is not None}

    def _known(self, name: str, value: AttributeValue) -> AttributeValue | None:
        """The value. If it is new, and the dimension already has the maximum number of values: `_OTHER`, or `None` for
        a number.
        """
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            value = clean_text(value)
        seen = self._seen.setdefault(name, set())
        if len(seen) < self.LIMIT:
            seen.add(value)
        if value in seen:
            return value
        return self.OTHER if isinstance(value, str) else None

    def series(self, metric: str, attributes: Attributes) -> Attributes:
        """The attributes of a metric, or those of its combined time series if it already has too many others."""
        series = self._series.setdefault(metric, set())
        key = frozenset(attributes.items())
        if key not in series:
            if len(series) >= self.SERIES_LIMIT - 1:
                return self.OVERFLOW
            series.add(key)
        return attributes
