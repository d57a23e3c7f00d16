"""An invalid value in a response, stream, usage or exception loses only its own field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import litellm
import pytest

from agentops_otel_litellm import readers
from agentops_otel_litellm.readers.anthropic_messages import messages_usage
from agentops_otel_litellm.readers.streams import ServerSentEvents
from agentops_otel_litellm.readers.usage_and_cost import litellm_cost, read_usage
from agentops_otel_litellm.readers.values import index, number, read_fields, tokens
from support.bad_values import USAGE
from support.logged_warnings import LoggedWarnings


class UnreadableError(Exception):
    """An exception whose attributes raise."""

    def _raises(self) -> object:
        raise RuntimeError("canary")

    status_code = llm_provider = response = body = litellm_response_headers = property(_raises)


def test_an_exception_that_cannot_be_read(logged: LoggedWarnings) -> None:
    """Its type is recorded."""
    failure = readers.read_failure(UnreadableError())
    assert (failure.type, failure.ancestry[0], failure.status_code) == ("UnreadableError", "UnreadableError", None)
    assert all("canary" not in line for line in logged.take())


@pytest.mark.parametrize("value", [{"a": 1}, [1], object(), float("nan")])
def test_an_invalid_status_is_unknown(value: object) -> None:
    error = litellm.APIError(500, "no", "openai", "gpt-4o")
    error.status_code = value  # type: ignore[assignment]  # as LiteLLM sets it
    assert readers.read_failure(error).status_code is None
    assert readers.read_failure(error).provider == "openai"


@pytest.mark.parametrize("value", [-1, 1e30, 10**400, 10**13, True, "12", None, [1], {}, float("inf"), float("nan")])
def test_an_invalid_count_is_left_out(value: object) -> None:
    """The count is left out, and the others stay."""
    assert tokens(value) is None
    usage = read_usage({"usage": {"prompt_tokens": 21, "completion_tokens": value, "total_tokens": 34}})
    assert usage is not None
    assert (usage.input, usage.output) == (21, None)
    usage = messages_usage({"usage": {"input_tokens": 21, "output_tokens": 7, "cache_read_input_tokens": value}})
    assert usage is not None
    assert (usage.input, usage.output, usage.cache_read) == (21, 7, None)


@pytest.mark.parametrize("value", [0, 1, 10**12])
def test_a_valid_count_is_read(value: int) -> None:
    assert tokens(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [(10**400, None), (-(10**400), None), (float("nan"), None), (1, 1.0), (0.5, 0.5), (True, None)],
)
def test_numbers_must_be_finite_floats(value: object, expected: float | None) -> None:
    """An integer may exceed the largest float."""
    assert number(value) == expected


@pytest.mark.parametrize("value", [-1e-9, 1e12, 10**400, float("nan"), "1", None])
def test_an_invalid_cost_is_unknown(value: object) -> None:
    assert litellm_cost(value) is None


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (3, 3), (None, 0), ("1", 0), ([1], 0), ({}, 0), (10**400, 0)])
def test_an_invalid_index_is_zero(value: object, expected: int) -> None:
    assert index(value) == expected


def test_a_row_that_raises_loses_only_its_field(logged: LoggedWarnings) -> None:
    def fail(_value: object) -> object:
        raise ValueError("canary")

    rows: dict[str, tuple[str, Callable[[Any], Any]]] = {"a": ("first", fail), "b": ("second", number)}
    assert read_fields({"a": 1, "b": 2}, rows) == {"second": 2.0}
    (line,) = logged.take()
    assert line.startswith("Reading 'a' failed (ValueError")


@pytest.mark.parametrize("bad", ["{not json", '{"a": ' + "[" * 100_000, '{"n": 1' + "0" * 5_000, "null", "[1]", ""])
def test_an_invalid_event_is_skipped(bad: str) -> None:
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
