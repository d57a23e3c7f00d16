"""LiteLLM's providers: parameters of calls, responses, and expected attributes."""

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
from support.expected import cost_attributes
from support.recorder import Attributes
from support.servers import wires
from support.servers.wire import Reply, WireProvider
from support.servers.wires import Completion, ProviderReplies

QUESTION = "canary-question"


MESSAGES = [{"role": "user", "content": QUESTION}]


USAGE: dict[str, object] = {"stream_options": {"include_usage": True}}


KEY = "sk-canary-key"


# Key in the `tokens` of a provider's replies → attributes with that count.
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
    """Google credentials whose tokens are issued at `url`."""
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


def base_url_and_key(path: str = "") -> Callable[[str], dict[str, object]]:
    """Connection parameters of most providers: a base URL with this path, and a key."""
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
    """One of LiteLLM's providers: parameters of a chat, its replies, and expected attributes."""

    model: str
    """The `model` parameter."""
    wire: ProviderReplies
    connection: Callable[[str], dict[str, object]]
    """The connection parameters for the URL of a server."""
    name: str
    """The provider's name in the conventions."""
    litellm_name: str
    streaming: dict[str, object] = field(default_factory=dict)
    """Parameters with which the provider reports the usage of a stream."""
    extra_attributes: Attributes = field(default_factory=dict)
    """Attributes that spans of other providers do not have."""
    stream_attributes: Mapping[str, object] = field(default_factory=dict)
    """Attributes that only spans of streams have; `None`: that they do not have."""
    loses_error_headers: bool = False
    """Whether LiteLLM loses the headers of an error response."""


# LiteLLM does not read the end of Cohere's streams, so the finish reason and the usage are lost.
LOST_IN_COHERE_STREAMS = dict.fromkeys(
    (
        "gen_ai.response.finish_reasons",
        "llm.response.finish_reason",
        "llm.usage.total_tokens",
        *(name for names in TOKENS.values() for name in names),
        *cost_attributes(0, "gpt-4o", input=1, output=1),
    )
)


GEMINI_TEXT_TOKENS: Attributes = (
    {"gen_ai.usage.text.input_tokens": Completion(model="").input} if releases.GEMINI_COUNTS_CACHED_TEXT else {}
)


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        model="openai/gpt-4o",
        wire=wires.openai(Completion(model="gpt-4o-2024-08-06")),
        connection=base_url_and_key("/v1"),
        name="openai",
        litellm_name="openai",
        streaming=USAGE,
    ),
    "one like OpenAI": Provider(
        model="openai/our-model",
        wire=wires.openai(Completion(model="our-model-7b"), status=wires.UNAUTHORIZED),
        connection=base_url_and_key("/canary/v1"),
        name="openai",
        litellm_name="openai",
        streaming=USAGE,
    ),
    "azure": Provider(
        model="azure/our-deployment",
        wire=wires.azure(Completion(model="gpt-4o-2024-08-06"), "/openai/deployments/our-deployment/chat/completions"),
        connection=on_azure,
        name="azure.ai.openai",
        litellm_name="azure",
        streaming=USAGE,
    ),
    "deepseek": Provider(
        model="deepseek/deepseek-chat",
        wire=wires.deepseek(Completion(model="deepseek-chat")),
        connection=base_url_and_key("/v1"),
        name="deepseek",
        litellm_name="deepseek",
    ),
    "groq": Provider(
        model="groq/openai/gpt-oss-20b",
        wire=wires.groq(Completion(model="openai/gpt-oss-20b")),
        connection=base_url_and_key("/v1"),
        name="groq",
        litellm_name="groq",
        extra_attributes={"openai.response.system_fingerprint": "fp_1"},
        # LiteLLM replaces the tier of plain calls by `auto`, and some releases lose the fingerprint of streams.
        stream_attributes={
            "openai.response.service_tier": "on_demand",
            **({} if releases.GROQ_STREAMS_HAVE_FINGERPRINTS else {"openai.response.system_fingerprint": None}),
        },
    ),
    "mistral": Provider(
        model="mistral/mistral-large-latest",
        wire=wires.mistral(Completion(model="mistral-large-2411")),
        connection=base_url_and_key("/v1"),
        name="mistral_ai",
        litellm_name="mistral",
    ),
    "xai": Provider(
        model="xai/grok-4",
        wire=wires.openai(Completion(model="grok-4-0709")),
        connection=base_url_and_key("/v1"),
        name="x_ai",
        litellm_name="xai",
        streaming=USAGE,
    ),
    "huggingface": Provider(
        model="huggingface/our-model",
        wire=wires.text_generation_inference(Completion(model="our-model")),
        connection=base_url_and_key(),
        name="huggingface",
        litellm_name="huggingface",
        streaming=USAGE,
    ),
    "anthropic": Provider(
        model="anthropic/claude-haiku-4-5",
        wire=wires.anthropic(Completion(model="claude-haiku-4-5-20251001")),
        connection=base_url_and_key(),
        name="anthropic",
        litellm_name="anthropic",
    ),
    "gemini": Provider(
        model="gemini/gemini-2.5-flash",
        wire=wires.google(Completion(model="gemini-2.5-flash-001")),
        connection=base_url_and_key(),
        name="gcp.gemini",
        litellm_name="gemini",
        extra_attributes=GEMINI_TEXT_TOKENS,
    ),
    "vertex_ai": Provider(
        model="vertex_ai/gemini-2.5-flash",
        wire=wires.google(Completion(model="gemini-2.5-flash-001")),
        connection=on_google_cloud,
        name="gcp.vertex_ai",
        litellm_name="vertex_ai",
        extra_attributes=GEMINI_TEXT_TOKENS,
    ),
    "cohere": Provider(
        model="cohere/command-r-08-2024",
        wire=wires.cohere(Completion(model="command-r-08-2024"), "/v2/chat"),
        connection=base_url_and_key("/v2/chat"),
        name="cohere",
        litellm_name="cohere_chat",
        stream_attributes=LOST_IN_COHERE_STREAMS,
        loses_error_headers=True,
    ),
    "bedrock": Provider(
        model="bedrock/anthropic.claude-haiku-4-5-20251001-v1:0",
        wire=wires.bedrock(Completion(model="anthropic.claude-haiku-4-5-20251001-v1:0")),
        connection=on_aws,
        name="aws.bedrock",
        litellm_name="bedrock",
    ),
    "ollama": Provider(
        model="ollama/llama3.2",
        wire=wires.ollama_generate(Completion(model="llama3.2")),
        connection=lambda url: {"api_base": url},
        name="ollama",
        litellm_name="ollama",
    ),
    "ollama_chat": Provider(
        model="ollama_chat/llama3.2",
        wire=wires.ollama_chat(Completion(model="llama3.2")),
        connection=lambda url: {"api_base": url},
        name="ollama_chat",
        litellm_name="ollama_chat",
    ),
}


def run_chat(app: App, wire: WireProvider, row: Provider, **parameters: object) -> litellm.ModelResponse:
    """Run an application with one chat."""
    return cast("litellm.ModelResponse", app.run(app.invoke("completion", **chat_parameters(wire, row), **parameters)))


def chat_parameters(wire: WireProvider, row: Provider) -> dict[str, object]:
    wire.reply("/token", Reply(body={"access_token": "canary-token", "expires_in": 3600, "token_type": "Bearer"}))
    connection = row.connection(wire.url)
    return {"model": row.model, "messages": MESSAGES, "max_retries": 0, "litellm_call_id": CALL_ID, **connection}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingProvider:
    """One of LiteLLM's providers of embeddings."""

    model: str
    response_model: str
    """The model in the response: the provider's name, or the requested one."""
    replies: tuple[tuple[str, object], ...]
    """(end of the path, body of the response), in the order of the requests."""
    connection: Callable[[str], dict[str, object]]
    name: str
    litellm_name: str
    counts_tokens: bool = True
    attempts: int = 1
    """The number of attempts that LiteLLM reports."""
    extra_attributes: Attributes = field(default_factory=dict)


EMBEDDING_PROVIDERS: dict[str, EmbeddingProvider] = {
    "openai": EmbeddingProvider(
        model="openai/text-embedding-3-small",
        response_model="text-embedding-3-small-v1",
        replies=(("/embeddings", wires.openai_embeddings("text-embedding-3-small-v1")),),
        connection=base_url_and_key("/v1"),
        name="openai",
        litellm_name="openai",
    ),
    "azure": EmbeddingProvider(
        model="azure/our-deployment",
        response_model="text-embedding-3-small",
        replies=(("/deployments/our-deployment/embeddings", wires.openai_embeddings("text-embedding-3-small")),),
        connection=on_azure,
        name="azure.ai.openai",
        litellm_name="azure",
    ),
    "mistral": EmbeddingProvider(
        model="mistral/mistral-embed",
        response_model="mistral-embed-2312",
        replies=(("/embeddings", wires.openai_embeddings("mistral-embed-2312")),),
        connection=base_url_and_key("/v1"),
        name="mistral_ai",
        litellm_name="mistral",
    ),
    "cohere": EmbeddingProvider(
        model="cohere/embed-english-v3.0",
        response_model="embed-english-v3.0",
        replies=(("/v2/embed", wires.cohere_embeddings()),),
        connection=base_url_and_key("/v2/embed"),
        name="cohere",
        litellm_name="cohere",
        extra_attributes={"gen_ai.usage.text.input_tokens": wires.EMBEDDING_TOKENS},
    ),
    "gemini": EmbeddingProvider(
        model="gemini/gemini-embedding-001",
        response_model="gemini-embedding-001",
        replies=((":batchEmbedContents", wires.gemini_embeddings()),),
        connection=base_url_and_key(),
        name="gcp.gemini",
        litellm_name="gemini",
        counts_tokens=False,
    ),
    "vertex_ai": EmbeddingProvider(
        model="vertex_ai/text-embedding-005",
        response_model="text-embedding-005",
        replies=((":predict", wires.vertex_embeddings()),),
        connection=on_google_cloud,
        name="gcp.vertex_ai",
        litellm_name="vertex_ai",
    ),
    "bedrock": EmbeddingProvider(
        model="bedrock/amazon.titan-embed-text-v2:0",
        response_model="amazon.titan-embed-text-v2:0",
        replies=(("/invoke", wires.titan_embedding(4)), ("/invoke", wires.titan_embedding(wires.EMBEDDING_TOKENS - 4))),
        connection=on_aws,
        name="aws.bedrock",
        litellm_name="bedrock",
    ),
    "huggingface": EmbeddingProvider(
        model="huggingface/our-model",
        response_model="our-model",
        replies=(("/our-model", wires.hugging_face_embeddings()),),
        # Without `input_type`, LiteLLM would request it from the Hub.
        connection=lambda url: {"api_base": f"{url}/our-model", "api_key": KEY, "input_type": "feature-extraction"},
        name="huggingface",
        litellm_name="huggingface",
        counts_tokens=False,
    ),
    "ollama": EmbeddingProvider(
        model="ollama/nomic-embed-text",
        response_model="nomic-embed-text",
        replies=(("/api/embed", wires.ollama_embeddings("nomic-embed-text")),),
        connection=lambda url: {"api_base": url},
        name="ollama",
        litellm_name="ollama",
        attempts=0,
    ),
}
