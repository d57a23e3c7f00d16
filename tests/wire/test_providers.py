"""Providers of every kind: LiteLLM's own code for each, against a server that speaks that provider's wire format."""

from __future__ import annotations

import socket
from copy import deepcopy
from dataclasses import replace
from typing import cast

import litellm
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from support import releases
from support.apps import CALL_ID, App
from support.expected import MODELS, STREAMED, TIMING_ATTRIBUTES, cost_attributes, cost_shares, without_timings
from support.providers import (
    EMBEDDING_PROVIDERS,
    PROVIDERS,
    QUESTION,
    TOKENS,
    EmbeddingProvider,
    Provider,
    chat_parameters,
    run_chat,
)
from support.recorder import Attributes, Recorder
from support.servers import wires
from support.servers.event_stream import message
from support.servers.wire import Reply, WireProvider, events

ADDRESSES = frozenset({"api_base", "aws_bedrock_runtime_endpoint"})

CATEGORIES = {401: "auth", 404: "not_found", 429: "rate_limit"}


EVERY = pytest.mark.parametrize("row", PROVIDERS.values(), ids=PROVIDERS.keys())


def read(app: App, wire: WireProvider, row: Provider) -> list[litellm.ModelResponseStream]:
    """A whole app: one streamed chat, read to its end."""

    async def scenario() -> list[litellm.ModelResponseStream]:
        stream = await app.invoke("completion", **chat_parameters(wire, row), stream=True, **row.streaming)
        assert isinstance(stream, litellm.CustomStreamWrapper)
        return await app.rest(stream)

    return app.run(scenario())


def chats(wire: WireProvider, row: Provider) -> int:
    """How often a chat was asked for: LiteLLM also asks for tokens, and Ollama for what a model can do."""
    ends = (row.wire.plain[0], row.wire.stream[0])
    return sum(exchange.path.endswith(ends) for exchange in wire.ledger)


def request_facts(function: str, wire: WireProvider, row: Provider) -> Attributes:
    """What a span says of a chat before it is answered."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": row.name,
        "gen_ai.request.model": row.model.partition("/")[2],
        "llm.request.model": row.model,
        "llm.vendor": "litellm",
        "llm.provider": row.litellm_name,
        "litellm.provider": row.litellm_name,
        "litellm.call_id": CALL_ID,
        "litellm.call_type": function,
        "server.address": wire.address,
        "server.port": wire.port,
        "llm.request.stream": False,
        "llm.request.messages_count": 1,
        "llm.request.messages.user_count": 1,
        "llm.request.content_length": len(QUESTION),
        "llm.request.modalities": ("text",),
    }


def answer_facts(row: Provider, response_id: str | None) -> Attributes:
    """What a span says of the answer."""
    wire = row.wire
    assert wire.id in {response_id, None}
    model = wire.completion.model
    told: Attributes = {
        "gen_ai.response.id": response_id,
        "gen_ai.response.model": model,
        "gen_ai.response.finish_reasons": ("stop",),
        "llm.response.id": response_id,
        "llm.response.model": model,
        "llm.response.finish_reason": "stop",
        "llm.response.choices_count": 1,
        "llm.response.content_length": len(wire.completion.text),
        "llm.response.tool_calls_count": 0,
        "llm.usage.total_tokens": wire.completion.input + wire.completion.output,
    }
    told |= {attribute: count for name, count in wire.tokens.items() for attribute in TOKENS[name]}
    if "x-amzn-requestid" in wire.plain[1].headers:
        told["llm.response.request_id"] = "req_1"
    return told | row.extra_attributes


def charged(cost: float, row: Provider) -> Attributes:
    """What a span says of the price, where LiteLLM has one."""
    if not cost:
        return {}
    said, chat_parameters = row.wire.completion.model, row.model.partition("/")[2]
    names = (f"{row.litellm_name}/{said}", said, f"{row.litellm_name}/{chat_parameters}", chat_parameters)
    counted = {name: count for name, count in row.wire.tokens.items() if name != "output_text"}
    return cost_attributes(cost, *names, **counted)


@EVERY
def test_a_chat_says_what_its_provider_said(app: App, wire: WireProvider, telemetry: Recorder, row: Provider) -> None:
    """Of every provider a chat is one span with what was asked, answered, counted and priced, and nothing else."""
    wire.reply(*row.wire.plain)
    result = run_chat(app, wire, row)
    assert result.choices[0].message.content == row.wire.completion.text
    cost = result._hidden_params["response_cost"]
    assert telemetry.attributes() == {
        **request_facts(app.name("completion"), wire, row),
        **answer_facts(row, result.id),
        **charged(cost, row),
    }
    (span,) = telemetry.spans()
    assert (span.name, span.kind) == (f"chat {row.model.partition('/')[2]}", SpanKind.CLIENT)
    assert [event.name for event in span.events] == ["litellm.attempt"]
    assert chats(wire, row) == 1
    assert "canary" not in telemetry.everything()


@EVERY
def test_a_stream_says_what_a_plain_chat_does(app: App, wire: WireProvider, telemetry: Recorder, row: Provider) -> None:
    """Read to its end, a stream says what its provider said, in its own words, and how it came."""
    wire.reply(*row.wire.stream)
    chunks = read(app, wire, row)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == row.wire.completion.text
    attributes = telemetry.attributes()
    measured = {name for name in attributes if name in TIMING_ATTRIBUTES}
    wire.reset()
    wire.reply(*row.wire.plain)
    cost = run_chat(app, wire, row)._hidden_params["response_cost"]
    expected = {
        **request_facts(app.name("completion"), wire, row),
        **STREAMED,
        **answer_facts(row, next(chunk.id for chunk in chunks if chunk.id)),
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
        **charged(cost, row),
        **({} if releases.STREAMS_NAME_THEIR_MODEL else dict.fromkeys(MODELS)),
        **row.stream_attributes,
    }
    assert without_timings(attributes) == {name: value for name, value in expected.items() if value is not None}
    assert {"gen_ai.response.time_to_first_chunk", "llm.response.time_to_first_token"} <= measured
    streamed, _ = telemetry.spans()
    assert [event.name for event in streamed.events] == ["litellm.attempt"]
    assert "canary" not in telemetry.everything()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@EVERY
def test_a_refusal_says_what_its_provider_said(
    app: App, wire: WireProvider, telemetry: Recorder, row: Provider, *, stream: bool
) -> None:
    """A refusal has its kind, status, time to wait and request id; its text stays where it is."""
    refusal = row.wire.error_reply
    wire.reply((row.wire.stream if stream else row.wire.plain)[0], refusal)
    whole_app = read if stream else run_chat
    with pytest.raises(litellm.exceptions.openai.APIError) as raised:
        whole_app(app, wire, row)
    assert "canary-echo" in str(raised.value)
    error = getattr(raised.value, "original_exception", None) or raised.value
    kind, category = type(error).__name__, CATEGORIES[refusal.status]
    headers = {} if row.loses_error_headers else refusal.headers
    request_id = next((value for name, value in headers.items() if name.endswith(("request-id", "requestid"))), None)
    failure = {
        "error.type": kind,
        "llm.error.type": kind,
        "llm.error.category": category,
        "llm.error.provider": row.litellm_name,
        "llm.error.status_code": refusal.status,
        "llm.error.retry_after": 7.0 if "retry-after" in headers else None,
        "llm.error.request_id": request_id,
    }
    attributes = telemetry.attributes()
    assert {name: attributes.get(name) for name in failure} == failure
    told = request_facts(app.name("completion"), wire, row) | ({"llm.request.stream": True} if stream else {})
    assert {name: attributes.get(name) for name in told} == told
    assert [name for name in attributes if name.startswith(("gen_ai.usage", "llm.usage", "agentops.cost"))] == []
    (span,) = telemetry.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert [dict(event.attributes or {})["litellm.attempt.error.type"] for event in span.events] == [kind]
    assert chats(wire, row) == 1
    assert "canary" not in telemetry.everything()


# A row → how many pieces of its stream come, what comes then, and what kind of failure that is.
INTERRUPTIONS: dict[str, tuple[int, list[bytes], str]] = {
    "openai": (2, events({"error": {"message": "canary", "type": "server_error", "code": None}}), "server_error"),
    "anthropic": (
        4,
        events({"type": "error", "error": {"type": "overloaded_error", "message": "canary"}}, names=True),
        "server_error",
    ),
    "gemini": (
        1,
        events({"error": {"code": 503, "message": "canary", "status": "UNAVAILABLE"}}),
        "server_error",
    ),
    "bedrock": (2, [message("throttlingException", {"message": "canary"}, of="exception")], "rate_limit"),
}


@pytest.mark.parametrize("name", INTERRUPTIONS)
def test_a_stream_that_its_provider_breaks_off(app: App, wire: WireProvider, telemetry: Recorder, name: str) -> None:
    """An error in the midst of a stream, as the provider writes it, is its failure; what had come is told."""
    row, (count, error, category) = PROVIDERS[name], INTERRUPTIONS[name]
    path, whole = row.wire.stream
    assert whole.pieces is not None
    wire.reply(path, replace(whole, pieces=[*whole.pieces[:count], *error]))
    with pytest.raises(litellm.exceptions.openai.APIError):
        read(app, wire, row)
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "failed"
    assert attributes["llm.error.category"] == category
    assert attributes["gen_ai.response.finish_reasons"] == ("error",)
    assert attributes["gen_ai.provider.name"] == row.name
    assert [each for each in attributes if "cost" in each] == []
    assert len(telemetry.spans()) == 1
    assert "canary" not in telemetry.everything()


def thinking(row: Provider, path: str, thought: dict[str, object]) -> Provider:
    """The provider, when its answer begins with a thought that it does not count apart; `path` leads to the parts."""
    where, reply = row.wire.plain
    body = deepcopy(reply.body)
    parts = body
    for name in path.split("."):
        parts = cast("dict[str, object]", parts)[name]
    cast("list[object]", parts).insert(0, thought)
    return replace(row, wire=replace(row.wire, plain=(where, replace(reply, body=body))))


THINKING = {
    "anthropic": thinking(
        PROVIDERS["anthropic"], "content", {"type": "thinking", "thinking": "canary, a thought", "signature": "s"}
    ),
    "bedrock": thinking(
        PROVIDERS["bedrock"],
        "output.message.content",
        {"reasoningContent": {"reasoningText": {"text": "canary, a thought", "signature": "s"}}},
    ),
}


@pytest.mark.parametrize("row", THINKING.values(), ids=THINKING.keys())
def test_what_litellm_counts_by_itself_is_not_told(
    app: App, wire: WireProvider, telemetry: Recorder, row: Provider
) -> None:
    """LiteLLM counts the reasoning that it got to see; the provider counted nothing of the kind."""
    wire.reply(*row.wire.plain)
    result = run_chat(app, wire, row)
    assert result.usage.completion_tokens_details.reasoning_tokens > 0  # type: ignore[attr-defined]  # it has a usage
    told = {name for name in telemetry.attributes() if name.startswith(("gen_ai.usage", "llm.usage"))}
    counted = {attribute for name in row.wire.tokens for attribute in TOKENS[name]}
    assert told - set(cost_attributes(0)) == counted | {"llm.usage.total_tokens"}
    assert "canary" not in telemetry.everything()


# A row → the variable in which LiteLLM looks for the provider's address.
VARIABLES = {
    "openai": "OPENAI_BASE_URL",
    "azure": "AZURE_API_BASE",
    "deepseek": "DEEPSEEK_API_BASE",
    "groq": "GROQ_API_BASE",
    "xai": "XAI_API_BASE",
    "anthropic": "ANTHROPIC_API_BASE",
    "gemini": "GEMINI_API_BASE",
    "vertex_ai": "VERTEXAI_API_BASE",
    "cohere": "COHERE_API_BASE",
    "bedrock": "AWS_BEDROCK_RUNTIME_ENDPOINT",
    "ollama": "OLLAMA_API_BASE",
    "ollama_chat": "OLLAMA_API_BASE",
}


@pytest.mark.parametrize(("name", "variable"), VARIABLES.items())
def test_the_server_that_litellm_finds(  # noqa: PLR0913, PLR0917 - fixtures and cases
    app: App, wire: WireProvider, telemetry: Recorder, monkeypatch: pytest.MonkeyPatch, name: str, variable: str
) -> None:
    """Where the app does not name the server, it is the one that LiteLLM turned to; a path and a query are not told."""
    row = PROVIDERS[name]
    given = chat_parameters(wire, row)
    (address,) = ADDRESSES & given.keys()
    monkeypatch.setenv(variable, str(given.pop(address)))
    wire.reply(*row.wire.plain)
    app.run(app.invoke("completion", **given))
    attributes = telemetry.attributes()
    assert chats(wire, row) == 1
    assert (attributes["server.address"], attributes["server.port"]) == (wire.address, wire.port)
    assert "canary" not in telemetry.everything()


@EVERY
def test_a_provider_that_cannot_be_reached(app: App, wire: WireProvider, telemetry: Recorder, row: Provider) -> None:
    """Whichever HTTP client LiteLLM uses, a connection that is refused is told as one, and has no status."""
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        given = {
            name: value.replace(wire.url, nowhere) if name in ADDRESSES and isinstance(value, str) else value
            for name, value in chat_parameters(wire, row).items()
        }
        with pytest.raises(litellm.exceptions.openai.APIError):
            app.run(app.invoke("completion", **given))
    attributes = telemetry.attributes()
    assert attributes["llm.error.category"] == "connection"
    assert "llm.error.status_code" not in attributes
    assert attributes["gen_ai.provider.name"] == row.name
    assert f"http://{attributes['server.address']}:{attributes['server.port']}" == nowhere
    assert len(telemetry.spans()) == 1
    assert "canary" not in telemetry.everything()


@EVERY
def test_a_response_that_litellm_cannot_read(app: App, wire: WireProvider, telemetry: Recorder, row: Provider) -> None:
    """LiteLLM makes it a failed connection, a refusal or a failure of the provider's: it was none of them."""
    wire.reply(row.wire.plain[0], Reply(body=b"<html>canary</html>"))
    with pytest.raises(litellm.exceptions.openai.APIError) as raised:
        run_chat(app, wire, row)
    attributes = telemetry.attributes()
    assert attributes["llm.error.type"] == type(raised.value).__name__
    assert attributes["llm.error.category"] == "invalid_response"
    assert attributes.get("llm.error.status_code") in {None, 200}
    assert len(telemetry.spans()) == 1
    assert "canary" not in telemetry.everything()


# --- embeddings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", EMBEDDING_PROVIDERS.values(), ids=EMBEDDING_PROVIDERS.keys())
def test_embeddings_say_what_their_provider_said(
    app: App, wire: WireProvider, telemetry: Recorder, row: EmbeddingProvider
) -> None:
    """Tokens are the provider's: where it counts none there are none, and so no price."""
    for path, body in row.replies:
        wire.reply_once(path, Reply(body=body))
    wire.reply("/token", Reply(body={"access_token": "canary-token", "expires_in": 3600, "token_type": "Bearer"}))
    given: dict[str, object] = {"model": row.model, "input": ["canary one", "canary two"], "litellm_call_id": CALL_ID}
    connection = row.connection(wire.url)
    result = cast("litellm.EmbeddingResponse", app.run(app.invoke("embedding", **given, **connection, max_retries=0)))
    assert len(result.data) == len(wires.VECTORS)
    cost = result._hidden_params["response_cost"]
    counts = {
        "gen_ai.usage.input_tokens": wires.EMBEDDING_TOKENS,
        "llm.usage.prompt_tokens": wires.EMBEDDING_TOKENS,
        "llm.usage.total_tokens": wires.EMBEDDING_TOKENS,
        **({**cost_attributes(cost), **cost_shares(input=cost)} if cost else {}),
    }
    assert telemetry.attributes() == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": row.name,
        "gen_ai.request.model": row.model.partition("/")[2],
        "gen_ai.response.model": row.response_model,
        "gen_ai.embeddings.dimension.count": len(wires.VECTORS[0]),
        "llm.request.model": row.model,
        "llm.request.inputs_count": 2,
        "llm.request.content_length": len("canary onecanary two"),
        "llm.response.model": row.response_model,
        "llm.vendor": "litellm",
        "llm.provider": row.litellm_name,
        "litellm.provider": row.litellm_name,
        "litellm.call_id": CALL_ID,
        "litellm.call_type": app.name("embedding"),
        "server.address": wire.address,
        "server.port": wire.port,
        **(counts if row.counts_tokens else {}),
        **row.extra_attributes,
    }
    (span,) = telemetry.spans()
    assert span.kind is SpanKind.CLIENT
    assert len(span.events) == row.attempts
    assert "canary" not in telemetry.everything()
