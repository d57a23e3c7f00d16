"""Providers of every kind: LiteLLM's own code for each, against a server that speaks that provider's wire format."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from typing import cast

import litellm
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from opentelemetry.trace import SpanKind, StatusCode

import releases
from apps import CALL_ID, App
from expected import FIGURES, MODELS, STREAMED, price, shares, without_figures
from recorder import Attributes, Recorder
from servers import wires
from servers.event_stream import message
from servers.wire import Reply, WireProvider, events
from servers.wires import Said, Wire

QUESTION = "canary-question"
MESSAGES = [{"role": "user", "content": QUESTION}]
USAGE: dict[str, object] = {"stream_options": {"include_usage": True}}
KEY = "sk-canary-key"
ADDRESSES = frozenset({"api_base", "aws_bedrock_runtime_endpoint"})

# A name of the `tokens` of a wire → the attributes that tell it.
TOKENS = {
    "input": ("gen_ai.usage.input_tokens", "llm.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "llm.usage.completion_tokens"),
    "cache_read": ("gen_ai.usage.cache_read.input_tokens", "llm.usage.cached_tokens"),
    "cache_write": ("gen_ai.usage.cache_write.input_tokens",),
    "reasoning": ("gen_ai.usage.reasoning.output_tokens", "llm.usage.reasoning_tokens"),
    "output_text": ("gen_ai.usage.text.output_tokens",),
}
CATEGORIES = {401: "auth", 404: "not_found", 429: "rate_limit"}


@cache
def service_account(url: str) -> str:
    """Credentials for Google, whose tokens are had at `url`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {
        "type": "service_account",
        "project_id": "canary-project",
        "private_key_id": "canary-id",
        "private_key": pem,
        "client_email": "canary@canary.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{url}/token",
    }
    return json.dumps(account)


def keyed(path: str = "") -> Callable[[str], dict[str, object]]:
    """How most are reached: with a base URL, that path at its end, and a key."""
    return lambda url: {"api_base": f"{url}{path}", "api_key": KEY}


def on_azure(url: str) -> dict[str, object]:
    return {"api_base": url, "api_key": KEY, "api_version": "2024-10-21"}


def on_aws(url: str) -> dict[str, object]:
    keys = {"aws_access_key_id": "canary-id", "aws_secret_access_key": "canary-secret"}
    return {"aws_bedrock_runtime_endpoint": url, "aws_region_name": "us-east-1", **keys}


def on_google_cloud(url: str) -> dict[str, object]:
    location = {"vertex_project": "canary-project", "vertex_location": "us-central1"}
    return {"api_base": url, "vertex_credentials": service_account(url), **location}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One of LiteLLM's providers: how its chat is called, what it says, and what LiteLLM keeps of that."""

    model: str
    """As the app writes it."""
    wire: Wire
    connection: Callable[[str], dict[str, object]]
    """The parameters that lead to a server, from its URL."""
    name: str
    """The convention's; likewise LiteLLM's."""
    litellms: str
    streaming: dict[str, object] = field(default_factory=dict)
    """What the app asks for so that the provider counts a stream."""
    told: Attributes = field(default_factory=dict)
    """What the span says beyond what it says of every provider."""
    told_of_streams: Mapping[str, object] = field(default_factory=dict)
    """What it says of a stream and not of a plain call; or not, where it is `None`."""
    headers_lost: bool = False
    """Whether LiteLLM loses those of a refusal."""


# LiteLLM does not see the end of Cohere's streams: the reason and the counts are lost, and its own are not told.
WITHOUT_AN_END = dict.fromkeys(
    (
        "gen_ai.response.finish_reasons",
        "llm.response.finish_reason",
        "llm.usage.total_tokens",
        *(name for names in TOKENS.values() for name in names),
        *price(0, "gpt-4o", input=1, output=1),
    )
)
OF_GEMINI: Attributes = {"gen_ai.usage.text.input_tokens": Said(model="").input} if releases.GEMINIS_CACHED_TEXT else {}
PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        model="openai/gpt-4o",
        wire=wires.openai(Said(model="gpt-4o-2024-08-06")),
        connection=keyed("/v1"),
        name="openai",
        litellms="openai",
        streaming=USAGE,
    ),
    "one like OpenAI": Provider(
        model="openai/our-model",
        wire=wires.openai(Said(model="our-model-7b"), status=wires.REFUSED),
        connection=keyed("/canary/v1"),
        name="openai",
        litellms="openai",
        streaming=USAGE,
    ),
    "azure": Provider(
        model="azure/our-deployment",
        wire=wires.azure(Said(model="gpt-4o-2024-08-06"), "/openai/deployments/our-deployment/chat/completions"),
        connection=on_azure,
        name="azure.ai.openai",
        litellms="azure",
        streaming=USAGE,
    ),
    "deepseek": Provider(
        model="deepseek/deepseek-chat",
        wire=wires.deepseek(Said(model="deepseek-chat")),
        connection=keyed("/v1"),
        name="deepseek",
        litellms="deepseek",
    ),
    "groq": Provider(
        model="groq/openai/gpt-oss-20b",
        wire=wires.groq(Said(model="openai/gpt-oss-20b")),
        connection=keyed("/v1"),
        name="groq",
        litellms="groq",
        told={"openai.response.system_fingerprint": "fp_1"},
        # LiteLLM makes the tier of plain calls `auto`, and some releases lose a stream's fingerprint.
        told_of_streams={
            "openai.response.service_tier": "on_demand",
            **({} if releases.FINGERPRINTS_OF_GROQS_STREAMS else {"openai.response.system_fingerprint": None}),
        },
    ),
    "mistral": Provider(
        model="mistral/mistral-large-latest",
        wire=wires.mistral(Said(model="mistral-large-2411")),
        connection=keyed("/v1"),
        name="mistral_ai",
        litellms="mistral",
    ),
    "xai": Provider(
        model="xai/grok-4",
        wire=wires.openai(Said(model="grok-4-0709")),
        connection=keyed("/v1"),
        name="x_ai",
        litellms="xai",
        streaming=USAGE,
    ),
    "huggingface": Provider(
        model="huggingface/our-model",
        wire=wires.text_generation_inference(Said(model="our-model")),
        connection=keyed(),
        name="huggingface",
        litellms="huggingface",
        streaming=USAGE,
    ),
    "anthropic": Provider(
        model="anthropic/claude-haiku-4-5",
        wire=wires.anthropic(Said(model="claude-haiku-4-5-20251001")),
        connection=keyed(),
        name="anthropic",
        litellms="anthropic",
    ),
    "gemini": Provider(
        model="gemini/gemini-2.5-flash",
        wire=wires.google(Said(model="gemini-2.5-flash-001")),
        connection=keyed(),
        name="gcp.gemini",
        litellms="gemini",
        told=OF_GEMINI,
    ),
    "vertex_ai": Provider(
        model="vertex_ai/gemini-2.5-flash",
        wire=wires.google(Said(model="gemini-2.5-flash-001")),
        connection=on_google_cloud,
        name="gcp.vertex_ai",
        litellms="vertex_ai",
        told=OF_GEMINI,
    ),
    "cohere": Provider(
        model="cohere/command-r-08-2024",
        wire=wires.cohere(Said(model="command-r-08-2024"), "/v2/chat"),
        connection=keyed("/v2/chat"),
        name="cohere",
        litellms="cohere_chat",
        told_of_streams=WITHOUT_AN_END,
        headers_lost=True,
    ),
    "bedrock": Provider(
        model="bedrock/anthropic.claude-haiku-4-5-20251001-v1:0",
        wire=wires.bedrock(Said(model="anthropic.claude-haiku-4-5-20251001-v1:0")),
        connection=on_aws,
        name="aws.bedrock",
        litellms="bedrock",
    ),
    "ollama": Provider(
        model="ollama/llama3.2",
        wire=wires.ollama_generate(Said(model="llama3.2")),
        connection=lambda url: {"api_base": url},
        name="ollama",
        litellms="ollama",
    ),
    "ollama_chat": Provider(
        model="ollama_chat/llama3.2",
        wire=wires.ollama_chat(Said(model="llama3.2")),
        connection=lambda url: {"api_base": url},
        name="ollama_chat",
        litellms="ollama_chat",
    ),
}
EVERY = pytest.mark.parametrize("row", PROVIDERS.values(), ids=PROVIDERS.keys())


def ask(app: App, wire: WireProvider, row: Provider, **parameters: object) -> litellm.ModelResponse:
    """A whole app: one chat."""
    return cast("litellm.ModelResponse", app.run(app.invoke("completion", **asked(wire, row), **parameters)))


def read(app: App, wire: WireProvider, row: Provider) -> list[litellm.ModelResponseStream]:
    """A whole app: one streamed chat, read to its end."""

    async def scenario() -> list[litellm.ModelResponseStream]:
        stream = await app.invoke("completion", **asked(wire, row), stream=True, **row.streaming)
        assert isinstance(stream, litellm.CustomStreamWrapper)
        return await app.rest(stream)

    return app.run(scenario())


def asked(wire: WireProvider, row: Provider) -> dict[str, object]:
    wire.reply("/token", Reply(body={"access_token": "canary-token", "expires_in": 3600, "token_type": "Bearer"}))
    connection = row.connection(wire.url)
    return {"model": row.model, "messages": MESSAGES, "max_retries": 0, "litellm_call_id": CALL_ID, **connection}


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
        "llm.provider": row.litellms,
        "litellm.provider": row.litellms,
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
    model = wire.said.model
    told: Attributes = {
        "gen_ai.response.id": response_id,
        "gen_ai.response.model": model,
        "gen_ai.response.finish_reasons": ("stop",),
        "llm.response.id": response_id,
        "llm.response.model": model,
        "llm.response.finish_reason": "stop",
        "llm.response.choices_count": 1,
        "llm.response.content_length": len(wire.said.text),
        "llm.response.tool_calls_count": 0,
        "llm.usage.total_tokens": wire.said.input + wire.said.output,
    }
    told |= {attribute: count for name, count in wire.tokens.items() for attribute in TOKENS[name]}
    return told | row.told


def charged(cost: float, row: Provider) -> Attributes:
    """What a span says of the price, where LiteLLM has one."""
    if not cost:
        return {}
    said, asked = row.wire.said.model, row.model.partition("/")[2]
    names = (f"{row.litellms}/{said}", said, f"{row.litellms}/{asked}", asked)
    counted = {name: count for name, count in row.wire.tokens.items() if name != "output_text"}
    return price(cost, *names, **counted)


@EVERY
def test_a_chat_says_what_its_provider_said(app: App, wire: WireProvider, telemetry: Recorder, row: Provider) -> None:
    """Of every provider a chat is one span with what was asked, answered, counted and priced, and nothing else."""
    wire.reply(*row.wire.plain)
    result = ask(app, wire, row)
    assert result.choices[0].message.content == row.wire.said.text
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
    assert text == row.wire.said.text
    attributes = telemetry.attributes()
    measured = {name for name in attributes if name in FIGURES}
    wire.reset()
    wire.reply(*row.wire.plain)
    cost = ask(app, wire, row)._hidden_params["response_cost"]
    expected = {
        **request_facts(app.name("completion"), wire, row),
        **STREAMED,
        **answer_facts(row, next(chunk.id for chunk in chunks if chunk.id)),
        "llm.response.stream_outcome": "completed",
        "llm.response.chunk_count": len(chunks),
        **charged(cost, row),
        **({} if releases.STREAMS_NAME_THEIR_MODEL else dict.fromkeys(MODELS)),
        **row.told_of_streams,
    }
    assert without_figures(attributes) == {name: value for name, value in expected.items() if value is not None}
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
    refusal = row.wire.refusal
    wire.reply((row.wire.stream if stream else row.wire.plain)[0], refusal)
    whole_app = read if stream else ask
    with pytest.raises(litellm.exceptions.openai.APIError) as raised:
        whole_app(app, wire, row)
    assert "canary-echo" in str(raised.value)
    error = getattr(raised.value, "original_exception", None) or raised.value
    kind, category = type(error).__name__, CATEGORIES[refusal.status]
    headers = {} if row.headers_lost else refusal.headers
    request_id = next((value for name, value in headers.items() if name.endswith(("request-id", "requestid"))), None)
    failure = {
        "error.type": kind,
        "llm.error.type": kind,
        "llm.error.category": category,
        "llm.error.provider": row.litellms,
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
    "openai": (2, events({"error": {"message": "canary", "type": "server_error", "code": None}}), "stream_interrupted"),
    "anthropic": (
        4,
        events({"type": "error", "error": {"type": "overloaded_error", "message": "canary"}}, names=True),
        "stream_interrupted",
    ),
    "gemini": (
        1,
        events({"error": {"code": 503, "message": "canary", "status": "UNAVAILABLE"}}),
        "stream_interrupted",
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
    result = ask(app, wire, row)
    assert result.usage.completion_tokens_details.reasoning_tokens > 0  # type: ignore[attr-defined]  # it has a usage
    told = {name for name in telemetry.attributes() if name.startswith(("gen_ai.usage", "llm.usage"))}
    counted = {attribute for name in row.wire.tokens for attribute in TOKENS[name]}
    assert told - set(price(0)) == counted | {"llm.usage.total_tokens"}
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
    given = asked(wire, row)
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
            for name, value in asked(wire, row).items()
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
        ask(app, wire, row)
    attributes = telemetry.attributes()
    assert attributes["llm.error.type"] == type(raised.value).__name__
    assert attributes["llm.error.category"] == "invalid_response"
    assert attributes.get("llm.error.status_code") in {None, 200}
    assert len(telemetry.spans()) == 1
    assert "canary" not in telemetry.everything()


# --- embeddings -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """One of LiteLLM's providers of embeddings."""

    model: str
    said: str
    """The model, as in the response: the provider's, or what LiteLLM asked for."""
    replies: tuple[tuple[str, object], ...]
    """The end of a path and what is answered there, in the order in which they are asked for."""
    connection: Callable[[str], dict[str, object]]
    name: str
    litellms: str
    counted: bool = True
    attempts: int = 1
    """Those that LiteLLM tells of."""
    told: Attributes = field(default_factory=dict)


EMBEDDERS: dict[str, Embedder] = {
    "openai": Embedder(
        model="openai/text-embedding-3-small",
        said="text-embedding-3-small-v1",
        replies=(("/embeddings", wires.openai_embeddings("text-embedding-3-small-v1")),),
        connection=keyed("/v1"),
        name="openai",
        litellms="openai",
    ),
    "azure": Embedder(
        model="azure/our-deployment",
        said="text-embedding-3-small",
        replies=(("/deployments/our-deployment/embeddings", wires.openai_embeddings("text-embedding-3-small")),),
        connection=on_azure,
        name="azure.ai.openai",
        litellms="azure",
    ),
    "mistral": Embedder(
        model="mistral/mistral-embed",
        said="mistral-embed-2312",
        replies=(("/embeddings", wires.openai_embeddings("mistral-embed-2312")),),
        connection=keyed("/v1"),
        name="mistral_ai",
        litellms="mistral",
    ),
    "cohere": Embedder(
        model="cohere/embed-english-v3.0",
        said="embed-english-v3.0",
        replies=(("/v2/embed", wires.cohere_embeddings()),),
        connection=keyed("/v2/embed"),
        name="cohere",
        litellms="cohere",
        told={"gen_ai.usage.text.input_tokens": wires.COUNTED},
    ),
    "gemini": Embedder(
        model="gemini/gemini-embedding-001",
        said="gemini-embedding-001",
        replies=((":batchEmbedContents", wires.gemini_embeddings()),),
        connection=keyed(),
        name="gcp.gemini",
        litellms="gemini",
        counted=False,
    ),
    "vertex_ai": Embedder(
        model="vertex_ai/text-embedding-005",
        said="text-embedding-005",
        replies=((":predict", wires.vertex_embeddings()),),
        connection=on_google_cloud,
        name="gcp.vertex_ai",
        litellms="vertex_ai",
    ),
    "bedrock": Embedder(
        model="bedrock/amazon.titan-embed-text-v2:0",
        said="amazon.titan-embed-text-v2:0",
        replies=(("/invoke", wires.titan_embedding(4)), ("/invoke", wires.titan_embedding(wires.COUNTED - 4))),
        connection=on_aws,
        name="aws.bedrock",
        litellms="bedrock",
    ),
    "huggingface": Embedder(
        model="huggingface/our-model",
        said="our-model",
        replies=(("/our-model", wires.hugging_face_embeddings()),),
        # Without the kind of input LiteLLM would ask the Hub for it.
        connection=lambda url: {"api_base": f"{url}/our-model", "api_key": KEY, "input_type": "feature-extraction"},
        name="huggingface",
        litellms="huggingface",
        counted=False,
    ),
    "ollama": Embedder(
        model="ollama/nomic-embed-text",
        said="nomic-embed-text",
        replies=(("/api/embed", wires.ollama_embeddings("nomic-embed-text")),),
        connection=lambda url: {"api_base": url},
        name="ollama",
        litellms="ollama",
        attempts=0,
    ),
}


@pytest.mark.parametrize("row", EMBEDDERS.values(), ids=EMBEDDERS.keys())
def test_embeddings_say_what_their_provider_said(
    app: App, wire: WireProvider, telemetry: Recorder, row: Embedder
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
        "gen_ai.usage.input_tokens": wires.COUNTED,
        "llm.usage.prompt_tokens": wires.COUNTED,
        "llm.usage.total_tokens": wires.COUNTED,
        **({**price(cost), **shares(input=cost)} if cost else {}),
    }
    assert telemetry.attributes() == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": row.name,
        "gen_ai.request.model": row.model.partition("/")[2],
        "gen_ai.response.model": row.said,
        "gen_ai.embeddings.dimension.count": len(wires.VECTORS[0]),
        "llm.request.model": row.model,
        "llm.request.inputs_count": 2,
        "llm.request.content_length": len("canary onecanary two"),
        "llm.response.model": row.said,
        "llm.vendor": "litellm",
        "llm.provider": row.litellms,
        "litellm.provider": row.litellms,
        "litellm.call_id": CALL_ID,
        "litellm.call_type": app.name("embedding"),
        "server.address": wire.address,
        "server.port": wire.port,
        **(counts if row.counted else {}),
        **row.told,
    }
    (span,) = telemetry.spans()
    assert span.kind is SpanKind.CLIENT
    assert len(span.events) == row.attempts
    assert "canary" not in telemetry.everything()
