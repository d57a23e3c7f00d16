"""Providers, how each is called, and how each responds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import cast

import litellm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support import releases
from support.apps import CALL_ID, App
from support.expected import price
from support.recorder import Attributes
from support.servers import wires
from support.servers.wire import Reply, WireProvider
from support.servers.wires import Said, Wire

QUESTION = "canary-question"


MESSAGES = [{"role": "user", "content": QUESTION}]


USAGE: dict[str, object] = {"stream_options": {"include_usage": True}}


KEY = "sk-canary-key"


# A name of the `tokens` of a wire → the attributes that tell it.
TOKENS = {
    "input": ("gen_ai.usage.input_tokens", "llm.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "llm.usage.completion_tokens"),
    "cache_read": ("gen_ai.usage.cache_read.input_tokens", "llm.usage.cached_tokens"),
    "cache_write": ("gen_ai.usage.cache_write.input_tokens",),
    "reasoning": ("gen_ai.usage.reasoning.output_tokens", "llm.usage.reasoning_tokens"),
    "output_text": ("gen_ai.usage.text.output_tokens",),
}


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


def ask(app: App, wire: WireProvider, row: Provider, **parameters: object) -> litellm.ModelResponse:
    """A whole app: one chat."""
    return cast("litellm.ModelResponse", app.run(app.invoke("completion", **asked(wire, row), **parameters)))


def asked(wire: WireProvider, row: Provider) -> dict[str, object]:
    wire.reply("/token", Reply(body={"access_token": "canary-token", "expires_in": 3600, "token_type": "Bearer"}))
    connection = row.connection(wire.url)
    return {"model": row.model, "messages": MESSAGES, "max_retries": 0, "litellm_call_id": CALL_ID, **connection}


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
