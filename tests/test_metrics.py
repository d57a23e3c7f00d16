"""The metrics: what each finished call adds to them, and to which series."""

from __future__ import annotations

import threading
from dataclasses import replace
from unittest.mock import Mock

import pytest
from opentelemetry.metrics import Meter, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, TraceFlags

from agentops_otel_litellm.call import Call, Failure, Request, Response, Routing, Stream, Target, Timing, Usage
from agentops_otel_litellm.metrics import Metrics
from conventions import MEMBERS, METRICS
from recorder import Attributes, Point, Recorder

CALL = Call(
    name="chat",
    operation="chat",
    target=Target(provider="azure", model="gpt-4o", address="example.com", port=443),
    timing=Timing(started_at=1, duration=2.0),
    routing=Routing(call_id="a call", call_type="completion", model_id="a deployment"),
    request=Request(model="azure/gpt-4o", content_length=5),
    response=Response(id="a response", model="gpt-4o-2024"),
    usage=Usage(input=11, output=7, total=18),
    stream=Stream(outcome="completed", chunk_count=3, first_chunk=0.5, last_chunk=1.5, gaps=(0.25, 0.75)),
)
DIMENSIONS: Attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024",
    "server.address": "example.com",
    "server.port": 443,
}
DURATION = "gen_ai.client.operation.duration"
TOKENS = "gen_ai.client.token.usage"


def span_of(number: int, flags: int = TraceFlags.SAMPLED) -> SpanContext:
    return SpanContext(trace_id=number, span_id=number, is_remote=False, trace_flags=TraceFlags(flags))


SAMPLED = span_of(7)


def metrics_to(recorder: Recorder) -> Metrics:
    return Metrics(recorder.meter_provider.get_meter("test"))


def points_of(*calls: Call, span_context: SpanContext = SAMPLED) -> list[Point]:
    recorder = Recorder()
    metrics = metrics_to(recorder)
    for call in calls:
        metrics.defer(call, span_context)
    return recorder.points()


def test_a_streamed_call_has_all_metrics() -> None:
    """Each metric has the call's values, one for each gap between chunks, and the dimensions and no others."""
    found = [(point.name, point.attributes, point.count, point.sum) for point in points_of(CALL)]
    assert found == [
        (DURATION, DIMENSIONS, 1, 2.0),
        (TOKENS, {**DIMENSIONS, "gen_ai.token.type": "input"}, 1, 11.0),
        (TOKENS, {**DIMENSIONS, "gen_ai.token.type": "output"}, 1, 7.0),
        ("gen_ai.client.operation.time_to_first_chunk", DIMENSIONS, 1, 0.5),
        ("gen_ai.client.operation.time_per_output_chunk", DIMENSIONS, 2, 1.0),
    ]


def test_units_buckets_and_attributes_are_the_conventions() -> None:
    """What is recorded, failures included, is what the conventions have of that name."""
    points = points_of(CALL, replace(CALL, failure=Failure(type="Timeout", ancestry=("Timeout",))))
    assert {point.name for point in points} == METRICS.keys()
    for point in points:
        convention = METRICS[point.name]
        assert (point.unit, point.bounds) == (convention.unit, tuple(convention.buckets))
        assert point.attributes.keys() <= set(convention.attributes)
    kinds = {point.attributes["gen_ai.token.type"] for point in points if point.name == TOKENS}
    assert kinds == MEMBERS["gen_ai.token.type"]


def test_only_the_duration_tells_failures_apart() -> None:
    """A failed call's duration has its error's type, whatever else it got to has not."""
    points = points_of(replace(CALL, failure=Failure(type="Timeout", ancestry=("Timeout",), message="said")))
    expected: dict[str, Attributes] = {DURATION: {**DIMENSIONS, "error.type": "Timeout"}}
    found = {point.name: point.attributes for point in points if point.name != TOKENS}
    assert found == {name: expected.get(name, DIMENSIONS) for name in found}


BARE = Call(name="chat", operation="chat", target=Target(), timing=Timing(started_at=1))


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (BARE, []),
        (replace(BARE, timing=Timing(started_at=1, duration=0.5)), [DURATION]),
        (replace(BARE, usage=Usage(input=1)), [TOKENS]),
        (replace(BARE, usage=Usage(input=1, output=0)), [TOKENS, TOKENS]),
        (replace(BARE, usage=Usage(total=3)), []),
        (replace(BARE, stream=Stream(outcome="abandoned", chunk_count=0)), []),
        (
            replace(BARE, stream=Stream(outcome="closed", chunk_count=1, first_chunk=0.1)),
            ["gen_ai.client.operation.time_to_first_chunk"],
        ),
    ],
    ids=["nothing", "a duration", "input", "no output", "a total", "no chunk", "one chunk"],
)
def test_what_is_unknown_has_no_metric(call: Call, names: list[str]) -> None:
    """There is a value for what is known (zero is), and the dimensions have no more than that either."""
    points = points_of(call)
    assert [point.name for point in points] == names
    for point in points:
        assert point.attributes.keys() <= {"gen_ai.operation.name", "gen_ai.token.type"}


def test_series_do_not_grow_with_calls() -> None:
    """A thousand calls of different ids and prompts are in the series of one."""
    recorder = Recorder()
    metrics = metrics_to(recorder)
    series = [(point.name, point.attributes) for point in points_of(CALL)]
    for number in range(1, 1_001):
        call = replace(
            CALL,
            timing=Timing(started_at=number, duration=number / 100),
            routing=Routing(call_id=f"call {number}", model_id=f"deployment {number}", model_group=f"group {number}"),
            request=Request(model=f"alias {number}", content_length=number, seed=number, stop_sequences=(str(number),)),
            response=Response(id=f"response {number}", model="gpt-4o-2024", system_fingerprint=str(number)),
        )
        metrics.defer(call, span_of(number))
        if number % 100 == 0:  # before there are so many that a thread of ours takes some
            points = recorder.points()
            assert [(point.name, point.attributes) for point in points] == series
            assert [point.count for point in points] == [100, 100, 100, 100, 200]
    assert "collection" not in recorder.everything()  # what only starts the recording is not exported


def test_exemplars_lead_to_the_calls_trace() -> None:
    """When they are recorded the call is long over, but its values still point to its span."""
    assert {point.exemplar_trace_ids for point in points_of(CALL)} == {frozenset({SAMPLED.trace_id})}


@pytest.mark.parametrize("span_context", [INVALID_SPAN_CONTEXT, span_of(7, TraceFlags.DEFAULT)])
def test_without_a_sampled_span_there_is_no_exemplar(span_context: SpanContext) -> None:
    """The values are recorded, and point to nothing that was not kept."""
    points = points_of(CALL, span_context=span_context)
    assert {point.name for point in points} == METRICS.keys()
    assert {point.exemplar_trace_ids for point in points} == {frozenset()}


def test_another_instrument_records_all_the_same() -> None:
    """Each `Metrics` is collected, also where the meter has had one before: `instrument()` may come again."""
    recorder = Recorder()
    for _ in range(3):
        metrics_to(recorder).defer(CALL, SAMPLED)
        (point,) = recorder.points(DURATION)
        assert (point.count, point.sum) == (1, 2.0)


def test_every_reader_gets_every_value() -> None:
    """What one reader's collection records, the other's finds too."""
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    provider = MeterProvider(readers, shutdown_on_exit=False)
    Metrics(provider.get_meter("test")).defer(CALL, SAMPLED)
    for reader in readers:
        data = reader.get_metrics_data()
        assert data is not None
        assert {metric.name for each in data.resource_metrics[0].scope_metrics for metric in each.metrics} == (
            METRICS.keys()
        )


class Uncollected:
    """Metrics that nobody collects, and what a thread of ours records of them: (metric, value, thread)."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, float, str]] = []
        self._changed = threading.Condition()
        self.metrics = Metrics(Mock(spec=Meter, create_histogram=self._histogram))

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.recorded) >= count, timeout=10)

    def _histogram(self, name: str, **_advice: object) -> Mock:
        def record(value: float, *_args: object, **_kwargs: object) -> None:
            with self._changed:
                self.recorded.append((name, value, threading.current_thread().name))
                self._changed.notify_all()

        return Mock(record=record)


def recorders() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "agentops-metrics"}


def test_what_waits_too_long_is_recorded_by_a_thread() -> None:
    """Between two collections so many values are kept and no more: then a thread of ours records them."""
    uncollected = Uncollected()
    metrics, values = uncollected.metrics, [2.0, 11, 7, 0.5, 0.25, 0.75]
    fitting = metrics.WAITING_LIMIT // (len(values) + 1)
    for _ in range(fitting):
        metrics.defer(CALL, SAMPLED)
    assert uncollected.recorded == []
    for _ in range(fitting):
        metrics.defer(CALL, SAMPLED)
    uncollected.wait_for(fitting * len(values))
    assert [value for _, value, _ in uncollected.recorded[: len(values)]] == values
    assert {thread for _, _, thread in uncollected.recorded} == {"agentops-metrics"}


def test_the_thread_stays_for_the_next_time() -> None:
    """Calls that are too many again and again have one thread."""
    uncollected, before = Uncollected(), recorders()
    gaps = (0.01,) * 2_000
    long = replace(CALL, stream=Stream(outcome="completed", chunk_count=2_001, first_chunk=0.1, gaps=gaps))
    for time in range(1, 4):
        uncollected.metrics.defer(long, SAMPLED)
        uncollected.wait_for(2_004 * time)
    assert len(uncollected.recorded) == 2_004 * 3
    assert len(recorders() - before) == 1


def test_without_metrics_nothing_is_kept() -> None:
    """Where the app has no meter provider, calls are not put aside, and no thread is started."""
    before = recorders()
    metrics = Metrics(NoOpMeterProvider().get_meter("test"))
    for _ in range(2_000):
        metrics.defer(CALL, SAMPLED)
    assert recorders() == before
