"""What is said through the Responses API, Anthropic's Messages and Google's generateContent."""

from __future__ import annotations

import contextlib

import pytest

from support.api_caller import ApiCaller
from support.captured import captured_content
from support.content_apis import APIS, OPENAI, OUTPUT_PARTS, RESPONSE, Api, recorded_message
from support.recorder import Recorder
from support.servers.wire import Reply, WireProvider


@pytest.fixture(params=APIS)
def each(request: pytest.FixtureRequest, api: ApiCaller) -> Api:
    """Each of them, in the styles in which LiteLLM has it."""
    row = APIS[request.param]
    if row.asynchronous_only and not api.asynchronous:
        pytest.skip("LiteLLM calls Anthropic asynchronously only")
    return row


def test_what_is_said_is_told(each: Api, api: ApiCaller, wire: WireProvider, captured: Recorder) -> None:
    """Instructions, conversation and tools; reasoning, text and calls of the answer."""
    wire.reply(each.path, Reply(body=each.response))
    api.call(each.function, **each.parameters)
    assert captured_content(captured) == each.expected_attributes(*OUTPUT_PARTS, finish_reason=each.finish_reason)


def test_a_stream_says_the_same(each: Api, api: ApiCaller, wire: WireProvider, captured: Recorder) -> None:
    """Put together from its pieces."""
    wire.reply(each.path, Reply(pieces=each.stream))
    each.stream_with(api)
    assert captured_content(captured) == each.expected_attributes(*OUTPUT_PARTS, finish_reason=each.finish_reason)


def test_of_a_stream_that_is_cut_what_came_is_told(
    each: Api, api: ApiCaller, wire: WireProvider, captured: Recorder
) -> None:
    """As far as it came."""
    wire.reply(each.path, Reply(pieces=each.stream, cut_after=each.cut_after))
    with contextlib.suppress(Exception):  # which one is LiteLLM's affair
        each.stream_with(api)
    assert captured_content(captured) == each.expected_attributes(*each.parts_before_cut)


@pytest.mark.parametrize("api", ["sync"], indirect=True)
def test_a_stored_response_is_told(api: ApiCaller, wire: WireProvider, captured: Recorder) -> None:
    """Asked for later, it says what it said."""
    wire.reply("/responses/resp_1", Reply(body=RESPONSE))
    api.call("get_responses", response_id="resp_1", custom_llm_provider="openai")
    assert captured_content(captured) == {
        "gen_ai.output.messages": [recorded_message("assistant", *OUTPUT_PARTS, finish_reason=OPENAI.finish_reason)]
    }
