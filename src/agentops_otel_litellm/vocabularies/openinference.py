"""OpenInference's names, which Arize's Phoenix and others read: of models' calls, embeddings and rerankings.

Written against its semantic conventions 0.1.42. What is said is told message by message, so that there may be too
many attributes for a span: of a long conversation the end is told so, and `input.value` has the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentops_otel_litellm.call import Call, Cost, Request, Response, Target, Usage
from agentops_otel_litellm.call.content import Content
from agentops_otel_litellm.vocabularies import openinference_content as content
from agentops_otel_litellm.vocabularies.conversation import as_json
from agentops_otel_litellm.vocabularies.llm import common_reason
from agentops_otel_litellm.vocabularies.vocabulary import Several, Table, Vocabulary

# Operation → `openinference.span.kind`.
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("chat", "generate_content", "compact_responses", "interactions.create", "run_thread"), "LLM"),
    **dict.fromkeys(("text_completion", "realtime", "ocr"), "LLM"),
    **dict.fromkeys(("image_generation", "image_edit", "image_variation", "speech", "transcription"), "LLM"),
    **dict.fromkeys(("video_generation", "video_edit", "video_extension", "video_remix"), "LLM"),
    "embeddings": "EMBEDDING",
    "rerank": "RERANKER",
    **dict.fromkeys(("search", "retrieval"), "RETRIEVER"),
    "moderation": "GUARDRAIL",
    **dict.fromkeys(("route", "rag.query"), "CHAIN"),
    **dict.fromkeys(("batch_completion", "batch_completion_models", "batch_completion_models_all_responses"), "CHAIN"),
}
_MODELS = frozenset(operation for operation, kind in _KINDS.items() if kind == "LLM")
_COMPLETIONS = frozenset({"text_completion"})
_CHATS = _MODELS - _COMPLETIONS
_EMBEDDINGS = frozenset({"embeddings"})
_RERANKINGS = frozenset({"rerank"})

# LiteLLM's provider → who runs the model, as the conventions have it. What is not here keeps LiteLLM's name.
_PROVIDERS: Mapping[str, str] = {
    "anthropic_text": "anthropic",
    "azure_ai": "azure",
    "azure_text": "azure",
    "codestral": "mistralai",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "meta_llama": "meta",
    "mistral": "mistralai",
    "oci": "oracle",
    "ollama_chat": "ollama",
    "palm": "google",
    "text-completion-codestral": "mistralai",
    "text-completion-openai": "openai",
    "together_ai": "together",
}
_PROVIDER_FAMILIES = (("bedrock", "aws"), ("sagemaker", "aws"), ("vertex_ai", "google"))

# LiteLLM's provider → whose API it has, of those that the conventions know.
_SYSTEMS: Mapping[str, str] = {
    **dict.fromkeys(("openai", "text-completion-openai", "azure", "azure_text"), "openai"),
    **dict.fromkeys(("anthropic", "anthropic_text"), "anthropic"),
    **dict.fromkeys(("cohere", "cohere_chat"), "cohere"),
    **dict.fromkeys(("mistral", "codestral", "text-completion-codestral"), "mistralai"),
    **dict.fromkeys(("gemini", "vertex_ai", "vertex_ai_beta"), "vertexai"),
}

# Field of a request → the parameter as OpenAI names it.
_PARAMETERS: Mapping[str, str] = {
    "stream": "stream",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "choice_count": "n",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "stop_sequences": "stop",
    "reasoning_level": "reasoning_effort",
    "service_tier": "service_tier",
    "tool_choice": "tool_choice",
}
_EMBEDDING_PARAMETERS: Mapping[str, str] = {"dimensions": "dimensions", "encoding_formats": "encoding_format"}


def provider_name(provider: str) -> str:
    """The convention's name of the one that LiteLLM calls `provider`."""
    known = _PROVIDERS.get(provider)
    if known is not None:
        return known
    return next((name for prefix, name in _PROVIDER_FAMILIES if provider.startswith(prefix)), provider)


def _chosen(parameters: Mapping[str, str]) -> Callable[[Request], str | None]:
    def choose(request: Request) -> str | None:
        """What the app chose of the parameters, and nothing that it said."""
        known = vars(request)
        chosen = {name: known[field] for field, name in parameters.items() if field in known}
        return as_json(chosen) if chosen else None

    return choose


OPENINFERENCE = Vocabulary(
    Table(
        Content,
        {
            "llm.input_messages": Several(content.input_messages),
            "llm.tools": Several(content.tools),
            "llm.output_messages": Several(content.output_messages),
        },
        of=_CHATS,
    ),
    Table(
        Content,
        {
            "llm.prompts": Several(content.prompts),
            "llm.choices": Several(content.choices),
        },
        of=_COMPLETIONS,
    ),
    Table(
        Content,
        {
            "input": Several(content.input_value),
            "output": Several(content.output_value),
        },
        of=_MODELS,
    ),
    Table(
        Request,
        {
            "reranker.top_k": "max_results",
        },
        of=_RERANKINGS,
    ),
    Table(
        Response,
        {
            "llm.response.model_name": "model",
            "llm.finish_reason": ("finish_reasons", common_reason),
        },
        of=_MODELS,
    ),
    Table(
        Usage,
        {
            "llm.token_count.prompt": "input",
            "llm.token_count.completion": "output",
            "llm.token_count.total": "total",
            "llm.token_count.prompt_details.cache_read": "cache_read",
            "llm.token_count.prompt_details.cache_write": "cache_write",
            "llm.token_count.prompt_details.audio": "input_audio",
            "llm.token_count.completion_details.reasoning": "reasoning",
            "llm.token_count.completion_details.audio": "output_audio",
        },
    ),
    Table(
        Cost,
        {
            "llm.cost.prompt": "input",
            "llm.cost.prompt_details.cache_read": "cache_read",
            "llm.cost.prompt_details.cache_write": "cache_write",
            "llm.cost.completion": "output",
            "llm.cost.completion_details.reasoning": "reasoning",
            "llm.cost.total": "total",
        },
    ),
    Table(
        Target,
        {
            "llm.model_name": "model",
            "llm.request.model_name": "model",
            "llm.provider": ("provider", provider_name),
            "llm.system": ("provider", _SYSTEMS.get),
        },
        of=_MODELS,
    ),
    Table(Target, {"embedding.model_name": "model"}, of=_EMBEDDINGS),
    Table(Target, {"reranker.model_name": "model"}, of=_RERANKINGS),
    Table(
        Call,
        {
            "openinference.span.kind": ("name", lambda name: _KINDS.get(name, "UNKNOWN")),
        },
    ),
    Table(Call, {"llm.invocation_parameters": ("request", _chosen(_PARAMETERS))}, of=_MODELS),
    Table(Call, {"embedding.invocation_parameters": ("request", _chosen(_EMBEDDING_PARAMETERS))}, of=_EMBEDDINGS),
)
