"""OpenTelemetry's conventions for generative AI: the attribute names of semantic conventions 0.66b2.

That release has no names for the reasoning level, cache writes and the tokens of a modality, so later names are used
for these. Cost has no convention yet: `gen_ai.usage.cost.*` are the names of an open proposal
(open-telemetry/semantic-conventions-genai, issue 287).

The conventions also define the span's name, which `_span_name` in `telemetry.py` builds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from agentops_otel_litellm.call import App, Call, Cost, Failure, Request, Response, Stream, Target, Usage
from agentops_otel_litellm.operations import Kind, names_of
from agentops_otel_litellm.providers import identity_of
from agentops_otel_litellm.records import Content, Document, Message, Part, Tool
from agentops_otel_litellm.semconv.convention import Convert, Table, Vocabulary, always
from agentops_otel_litellm.semconv.numbered_content import as_json

_STATED = frozenset({"provider", "gateway"})
"""Sources of a cost that the provider or a gateway has stated. Any other cost is calculated locally."""

# LiteLLM's name of a provider → `gen_ai.provider.name`, if that is different.
PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}

# LiteLLM's finish reason → the conventions' finish reason. Other reasons are recorded with LiteLLM's name.
FINISH_REASONS = {"tool_calls": "tool_call", "function_call": "tool_call"}


@lru_cache(maxsize=256)
def provider_name(provider: str | None) -> str | None:
    """The conventions' name for a provider, from LiteLLM's name."""
    return None if provider is None else identity_of(provider, PROVIDERS)


@lru_cache(maxsize=256)
def finish_reasons(reasons: tuple[str | None, ...]) -> tuple[str, ...] | None:
    """The finish reason of each choice; `error` for a choice whose reason was not received."""
    if not reasons:
        return None
    return tuple("error" if reason is None else FINISH_REASONS.get(reason, reason) for reason in reasons)


def _structure(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Convert records to JSON values, the form of an attribute of an event. A record becomes an object with its known
    fields, as the conventions define it.
    """
    if isinstance(value, tuple | list):
        return [_structure(each) for each in value]
    if isinstance(value, Message):
        return {**_fields_as_json(value), **_finish_reason(value)}
    return _fields_as_json(value) if isinstance(value, Part | Tool | Document) else value


def _fields_as_json(record: object) -> dict[str, Any]:
    return {name: _structure(known) for name, known in vars(record).items()}


def _finish_reason(message: Message) -> dict[str, str]:
    reason = message.finish_reason
    return {} if reason is None else {"finish_reason": FINISH_REASONS.get(reason, reason)}


def records_as_json(value: Any) -> str:  # noqa: ANN401 - any JSON value, with records in it
    """Convert records to JSON text, the form of content in an attribute of a span."""
    return as_json(_structure(value))


# Without the recommended `exception.stacktrace`: it contains the exception's text and the application's source code.
EXCEPTION_EVENT = "gen_ai.client.operation.exception"
EXCEPTION = Vocabulary(
    Table(
        Failure,
        {
            "exception.type": "exception",
            "exception.message": "message",
        },
    ),
)


def _content(write: Convert) -> Table:
    """The table for content. `write` converts records to the value of an attribute: JSON text for a span, JSON values
    for an event.
    """
    return Table(
        Content,
        {
            "gen_ai.system_instructions": ("instructions", write),
            "gen_ai.input.messages": ("input", write),
            # Absent if the response has no messages, or if the call failed before the first message.
            "gen_ai.output.messages": ("output", lambda messages: write(messages) if messages else None),
            "gen_ai.tool.definitions": ("tools", write),
            # Retrieval.
            "gen_ai.retrieval.query.text": ("query", "\n".join),
            "gen_ai.retrieval.documents": ("results", write),
        },
    )


GEN_AI = Vocabulary(
    Table(
        Request,
        {
            # By the conventions, `stream` is recorded only if it is true, the choice count only if it is not 1, and the
            # service tier only if it is not `auto`.
            "gen_ai.request.stream": ("stream", {True: True}.get),
            "gen_ai.request.max_tokens": "max_tokens",
            "gen_ai.request.choice.count": ("choice_count", lambda count: None if count == 1 else count),
            "gen_ai.request.temperature": "temperature",
            "gen_ai.request.top_p": "top_p",
            "gen_ai.request.top_k": "top_k",
            "gen_ai.request.frequency_penalty": "frequency_penalty",
            "gen_ai.request.presence_penalty": "presence_penalty",
            # Stop sequences are recorded even if content is disabled: by the conventions, they are not content.
            "gen_ai.request.stop_sequences": "stop_sequences",
            "gen_ai.request.seed": "seed",
            "gen_ai.request.reasoning.level": "reasoning_level",
            "gen_ai.request.encoding_formats": "encoding_formats",
            "gen_ai.output.type": "output_type",
            "openai.request.service_tier": ("service_tier", lambda tier: None if tier == "auto" else tier),
            # Retrieval.
            "gen_ai.data_source.id": "data_source_id",
            "gen_ai.retrieval.top_k": "max_results",
            # The Responses API.
            "gen_ai.request.previous_response.id": "previous_response_id",
            # Agents.
            "gen_ai.agent.id": "agent_id",
            # Bedrock.
            "aws.bedrock.guardrail.id": "guardrail_id",
        },
    ),
    Table(
        Response,
        {
            "gen_ai.response.id": "id",
            "gen_ai.response.model": "model",
            "gen_ai.response.finish_reasons": ("finish_reasons", finish_reasons),
            "gen_ai.embeddings.dimension.count": "dimension_count",
            "openai.response.service_tier": "service_tier",
            "openai.response.system_fingerprint": "system_fingerprint",
            # The Responses API.
            "gen_ai.response.status": "status",
        },
    ),
    Table(
        Stream,
        {
            "gen_ai.response.time_to_first_chunk": "first_chunk",
        },
    ),
    Table(
        Usage,
        {
            "gen_ai.usage.input_tokens": "input",
            "gen_ai.usage.output_tokens": "output",
            "gen_ai.usage.cache_read.input_tokens": "cache_read",
            "gen_ai.usage.cache_write.input_tokens": "cache_write",
            "gen_ai.usage.reasoning.output_tokens": "reasoning",
            "gen_ai.usage.text.input_tokens": "input_text",
            "gen_ai.usage.image.input_tokens": "input_image",
            "gen_ai.usage.audio.input_tokens": "input_audio",
            "gen_ai.usage.text.output_tokens": "output_text",
            "gen_ai.usage.image.output_tokens": "output_image",
            "gen_ai.usage.audio.output_tokens": "output_audio",
        },
    ),
    Table(
        Cost,
        {
            "gen_ai.usage.cost.amount": "total",
            "gen_ai.usage.cost.currency": ("total", always("USD")),
            "gen_ai.usage.cost.source": ("source", lambda source: "provider" if source in _STATED else "local"),
        },
    ),
    Table(
        Failure,
        {
            "error.type": "type",
        },
    ),
    _content(records_as_json),
    Table(
        App,
        {
            "session.id": "session_id",
            "user.id": "user_id",
            "gen_ai.conversation.id": "conversation_id",
        },
    ),
    Table(
        Target,
        {
            "gen_ai.provider.name": ("provider", provider_name),
            "gen_ai.request.model": "model",
            "server.address": "address",
            "server.port": "port",
        },
    ),
    Table(
        Call,
        {
            "gen_ai.operation.name": "operation",
        },
    ),
)

GEN_AI_OLDER = Vocabulary(
    Table(Usage, {"gen_ai.usage.cache_creation.input_tokens": "cache_write"}),
    Table(Cost, {"gen_ai.usage.cost": "total"}),
    # A store that nests names by their dots cannot have both `gen_ai.usage.cost` and `gen_ai.usage.cost.amount`.
    replaces=("gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cost."),
)
"""Names that released backends read in place of the current ones: the cost as one number in US dollars, which OpenLIT
introduced, and OpenTelemetry's former name of the tokens that were written to a cache.
"""

DETAILS_EVENT = "gen_ai.client.inference.operation.details"
DETAILS = Vocabulary(*(_content(_structure) if table.kind is Content else table for table in GEN_AI.tables))
"""The attributes of the details event: those of the span, with content as structured values instead of JSON text."""
INFERENCE = names_of(Kind.CHAT, Kind.TEXT)
"""The operations that the conventions call inference. The details event is emitted only for them."""
