"""OpenTelemetry's conventions for generative AI, with the names of semantic conventions 0.66b2.

Cost has no convention yet: `gen_ai.usage.cost.*` are the names of the open proposal
(open-telemetry/semantic-conventions-genai, issue 287).
"""

from __future__ import annotations

from agentops_otel_litellm.call import Failure
from agentops_otel_litellm.vocabularies.vocabulary import Rows, Vocabulary

# LiteLLM's provider → `gen_ai.provider.name`. What is not here keeps LiteLLM's name.
PROVIDERS = {
    "anthropic_text": "anthropic",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "text-completion-codestral": "mistral_ai",
    "text-completion-openai": "openai",
    "xai": "x_ai",
}
PROVIDER_FAMILIES = (
    ("bedrock", "aws.bedrock"),
    ("vertex_ai", "gcp.vertex_ai"),
    ("watsonx", "ibm.watsonx.ai"),
)

# LiteLLM's finish reason → the convention's. What is not here keeps LiteLLM's name.
FINISH_REASONS = {"tool_calls": "tool_call", "function_call": "tool_call"}


def provider_name(provider: str | None) -> str | None:
    """The convention's name of a provider that LiteLLM calls `provider`."""
    if provider is None:
        return None
    known = PROVIDERS.get(provider)
    if known is not None:
        return known
    return next((name for prefix, name in PROVIDER_FAMILIES if provider.startswith(prefix)), provider)


def finish_reasons(reasons: tuple[str | None, ...] | None) -> tuple[str, ...] | None:
    """One reason per choice; `error` where one was to come and did not."""
    if not reasons:
        return None
    return tuple("error" if reason is None else FINISH_REASONS.get(reason, reason) for reason in reasons)


EXCEPTION_EVENT = "gen_ai.client.operation.exception"
EXCEPTION: Rows[Failure] = {
    "exception.type": lambda failure: failure.type,
    "exception.message": lambda failure: failure.message,
}

GEN_AI = Vocabulary(
    request={
        "gen_ai.request.stream": lambda request: request.stream or None,
        "gen_ai.request.max_tokens": lambda request: request.max_tokens,
        "gen_ai.request.choice.count": lambda request: None if request.choice_count == 1 else request.choice_count,
        "gen_ai.request.temperature": lambda request: request.temperature,
        "gen_ai.request.top_p": lambda request: request.top_p,
        "gen_ai.request.top_k": lambda request: request.top_k,
        "gen_ai.request.frequency_penalty": lambda request: request.frequency_penalty,
        "gen_ai.request.presence_penalty": lambda request: request.presence_penalty,
        "gen_ai.request.stop_sequences": lambda request: request.stop_sequences,
        "gen_ai.request.seed": lambda request: request.seed,
        "gen_ai.request.reasoning.level": lambda request: request.reasoning_level,
        "gen_ai.request.encoding_formats": lambda request: request.encoding_formats,
        "gen_ai.output.type": lambda request: request.output_type,
        "openai.request.service_tier": lambda request: None if request.service_tier == "auto" else request.service_tier,
    },
    response={
        "gen_ai.response.id": lambda response: response.id,
        "gen_ai.response.model": lambda response: response.model,
        "gen_ai.response.finish_reasons": lambda response: finish_reasons(response.finish_reasons),
        "gen_ai.embeddings.dimension.count": lambda response: response.dimension_count,
        "openai.response.service_tier": lambda response: response.service_tier,
        "openai.response.system_fingerprint": lambda response: response.system_fingerprint,
    },
    stream={
        "gen_ai.response.time_to_first_chunk": lambda stream: stream.first_chunk,
    },
    usage={
        "gen_ai.usage.input_tokens": lambda usage: usage.input,
        "gen_ai.usage.output_tokens": lambda usage: usage.output,
        "gen_ai.usage.cache_read.input_tokens": lambda usage: usage.cache_read,
        "gen_ai.usage.cache_write.input_tokens": lambda usage: usage.cache_write,
        "gen_ai.usage.reasoning.output_tokens": lambda usage: usage.reasoning,
        "gen_ai.usage.text.input_tokens": lambda usage: usage.input_text,
        "gen_ai.usage.image.input_tokens": lambda usage: usage.input_image,
        "gen_ai.usage.audio.input_tokens": lambda usage: usage.input_audio,
        "gen_ai.usage.text.output_tokens": lambda usage: usage.output_text,
        "gen_ai.usage.image.output_tokens": lambda usage: usage.output_image,
        "gen_ai.usage.audio.output_tokens": lambda usage: usage.output_audio,
    },
    cost={
        "gen_ai.usage.cost.amount": lambda cost: cost.total,
        "gen_ai.usage.cost.currency": lambda _: "USD",
        "gen_ai.usage.cost.source": lambda _: "local",
    },
    failure={
        "error.type": lambda failure: failure.type,
    },
    target={
        "gen_ai.provider.name": lambda target: provider_name(target.provider),
        "gen_ai.request.model": lambda target: target.model,
        "server.address": lambda target: target.address,
        "server.port": lambda target: target.port,
    },
    call={
        "gen_ai.operation.name": lambda call: call.operation,
    },
)
