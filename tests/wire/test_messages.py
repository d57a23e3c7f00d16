"""Anthropic's Messages: called for themselves, and translated for a provider that has but another API."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

import litellm
import pytest
from litellm.caching.caching import Cache
from opentelemetry.trace import StatusCode

from agentops_otel_litellm.invocation.stream_proxy import unwrapped
from agentops_otel_litellm.readers.anthropic_messages import MessagesChunks
from support.api_caller import ApiCaller, Result
from support.api_scenarios import (
    assert_first_token_after_first_chunk,
    assert_provider_error,
    assert_stream_was_interrupted,
    cancel_reading,
    names_with,
    request_attributes,
)
from support.expected import LOCALLY_PRICED, STREAMED, cost_parts, identity, without_prices, without_timings
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.wire import Reply, WireProvider, events
from support.wire_formats import (
    CACHE_READ,
    INPUT,
    MESSAGES_USAGE,
    PATHS,
    PIECES,
    TEXT,
    TEXT_BLOCK,
    TOOL_BLOCK,
    chat_events,
    fail_everywhere,
    message,
    message_events,
    respond_everywhere,
    response_events,
    stream_everywhere,
    usage_attributes,
)

CLAUDE: dict[str, Any] = {
    "model": "anthropic/claude-sonnet-4-6",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 64,
}
REQUEST: Attributes = {
    "gen_ai.request.max_tokens": 64,
    "llm.request.stream": False,
    "llm.request.messages_count": 1,
    "llm.request.messages.user_count": 1,
    "llm.request.content_length": len("Say hello."),
    "llm.request.max_tokens": 64,
    "llm.request.modalities": ("text",),
}
ANSWER: Attributes = {
    "gen_ai.response.id": "msg_1",
    "gen_ai.response.model": "claude-sonnet-4-6",
    "gen_ai.response.finish_reasons": ("stop",),
    "llm.response.id": "msg_1",
    "llm.response.model": "claude-sonnet-4-6",
    "llm.response.finish_reason": "stop",
    "llm.response.content_length": len(TEXT),
    "llm.response.tool_calls_count": 0,
}
PRICE = 5 * 3e-6 + 4 * 3e-7 + 2 * 3.75e-6 + 7 * 1.5e-5
"""Dollars: of the input, the cache's and the output's tokens, at what LiteLLM's map says of the model."""
PRICED: Attributes = {
    **LOCALLY_PRICED,
    **cost_parts("claude-sonnet-4-6", input=11, cache_read=4, cache_write=2, output=7),
}


@pytest.fixture
def claude(wire: WireProvider) -> ApiCaller:
    """LiteLLM calls Anthropic asynchronously only."""
    return ApiCaller(wire=wire, asynchronous=True)


def claude_identity(wire: WireProvider) -> Attributes:
    return {
        **identity("chat", "anthropic_messages", "anthropic/claude-sonnet-4-6", wire, litellm_provider="anthropic"),
        "gen_ai.provider.name": "anthropic",
    }


def test_a_message_is_described_in_full(claude: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """A message has the attributes that follow from the exchange; what was cached is part of its input."""
    respond_everywhere(wire)
    result = claude.call("messages", **CLAUDE)
    assert type(result) is dict
    assert result["usage"] == MESSAGES_USAGE
    (span,) = telemetry.spans()
    assert span.name == "chat claude-sonnet-4-6"
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert without_prices(attributes_of(span), PRICE) == {
        **claude_identity(wire),
        **REQUEST,
        **ANSWER,
        **usage_attributes(cache_write=True, reasoning=False),
        **PRICED,
    }


def test_a_streamed_message_is_described_in_full(claude: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """The bytes of a stream say what a message does, and are the provider's."""
    stream_everywhere(wire, delay=0.02)
    pieces = claude.call("messages", stream=True, **CLAUDE)
    assert b"".join(pieces) == b"".join(message_events())
    (span,) = telemetry.spans()
    assert without_prices(without_timings(attributes_of(span)), PRICE) == {
        **claude_identity(wire),
        **REQUEST,
        **STREAMED,
        **ANSWER,
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(pieces),
        **usage_attributes(cache_write=True, reasoning=False),
        **PRICED,
    }


def test_a_stream_that_litellm_puts_into_its_cache(
    claude: ApiCaller, wire: WireProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM wraps a stream that it is to keep a copy of; as much is read of it. From the cache it costs nothing."""
    monkeypatch.setattr(litellm, "cache", Cache())
    stream_everywhere(wire)
    for _ in range(2):
        claude.call("messages", stream=True, caching=True, **CLAUDE)
    bought, cached = map(attributes_of, telemetry.spans())
    assert len(wire.ledger) == 1
    tokens = usage_attributes(cache_write=True, reasoning=False)
    assert bought.items() >= {**ANSWER, **tokens}.items()
    assert bought["gen_ai.usage.cost.amount"] == pytest.approx(PRICE)
    assert "llm.cache.hit" not in bought
    assert cached.items() >= {**ANSWER, "llm.cache.hit": True, "gen_ai.usage.cost.amount": 0.0}.items()
    assert tokens.keys().isdisjoint(cached)


def test_the_first_token_is_the_first_delta(claude: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """Three events come before the first that carries text."""
    assert_first_token_after_first_chunk(claude, wire, telemetry, "messages", CLAUDE)


def test_a_stream_is_of_the_class_that_it_is_without_us(wire: WireProvider) -> None:
    """LiteLLM's proxy asks for the class, and for what it holds."""
    stream_everywhere(wire)

    async def scenario() -> None:
        stream = await ApiCaller(wire=wire, asynchronous=True).start("messages", stream=True, **CLAUDE)
        kind: Any = type(unwrapped(stream))
        assert isinstance(stream, kind)
        assert kind.__name__ == "AnthropicMessagesStreamingResponse"
        assert "additional_headers" in stream._hidden_params
        assert aiter(stream) is stream
        assert not hasattr(stream, "close")
        await stream.aclose()

    asyncio.run(scenario())


# What was asked beyond the message → what the span says in addition.
ASKED: dict[str, tuple[dict[str, object], Attributes]] = {
    "sampling": (
        {"temperature": 0.5, "top_k": 7, "stop_sequences": ["end"]},
        {
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.top_k": 7,
            "gen_ai.request.stop_sequences": ("end",),
            "llm.request.temperature": 0.5,
        },
    ),
    "top_p": ({"top_p": 0.5}, {"gen_ai.request.top_p": 0.5, "llm.request.top_p": 0.5}),
    "a system prompt": (
        {"system": "Be brief."},
        {
            "llm.request.messages_count": 2,
            "llm.request.messages.system_count": 1,
            "llm.request.content_length": len("Be brief.Say hello."),
        },
    ),
    "a system prompt in blocks": (
        {"system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
        {
            "llm.request.messages_count": 2,
            "llm.request.messages.system_count": 1,
            "llm.request.content_length": len("Be brief.Say hello."),
        },
    ),
    "tools": (
        {"tools": [{"name": "weather", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"}},
        {"llm.request.tools_count": 1, "llm.request.tool_choice": "auto"},
    ),
    "one tool": (
        {
            "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": "weather"},
        },
        {"llm.request.tools_count": 1, "llm.request.tool_choice": "function"},
    ),
    "an effort": ({"output_config": {"effort": "low"}}, {"gen_ai.request.reasoning.level": "low"}),
    "a format": (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"gen_ai.output.type": "json"},
    ),
    "blocks": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Look."},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                        },
                    ],
                },
                {"role": "assistant", "content": [TEXT_BLOCK, TOOL_BLOCK]},
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Sunny."}],
                },
            ]
        },
        {
            "llm.request.messages_count": 3,
            "llm.request.messages.user_count": 2,
            "llm.request.messages.assistant_count": 1,
            "llm.request.content_length": len("Look." + TEXT + "Sunny."),
            "llm.request.modalities": ("image", "text"),
        },
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_was_asked_is_told(claude: ApiCaller, wire: WireProvider, telemetry: Recorder, case: str) -> None:
    """Each parameter has its attributes, and no other appears."""
    respond_everywhere(wire)
    asked, told = ASKED[case]
    claude.call("messages", **{**CLAUDE, **asked})
    assert request_attributes(telemetry.attributes()) == {
        **REQUEST,
        "gen_ai.request.model": "claude-sonnet-4-6",
        "llm.request.model": "anthropic/claude-sonnet-4-6",
        **told,
    }


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_finish_reasons_are_the_conventions(
    claude: ApiCaller, wire: WireProvider, telemetry: Recorder, reason: str, told: str
) -> None:
    """Anthropic's reasons are told in the conventions' words; those they lack, in its own."""
    wire.reply(PATHS["messages"], Reply(body=message(stop_reason=reason)))
    claude.call("messages", **CLAUDE)
    assert telemetry.attributes()["gen_ai.response.finish_reasons"] == (told,)


def tool_events() -> list[bytes]:
    """A stream that thinks, and calls a tool twice."""
    delta = {"type": "content_block_delta", "index": 0}
    return events(
        {"type": "message_start", "message": message(content=[], stop_reason=None)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {**delta, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {**delta, "delta": {"type": "signature_delta", "signature": "abc"}},
        *({"type": "content_block_start", "index": n, "content_block": {**TOOL_BLOCK, "input": {}}} for n in (1, 2)),
        {**delta, "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"city": "Rome"}'}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 5}},
        },
        {"type": "message_stop"},
        names=True,
    )


def test_calls_of_tools_are_counted(claude: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """In a message and in a stream; thoughts are no text, but are the first token, and are counted apart."""
    wire.reply_once(
        PATHS["messages"], Reply(body=message(content=[TEXT_BLOCK, TOOL_BLOCK, TOOL_BLOCK], stop_reason="tool_use"))
    )
    wire.reply_once(PATHS["messages"], Reply(pieces=tool_events(), delay=0.02))
    claude.call("messages", **CLAUDE)
    claude.call("messages", stream=True, **CLAUDE)
    plain, streamed = map(attributes_of, telemetry.spans())
    for attributes in (plain, streamed):
        assert attributes["llm.response.tool_calls_count"] == 2
        assert attributes["gen_ai.response.finish_reasons"] == ("tool_call",)
    assert plain["llm.response.content_length"] == len(TEXT)
    assert streamed["llm.response.content_length"] == 0
    assert streamed["gen_ai.usage.output_tokens"] == 9
    assert streamed["gen_ai.usage.reasoning.output_tokens"] == 5
    assert "llm.response.time_to_first_token" in streamed


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_a_stream_may_be_cut_into_any_pieces(size: int) -> None:
    """However the network cuts the bytes, even in a letter, the same is read of them."""
    whole = (
        b"".join(message_events())
        .replace(TEXT.encode(), b"H\xc3\xa9llo")
        .replace(b"\n", b"\r\n" if size == 7 else b"\n")
    )
    chunks = MessagesChunks(None)
    for start in range(0, len(whole), size):
        chunks.add(whole[start : start + size], float(start))
    response, usage = chunks.response(), chunks.usage()
    assert (response.id, response.content_length, response.finish_reasons) == ("msg_1", len(TEXT), ("stop",))
    assert usage is not None
    assert (usage.input, usage.cache_read, usage.output) == (INPUT, CACHE_READ, 7)


# --- translated -----------------------------------------------------------------------------------------------

# A provider that has but another API → the path LiteLLM translates to, whether reasoning is told of a stream.
TRANSLATED = {"openai/gpt-4o": "/responses", "groq/a-model": "/chat/completions"}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("model", TRANSLATED)
def test_a_translated_message_is_one_call(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, model: str, *, streamed: bool
) -> None:
    """Where LiteLLM makes another request of it, there is one span and one attempt, with the provider's counts."""
    (stream_everywhere if streamed else respond_everywhere)(wire)
    result = api.call("messages", **{**CLAUDE, "model": model}, stream=streamed)
    assert isinstance(result, list) is streamed
    assert [exchange.path for exchange in wire.ledger] == [TRANSLATED[model]]
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert span.name == f"chat {model.partition('/')[2]}"
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert (
        attributes.items() >= {**REQUEST, "llm.request.stream": streamed, **usage_attributes(reasoning=False)}.items()
    )
    assert attributes["litellm.provider"] == model.partition("/")[0]
    assert attributes["litellm.call_id"] == "the-call"
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["llm.response.content_length"] == len(TEXT)
    assert attributes.get("gen_ai.usage.cost.amount") == (
        pytest.approx(7 * 2.5e-6 + 4 * 1.25e-6 + 7 * 1e-5) if model.startswith("openai") else None
    )


def test_a_call_of_the_apps_own_within_is_a_child(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chat that the app's own provider makes, while LiteLLM translates for it, is another call than LiteLLM's."""
    asked: dict[str, Any] = {"model": "openai/gpt-4o", "messages": CLAUDE["messages"]}
    connection = {"api_base": wire.url, "api_key": "sk-test"}

    class Chained(litellm.CustomLLM):
        def completion(self, *_args: Result, **_kwargs: Result) -> Result:
            return litellm.completion(**asked, **connection)

        async def acompletion(self, *_args: Result, **_kwargs: Result) -> Result:
            return await litellm.acompletion(**asked, **connection)

    respond_everywhere(wire)
    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "chained", "custom_handler": Chained()}])
    api.call("messages", **{**CLAUDE, "model": "chained/model"})
    child, parent = telemetry.spans()
    assert (child.name, parent.name) == ("chat gpt-4o", "chat model")
    assert child.parent is not None
    assert parent.context is not None
    assert child.parent.span_id == parent.context.span_id


@pytest.mark.parametrize("model", TRANSLATED)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # LiteLLM's, of its own estimate
def test_a_translated_stream_whose_tokens_the_provider_did_not_count(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, model: str
) -> None:
    """LiteLLM makes up a usage, and tells it as Anthropic would: there are no tokens and there is no price."""
    wire.reply(PATHS["responses"], Reply(pieces=response_events(usage=None)))
    wire.reply(PATHS["chat"], Reply(pieces=chat_events(with_usage=False)))
    api.call("messages", **{**CLAUDE, "model": model}, stream=True)
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "completed"
    assert names_with(attributes, "usage", "cost", "tokens_per") == []


def test_what_litellm_cannot_do_is_a_failure(wire: WireProvider, telemetry: Recorder) -> None:
    """LiteLLM has no synchronous way to Anthropic, and says so; so does the span."""
    with pytest.raises(ValueError, match="not implemented"):
        ApiCaller(wire=wire, asynchronous=False).call("messages", **CLAUDE)
    (span,) = telemetry.spans()
    assert span.name == "chat claude-sonnet-4-6"
    assert attributes_of(span)["error.type"] == "ValueError"
    assert wire.ledger == []


# --- endings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["overloaded_error", "rate_limit_error", "no_known_error"])
def test_an_error_in_a_stream_is_a_failure(
    claude: ApiCaller, wire: WireProvider, telemetry: Recorder, kind: str
) -> None:
    """LiteLLM hands the provider's event of an error on, and ends the stream as if all were well; the span does not."""
    wire.reply(PATHS["messages"], Reply(pieces=message_events(error=kind), delay=0.01))
    pieces = claude.call("messages", stream=True, **CLAUDE)
    assert kind.encode() in b"".join(pieces)
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert span.status.status_code is StatusCode.ERROR
    assert attributes["llm.response.stream_outcome"] == "failed"
    assert attributes["error.type"] == {"no_known_error": "api_error"}.get(kind, kind)
    categories = {"overloaded_error": "server_error", "rate_limit_error": "rate_limit"}
    assert attributes["llm.error.category"] == categories.get(kind, "stream_interrupted")
    statuses = {"overloaded_error": 529, "rate_limit_error": 429}
    assert attributes.get("llm.error.status_code") == statuses.get(kind)
    assert attributes["llm.response.content_length"] == len("Hello, ")
    assert attributes["gen_ai.usage.input_tokens"] == INPUT
    assert "gen_ai.usage.output_tokens" not in attributes
    assert "is what I cannot say" not in telemetry.everything()
    assert len(telemetry.logs()) == 1


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4-6", "openai/gpt-4o", "groq/a-model"])
def test_a_stream_that_is_cut_has_failed(
    claude: ApiCaller, wire: WireProvider, telemetry: Recorder, model: str
) -> None:
    """LiteLLM raises an exception, or ends the stream with an event of an error: either is a failure."""
    stream_everywhere(wire, delay=0.02, cut_after={"anthropic": 5, "openai": 6, "groq": 2}[model.partition("/")[0]])
    with contextlib.suppress(Exception):  # LiteLLM raises an HTTP client's, or none where it translates
        claude.call("messages", **{**CLAUDE, "model": model}, stream=True)
    assert names_with(attributes_of(assert_stream_was_interrupted(telemetry)), "output_tokens", "cost") == []


@pytest.mark.parametrize("outcome", ["closed", "abandoned", "cancelled"])
def test_a_stream_that_is_not_read_on(wire: WireProvider, telemetry: Recorder, outcome: str) -> None:
    """A stream that the app closes, forgets or is cancelled in says as much as came; its end was not counted."""
    stream_everywhere(wire, delay=0.1)

    async def scenario() -> None:
        stream = await ApiCaller(wire=wire, asynchronous=True).start("messages", stream=True, **CLAUDE)
        while PIECES[0].encode() not in await anext(stream):
            pass
        if outcome == "closed":
            await stream.aclose()
        elif outcome == "cancelled":
            await cancel_reading(stream)

    asyncio.run(scenario())
    gc.collect()
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == outcome
    assert attributes["llm.response.content_length"] == len(PIECES[0])
    assert attributes["gen_ai.usage.input_tokens"] == INPUT
    assert names_with(attributes, "output_tokens", "cost", "finish") == []


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4-6", "openai/gpt-4o", "groq/a-model"])
@pytest.mark.parametrize(
    ("status", "error", "category"),
    [(401, litellm.AuthenticationError, "auth"), (429, litellm.RateLimitError, "rate_limit")],
)
def test_a_refusal_is_categorised(  # noqa: PLR0913, PLR0917 - fixtures and cases
    claude: ApiCaller,
    wire: WireProvider,
    telemetry: Recorder,
    model: str,
    status: int,
    error: type[Exception],
    category: str,
) -> None:
    """The app gets LiteLLM's exception, and the one span says what it was, whether LiteLLM translated or not."""
    fail_everywhere(wire, status)
    with pytest.raises(error):
        claude.call("messages", **{**CLAUDE, "model": model})
    span = assert_provider_error(telemetry, error, category, status)
    assert len(span.events) == len(wire.ledger) == 1
