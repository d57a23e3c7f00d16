"""The metrics: the values that each call records, and their series."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any
from unittest.mock import Mock

import litellm
import pytest
from opentelemetry.metrics import Meter, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ExponentialHistogram, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, ExponentialBucketHistogramAggregation, View
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, TraceFlags

from agentops_otel_litellm import background
from agentops_otel_litellm import metrics as metrics_module
from agentops_otel_litellm.background import BACKGROUND, Background
from agentops_otel_litellm.call import (
    Attempt,
    Attempts,
    Call,
    Cost,
    Failure,
    Request,
    Response,
    Routing,
    Saved,
    Stream,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.metrics import Metrics, _measured, _Names
from agentops_otel_litellm.semconv import instruments as rows
from agentops_otel_litellm.semconv.instruments import NEWEST
from support import example_call
from support.apps import MESSAGES
from support.conventions import MEMBERS, METRICS
from support.conventions import Metric as Convention
from support.instrumented import Reinstrument
from support.metric_names import CHAT, DURATION, NEWEST_CONVENTIONS, TOKENS
from support.project import ROOT
from support.recorder import Attributes, Point, Recorder, Total
from support.servers.in_process import PROVIDER, InProcessProvider

CALL = Call(
    name="chat",
    operation="chat",
    target=Target(provider="azure", model="gpt-4o", address="example.com", port=443),
    timing=Timing(started_at=1, duration=2.0),
    routing=Routing(call_id="a call", call_type="completion", model_id="a deployment"),
    request=Request(model="azure/gpt-4o", content_length=5),
    response=Response(id="a response", model="gpt-4o-2024"),
    usage=Usage(input=11, output=7, total=18),
    cost=Cost(total=0.125, source="litellm"),
    stream=Stream(outcome="completed", chunk_count=4, first_chunk=0.5, last_chunk=1.5, gaps=(0.25, 0.25, 0.75)),
)
DIMENSIONS: Attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024",
    "server.address": "example.com",
    "server.port": 443,
}


def span_of(number: int, flags: int = TraceFlags.SAMPLED) -> SpanContext:
    return SpanContext(trace_id=number, span_id=number, is_remote=False, trace_flags=TraceFlags(flags))


SAMPLED = span_of(7)


def metrics_to(recorder: Recorder, metric_rows: Sequence[rows.Metric] = rows.METRICS) -> Metrics:
    return Metrics(recorder.meter_provider.get_meter("test"), metric_rows)


def measured(
    *calls: Call, span_context: SpanContext = SAMPLED, metric_rows: Sequence[rows.Metric] = rows.METRICS
) -> tuple[list[Point], list[Total]]:
    recorder = Recorder()
    metrics = metrics_to(recorder, metric_rows)
    for call in calls:
        metrics.defer(call, span_context)
    return recorder.measured()


def points_of(*calls: Call) -> list[Point]:
    return measured(*calls)[0]


def totals_of(*calls: Call) -> list[tuple[str, Attributes, float]]:
    return [(total.name, total.attributes, total.value) for total in measured(*calls)[1]]


def test_a_streamed_call_has_all_metrics() -> None:
    """Each metric has the values of the call, with one value for each gap between chunks, and only the dimensions."""
    found = [(point.name, point.attributes, point.count, point.sum) for point in points_of(CALL)]
    assert found == [
        (DURATION, DIMENSIONS, 1, 2.0),
        (TOKENS, {**DIMENSIONS, "gen_ai.token.type": "input"}, 1, 11.0),
        (TOKENS, {**DIMENSIONS, "gen_ai.token.type": "output"}, 1, 7.0),
        ("gen_ai.client.operation.time_to_first_chunk", DIMENSIONS, 1, 0.5),
        ("gen_ai.client.operation.time_per_output_chunk", DIMENSIONS, 3, 1.25),
        ("gen_ai.client.operation.cost", DIMENSIONS, 1, 0.125),
    ]


FAILED = replace(CALL, failure=Failure(type="Timeout", ancestry=("Timeout",), message="text"))
EMBEDDINGS = replace(CALL, name="embeddings", operation="embeddings", stream=None)
COUNTED_IN_FULL = replace(
    CALL, usage=Usage(input=11, output=7, cache_read=4, cache_write=3, reasoning=2, input_text=5, output_audio=7)
)


@pytest.mark.parametrize(
    ("metric_rows", "conventions"), [(rows.RELEASED, METRICS), (NEWEST, NEWEST_CONVENTIONS)], ids=["released", "newest"]
)
def test_units_buckets_and_attributes_follow_the_conventions(
    metric_rows: Sequence[rows.Metric], conventions: Mapping[str, Convention]
) -> None:
    """Including those of failed calls; every metric of the conventions is recorded."""
    points, totals = measured(CALL, FAILED, EMBEDDINGS, COUNTED_IN_FULL, metric_rows=metric_rows)
    assert {each.name for each in (*points, *totals)} == conventions.keys()
    for each in (*points, *totals):
        convention = conventions[each.name]
        assert each.unit == convention.unit
        assert each.attributes.keys() <= set(convention.attributes)
        bounds = each.bounds if isinstance(each, Point) else None
        assert bounds == (None if convention.instrument == "counter" else tuple(convention.buckets))
    for name in ("gen_ai.token.type", "gen_ai.token.modality"):
        assert {each.attributes[name] for each in (*points, *totals) if name in each.attributes} <= MEMBERS[name]


def test_our_metrics_have_names_outside_the_conventions() -> None:
    """They begin with `litellm.client.`; the cost alone has a proposed name of the conventions."""
    names = {row.name for row in rows.OURS}
    assert {name for name in names if not name.startswith("litellm.client.")} == {"gen_ai.client.operation.cost"}
    assert not names & (METRICS.keys() | NEWEST_CONVENTIONS.keys())


def test_only_the_duration_has_the_error_type() -> None:
    """Other metrics of a failed call do not have it."""
    expected: dict[str, Attributes] = {DURATION: {**DIMENSIONS, "error.type": "Timeout"}}
    found = {point.name: point.attributes for point in points_of(FAILED) if point.name != TOKENS}
    assert found == {name: expected.get(name, DIMENSIONS) for name in found}


@pytest.mark.parametrize(
    ("usage", "name", "counts"),
    [
        (Usage(input=11), "input_tokens", {"unknown": 11}),
        (Usage(input=0), "input_tokens", {"unknown": 0}),
        (Usage(input=11, input_text=8, input_audio=3, input_image=0), "input_tokens", {"text": 8, "audio": 3}),
        (Usage(input=11, input_text=8, input_image=1), "input_tokens", {"text": 8, "image": 1, "unknown": 2}),
        (Usage(input=11, input_text=12), "input_tokens", {"unknown": 11}),  # a part that exceeds the count
        (Usage(output=7, output_text=7), "output_tokens", {"text": 7}),
        (Usage(output=7, output_image=5, output_audio=2), "output_tokens", {"image": 5, "audio": 2}),
        (Usage(cache_read=4), "cache_read.input_tokens", {"unknown": 4}),
        (Usage(cache_write=3), "cache_write.input_tokens", {"unknown": 3}),
        (Usage(reasoning=2), "reasoning.output_tokens", {"unknown": 2}),
        (Usage(input_text=8), "input_tokens", {}),
    ],
)
def test_tokens_of_all_modalities_add_up_to_the_count(usage: Usage, name: str, counts: dict[str, int]) -> None:
    """Tokens without a known modality are `unknown`, so the sum is the count of the provider."""
    _, totals = measured(replace(CALL, usage=usage), metric_rows=NEWEST)
    found = {str(total.attributes["gen_ai.token.modality"]): total.value for total in totals if name in total.name}
    assert found == counts


LIMITED = Failure(type="RateLimitError", ancestry=("RateLimitError",))
ATTEMPTS = (
    Attempt(number=1, provider="azure", model="gpt-4o", duration=0.5, failure=LIMITED),
    Attempt(number=2, provider="azure", model="gpt-4o", duration=0.25, failure=LIMITED, kind="retry"),
    Attempt(number=3, provider="gemini", model="flash", duration=0.5, kind="fallback"),
)
AZURE: Attributes = {"gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "gpt-4o"}
GEMINI: Attributes = {"gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": "flash"}
ERROR_TYPE: Attributes = {"error.type": "RateLimitError"}


def test_attempts_are_counted_by_provider_and_model() -> None:
    """Each with its own provider, model and error."""
    assert totals_of(replace(CALL, attempts=Attempts(made=ATTEMPTS))) == [
        ("litellm.client.attempts", {**CHAT, **AZURE, **ERROR_TYPE}, 2),
        ("litellm.client.attempts", {**CHAT, **GEMINI}, 1),
        ("litellm.client.retries", {**CHAT, **AZURE, **ERROR_TYPE}, 1),
        ("litellm.client.fallbacks", {**CHAT, **GEMINI}, 1),
    ]


def test_attempts_that_sent_no_request_are_not_counted() -> None:
    """They have no duration. A retry or fallback is counted nevertheless, because LiteLLM made it."""
    attempts = tuple(replace(attempt, duration=None) for attempt in ATTEMPTS)
    names = {name for name, *_ in totals_of(replace(CALL, attempts=Attempts(made=attempts)))}
    assert names == {"litellm.client.retries", "litellm.client.fallbacks"}


def test_attempts_of_a_route_are_not_counted_again() -> None:
    """Each attempt is a call with its own metrics. Only the route knows which were retries and fallbacks."""
    attempts = tuple(replace(attempt, model_group=f"group {attempt.model}") for attempt in ATTEMPTS)
    route = replace(CALL, name="route", operation=None, attempts=Attempts(made=attempts))
    assert points_of(route) == []
    assert totals_of(route) == [
        ("litellm.client.retries", {**AZURE, **ERROR_TYPE, "litellm.model_group": "group gpt-4o"}, 1),
        ("litellm.client.fallbacks", {**GEMINI, "litellm.model_group": "group flash"}, 1),
    ]


def test_cache_hits_are_counted_with_saved_tokens_and_cost() -> None:
    """Saved tokens are not counted as used tokens, and the cost of a hit is 0."""
    hit = replace(
        CALL, response=Response(cache_hit=True), usage=None, stream=None, cost=Cost(total=0.0, source="litellm")
    )
    dimensions: Attributes = {name: value for name, value in DIMENSIONS.items() if name != "gen_ai.response.model"}
    dimensions["llm.cache.hit"] = True
    costs = [(point.attributes, point.count, point.sum) for point in points_of(hit) if point.unit == "USD"]
    assert costs == [(dimensions, 1, 0.0)]
    assert totals_of(hit) == [("litellm.client.cache.hits", dimensions, 1)]
    assert totals_of(replace(hit, saved=Saved(input=11, output=7, cost=0.5)), hit) == [
        ("litellm.client.cache.hits", dimensions, 2),
        ("litellm.client.cache.saved_cost", dimensions, 0.5),
        ("litellm.client.cache.saved_tokens", {**dimensions, "gen_ai.token.type": "input"}, 11),
        ("litellm.client.cache.saved_tokens", {**dimensions, "gen_ai.token.type": "output"}, 7),
    ]


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
def test_unknown_values_are_not_recorded(call: Call, names: list[str]) -> None:
    """Zero is a known value. Unknown dimensions are absent."""
    points = points_of(call)
    assert [point.name for point in points] == names
    for point in points:
        assert point.attributes.keys() <= {"gen_ai.operation.name", "gen_ai.token.type"}


def call_number(number: int) -> Call:
    """A call with the dimensions of `CALL`, and other values in all other fields."""
    return replace(
        CALL,
        timing=Timing(started_at=number, duration=number / 100),
        routing=Routing(call_id=f"call {number}", model_id=f"deployment {number}", model_group=f"group {number}"),
        request=Request(model=f"alias {number}", content_length=number, seed=number, stop_sequences=(str(number),)),
        response=Response(id=f"response {number}", model="gpt-4o-2024", system_fingerprint=str(number)),
        attempts=Attempts(
            made=(Attempt(number=1, provider="azure", model="gpt-4o", model_id=str(number), duration=0.5),)
        ),
    )


def series_of(measured: Iterable[Point | Total]) -> set[tuple[str, frozenset[tuple[str, object]]]]:
    return {(each.name, frozenset(each.attributes.items())) for each in measured}


def test_the_number_of_series_does_not_grow_with_calls() -> None:
    """10,000 calls with different ids and prompts are recorded in the series of one call."""
    recorder, counts, attempts = Recorder(), Counter[str](), 0.0
    metrics = metrics_to(recorder)
    of_one = series_of([each for kind in measured(call_number(0)) for each in kind])
    for number in range(1, 10_001):
        metrics.defer(call_number(number), span_of(number))
        if number % 1_000 == 0:
            points, totals = recorder.measured()
            assert series_of([*points, *totals]) <= of_one
            for point in points:
                counts[point.name] += point.count
            attempts += sum(total.value for total in totals)
    assert counts.pop(TOKENS) == 20_000
    assert counts.pop("gen_ai.client.operation.time_per_output_chunk") == 30_000
    assert set(counts.values()) == {10_000}
    assert attempts == 10_000
    assert "collection" not in recorder.everything()  # the instrument that triggers recording is not exported


def test_the_number_of_series_does_not_grow_with_users_and_keys(
    instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor with sessions and parameters: 100 calls are recorded in the series of one call."""
    monkeypatch.setattr(litellm, "custom_provider_map", InProcessProvider().map)
    with instrumented_with(Recorder()) as recorder:
        of_one: set[tuple[str, frozenset[tuple[str, object]]]] = set()
        for number in range(101):
            parameters: dict[str, Any] = {
                "litellm_call_id": f"call-{number}",
                "user": f"user-{number}",
                "api_key": f"sk-{number}",
                "metadata": {"user_api_key_alias": f"alias-{number}", "session_id": f"session-{number}"},
                "temperature": number / 100,
            }
            list(litellm.completion(f"{PROVIDER}/model", MESSAGES, stream=True, **parameters))
            if number == 0:
                of_one = series_of([each for kind in recorder.measured() for each in kind])
        points, totals = recorder.measured()
    assert series_of([*points, *totals]) == of_one
    assert [point.count for point in points if point.name == DURATION] == [100]


def test_the_number_of_model_names_in_series_is_limited() -> None:
    """Models beyond the limit share the series `_OTHER`; earlier models keep theirs."""
    recorder = Recorder()
    metrics = metrics_to(recorder)
    limit = 500
    for number in range(limit + 200):
        metrics.defer(
            replace(BARE, timing=Timing(started_at=1, duration=1.0), target=Target(model=str(number))), SAMPLED
        )
    metrics.defer(replace(BARE, timing=Timing(started_at=1, duration=1.0), target=Target(model="0")), SAMPLED)
    recorded: Counter[object] = Counter()
    while recorded.total() < limit + 201:  # the background thread records some of them
        for point in recorder.points(DURATION):
            recorded[point.attributes["gen_ai.request.model"]] += point.count
    assert recorded == {"_OTHER": 200, "0": 2, **{str(number): 1 for number in range(1, limit)}}


HOSTILE: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "gen_ai.operation.name": lambda text: {"operation": text},
    "gen_ai.provider.name": lambda text: {"target": Target(provider=text)},
    "gen_ai.request.model": lambda text: {"target": Target(model=text)},
    "gen_ai.response.model": lambda text: {"response": Response(model=text)},
    "server.address": lambda text: {"target": Target(address=text)},
    "server.port": lambda text: {"target": Target(port=int(text))},
    "error.type": lambda text: {"failure": Failure(type=text, ancestry=(text,))},
}
"""A dimension → fields of a call that have a value for it."""


@pytest.mark.parametrize("name", HOSTILE)
def test_each_dimension_has_a_limited_number_of_values(name: str) -> None:
    """Further values are `_OTHER`; ports beyond it are absent."""
    names = _Names()
    durations = [row for row in (*rows.METRICS, *NEWEST) if row.name.endswith("duration")]
    for row in durations:
        for number in range(2_000):
            call = replace(BARE, operation="chat", timing=Timing(started_at=1, duration=1.0))
            list(_measured(row, replace(call, **HOSTILE[name](str(number))), names))
    values = {dict(series).get(name) for each in names._series.values() for series in each}
    assert len(values - {None, "_OTHER"}) == _Names.LIMIT
    assert ("_OTHER" in values) == (name != "server.port")


def test_the_series_of_a_metric_are_limited_together() -> None:
    """Combinations of few values each; further ones are one series, with the attribute of the specification."""
    recorder = Recorder()
    metrics = metrics_to(recorder)
    made = 0
    for provider, model, address in product(range(15), repeat=3):
        call = replace(BARE, timing=Timing(started_at=1, duration=1.0))
        target = Target(provider=str(provider), model=str(model), address=str(address))
        metrics.defer(replace(call, target=target), SAMPLED)
        made += 1
    series: Counter[object] = Counter()
    while series.total() < made:  # the background thread records some of them
        for point in recorder.points(DURATION):
            series[frozenset(point.attributes.items())] += point.count
    assert len(series) == _Names.SERIES_LIMIT
    assert series[frozenset({("otel.metric.overflow", True)})] == made - (_Names.SERIES_LIMIT - 1)


def test_the_bound_of_each_dimension_is_documented() -> None:
    page = (ROOT / "docs" / "captured.md").read_text(encoding="utf-8")
    table = page.partition("<!-- dimensions -->")[2].partition("<!-- /dimensions -->")[0]
    documented = {row.split("|")[1].strip(" `") for row in table.strip().splitlines()[2:]}
    calls = [replace(example_call.CALL, failure=None), example_call.CALL, replace(example_call.CALL, operation=None)]
    measured = {
        name
        for row in (*rows.METRICS, *NEWEST)
        for call in calls
        for attributes, _ in _measured(row, call, _Names())
        for name in attributes
    }
    assert documented == measured | {"otel.metric.overflow"}


def test_exemplars_have_the_trace_of_the_call() -> None:
    """Although values are recorded after the end of the span."""
    points, totals = measured(replace(CALL, attempts=Attempts(made=ATTEMPTS)))
    assert {each.exemplar_trace_ids for each in (*points, *totals)} == {frozenset({SAMPLED.trace_id})}


@pytest.mark.parametrize("span_context", [INVALID_SPAN_CONTEXT, span_of(7, TraceFlags.DEFAULT)])
def test_without_a_sampled_span_there_is_no_exemplar(span_context: SpanContext) -> None:
    """The values are recorded without one."""
    points, _ = measured(CALL, span_context=span_context)
    assert {point.name for point in points} == {*METRICS, "gen_ai.client.operation.cost"}
    assert {point.exemplar_trace_ids for point in points} == {frozenset()}


def test_views_of_the_user_apply() -> None:
    views = [
        View(instrument_name=DURATION, attribute_keys={"gen_ai.operation.name"}, name="renamed"),
        View(instrument_name="gen_ai.client.operation.time_*", aggregation=ExponentialBucketHistogramAggregation()),
        View(instrument_name=TOKENS, aggregation=DropAggregation()),
    ]
    reader = InMemoryMetricReader()
    metrics = Metrics(MeterProvider([reader], views=views, shutdown_on_exit=False).get_meter("test"))
    for model in ("a", "b"):
        metrics.defer(replace(CALL, target=Target(model=model)), SAMPLED)
    data = reader.get_metrics_data()
    assert data is not None
    found = {metric.name: metric.data for each in data.resource_metrics[0].scope_metrics for metric in each.metrics}
    assert found.keys() == {
        "renamed",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.operation.time_per_output_chunk",
        "gen_ai.client.operation.cost",
    }
    (point,) = found["renamed"].data_points
    assert (dict(point.attributes or {}), point.count) == (CHAT, 2)  # type: ignore[union-attr]  # a histogram's
    assert isinstance(found["gen_ai.client.operation.time_to_first_chunk"], ExponentialHistogram)


def test_a_second_metrics_object_on_one_meter_records() -> None:
    """`instrument()` may be called again and create another `Metrics`."""
    recorder = Recorder()
    for _ in range(3):
        metrics_to(recorder).defer(CALL, SAMPLED)
        (point,) = recorder.points(DURATION)
        assert (point.count, point.sum) == (1, 2.0)


def test_every_metric_reader_receives_every_value() -> None:
    """Also if another reader collects first."""
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    provider = MeterProvider(readers, shutdown_on_exit=False)
    Metrics(provider.get_meter("test")).defer(CALL, SAMPLED)
    for reader in readers:
        data = reader.get_metrics_data()
        assert data is not None
        assert {metric.name for each in data.resource_metrics[0].scope_metrics for metric in each.metrics} == (
            {*METRICS, "gen_ai.client.operation.cost"}
        )


class Uncollected:
    """Metrics without a reader, and the values that the background thread records: (metric, value, thread)."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, float, str]] = []
        self._changed = threading.Condition()
        self.metrics = Metrics(Mock(spec=Meter, create_histogram=self._histogram))

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.recorded) >= count, timeout=10)

    def _histogram(self, name: str, *_about: object, **_advice: object) -> Mock:
        def record(value: float, *_args: object, **_kwargs: object) -> None:
            with self._changed:
                self.recorded.append((name, value, threading.current_thread().name))
                self._changed.notify_all()

        return Mock(record=record)


def recorders() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "agentops-background"}


def test_a_full_queue_is_recorded_by_a_background_thread() -> None:
    """The queue between two collections is limited."""
    uncollected = Uncollected()
    metrics, values = uncollected.metrics, [2.0, 11, 7, 0.5, 0.25, 0.25, 0.75, 0.125]
    fitting = metrics.WAITING_LIMIT // 20
    for _ in range(fitting):
        metrics.defer(CALL, SAMPLED)
    assert uncollected.recorded == []
    for _ in range(fitting):
        metrics.defer(CALL, SAMPLED)
    uncollected.wait_for(fitting * len(values))
    assert [value for _, value, _ in uncollected.recorded[: len(values)]] == values
    assert {thread for _, _, thread in uncollected.recorded} == {"agentops-background"}


def test_the_background_thread_is_reused() -> None:
    """Also if the queue is full several times."""
    uncollected = Uncollected()
    BACKGROUND.settle(10)
    before = recorders()
    long = replace(CALL, stream=Stream(outcome="completed", chunk_count=2_001, first_chunk=0.1, gaps=(0.01,) * 2_000))
    for time in range(1, 4):
        uncollected.metrics.defer(long, SAMPLED)
        uncollected.wait_for(2_005 * time)
    assert len(uncollected.recorded) == 2_005 * 3
    assert len(recorders() - before) <= 1


def test_a_thread_that_cannot_be_started_is_started_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the queue does not grow without limit."""

    def start(_run: object, _name: str) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(metrics_module, "BACKGROUND", Background())
    uncollected = Uncollected()
    long = replace(CALL, stream=Stream(outcome="completed", chunk_count=2_001, first_chunk=0.1, gaps=(0.01,) * 2_000))
    with monkeypatch.context() as without:
        without.setattr(background, "start_thread", start)
        uncollected.metrics.defer(long, SAMPLED)
    uncollected.metrics.defer(long, SAMPLED)
    uncollected.wait_for(2_005 * 2)


def test_nothing_is_queued_without_a_meter_provider() -> None:
    """No thread is started either."""
    before = recorders()
    metrics = Metrics(NoOpMeterProvider().get_meter("test"))
    for _ in range(2_000):
        metrics.defer(CALL, SAMPLED)
    assert recorders() == before
