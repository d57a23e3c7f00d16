"""Faults of this package are logged once and never reach the application."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from opentelemetry.context import Context

from agentops_otel_litellm import telemetry
from agentops_otel_litellm.call import (
    Attempt,
    Attempts,
    Call,
    Cost,
    Estimate,
    Failure,
    Request,
    Response,
    Routing,
    Stream,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.processors.steps import ANY_CALL, Pipeline, pipeline
from agentops_otel_litellm.records import Content, Message, Part, Tool
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary
from agentops_otel_litellm.semconv.instruments import METRICS, Metric
from agentops_otel_litellm.settings import Settings
from support.broken_parts import raise_broken
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider
from support.vocabularies import GENERAL


def whole_call() -> Call:
    """A call with all records."""
    return Call(
        name="chat",
        operation="chat",
        target=Target(provider="openai", model="gpt-4o", address="127.0.0.1", port=1),
        timing=Timing(started_at=1, duration=0.5),
        routing=Routing(call_id="id", call_type="completion"),
        request=Request(model="gpt-4o", stream=True, choice_count=2, user_count=1),
        response=Response(id="r", model="gpt-4o", finish_reasons=("stop",)),
        usage=Usage(input=1, output=2, total=3),
        estimate=Estimate(input=1, output=2),
        cost=Cost(total=0.1, source="litellm"),
        stream=Stream(outcome="completed", chunk_count=2, first_chunk=0.1, last_chunk=0.2, gaps=(0.1,)),
        failure=Failure(type="Timeout", ancestry=("Timeout",)),
        attempts=Attempts(made=tuple(Attempt(number=number, model=model) for number, model in enumerate("aab", 1))),
        content=Content(
            input=(Message(role="user", parts=(Part(type="text", content="Hi"),)),),
            output=(Message(role="assistant", parts=(Part(type="text", content="Hello"),)),),
            tools=(Tool(type="function", name="look"),),
        ),
    )


def telemetry_to(recorder: Recorder, metric_rows: Sequence[Metric] = METRICS) -> telemetry.Telemetry:
    return telemetry.Telemetry(
        GENERAL,
        metrics=metric_rows,
        tracer_provider=recorder.tracer_provider,
        meter_provider=recorder.meter_provider,
    )


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_a_broken_row_loses_one_attribute(vocabulary: str, telemetry: Recorder, logged: LoggedWarnings) -> None:
    """Each function of a row is broken in turn; the other rows still set their attributes."""
    call, broken_rows = whole_call(), 0
    for table in VOCABULARIES[vocabulary].tables:
        for row, read in table.rows.items():
            if isinstance(read, str):
                continue
            broken_row = Several(raise_broken) if isinstance(read, Several) else (read[0], raise_broken)
            break_it = Table(table.kind, {**table.rows, row: broken_row}, of=table.of)
            broken = Vocabulary(*(break_it if each is table else each for each in VOCABULARIES[vocabulary].tables))
            written = VOCABULARIES[vocabulary].attributes(call)
            lost = Vocabulary(Table(table.kind, {row: read}, of=table.of)).attributes(call).keys()
            broken_rows += bool(lost)
            expected = {name: value for name, value in written.items() if name not in lost}
            assert broken.attributes(call) == expected
    assert telemetry.spans() == []
    assert len(logged.take()) == min(broken_rows, 1)  # `raise_broken` always raises at the same line


def no_price(_call: Call) -> None:
    """A processor for a pipeline of which only the names are used."""


@pytest.mark.parametrize(
    "processor", [each.process.__name__ for each in pipeline(Settings(), no_price, records_content=False).steps]
)
def test_a_broken_processor_is_skipped(processor: str, logged: LoggedWarnings, provider: OpenAIProvider) -> None:
    recorder = Recorder()
    telemetry = telemetry_to(recorder)
    telemetry._pipeline = Pipeline(
        *(
            each._replace(process=raise_broken, traits=ANY_CALL) if each.process.__name__ == processor else each
            for each in telemetry._pipeline.steps
        )
    )
    finished = whole_call()
    telemetry.finish(telemetry.start(finished, Context()), finished)
    assert recorder.attributes()["gen_ai.operation.name"] == "chat"
    assert len(logged.take()) == 1
    assert provider.ledger == []


@pytest.mark.parametrize("index", [index for index, row in enumerate(METRICS) if row.instrument != "open streams"])
def test_a_broken_metric_loses_only_its_values(index: int, logged: LoggedWarnings) -> None:

    def recorded(metric_rows: Sequence[Metric]) -> Counter[str]:
        recorder = Recorder()
        telemetry = telemetry_to(recorder, metric_rows)
        finished = whole_call()
        telemetry.finish(telemetry.start(finished, Context()), finished)
        points, totals = recorder.measured()
        return Counter([*(point.name for point in points), *(total.name for total in totals)])

    others_before, row, others = METRICS[:index], METRICS[index], METRICS[index + 1 :]
    assert recorded([*others_before, replace(row, measure=raise_broken), *others]) == recorded(
        [*others_before, *others]
    )
    assert len(logged.take()) == 1
