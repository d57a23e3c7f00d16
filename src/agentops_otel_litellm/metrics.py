"""The metrics: one row each, recorded from finished calls on the thread that exports them.

Recording a value costs the SDK 10 to 20 µs, and a streamed call has one for each of its chunks. So a finished call
is only put aside here, and its values are recorded when the metrics are collected: the aggregates are the same,
and the app's thread has paid for an append.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Lock, Thread

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, NoOpMeter, Observation
from opentelemetry.trace import NonRecordingSpan, SpanContext
from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.version import SCOPE
from agentops_otel_litellm.vocabularies.gen_ai import provider_name

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))

Attributes = Mapping[str, AttributeValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A histogram, and what a finished call contributes to it. Rows may share an instrument by its name."""

    name: str
    unit: str
    description: str
    buckets: Sequence[float]
    values: Callable[[Call], Iterable[float]]
    attributes: Attributes = field(default_factory=dict)
    """In addition to those every metric carries."""
    of_failures: bool = False
    """Whether `error.type` is among them."""


def _known(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)


def _tokens(kind: str, count: Callable[[Call], int | None]) -> Metric:
    return Metric(
        name="gen_ai.client.token.usage",
        unit="{token}",
        description="Tokens used, as the provider counted them.",
        buckets=TOKENS,
        values=lambda call: _known(count(call)),
        attributes={"gen_ai.token.type": kind},
    )


METRICS: tuple[Metric, ...] = (
    Metric(
        name="gen_ai.client.operation.duration",
        unit="s",
        description="Duration of a call, a stream's until its end.",
        buckets=SECONDS,
        values=lambda call: _known(call.timing.duration),
        of_failures=True,
    ),
    _tokens("input", lambda call: call.usage.input if call.usage else None),
    _tokens("output", lambda call: call.usage.output if call.usage else None),
    Metric(
        name="gen_ai.client.operation.time_to_first_chunk",
        unit="s",
        description="Time from the request to the first chunk of a stream.",
        buckets=SECONDS,
        values=lambda call: _known(call.stream.first_chunk) if call.stream else (),
    ),
    Metric(
        name="gen_ai.client.operation.time_per_output_chunk",
        unit="s",
        description="Time from one chunk of a stream to the next.",
        buckets=SECONDS,
        values=lambda call: call.stream.gaps if call.stream else (),
    ),
)

# What every metric carries. Low cardinality only: nothing that names a call, a user or a key.
DIMENSIONS: Mapping[str, Callable[[Call], AttributeValue | None]] = {
    "gen_ai.operation.name": lambda call: call.operation,
    "gen_ai.provider.name": lambda call: provider_name(call.target.provider),
    "gen_ai.request.model": lambda call: call.target.model,
    "gen_ai.response.model": lambda call: call.response.model if call.response else None,
    "server.address": lambda call: call.target.address,
    "server.port": lambda call: call.target.port,
    # That an answer came from LiteLLM's cache: its milliseconds are not the provider's.
    "llm.cache.hit": lambda call: call.response.cache_hit if call.response else None,
}


_INSTANCES = count(1)


class Metrics:
    """Instruments for the rows, and the finished calls whose values are still to be recorded."""

    WAITING_LIMIT = 1_024
    """Values put aside before a thread is asked to record them: collections can be minutes apart."""

    def __init__(self, meter: Meter) -> None:
        self._enabled = not isinstance(meter, NoOpMeter)
        self._rows: list[tuple[Metric, Histogram]] = []
        self._start_empty()
        instruments: dict[str, Histogram] = {}
        for row in METRICS:
            if row.name not in instruments:
                instruments[row.name] = meter.create_histogram(
                    row.name,
                    unit=row.unit,
                    description=row.description,
                    explicit_bucket_boundaries_advisory=row.buckets,
                )
            self._rows.append((row, instruments[row.name]))
        # Collection runs the callbacks of observable instruments first, then reads the histograms. This one
        # never has a value, so it is never exported. A meter that has one of that name already would take no
        # notice of our callback: after another `instrument()` nothing would be recorded any more.
        meter.create_observable_gauge(f"{SCOPE}.collection_{next(_INSTANCES)}", callbacks=[self._collecting])

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_empty)

    def _start_empty(self) -> None:
        """With no calls. A forked child leaves the parent's to the parent, and its locks and thread are of no use."""
        self._waiting: deque[tuple[Call, SpanContext]] = deque()
        self._waiting_values = 0
        self._recording = Lock()
        self._overflowing = Event()
        self._recorder: Thread | None = None
        self._starting = Lock()

    def defer(self, call: Call, span_context: SpanContext) -> None:
        """Have the call's values recorded when metrics are next collected."""
        if not self._enabled:
            return
        self._waiting.append((call, span_context))
        self._waiting_values += len(METRICS) + (len(call.stream.gaps) if call.stream else 0)
        if self._waiting_values > self.WAITING_LIMIT:
            self._wake_recorder()

    def _wake_recorder(self) -> None:
        with self._starting:
            if self._recorder is None:
                self._recorder = Thread(target=self._record_overflow, name="agentops-metrics", daemon=True)
                self._recorder.start()
        self._overflowing.set()

    def _record_overflow(self) -> None:
        while self._overflowing.wait():
            self._overflowing.clear()
            self._record_waiting()

    def _record_waiting(self) -> None:
        """Record everything put aside until now. A collection waits for a recording that is under way."""
        with self._recording:
            self._waiting_values = 0
            while self._waiting:
                self._record(*self._waiting.popleft())

    def _collecting(self, _options: CallbackOptions) -> Iterable[Observation]:
        self._record_waiting()
        return ()

    def _record(self, call: Call, span_context: SpanContext) -> None:
        shared = {name: value for name, read in DIMENSIONS.items() if (value := read(call)) is not None}
        # Only the span's identity is kept until now: it is all that an exemplar needs.
        context = trace.set_span_in_context(NonRecordingSpan(span_context), otel_context.Context())
        for row, histogram in self._rows:
            with guard(f"recording the metric {row.name}"):
                attributes = {**shared, **row.attributes}
                if row.of_failures and call.failure is not None:
                    attributes["error.type"] = call.failure.type
                for value in row.values(call):
                    histogram.record(value, attributes, context=context)
