"""Google's generateContent: called for itself, and translated for a provider that has but chats."""

from __future__ import annotations

from typing import Any

import litellm
import pytest
from opentelemetry.trace import StatusCode

from agentops_otel_litellm.call import Response, Usage
from agentops_otel_litellm.readers.generate_content import generate_content_response, generate_content_usage
from support.api_caller import ApiCaller
from support.api_scenarios import (
    abandon,
    assert_provider_error,
    assert_stream_was_interrupted,
    names_with,
    request_attributes,
)
from support.expected import LOCALLY_PRICED, STREAMED, cost_parts, identity, without_prices, without_timings
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.wire import Reply, WireProvider, events
from support.wire_formats import (
    CACHE_READ,
    CONTENT_USAGE,
    INPUT,
    OUTPUT,
    PATHS,
    PIECES,
    REASONING,
    TEXT,
    Body,
    candidate,
    chat_events,
    content,
    content_events,
    fail_everywhere,
    respond_everywhere,
    stream_everywhere,
    usage_attributes,
)

google_genai = pytest.importorskip("litellm.types.google_genai.main", reason="this LiteLLM has no generateContent")
CONTENTS = [{"role": "user", "parts": [{"text": "Say hello."}]}]
GEMINI: dict[str, Any] = {"model": "gemini/gemini-2.5-flash", "contents": CONTENTS}
GPT: dict[str, Any] = {"model": "openai/gpt-4o", "contents": CONTENTS}
REQUEST: Attributes = {
    "llm.request.stream": False,
    "llm.request.messages_count": 1,
    "llm.request.messages.user_count": 1,
    "llm.request.content_length": len("Say hello."),
    "llm.request.modalities": ("text",),
}
ANSWER: Attributes = {
    "gen_ai.response.id": "answer",
    "gen_ai.response.model": "gemini-2.5-flash",
    "gen_ai.response.finish_reasons": ("stop",),
    "llm.response.id": "answer",
    "llm.response.model": "gemini-2.5-flash",
    "llm.response.finish_reason": "stop",
    "llm.response.choices_count": 1,
    "llm.response.content_length": len(TEXT),
    "llm.response.tool_calls_count": 0,
}
PRICE = (INPUT - CACHE_READ) * 3e-7 + CACHE_READ * 3e-8 + OUTPUT * 2.5e-6
"""Dollars: of the tokens, at what LiteLLM's map says of the model."""
PRICED: Attributes = {
    **LOCALLY_PRICED,
    **cost_parts("gemini/gemini-2.5-flash", input=INPUT, cache_read=CACHE_READ, output=OUTPUT, reasoning=REASONING),
}
COUNTED: Attributes = {**usage_attributes(), "gen_ai.usage.text.input_tokens": INPUT}


def gemini_identity(function: str, wire: WireProvider) -> Attributes:
    return {
        **identity("generate_content", function, "gemini/gemini-2.5-flash", wire, litellm_provider="gemini"),
        "gen_ai.provider.name": "gcp.gemini",
    }


def test_generated_content_is_described_in_full(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """A response has the attributes that follow from the exchange; thoughts are part of what was put out."""
    respond_everywhere(wire)
    result = api.call("generate_content", **GEMINI)
    assert type(result) is google_genai.GenerateContentResponse
    (span,) = telemetry.spans()
    assert span.name == "generate_content gemini-2.5-flash"
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert without_prices(attributes_of(span), PRICE) == {
        **gemini_identity(api.name("generate_content"), wire),
        **REQUEST,
        **ANSWER,
        **COUNTED,
        **PRICED,
    }


def test_streamed_content_is_described_in_full(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """The bytes of a stream say what a response does, and are the provider's."""
    stream_everywhere(wire, delay=0.02)
    pieces = api.call("generate_content_stream", **GEMINI)
    assert b"".join(pieces) == b"".join(content_events())
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    first_chunk, first_token = (
        attributes["gen_ai.response.time_to_first_chunk"],
        attributes["llm.response.time_to_first_token"],
    )
    assert first_chunk == first_token
    assert without_prices(without_timings(attributes), PRICE) == {
        **gemini_identity(api.name("generate_content_stream"), wire),
        **REQUEST,
        **STREAMED,
        **ANSWER,
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(PIECES),
        **COUNTED,
        **PRICED,
    }


# What was asked beyond the contents → what the span says in addition.
ASKED: dict[str, tuple[dict[str, object], Attributes]] = {
    "sampling": (
        {
            "config": {
                "temperature": 0,
                "topP": 0.5,
                "topK": 7,
                "maxOutputTokens": 64,
                "stopSequences": ["end"],
                "seed": 3,
                "presencePenalty": 0.1,
                "frequencyPenalty": 0.2,
                "candidateCount": 2,
            }
        },
        {
            "gen_ai.request.temperature": 0.0,
            "gen_ai.request.top_p": 0.5,
            "gen_ai.request.top_k": 7,
            "gen_ai.request.max_tokens": 64,
            "gen_ai.request.stop_sequences": ("end",),
            "gen_ai.request.seed": 3,
            "gen_ai.request.presence_penalty": 0.1,
            "gen_ai.request.frequency_penalty": 0.2,
            "gen_ai.request.choice.count": 2,
            "llm.request.temperature": 0.0,
            "llm.request.top_p": 0.5,
            "llm.request.max_tokens": 64,
        },
    ),
    "Python's names": (
        {"config": {"max_output_tokens": 64, "top_p": 0.5}},
        {
            "gen_ai.request.top_p": 0.5,
            "gen_ai.request.max_tokens": 64,
            "llm.request.top_p": 0.5,
            "llm.request.max_tokens": 64,
        },
    ),
    "a format": ({"config": {"responseMimeType": "application/json"}}, {"gen_ai.output.type": "json"}),
    "speech": ({"config": {"responseModalities": ["TEXT", "AUDIO"]}}, {"gen_ai.output.type": "speech"}),
    "a level of thought": (
        {"config": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
        {"gen_ai.request.reasoning.level": "low"},
    ),
    "tools": (
        {
            "tools": [{"functionDeclarations": [{"name": "weather"}, {"name": "time"}]}, {"googleSearch": {}}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        },
        {"llm.request.tools_count": 3, "llm.request.tool_choice": "any"},
    ),
    "a system instruction": (
        {"systemInstruction": {"parts": [{"text": "Be brief."}]}},
        {
            "llm.request.messages_count": 2,
            "llm.request.messages.system_count": 1,
            "llm.request.content_length": len("Be brief.Say hello."),
        },
    ),
    "a conversation": (
        {
            "contents": [
                {"role": "user", "parts": [{"text": "Look."}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]},
                {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}}]},
                {"role": "user", "parts": [{"fileData": {"mimeType": "application/pdf", "fileUri": "gs://a/b"}}]},
            ]
        },
        {
            "llm.request.messages_count": 3,
            "llm.request.messages.user_count": 2,
            "llm.request.messages.assistant_count": 1,
            "llm.request.content_length": len("Look."),
            "llm.request.modalities": ("file", "image", "text"),
        },
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_was_asked_is_told(api: ApiCaller, wire: WireProvider, telemetry: Recorder, case: str) -> None:
    """Each parameter has its attributes, and no other appears."""
    respond_everywhere(wire)
    asked, told = ASKED[case]
    api.call("generate_content", **{**GEMINI, **asked})
    assert request_attributes(telemetry.attributes()) == {
        **REQUEST,
        "gen_ai.request.model": "gemini-2.5-flash",
        "llm.request.model": "gemini/gemini-2.5-flash",
        **told,
    }


CALL: Body = {"functionCall": {"name": "weather", "args": {"city": "Rome"}}}
# What came back → finish reasons, characters, calls.
ANSWERED: dict[str, tuple[Body, tuple[tuple[str, ...], int, int]]] = {
    "a call": (content(CALL), (("tool_call",), 0, 1)),
    "a thought, text and a call": (
        content({"text": "Hm.", "thought": True}, {"text": TEXT}, CALL),
        (("tool_call",), len(TEXT), 1),
    ),
    "cut short": (content(reason="MAX_TOKENS"), (("length",), len(TEXT), 0)),
    "filtered": (content(reason="SAFETY"), (("content_filter",), len(TEXT), 0)),
    "no reason of the conventions": (
        content(reason="MALFORMED_FUNCTION_CALL"),
        (("MALFORMED_FUNCTION_CALL",), len(TEXT), 0),
    ),
    "two candidates": (
        {**content(), "candidates": [candidate(), candidate(reason="MAX_TOKENS", index=1)]},
        (("stop", "length"), 2 * len(TEXT), 0),
    ),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("case", ANSWERED)
def test_what_was_answered_is_told(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, case: str, *, streamed: bool
) -> None:
    """How the candidates ended and what they have in them."""
    body, (reasons, length, calls) = ANSWERED[case]
    wire.reply(PATHS["content"], Reply(body=body, pieces=events(body) if streamed else None))
    api.call("generate_content_stream" if streamed else "generate_content", **GEMINI)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.response.finish_reasons"] == reasons
    assert attributes["llm.response.content_length"] == length
    assert attributes["llm.response.tool_calls_count"] == calls


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({**CONTENT_USAGE, "candidatesTokenCount": OUTPUT}, (INPUT, OUTPUT)),
        ({**CONTENT_USAGE, "toolUsePromptTokenCount": 5, "totalTokenCount": INPUT + 5 + OUTPUT}, (INPUT + 5, OUTPUT)),
        ({"promptTokenCount": INPUT, "totalTokenCount": INPUT}, (INPUT, None)),
        (None, (None, None)),
    ],
    ids=["thoughts within", "tools", "no output", "nothing"],
)
def test_tokens_are_counted_as_google_counts(
    api: ApiCaller,
    wire: WireProvider,
    telemetry: Recorder,
    usage: Body | None,
    told: tuple[int | None, int | None],
) -> None:
    """Thoughts are added where they are not within; what is not told is not known."""
    wire.reply(PATHS["content"], Reply(body=content(usage=usage)))
    api.call("generate_content", **GEMINI)
    attributes = telemetry.attributes()
    assert (attributes.get("gen_ai.usage.input_tokens"), attributes.get("gen_ai.usage.output_tokens")) == told
    if usage is None:
        assert names_with(attributes, "usage", "cost") == []


def test_names_of_python_are_read_as_those_of_the_wire() -> None:
    """Where Google's own package is installed, LiteLLM gives its models, whose names are in snake case."""
    details = [{"modality": "TEXT", "token_count": INPUT}, {"modality": "DOCUMENT", "token_count": 1}]
    usage = {"prompt_token_count": INPUT, "thoughts_token_count": REASONING, "prompt_tokens_details": details}
    candidate = {"content": {"parts": [{"text": TEXT}]}, "finish_reason": "STOP", "index": 0}
    result = {"response_id": "answer", "candidates": [candidate], "usage_metadata": usage, "model_version": None}
    assert generate_content_usage(result) == Usage(input=INPUT, output=REASONING, reasoning=REASONING, input_text=INPUT)
    assert generate_content_response(result) == Response(
        id="answer", finish_reasons=("stop",), choices_count=1, content_length=len(TEXT), tool_calls_count=0
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_translated_content_is_one_call(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, *, streamed: bool
) -> None:
    """Where LiteLLM makes a chat of it, there is one span and one attempt, with the provider's counts and a price."""
    (stream_everywhere if streamed else respond_everywhere)(wire)
    api.call("generate_content_stream" if streamed else "generate_content", **GPT)
    assert [exchange.path for exchange in wire.ledger] == ["/chat/completions"]
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert span.name == "generate_content gpt-4o"
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert attributes["litellm.call_id"] == "the-call"
    assert attributes["litellm.call_type"] == api.name("generate_content_stream" if streamed else "generate_content")
    assert attributes["gen_ai.usage.input_tokens"] == INPUT
    assert attributes["gen_ai.usage.output_tokens"] == OUTPUT
    assert attributes.get("gen_ai.usage.reasoning.output_tokens") == (REASONING if streamed else None)
    assert attributes["gen_ai.usage.cost.amount"] == pytest.approx(7 * 2.5e-6 + 4 * 1.25e-6 + 7 * 1e-5)
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["llm.response.content_length"] == len(TEXT)
    assert attributes["server.port"] == wire.port


def test_a_translated_stream_whose_tokens_the_provider_did_not_count(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder
) -> None:
    """There are no tokens and there is no price."""
    wire.reply(PATHS["chat"], Reply(pieces=chat_events(with_usage=False)))
    api.call("generate_content_stream", **GPT)
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "completed"
    assert names_with(attributes, "usage", "cost", "tokens_per") == []


# --- endings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [GEMINI, GPT], ids=["gemini", "translated"])
def test_a_stream_that_is_cut_has_failed(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, asked: dict[str, Any]
) -> None:
    """The span says how far it came, and no more."""
    stream_everywhere(wire, delay=0.02, cut_after=2)
    with pytest.raises(Exception, match=r"(?i)payload|incomplete|closed|peer|connection error"):
        api.call("generate_content_stream", **asked)
    assert names_with(attributes_of(assert_stream_was_interrupted(telemetry)), "output_tokens", "cost") == []


def test_an_error_in_a_stream_is_a_failure(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """LiteLLM hands Google's error on, and ends the stream as if all were well; the span does not."""
    error = {"error": {"code": 503, "message": f"{TEXT} is what I cannot say.", "status": "UNAVAILABLE"}}
    wire.reply(PATHS["content"], Reply(pieces=[*content_events()[:2], *events(error)]))
    api.call("generate_content_stream", **GEMINI)
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert span.status.status_code is StatusCode.ERROR
    assert attributes["llm.response.stream_outcome"] == "failed"
    assert attributes["error.type"] == "UNAVAILABLE"
    assert attributes["llm.error.category"] == "server_error"
    assert attributes["llm.error.status_code"] == 503
    assert "is what I cannot say" not in telemetry.everything()


def test_a_stream_that_nobody_reads_on_is_abandoned(api: ApiCaller, wire: WireProvider, telemetry: Recorder) -> None:
    """A span ends when the app forgets its stream, and tells as much as came."""
    stream_everywhere(wire, delay=0.02)
    abandon(api, "generate_content_stream", after=1, **GEMINI)
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "abandoned"
    assert attributes["llm.response.chunk_count"] == 1
    assert attributes["llm.response.content_length"] == len(PIECES[0])
    assert names_with(attributes, "output_tokens", "cost") == []


@pytest.mark.parametrize("asked", [GEMINI, GPT], ids=["gemini", "translated"])
@pytest.mark.parametrize(("status", "category"), [(401, "auth"), (429, "rate_limit")])
def test_a_refusal_is_categorised(  # noqa: PLR0913, PLR0917 - fixtures and cases
    api: ApiCaller,
    wire: WireProvider,
    telemetry: Recorder,
    asked: dict[str, Any],
    status: int,
    category: str,
) -> None:
    """The app gets LiteLLM's exception, and the one span says what it was, also where LiteLLM mistook it."""
    fail_everywhere(wire, status)
    with pytest.raises(litellm.exceptions.openai.APIError) as raised:
        api.call("generate_content", **asked)
    span = assert_provider_error(telemetry, raised.type, category, status)
    assert len(span.events) == len(wire.ledger)
