"""The vocabulary `langfuse`: the names and values that Langfuse's mapper reads."""

from __future__ import annotations

import json
from dataclasses import replace
from math import fsum

import pytest
from opentelemetry.context import Context

from agentops_otel_litellm.call import App, Call, Cost, Stream, Target, Timing, Usage
from agentops_otel_litellm.readers.metadata import read_app
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.convention import Attributes

LANGFUSE = VOCABULARIES["langfuse"]
CALL = Call(name="chat", operation="chat", target=Target(), timing=Timing(started_at=1_700_000_000_000_000_000))
USAGE = Usage(input=40, output=12, total=52, cache_read=8, cache_write=4, reasoning=5, output_audio=2)
COST = Cost(
    total=0.5, source="litellm", input=0.3, output=0.15, tools=0.05, cache_read=0.01, cache_write=0.02, reasoning=0.04
)


def written(**facts: object) -> Attributes:
    return LANGFUSE.attributes(replace(CALL, **facts))  # type: ignore[arg-type]  # fields of a call


def test_every_token_is_in_one_kind() -> None:
    """Langfuse adds up the kinds whose names begin with `input` and with `output`."""
    details = json.loads(str(written(usage=USAGE)["langfuse.observation.usage_details"]))
    assert details == {
        "input": 28,
        "input_cached_tokens": 8,
        "input_cache_creation": 4,
        "output": 5,
        "output_reasoning_tokens": 5,
        "output_audio_tokens": 2,
        "total": 52,
    }
    assert sum(number for kind, number in details.items() if kind != "total") == details["total"]


def test_every_dollar_is_in_one_kind() -> None:
    details = json.loads(str(written(cost=COST)["langfuse.observation.cost_details"]))
    assert details == {
        "input": 0.27,
        "input_cached_tokens": 0.01,
        "input_cache_creation": 0.02,
        "output": 0.11,
        "output_reasoning_tokens": 0.04,
        "tools": 0.05,
        "total": 0.5,
    }
    assert fsum(amount for kind, amount in details.items() if kind != "total") == pytest.approx(details["total"])


def test_unknown_parts_are_absent() -> None:
    """And a count that is smaller than its parts, which some gateways report, does not become negative."""
    assert written(usage=Usage(input=3)) == {"langfuse.observation.usage_details": '{"input":3}'}
    assert written(usage=Usage(input=3, cache_read=5)) == {
        "langfuse.observation.usage_details": '{"input":0,"input_cached_tokens":5}'
    }
    assert written(usage=Usage(input_text=3)) == {}
    assert written(cost=Cost(total=0.0, source="user")) == {"langfuse.observation.cost_details": '{"total":0.0}'}
    assert written() == {}


@pytest.mark.parametrize(
    ("stream", "time"),
    [
        (Stream(outcome="completed", chunk_count=2, first_chunk=0.25, first_token=0.5), "22:13:20.500000Z"),
        (Stream(outcome="completed", chunk_count=2, first_chunk=0.25), "22:13:20.250000Z"),
        (Stream(outcome="failed", chunk_count=0), None),
    ],
)
def test_the_completion_starts_with_the_first_token(stream: Stream, time: str | None) -> None:
    expected = None if time is None else f"2023-11-14T{time}"
    assert written(stream=stream).get("langfuse.observation.completion_start_time") == expected


@pytest.mark.parametrize(
    ("outcome", "level", "message"),
    [
        ("completed", None, None),
        ("failed", None, None),  # Langfuse reads the status of the span
        ("closed", "WARNING", "the stream was closed"),
        ("abandoned", "WARNING", "the stream was abandoned"),
        ("cancelled", "WARNING", "the stream was cancelled"),
    ],
)
def test_an_incomplete_stream_is_a_warning(outcome: str, level: str | None, message: str | None) -> None:
    attributes = written(stream=Stream(outcome=outcome, chunk_count=1))  # type: ignore[arg-type]  # one of its values
    names = ("langfuse.observation.level", "langfuse.observation.status_message")
    assert [attributes.get(name) for name in names] == [level, message]


def test_the_trace_and_the_prompt_are_read_from_litellm_parameters() -> None:
    """The names of LiteLLM's Langfuse callback and prompt management."""
    parameters = {
        "metadata": {"trace_name": "checkout", "tags": ["a", "b"]},
        "prompt_id": "greeting",
        "prompt_version": 3,
    }
    app = read_app(parameters, Context())
    assert app == App(trace_name="checkout", tags=("a", "b"), prompt_name="greeting", prompt_version=3)
    assert written(app=app) == {
        "langfuse.trace.name": "checkout",
        "langfuse.trace.tags": ("a", "b"),
        "langfuse.observation.prompt.name": "greeting",
        "langfuse.observation.prompt.version": 3,
    }
