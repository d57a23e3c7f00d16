"""One bad value loses only itself: in responses, streams, usages, exceptions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import litellm
import pytest
from opentelemetry.trace import StatusCode

import wire_formats as formats
from agentops_otel_litellm import readers
from agentops_otel_litellm.readers.figures import litellm_cost
from agentops_otel_litellm.readers.messages import messages_usage
from agentops_otel_litellm.readers.sse import ServerSentEvents
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import index, number, read_fields, tokens
from agentops_otel_litellm.semconv.gen_ai import EXCEPTION_EVENT
from api_caller import ApiCaller
from apps import MESSAGES
from captured import Capture
from conftest import Told
from recorder import Recorder
from servers.wire import Reply, WireProvider, events

CHUNK: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024"}
USAGE = {"prompt_tokens": 21, "completion_tokens": 13, "total_tokens": 34}


def stream(wire: WireProvider, *messages: object) -> list[Any]:
    wire.reply("", Reply(pieces=events(*messages, "[DONE]")))
    return list(
        litellm.completion("openai/gpt-4o", MESSAGES, stream=True, api_base=wire.url, api_key="sk-test", max_retries=0)
    )


def test_choices_without_an_index(wire: WireProvider, telemetry: Recorder) -> None:
    """A stream whose choices have no index is of one choice, and the rest of the response is known."""
    assert stream(
        wire,
        {**CHUNK, "choices": [{"delta": {"role": "assistant", "content": "hel"}, "finish_reason": None}]},
        {**CHUNK, "choices": [{"delta": {"content": "lo"}, "finish_reason": None}]},
        {**CHUNK, "choices": [{"delta": {}, "finish_reason": "stop"}]},
        {**CHUNK, "choices": [], "usage": USAGE},
    )
    attributes = telemetry.attributes()
    assert attributes["gen_ai.response.id"] == "chatcmpl-1"
    assert attributes["gen_ai.response.model"] == "gpt-4o-2024"
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["llm.response.choices_count"] == 1
    assert attributes["llm.response.content_length"] == 5
    assert attributes["gen_ai.usage.output_tokens"] == 13


@pytest.mark.parametrize("code", [{"a": 1}, [1], 10**400, "x" * 10_000, True])
def test_an_error_code_that_is_none(code: object, wire: WireProvider, telemetry: Recorder) -> None:
    """The application gets LiteLLM's exception, and the span is an error of its type."""
    wire.reply("", Reply(body=json.dumps({"error": {"code": code, "message": None}}).encode()))
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever LiteLLM makes of it
        litellm.completion("openai/gpt-4o", MESSAGES, api_base=wire.url, api_key="sk-test", max_retries=0)
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes()["error.type"] == raised.type.__name__


class Hostile(Exception):  # noqa: N818 - whatever it is called
    """Each of its facts raises."""

    def _raises(self) -> object:
        raise RuntimeError("canary")

    status_code = llm_provider = response = body = litellm_response_headers = property(_raises)


def test_an_exception_that_cannot_be_read(told: Told) -> None:
    """Its type can be, whatever else cannot."""
    failure = readers.read_failure(Hostile())
    assert (failure.type, failure.ancestry[0], failure.status_code) == ("Hostile", "Hostile", None)
    assert all("canary" not in line for line in told.take())


@pytest.mark.parametrize("value", [{"a": 1}, [1], object(), float("nan")])
def test_a_status_that_is_none(value: object) -> None:
    error = litellm.APIError(500, "no", "openai", "gpt-4o")
    error.status_code = value  # type: ignore[assignment]  # as LiteLLM sets it
    assert readers.read_failure(error).status_code is None
    assert readers.read_failure(error).provider == "openai"


@pytest.mark.parametrize("value", [-1, 1e30, 10**400, 10**13, True, "12", None, [1], {}, float("inf"), float("nan")])
def test_a_count_that_is_none(value: object) -> None:
    """The count is left out, and the others stay."""
    assert tokens(value) is None
    usage = read_usage({"usage": {"prompt_tokens": 21, "completion_tokens": value, "total_tokens": 34}})
    assert usage is not None
    assert (usage.input, usage.output) == (21, None)
    usage = messages_usage({"usage": {"input_tokens": 21, "output_tokens": 7, "cache_read_input_tokens": value}})
    assert usage is not None
    assert (usage.input, usage.output, usage.cache_read) == (21, 7, None)


@pytest.mark.parametrize("value", [0, 1, 10**12])
def test_a_count_that_is_one(value: int) -> None:
    assert tokens(value) == value


@pytest.mark.parametrize(
    ("value", "known"), [(10**400, None), (-(10**400), None), (float("nan"), None), (1, 1.0), (0.5, 0.5), (True, None)]
)
def test_numbers(value: object, known: float | None) -> None:
    """An integer may be larger than any float."""
    assert number(value) == known


@pytest.mark.parametrize("value", [-1e-9, 1e12, 10**400, float("nan"), "1", None])
def test_a_cost_that_is_none(value: object) -> None:
    assert litellm_cost(value) is None


@pytest.mark.parametrize(("value", "known"), [(0, 0), (3, 3), (None, 0), ("1", 0), ([1], 0), ({}, 0), (10**400, 0)])
def test_indexes(value: object, known: int) -> None:
    assert index(value) == known


def test_a_row_that_raises_loses_its_field(told: Told) -> None:
    def fails(_value: object) -> object:
        raise ValueError("canary")

    rows: dict[str, tuple[str, Callable[[Any], Any]]] = {"a": ("first", fails), "b": ("second", number)}
    assert read_fields({"a": 1, "b": 2}, rows) == {"second": 2.0}
    (line,) = told.take()
    assert line.startswith("Reading 'a' failed (ValueError")


@pytest.mark.parametrize("bad", ["{not json", '{"a": ' + "[" * 100_000, '{"n": 1' + "0" * 5_000, "null", "[1]", ""])
def test_an_event_that_is_no_message(bad: str) -> None:
    """The events around it are read."""
    given = f'data: {{"n": 1}}\n\ndata: {bad}\n\ndata: {{"n": 2}}\n\n'.encode()
    assert [message["n"] for message in ServerSentEvents().messages(given)] == [1, 2]


# What a choice, or a part of one, may be → what of the response is still known.
ODD: list[Any] = [None, [], {}, "text", 1, -1.5, True, [None], {"a": {}}, 10**400, "x" * 5_000]
MESSAGE: dict[str, Any] = {"role": "assistant", "content": "hello", "tool_calls": None}
CHOICE: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": MESSAGE}
CHAT: dict[str, Any] = {"id": "c", "model": "gpt-4o", "choices": [CHOICE], "usage": USAGE, "service_tier": "default"}


@pytest.mark.parametrize("odd", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", ["content", "tool_calls", "role", "function_call", "reasoning_content", "images"])
def test_an_odd_part_of_a_message(name: str, odd: object) -> None:
    """The response's id, model and finish reason do not depend on it."""
    result = {**CHAT, "choices": [{**CHOICE, "message": {**MESSAGE, name: odd}}]}
    response = readers.API_FORMATS["chat"].response(result)
    assert (response.id, response.model, response.finish_reasons) == ("c", "gpt-4o", ("stop",))
    assert readers.API_FORMATS["chat"].content is not None
    assert readers.API_FORMATS["chat"].content.response is not None
    assert readers.API_FORMATS["chat"].content.response(result)


@pytest.mark.parametrize("odd", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", ["message", "finish_reason", "index"])
def test_an_odd_part_of_a_choice(name: str, odd: object) -> None:
    response = readers.API_FORMATS["chat"].response({**CHAT, "choices": [{**CHOICE, name: odd}]})
    assert (response.id, response.model, response.choices_count) == ("c", "gpt-4o", 1)


@pytest.mark.parametrize("odd", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", ["index", "delta", "finish_reason"])
def test_an_odd_part_of_a_chunk(name: str, odd: object) -> None:
    """The chunks around it are read."""
    chunks, whole = (
        readers.API_FORMATS["chat"].chunks(None),
        {"index": 0, "delta": {"content": "hi"}, "finish_reason": None},
    )
    for choice in (whole, {**whole, name: odd}, {**whole, "finish_reason": "stop"}):
        chunks.add({"id": "c", "model": "m", "choices": [choice]}, 1.0)
    response = chunks.response()
    assert response.id == "c"
    assert response.content_length is not None
    assert response.content_length >= 4


# An API whose usage LiteLLM prices only when this package asks → counts that LiteLLM cannot read, and what is known.
UNREADABLE_COUNTS: dict[str, tuple[dict[str, Any], dict[str, Any], str, int]] = {
    "messages": (
        {"model": "anthropic/claude-sonnet-4-6", "messages": MESSAGES[1:], "max_tokens": 64},
        formats.message(usage={**formats.MESSAGES_USAGE, "input_tokens": float("nan")}),
        "gen_ai.usage.output_tokens",
        formats.OUTPUT,
    ),
    "generate_content": (
        {"model": "gemini/gemini-2.5-flash", "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        formats.content(usage={**formats.CONTENT_USAGE, "thoughtsTokenCount": "three"}),
        "gen_ai.usage.input_tokens",
        formats.INPUT,
    ),
}


@pytest.mark.parametrize("function", UNREADABLE_COUNTS)
def test_a_count_that_litellm_cannot_price(function: str, wire: WireProvider, telemetry: Recorder, told: Told) -> None:
    """The cost is unknown, which is no fault of this package: the log does not say that it is."""
    parameters, body, name, count = UNREADABLE_COUNTS[function]
    wire.reply("", Reply(body=body))
    ApiCaller(wire=wire, asynchronous=True).call(function, **parameters)
    attributes = telemetry.attributes()
    assert attributes[name] == count
    assert [each for each in attributes if each.startswith("agentops.cost")] == []
    assert told.take() == []


def test_a_response_without_messages(capture: Capture, wire: WireProvider) -> None:
    """Neither the span nor the event has messages of the response."""
    recorder = capture("SPAN_AND_EVENT")
    wire.reply("", Reply(pieces=[b"data: {", b"}\n\n"], cut_after=1))
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever LiteLLM makes of it
        list(litellm.completion("openai/gpt-4o", MESSAGES, stream=True, api_base=wire.url, api_key="k", max_retries=0))
    (log,) = [log for log in recorder.logs() if log.log_record.event_name != EXCEPTION_EVENT]
    for attributes in (recorder.attributes(), log.log_record.attributes or {}):
        assert "gen_ai.input.messages" in attributes
        assert "gen_ai.output.messages" not in attributes
