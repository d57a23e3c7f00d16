"""Faults of ours: told once, and never the app's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import litellm
import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from agentops_otel_litellm import processors, readers, telemetry
from agentops_otel_litellm.call import (
    Attempt,
    Attempts,
    Call,
    Cost,
    Failure,
    Request,
    Response,
    Routing,
    Stream,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.call.content import Content, Message, Part, Tool
from agentops_otel_litellm.invocation import invocation
from agentops_otel_litellm.invocation.call_state import CallState
from agentops_otel_litellm.semconv import VOCABULARIES, Several, Table, Vocabulary
from agentops_otel_litellm.semconv.metrics import METRICS, Metric
from agentops_otel_litellm.settings import Settings
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider

READERS = ("read_target", "read_routing", "read_failure", "is_stream")


def whole_call() -> Call:
    """A call with every record there is."""
    return Call(
        name="chat",
        operation="chat",
        target=Target(provider="openai", model="gpt-4o", address="127.0.0.1", port=1),
        timing=Timing(started_at=1, duration=0.5),
        routing=Routing(call_id="id", call_type="completion"),
        request=Request(model="gpt-4o", stream=True, choice_count=2, user_count=1),
        response=Response(id="r", model="gpt-4o", finish_reasons=("stop",)),
        usage=Usage(input=1, output=2, total=3),
        cost=Cost(total=0.1, source="litellm"),
        stream=Stream(outcome="completed", chunk_count=2, first_chunk=0.1, last_chunk=0.2, gaps={0.1: 1}),
        failure=Failure(type="Timeout", ancestry=("Timeout",)),
        attempts=Attempts(made=tuple(Attempt(number=number, model=model) for number, model in enumerate("aab", 1))),
        content=Content(
            input=(Message(role="user", parts=(Part(type="text", content="Hi"),)),),
            output=(Message(role="assistant", parts=(Part(type="text", content="Hello"),)),),
            tools=(Tool(type="function", name="look"),),
        ),
    )


class Broken(Exception):  # noqa: N818 - a fault, whatever it is called
    """What a bug of ours raises."""


def telemetry_to(recorder: Recorder, rows: Sequence[Metric] = METRICS) -> telemetry.Telemetry:
    return telemetry.Telemetry(
        list(VOCABULARIES.values()),
        metrics=rows,
        tracer_provider=recorder.tracer_provider,
        meter_provider=recorder.meter_provider,
    )


def breaks(*_args: object, **_kwargs: object) -> NoReturn:
    raise Broken("sk-canary")


def call(provider: OpenAIProvider, *, stream: bool) -> str:
    answer = litellm.completion(
        model="openai/gpt-4o",
        messages=[{"role": "user", "content": "hi"}],
        stream=stream,
        stream_options={"include_usage": True} if stream else None,
        api_base=provider.base_url,
        api_key="sk-x",
    )
    if stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
    return str(answer.choices[0].message.content)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reader", READERS)
def test_a_broken_reader(  # noqa: PLR0913, PLR0917 - fixtures
    reader: str,
    stream: bool,  # noqa: FBT001 - a parameter of the test
    provider: OpenAIProvider,
    telemetry: Recorder,
    told: LoggedWarnings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The app's answer is whole, the span ends, and one line at most is logged, which quotes nothing."""
    monkeypatch.setattr(readers, reader, breaks)
    assert call(provider, stream=stream) == "Hello, world!"
    assert len(telemetry.spans()) == 1
    lines = told.take()
    assert len(lines) <= 1
    assert "canary" not in "".join(lines)


@pytest.mark.parametrize(
    ("of", "part"),
    [(invocation, "trace_cost_of"), (CallState, "read_request"), (CallState, "read_app")],
    ids=["its place in the trace", "the request", "the app"],
)
def test_a_call_that_begins_badly(  # noqa: PLR0913, PLR0917 - fixtures and cases
    of: object,
    part: str,
    provider: OpenAIProvider,
    telemetry: Recorder,
    told: LoggedWarnings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once its span is open, it is seen to its end, whatever of ours fails: the span ends, and tells of the answer."""
    monkeypatch.setattr(of, part, breaks)
    assert call(provider, stream=False) == "Hello, world!"
    (span,) = telemetry.spans()
    assert attributes_of(span)["gen_ai.response.finish_reasons"] == ("stop",)
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert len(told.take()) == 1


@pytest.mark.parametrize("part", ["request", "response", "usage", "cost", "chunks", "stream_cost"])
def test_a_broken_shape(part: str, provider: OpenAIProvider, telemetry: Recorder, told: LoggedWarnings) -> None:
    """The same for each part of the shape by which an operation is read."""
    streamed = part in {"chunks", "stream_cost"}
    working = getattr(readers.API_FORMATS["chat"], part)
    object.__setattr__(readers.API_FORMATS["chat"], part, breaks)  # every function holds the frozen shape already
    try:
        assert call(provider, stream=streamed) == "Hello, world!"
    finally:
        object.__setattr__(readers.API_FORMATS["chat"], part, working)
    assert len(telemetry.spans()) == 1
    assert len(told.take()) == 1


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_a_broken_row_costs_one_attribute(vocabulary: str, telemetry: Recorder, told: LoggedWarnings) -> None:
    """Each function among the rows, broken in turn: the others still write theirs."""
    call = whole_call()
    for table in VOCABULARIES[vocabulary].tables:
        for row, read in table.rows.items():
            if isinstance(read, str):
                continue
            broken_row = Several(breaks) if isinstance(read, Several) else (read[0], breaks)
            break_it = Table(table.kind, {**table.rows, row: broken_row}, of=table.of)
            broken = Vocabulary(*(break_it if each is table else each for each in VOCABULARIES[vocabulary].tables))
            written = VOCABULARIES[vocabulary].attributes(call)
            tells_of_it = table.of is None or call.name in table.of
            lost = {name for name in written if tells_of_it and f"{name}.".startswith(f"{row}.")}
            expected = {name: value for name, value in written.items() if name not in lost}
            assert broken.attributes(call) == expected
    assert telemetry.spans() == []
    assert len(told.take()) == 1  # one place in the source: where `breaks` raises


def no_price(_call: Call) -> None:
    """For a pipeline of which only the names matter."""


@pytest.mark.parametrize(
    "processor", [each.__name__ for each in processors.pipeline(Settings(), no_price, records_content=False)]
)
def test_a_broken_processor(processor: str, told: LoggedWarnings, provider: OpenAIProvider) -> None:
    """A processor that raises is passed over."""
    recorder = Recorder()
    telemetry = telemetry_to(recorder)
    telemetry._pipeline = tuple(breaks if each.__name__ == processor else each for each in telemetry._pipeline)
    finished = whole_call()
    telemetry.finish(telemetry.start(finished, Context()), finished)
    assert recorder.attributes()["gen_ai.operation.name"] == "chat"
    assert len(told.take()) == 1
    assert provider.ledger == []


@pytest.mark.parametrize("index", [index for index, row in enumerate(METRICS) if row.instrument != "open streams"])
def test_a_broken_metric(index: int, told: LoggedWarnings) -> None:
    """A metric whose value cannot be had leaves the others."""

    def recorded(rows: Sequence[Metric]) -> Counter[str]:
        recorder = Recorder()
        telemetry = telemetry_to(recorder, rows)
        finished = whole_call()
        telemetry.finish(telemetry.start(finished, Context()), finished)
        points, totals = recorder.measured()
        return Counter([*(point.name for point in points), *(total.name for total in totals)])

    others_before, row, others = METRICS[:index], METRICS[index], METRICS[index + 1 :]
    assert recorded([*others_before, replace(row, measure=breaks), *others]) == recorded([*others_before, *others])
    assert len(told.take()) == 1


def test_a_span_processor_that_raises(
    provider: OpenAIProvider, told: LoggedWarnings, instrumented_with: Reinstrument
) -> None:
    """A fault in the pipeline behind us does not reach the app either."""

    class Raises(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise Broken(span.name)

    with instrumented_with(Recorder(span_processors=[Raises()])):
        assert call(provider, stream=False) == "Hello, world!"
    assert len(told.take()) == 1
