"""OpenInference's attribute names, which Arize Phoenix and other backends read, by its semantic conventions 0.1.42.

Each message or document has several attributes. If a conversation has more than a span can have, only its last messages
are recorded in this way. `input.value` has the whole conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentops_otel_litellm.call import App, Call, Cost, Request, Response, Target, Usage
from agentops_otel_litellm.operations import Kind, kind_named, names_of
from agentops_otel_litellm.providers import identity_of, provider_named
from agentops_otel_litellm.records import Content
from agentops_otel_litellm.semconv import numbered_content as content
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary
from agentops_otel_litellm.semconv.llm import common_reason
from agentops_otel_litellm.semconv.numbered_content import as_json

# Kind of operation → `openinference.span.kind`. Other operations are UNKNOWN.
_KINDS: Mapping[Kind, str] = {
    Kind.CHAT: "LLM",
    Kind.TEXT: "LLM",
    Kind.MODEL: "LLM",
    Kind.MEDIA: "LLM",
    Kind.EMBEDDING: "EMBEDDING",
    Kind.RERANKING: "RERANKER",
    Kind.SEARCH: "RETRIEVER",
    Kind.DECISION: "DECISION",
    Kind.MODERATION: "GUARDRAIL",
    Kind.CHAIN: "CHAIN",
}
_MODELS = names_of(*(kind for kind, name in _KINDS.items() if name == "LLM"))
_COMPLETIONS = names_of(Kind.TEXT)
_CHATS = _MODELS - _COMPLETIONS
_EMBEDDINGS = names_of(Kind.EMBEDDING)
_RERANKINGS = names_of(Kind.RERANKING)
_SEARCHES = names_of(Kind.SEARCH)
_CONVERSATIONS = _MODELS | names_of(Kind.MODERATION)

# LiteLLM's name of a provider → `llm.provider`, if that is different.
_PROVIDERS: Mapping[str, str] = {
    **dict.fromkeys(("aws_polly", "aws_textract", "bedrock", "sagemaker", "sagemaker_chat", "sagemaker_nova"), "aws"),
    **dict.fromkeys(("azure", "azure_ai", "azure_speech"), "azure"),
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "meta_llama": "meta",
    "mistral": "mistralai",
    "oci": "oracle",
    "ollama_chat": "ollama",
    "palm": "google",
    "together_ai": "together",
    "vertex_ai": "google",
}

# The provider whose API is offered (`Provider.api`) → `llm.system`.
_SYSTEMS: Mapping[str, str] = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "mistral": "mistralai",
    "openai": "openai",
    "vertex_ai": "vertexai",
}

# Field of a request → its key in `llm.invocation_parameters`, which is OpenAI's name of the parameter.
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
    # images, audio, video
    "resolution": "size",
    "quality": "quality",
    "style": "style",
    "output_format": "output_format",
    "response_format": "response_format",
    "voice": "voice",
    "speed": "speed",
    "language": "language",
    "media_duration": "seconds",
}
_EMBEDDING_PARAMETERS: Mapping[str, str] = {"dimensions": "dimensions", "encoding_formats": "encoding_format"}

# Field of `App` → its key in the JSON of `metadata`, which is the name in LiteLLM's proxy.
_METADATA: Mapping[str, str] = {
    "key_alias": "user_api_key_alias",
    "key_user_id": "user_api_key_user_id",
    "team_id": "team_id",
    "team_alias": "team_alias",
    "organization_id": "org_id",
    "organization_alias": "org_alias",
    "project_id": "project_id",
    "project_alias": "project_alias",
}


def provider_name(provider: str) -> str:
    """The conventions' name for a provider, from LiteLLM's name."""
    return identity_of(provider, _PROVIDERS)


def _write_parameters(parameters: Mapping[str, str]) -> Callable[[Request], str | None]:
    """Return the function of a row that writes parameters of a request as JSON. `parameters`: field → key."""

    def write(request: Request) -> str | None:
        """The parameters that the application has set, as JSON; `None` if it has set none."""
        known = vars(request)
        chosen = {name: _parameter(known[field]) for field, name in parameters.items() if field in known}
        return as_json(chosen) if chosen else None

    return write


def _parameter(known: object) -> object:
    """The value of a parameter. A list of one item is written as that item, as applications usually do."""
    return known[0] if isinstance(known, tuple) and len(known) == 1 else known


def _metadata(app: App) -> str | None:
    """The recorded entries of the call's metadata, and the identifiers from LiteLLM's proxy, as JSON. `None` if there
    are none.
    """
    known = vars(app)
    metadata = {**(app.metadata or {}), **{name: known[field] for field, name in _METADATA.items() if field in known}}
    return as_json(metadata) if metadata else None


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
        of=_CONVERSATIONS,
    ),
    Table(
        Content,
        {
            "embedding.embeddings": Several(content.embeddings),
            "input": Several(content.embedded_value),
        },
        of=_EMBEDDINGS,
    ),
    Table(
        Content,
        {
            "reranker.query": ("query", "\n".join),
            "reranker.input_documents": Several(content.request_documents),
            "reranker.output_documents": Several(content.ranked_documents),
            "input": Several(content.ranking_value),
            "output": Several(content.results_value),
        },
        of=_RERANKINGS,
    ),
    Table(
        Content,
        {
            "retrieval.documents": Several(content.found_documents),
            "input": Several(content.query_value),
            "output": Several(content.results_value),
        },
        of=_SEARCHES,
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
        App,
        {
            "session.id": "session_id",
            "user.id": "user_id",
            "tag.tags": "tags",
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
            "llm.system": ("provider", lambda provider: _SYSTEMS.get(provider_named(provider).api)),
        },
        of=_MODELS,
    ),
    Table(Target, {"embedding.model_name": "model"}, of=_EMBEDDINGS),
    Table(Target, {"reranker.model_name": "model"}, of=_RERANKINGS),
    Table(
        Call,
        {
            "openinference.span.kind": ("name", lambda name: _KINDS.get(kind_named(name), "UNKNOWN")),
            "metadata": ("app", _metadata),
        },
    ),
    Table(Call, {"llm.invocation_parameters": ("request", _write_parameters(_PARAMETERS))}, of=_MODELS),
    Table(
        Call, {"embedding.invocation_parameters": ("request", _write_parameters(_EMBEDDING_PARAMETERS))}, of=_EMBEDDINGS
    ),
)
