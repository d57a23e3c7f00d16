"""The attributes of spans that are computed when they are first read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.semconv import choose_vocabularies
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry
from support.example_call import CALL as WHOLE_CALL
from support.logged_warnings import LoggedWarnings

# Without some records, because all attributes together exceed the SDK's limit.
CALL = replace(WHOLE_CALL, content=None, app=None, request=None, stream=None, failure=None)


class ReadingExporter(SpanExporter):
    """Records the events and attributes of each exported span, and the thread that reads them."""

    def __init__(self) -> None:
        self.attributes: list[dict[str, object]] = []
        self.events: list[list[tuple[str, dict[str, object], int]]] = []
        self.threads: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            self.events.append([(each.name, dict(each.attributes or {}), each.timestamp) for each in span.events])
            self.attributes.append(dict(span.attributes or {}))
            self.threads.append(threading.current_thread().name)
        return SpanExportResult.SUCCESS


class Watched(Telemetry):
    """Records on which threads the attributes of ended spans are computed."""

    def __init__(self, provider: TracerProvider) -> None:
        super().__init__(choose_vocabularies(Settings()), tracer_provider=provider)
        self.threads: list[str] = []

    def _compute_final(self, *arguments: object) -> dict[str, object]:  # type: ignore[override]
        self.threads.append(threading.current_thread().name)
        return super()._compute_final(*arguments)  # type: ignore[arg-type,return-value]


@pytest.fixture
def exporter() -> ReadingExporter:
    return ReadingExporter()


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    provider = TracerProvider(shutdown_on_exit=False)
    yield provider
    provider.shutdown()


def record(telemetry: Telemetry, call: Call) -> None:
    span = telemetry.start(call, Context())
    span.set_attribute("app.own", "value")
    telemetry.finish(span, call)


def test_batches_have_the_same_attributes(exporter: ReadingExporter, provider: TracerProvider) -> None:
    """A batch processor's thread computes the attributes. They are those that an immediate export has, in the same
    order.
    """
    at_once = ReadingExporter()
    immediate = TracerProvider(shutdown_on_exit=False)
    immediate.add_span_processor(SimpleSpanProcessor(at_once))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    call, here = CALL, threading.current_thread().name
    eager, deferred = Watched(immediate), Watched(provider)
    record(eager, call)
    record(deferred, call)
    assert (eager.threads, deferred.threads) == ([here], [])
    provider.force_flush()
    assert deferred.threads == exporter.threads
    assert list(exporter.attributes[0].items()) == list(at_once.attributes[0].items())
    assert len(exporter.attributes[0]) > 40
    assert exporter.events == at_once.events
    assert [name for name, *_ in exporter.events[0]] == ["litellm.attempt"] * len(call.attempts.made)  # type: ignore[union-attr]


def test_two_exporters_compute_the_attributes_once(provider: TracerProvider) -> None:
    exporters = ReadingExporter(), ReadingExporter()
    for each in exporters:
        provider.add_span_processor(BatchSpanProcessor(each))
    telemetry = Watched(provider)
    for _ in range(50):
        record(telemetry, CALL)
    provider.force_flush()
    assert len(telemetry.threads) == 50
    assert exporters[0].attributes == exporters[1].attributes
    assert exporters[0].events == exporters[1].events


def test_a_processor_that_reads_spans_gets_all_attributes(provider: TracerProvider) -> None:
    """It is added after the first call."""

    class Reading(SpanProcessor):
        def __init__(self) -> None:
            self.counts: list[int] = []

        def on_end(self, span: ReadableSpan) -> None:
            self.counts.append(len(span.attributes or {}))

    provider.add_span_processor(BatchSpanProcessor(ReadingExporter()))
    telemetry, reading = Watched(provider), Reading()
    record(telemetry, CALL)
    assert telemetry.threads == []
    provider.add_span_processor(reading)
    record(telemetry, CALL)
    assert telemetry.threads == [threading.current_thread().name]
    assert reading.counts[0] > 40


@pytest.mark.parametrize("limit", [0, 10, 1_000])
def test_limits_of_the_sdk_apply(limit: int, logged: LoggedWarnings) -> None:
    """The deferred attributes are limited as the attributes of any span, and the dropped ones are counted."""
    counts: list[tuple[int, ...]] = []

    class Counting(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            for span in spans:
                dropped = [event.dropped_attributes for event in span.events]
                counts.append((span.dropped_attributes, len(span.attributes or {}), span.dropped_events, *dropped))
            return SpanExportResult.SUCCESS

    for processor in (SimpleSpanProcessor(Counting()), BatchSpanProcessor(Counting())):
        limits = SpanLimits(max_span_attributes=limit, max_events=1, max_event_attributes=limit)
        provider = TracerProvider(span_limits=limits, shutdown_on_exit=False)
        provider.add_span_processor(processor)
        record(Telemetry(choose_vocabularies(Settings()), tracer_provider=provider), CALL)
        provider.shutdown()
    assert counts[0] == counts[1]
    assert counts[0][1] <= limit
    assert all("full" in line for line in logged.take())  # the SDK logs that


def test_a_fault_loses_only_the_attributes_of_the_end(
    exporter: ReadingExporter, provider: TracerProvider, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.add_span_processor(BatchSpanProcessor(exporter))
    telemetry = Telemetry(choose_vocabularies(Settings()), tracer_provider=provider)

    def broken(*_arguments: object) -> object:
        raise RuntimeError

    record(telemetry, CALL)
    monkeypatch.setattr(telemetry._at_end, "attributes", broken)
    provider.force_flush()
    assert exporter.attributes[0]["app.own"] == "value"
    assert exporter.attributes[0]["gen_ai.operation.name"] == "chat"
    assert "gen_ai.response.id" not in exporter.attributes[0]
    (line,) = logged.take()
    assert "Computing the attributes of a span failed" in line


def test_a_signal_handler_may_read_a_span_whose_attributes_are_being_computed(provider: TracerProvider) -> None:
    """The handler gets the attributes that exist by then, and the span is complete afterwards."""
    spans: list[ReadableSpan] = []
    read: list[tuple[int, int]] = []

    class Keeping(SpanExporter):
        def export(self, batch: Sequence[ReadableSpan]) -> SpanExportResult:
            spans.extend(batch)
            return SpanExportResult.SUCCESS

    class Interrupted(Watched):
        def _compute_final(self, *arguments: object) -> dict[str, object]:  # type: ignore[override]
            read.append((len(spans[0].attributes or {}), len(spans[0].events)))  # as a signal handler does
            return super()._compute_final(*arguments)

    provider.add_span_processor(BatchSpanProcessor(Keeping()))
    telemetry = Interrupted(provider)
    record(telemetry, CALL)
    provider.force_flush()
    (span,) = spans
    assert len(span.attributes or {}) > 40
    ((attributes, events),) = read
    assert 0 < attributes < len(span.attributes or {})
    assert events == len(span.events)
    assert len(telemetry.threads) == 1


class TimeLimitExceeded(BaseException):
    """What a signal handler of a task queue raises."""


@pytest.mark.parametrize(("read", "step"), [("attributes", "__setitem__"), ("events", "__init__")])
def test_nothing_is_lost_if_a_signal_handler_interrupts_the_computation(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, read: str, step: str
) -> None:
    """The next reader gets all attributes and events, each of them once."""
    queue, ended = BatchSpanProcessor(ReadingExporter()), list[ReadableSpan]()
    provider.add_span_processor(queue)
    monkeypatch.setattr(queue, "on_end", ended.append)
    telemetry = Telemetry(choose_vocabularies(Settings()), tracer_provider=provider)
    attempts = replace(CALL.attempts, made=CALL.attempts.made * 2)  # type: ignore[type-var,union-attr]
    for _ in range(2):
        record(telemetry, replace(CALL, attempts=attempts))
    interrupted, expected = ended
    with monkeypatch.context() as patched:
        patched.setattr(BoundedAttributes, step, interrupted_at_second_call(getattr(BoundedAttributes, step)))
        with pytest.raises(TimeLimitExceeded):
            list(getattr(interrupted, read))
    assert dict(interrupted.attributes or {}) == dict(expected.attributes or {})
    assert [event.name for event in interrupted.events] == [event.name for event in expected.events]
    assert len(interrupted.events) == 2
    assert interrupted.dropped_attributes == interrupted.dropped_events == 0


def interrupted_at_second_call(method: Callable[..., None]) -> Callable[..., None]:
    """A method that is called once for each item. In its second call, a signal handler raises."""
    calls = count(1)

    def interrupted_method(*args: object, **kwargs: object) -> None:
        if next(calls) == 2:
            raise TimeLimitExceeded
        method(*args, **kwargs)

    return interrupted_method
