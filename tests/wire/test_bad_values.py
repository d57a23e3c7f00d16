"""One bad value loses only itself: in responses, streams, usages, exceptions."""

from __future__ import annotations

import json
from typing import Any

import litellm
import pytest
from opentelemetry.trace import StatusCode

from agentops_otel_litellm.semconv.gen_ai import EXCEPTION_EVENT
from support import wire_formats as formats
from support.api_caller import ApiCaller
from support.apps import MESSAGES
from support.bad_values import USAGE
from support.captured import Capture
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.servers.wire import Reply, WireProvider, events

CHUNK: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024"}


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
def test_a_count_that_litellm_cannot_price(
    function: str, wire: WireProvider, telemetry: Recorder, logged: LoggedWarnings
) -> None:
    """The cost is unknown, which is no fault of this package: the log does not say that it is."""
    parameters, body, name, count = UNREADABLE_COUNTS[function]
    wire.reply("", Reply(body=body))
    ApiCaller(wire=wire, asynchronous=True).call(function, **parameters)
    attributes = telemetry.attributes()
    assert attributes[name] == count
    assert [each for each in attributes if each.startswith("agentops.cost")] == []
    assert logged.take() == []


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
