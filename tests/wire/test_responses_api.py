"""The Responses API: called for itself, translated into a chat, and what a chat is translated into."""

from __future__ import annotations

import asyncio
from typing import cast

import litellm
import pydantic
import pytest
from opentelemetry.trace import StatusCode

from support.api_caller import ApiCaller
from support.api_scenarios import (
    abandon,
    assert_first_token_after_first_chunk,
    assert_provider_error,
    assert_stream_was_interrupted,
    cancel_reading,
    names_with,
    request_attributes,
)
from support.expected import STREAMED, cost_attributes, identity, without_timings
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.wire import Reply, WireProvider, events
from support.wire_formats import (
    CACHE_READ,
    CALL_ITEM,
    INPUT,
    MESSAGE_ITEM,
    OUTPUT,
    PATHS,
    PIECES,
    REASONING,
    RESPONSES_USAGE,
    TEXT,
    chat_events,
    fail_everywhere,
    respond_everywhere,
    response,
    response_events,
    stream_everywhere,
    usage_attributes,
)

GPT: dict[str, object] = {"model": "openai/gpt-4o", "input": "Say hello."}
REQUEST: Attributes = {
    "llm.request.stream": False,
    "llm.request.messages_count": 1,
    "llm.request.messages.user_count": 1,
    "llm.request.content_length": len("Say hello."),
    "llm.request.modalities": ("text",),
}


def said(result: litellm.ResponsesAPIResponse) -> Attributes:
    """What a span says of the answer. LiteLLM gives the app an id of its own, which names the provider as well."""
    return {
        "gen_ai.response.id": result.id,
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.status": "completed",
        "openai.response.service_tier": "default",
        "llm.response.id": result.id,
        "llm.response.model": "gpt-4o-2024-08-06",
        "llm.response.finish_reason": "stop",
        "llm.response.status": "completed",
        "llm.response.content_length": len(TEXT),
        "llm.response.tool_calls_count": 0,
    }


USED = {"input": INPUT, "cache_read": CACHE_READ, "output": OUTPUT, "reasoning": REASONING}


def test_a_response_is_described_in_full(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """A response has the attributes that follow from what was asked, answered, counted and priced, and no others."""
    respond_everywhere(wire)
    result = api.call("responses", **GPT)
    assert isinstance(result, litellm.ResponsesAPIResponse)
    (span,) = telemetry.spans()
    assert span.name == "chat gpt-4o"
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert attributes_of(span) == {
        **identity("chat", api.name("responses"), "openai/gpt-4o", wire),
        **REQUEST,
        **said(result),
        **usage_attributes(),
        **cost_attributes(result._hidden_params["response_cost"], "gpt-4o", **USED),
    }


def test_a_streamed_response_is_described_in_full(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """Read to its end, a stream says what a plain response does, and how it came."""
    respond_everywhere(wire)
    price_of_a_plain_call = api.call("responses", **GPT)._hidden_params["response_cost"]
    wire.reset()
    telemetry.forget()
    stream_everywhere(wire)
    chunks = api.call("responses", stream=True, **GPT)
    assert [chunk.type for chunk in chunks if hasattr(chunk, "delta")] == ["response.output_text.delta"] * len(PIECES)
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.UNSET
    assert without_timings(attributes_of(span)) == {
        **identity("chat", api.name("responses"), "openai/gpt-4o", wire),
        **REQUEST,
        **STREAMED,
        **said(chunks[-1].response),
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
        **usage_attributes(),
        **cost_attributes(price_of_a_plain_call, "gpt-4o", **USED),
    }


@pytest.mark.parametrize("output", ["none", "all"])
@pytest.mark.parametrize("kind", ["text", "tool call"])
def test_the_output_is_read_from_all_events(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, kind: str, output: str
) -> None:
    """Some servers leave out the output of the last event, which then is in the events before it."""
    if kind == "text":
        pieces = response_events(output=[]) if output == "none" else response_events()
    else:
        last = response(output=[] if output == "none" else [CALL_ITEM])
        begun = {**CALL_ITEM, "arguments": "", "status": "in_progress"}
        messages: list[dict[str, object]] = [
            {"type": "response.created", "response": response(status="in_progress", output=[], usage=None)},
            {"type": "response.output_item.added", "output_index": 0, "item": begun},
            {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0, "delta": "{}"},
            {"type": "response.output_item.done", "output_index": 0, "item": CALL_ITEM},
            {"type": "response.completed", "response": last},
        ]
        pieces = events(*({**message, "sequence_number": n} for n, message in enumerate(messages)), names=True)
    wire.reply("/responses", Reply(pieces=pieces))
    chunks = api.call("responses", stream=True, **GPT)
    assert bool(chunks[-1].response.output) == (output == "all")
    attributes = telemetry.attributes()
    expected = (len(TEXT), 0, "stop") if kind == "text" else (0, 1, "tool_call")
    assert (
        attributes["llm.response.content_length"],
        attributes["llm.response.tool_calls_count"],
        *cast("tuple[str]", attributes["gen_ai.response.finish_reasons"]),
    ) == expected
    assert attributes["gen_ai.usage.output_tokens"] == usage_attributes()["gen_ai.usage.output_tokens"]


def test_the_first_token_is_the_first_delta(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """Four events come before the first that carries text."""
    assert_first_token_after_first_chunk(api, wire, telemetry, "responses", GPT)


class Answer(pydantic.BaseModel):
    greeting: str


FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
# What was asked beyond the input → what the span says in addition to a plain response's.
ASKED: dict[str, tuple[dict[str, object], Attributes]] = {
    "sampling": (
        {"temperature": 0, "top_p": 0.5, "max_output_tokens": 19},
        {
            "gen_ai.request.temperature": 0.0,
            "gen_ai.request.top_p": 0.5,
            "gen_ai.request.max_tokens": 19,
            "llm.request.temperature": 0.0,
            "llm.request.top_p": 0.5,
            "llm.request.max_tokens": 19,
        },
    ),
    "instructions": (
        {"instructions": "Be brief."},
        {
            "llm.request.messages_count": 2,
            "llm.request.messages.system_count": 1,
            "llm.request.content_length": len("Say hello.Be brief."),
        },
    ),
    "tools": (
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "weather"}},
        {"llm.request.tools_count": 1, "llm.request.tool_choice": "function"},
    ),
    "a choice of tools": ({"tool_choice": "required"}, {"llm.request.tool_choice": "required"}),
    "reasoning": ({"reasoning": {"effort": "low"}, "drop_params": True}, {"gen_ai.request.reasoning.level": "low"}),
    "a format": (
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object", "properties": {}}}}},
        {"gen_ai.output.type": "json"},
    ),
    "a model as format": ({"text_format": Answer}, {"gen_ai.output.type": "json"}),
    "service tier": ({"service_tier": "flex"}, {"openai.request.service_tier": "flex"}),
    "going on": (
        {"previous_response_id": "resp_0"},
        {"gen_ai.request.previous_response.id": "resp_0", "llm.request.previous_response_id": "resp_0"},
    ),
    "items": (
        {
            "input": [
                {"role": "developer", "content": "Be brief."},
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Look."},
                        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                        {"type": "input_file", "file_id": "file_1"},
                    ],
                },
                CALL_ITEM,
                {"type": "function_call_output", "call_id": "call_1", "output": "Sunny."},
            ]
        },
        {
            "llm.request.messages_count": 4,
            "llm.request.messages.developer_count": 1,
            "llm.request.messages.user_count": 1,
            "llm.request.messages.tool_count": 1,
            "llm.request.content_length": len("Be brief.Look.Sunny."),
            "llm.request.modalities": ("file", "image", "text"),
        },
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_was_asked_is_told(api: ApiCaller, wire: WireProvider, telemetry: Recorder, case: str) -> None:
    """Each parameter has its attributes, and no other appears."""
    respond_everywhere(wire)
    asked, told = ASKED[case]
    api.call("responses", **{**GPT, **asked})
    assert request_attributes(telemetry.attributes()) == {
        **REQUEST,
        "gen_ai.request.model": "gpt-4o",
        "llm.request.model": "openai/gpt-4o",
        **told,
    }


# What came back → what the span says of it.
ANSWERED: dict[str, tuple[dict[str, object], Attributes]] = {
    "a call of a tool": (
        {"output": [CALL_ITEM, {**CALL_ITEM, "call_id": "call_2"}]},
        {"reasons": ("tool_call",), "status": "completed", "length": 0, "calls": 2},
    ),
    "text and a call": (
        {"output": [{"type": "reasoning", "id": "rs_1", "summary": []}, MESSAGE_ITEM, CALL_ITEM]},
        {"reasons": ("tool_call",), "status": "completed", "length": len(TEXT), "calls": 1},
    ),
    "cut short": (
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        {"reasons": ("length",), "status": "incomplete", "length": len(TEXT), "calls": 0},
    ),
    "filtered": (
        {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []},
        {"reasons": ("content_filter",), "status": "incomplete", "length": 0, "calls": 0},
    ),
    "in the background": (
        {"status": "queued", "output": [], "usage": None},
        {"reasons": None, "status": "queued", "length": 0, "calls": 0},
    ),
}


ENDS_OF_STREAMS = [case for case in ANSWERED if case != "in the background"]


@pytest.mark.parametrize(
    ("case", "streamed"), [*((case, False) for case in ANSWERED), *((case, True) for case in ENDS_OF_STREAMS)]
)
def test_what_was_answered_is_told(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, case: str, *, streamed: bool
) -> None:
    """How a response ended and what it has in it, whether it came whole or as a stream's last event."""
    changes, told = ANSWERED[case]
    given = dict(changes)
    pieces = response_events(str(given.pop("status", "completed")), **given) if streamed else None
    wire.reply(PATHS["responses"], Reply(body=response(**changes), pieces=pieces))
    api.call("responses", stream=streamed, **GPT)
    attributes = telemetry.attributes()
    if streamed and not changes.get("output", True):  # the application has received the text in the events before
        told = {**told, "length": len(TEXT)}
    assert {
        "reasons": attributes.get("gen_ai.response.finish_reasons"),
        "status": attributes["gen_ai.response.status"],
        "length": attributes["llm.response.content_length"],
        "calls": attributes["llm.response.tool_calls_count"],
    } == told


# A provider that has but another API → the path LiteLLM translates to, and what is counted there.
TRANSLATED = {
    "anthropic/claude-sonnet-4-6": ("/v1/messages", {"cache_write": True, "reasoning": False}),
    "groq/a-model": ("/chat/completions", {}),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("model", TRANSLATED)
def test_a_translated_response_is_one_call(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, model: str, *, streamed: bool
) -> None:
    """Where LiteLLM makes a chat of it, there is one span and one attempt, with the provider's counts."""
    (stream_everywhere if streamed else respond_everywhere)(wire)
    api.call("responses", stream=streamed, model=model, input="Say hello.")
    path, kinds = TRANSLATED[model]
    assert [exchange.path for exchange in wire.ledger] == [path]
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert span.name == f"chat {model.partition('/')[2]}"
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert attributes.items() >= usage_attributes(**kinds).items()
    assert attributes["litellm.provider"] == model.partition("/")[0]
    assert attributes["litellm.call_type"] == api.name("responses")
    assert attributes["gen_ai.response.status"] == "completed"
    assert attributes["llm.response.content_length"] == len(TEXT)
    if model.startswith("anthropic"):
        assert attributes["gen_ai.usage.cost.amount"] == pytest.approx(5 * 3e-6 + 4 * 3e-7 + 2 * 3.75e-6 + 7 * 1.5e-5)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_chat_through_the_responses_api_is_one_call(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, *, streamed: bool
) -> None:
    """A chat that LiteLLM is told to send to the Responses API is a chat of the model's own name."""
    (stream_everywhere if streamed else respond_everywhere)(wire)
    messages = [{"role": "user", "content": "Say hello."}]
    api.call("completion", model="openai/responses/gpt-4o", messages=messages, stream=streamed)
    assert [exchange.path for exchange in wire.ledger] == ["/responses"]
    (span,) = telemetry.spans()
    assert span.name == "chat gpt-4o"
    assert attributes_of(span).items() >= {**usage_attributes(), "gen_ai.request.model": "gpt-4o"}.items()
    assert attributes_of(span)["gen_ai.usage.cost.amount"] == pytest.approx(7 * 2.5e-6 + 4 * 1.25e-6 + 7 * 1e-5)


@pytest.mark.parametrize("model", ["openai/gpt-4o", "groq/a-model"])
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # LiteLLM's, of its own estimate
def test_a_stream_whose_tokens_the_provider_did_not_count(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, model: str
) -> None:
    """LiteLLM ends such a stream with a usage that it has made up: there are no tokens and there is no price."""
    wire.reply(PATHS["responses"], Reply(pieces=response_events(usage=None)))
    wire.reply(PATHS["chat"], Reply(pieces=chat_events(with_usage=False)))
    chunks = api.call("responses", stream=True, model=model, input="Say hello.")
    assert chunks[-1].response.usage.output_tokens > 0
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "completed"
    assert names_with(attributes, "usage", "cost", "tokens_per") == []


def test_a_response_whose_tokens_the_provider_did_not_count(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder
) -> None:
    """Nothing is said of tokens and price."""
    wire.reply(PATHS["responses"], Reply(body=response(usage=None)))
    api.call("responses", **GPT)
    assert names_with(telemetry.attributes(), "usage", "cost") == []


# --- endings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["openai/gpt-4o", "groq/a-model"])
def test_a_stream_that_is_cut_has_failed(api: ApiCaller, wire: WireProvider, telemetry: Recorder, model: str) -> None:
    """The span says how far it came, and no more."""
    stream_everywhere(wire, delay=0.02, cut_after=2 if model.startswith("groq") else 6)
    with pytest.raises(Exception, match=r"(?i)payload|incomplete|closed|peer"):
        api.call("responses", stream=True, model=model, input="Say hello.")
    span = assert_stream_was_interrupted(telemetry)
    assert len(span.events) == 1
    assert names_with(attributes_of(span), "usage", "finish") == []


def test_a_response_that_fails_in_its_stream(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """The provider's event of a failure is the failure of the one attempt; what was counted until then is counted."""
    error = {"code": "server_error", "message": f"{TEXT} is what I cannot say."}
    wire.reply(PATHS["responses"], Reply(pieces=response_events("failed", error=error)))
    with pytest.raises(litellm.exceptions.MidStreamFallbackError):
        api.call("responses", stream=True, **GPT)
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert attributes["llm.response.stream_outcome"] == "failed"
    assert attributes["error.type"] == "InternalServerError"
    assert attributes["llm.error.category"] == "server_error"
    assert attributes["gen_ai.response.status"] == "failed"
    assert attributes["gen_ai.usage.input_tokens"] == INPUT
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert TEXT not in telemetry.everything()


def test_a_stream_that_nobody_reads_on_is_abandoned(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """A span ends when the app forgets its stream, and tells as much as came."""
    stream_everywhere(wire)
    abandon(api, "responses", after=5, stream=True, **GPT)
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "abandoned"
    assert attributes["llm.response.chunk_count"] == 5
    assert attributes["llm.response.content_length"] == len(PIECES[0])
    assert attributes["gen_ai.response.status"] == "in_progress"
    assert attributes["gen_ai.response.model"] == "gpt-4o-2024-08-06"
    assert names_with(attributes, "usage", "cost") == []


def test_a_cancelled_stream(wire: WireProvider, telemetry: Recorder) -> None:
    """A task that is cancelled while it waits for an event ends the span as cancelled."""
    wire.reply(PATHS["responses"], Reply(pieces=response_events(), delay=0.2))

    async def scenario() -> None:
        stream = await ApiCaller(wire=wire, asynchronous=True).start("responses", stream=True, **GPT)
        await anext(stream)
        await cancel_reading(stream)

    asyncio.run(scenario())
    assert telemetry.attributes()["llm.response.stream_outcome"] == "cancelled"


# --- errors and retries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["openai/gpt-4o", "groq/a-model"])
@pytest.mark.parametrize(
    ("status", "error", "category"),
    [(401, litellm.AuthenticationError, "auth"), (429, litellm.RateLimitError, "rate_limit")],
)
def test_a_refusal_is_categorised(  # noqa: PLR0913, PLR0917 - fixtures and cases
    api: ApiCaller,
    wire: WireProvider,
    telemetry: Recorder,
    model: str,
    status: int,
    error: type[Exception],
    category: str,
) -> None:
    """The app gets LiteLLM's exception, and the one span says what it was, whether LiteLLM translated or not."""
    fail_everywhere(wire, status, **{"retry-after": "7"})
    with pytest.raises(error):
        api.call("responses", model=model, input="Say hello.")
    assert len(wire.ledger) == 1
    span = assert_provider_error(telemetry, error, category, status)
    assert attributes_of(span)["llm.error.retry_after"] == 7.0
    assert [event.name for event in span.events] == ["litellm.attempt"]


def test_retries_are_attempts_of_one_call(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """LiteLLM's second attempt is the second of the same span, which succeeds."""
    wire.reply_once(PATHS["responses"], Reply(status=500, body={"error": {"message": "no"}}))
    respond_everywhere(wire)
    api.call("responses", num_retries=1, **GPT)
    assert len(wire.ledger) == 2
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert attributes["llm.retry.count"] == 1
    assert [dict(event.attributes or {}).get("litellm.attempt.error.type") for event in span.events] == [
        "InternalServerError",
        None,
    ]
    assert attributes["gen_ai.usage.output_tokens"] == OUTPUT
    assert span.status.status_code is StatusCode.UNSET


# --- stored responses ---------------------------------------------------------------------------------------

STORED = "resp_1"
# Function → what the provider answers, the operation, and what the span says of the answer.
ABOUT_STORED: dict[str, tuple[dict[str, object], str, Attributes]] = {
    "get_responses": (
        response(),
        "fetch_response",
        {
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.status": "completed",
            "gen_ai.response.finish_reasons": ("stop",),
            "openai.response.service_tier": "default",
            "llm.response.model": "gpt-4o-2024-08-06",
            "llm.response.status": "completed",
            "llm.response.finish_reason": "stop",
            "llm.response.content_length": len(TEXT),
            "llm.response.tool_calls_count": 0,
        },
    ),
    "cancel_responses": (
        response(status="cancelled", output=[], usage=None),
        "cancel_responses",
        {
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.status": "cancelled",
            "openai.response.service_tier": "default",
            "llm.response.model": "gpt-4o-2024-08-06",
            "llm.response.status": "cancelled",
            "llm.response.content_length": 0,
            "llm.response.tool_calls_count": 0,
        },
    ),
    "delete_responses": (
        {"id": STORED, "object": "response", "deleted": True},
        "delete_responses",
        {"llm.response.deleted": True},
    ),
    "list_input_items": (
        {"object": "list", "data": [MESSAGE_ITEM], "first_id": "msg_1", "last_id": "msg_1", "has_more": False},
        "list_input_items",
        {"llm.response.results_count": 1, "llm.response.has_more": False},
    ),
}


@pytest.mark.parametrize("function", ABOUT_STORED)
def test_what_is_done_with_a_stored_response(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, function: str
) -> None:
    """It is one span that names the response; what making it took was told before, and is not told again."""
    answer, operation, told = ABOUT_STORED[function]
    wire.reply(STORED, Reply(body=answer))
    wire.reply("cancel", Reply(body=answer))
    wire.reply("input_items", Reply(body=answer))
    result = api.call(function, response_id=STORED, custom_llm_provider="openai")
    (span,) = telemetry.spans()
    assert span.name == operation
    attributes = attributes_of(span)
    if "id" in answer:
        told = {"gen_ai.response.id": result.id, "llm.response.id": result.id, **told}
    assert attributes == {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "openai",
        "litellm.provider": "openai",
        "llm.provider": "openai",
        "llm.vendor": "litellm",
        "litellm.call_id": attributes["litellm.call_id"],
        "litellm.call_type": api.name(function),
        "llm.request.response_id": STORED,
        "server.address": wire.address,
        "server.port": wire.port,
        **told,
    }


@pytest.mark.skipif(not hasattr(litellm, "compact_responses"), reason="this LiteLLM does not compact")
def test_a_conversation_that_is_compacted_is_described_in_full(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder
) -> None:
    """To have a conversation made shorter is a call of a model's: it has what was asked, counted and priced."""
    compacted = {"type": "compaction", "id": "cmp_1", "encrypted_content": "opaque"}
    answer = {"id": "resp_1", "object": "response.compaction", "created_at": 1, "output": [compacted]}
    wire.reply("/compact", Reply(body={**answer, "usage": RESPONSES_USAGE}))
    result = api.call("compact_responses", instructions="Be brief.", **GPT)
    (span,) = telemetry.spans()
    assert span.name == "compact_responses gpt-4o"
    assert attributes_of(span) == {
        **identity("compact_responses", api.name("compact_responses"), "openai/gpt-4o", wire),
        **REQUEST,
        "llm.request.messages_count": 2,
        "llm.request.messages.system_count": 1,
        "llm.request.content_length": len("Be brief.Say hello."),
        "gen_ai.response.id": result.id,
        "llm.response.id": result.id,
        "llm.response.content_length": 0,
        "llm.response.tool_calls_count": 0,
        **usage_attributes(),
        **cost_attributes(result._hidden_params["response_cost"], "gpt-4o", **USED),
    }
