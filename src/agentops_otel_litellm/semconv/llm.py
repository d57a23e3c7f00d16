"""Names of this package, for facts that the conventions do not cover: `llm.*`, `litellm.*`, `agentops.cost.*` and
`agentops.usage.*`.
"""

from __future__ import annotations

from itertools import islice

from agentops_otel_litellm.call import (
    App,
    Attempt,
    Attempts,
    Call,
    Cost,
    Estimate,
    Failure,
    Request,
    Response,
    Routing,
    Saved,
    Stream,
    Target,
    Usage,
)
from agentops_otel_litellm.call.content import Content
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary, always
from agentops_otel_litellm.semconv.gen_ai import records_as_json


def common_reason(reasons: tuple[str | None, ...]) -> str | None:
    """The finish reason of all choices; `None` if they differ. `gen_ai.response.finish_reasons` has all reasons."""
    return reasons[0] if reasons and len(set(reasons)) == 1 else None


ATTEMPT_EVENT = "litellm.attempt"
ATTEMPT = Vocabulary(
    Table(
        Attempt,
        {
            "litellm.attempt.number": "number",
            "litellm.attempt.model": "model",
            "litellm.attempt.provider": "provider",
            "litellm.attempt.model_group": "model_group",
            "litellm.attempt.model_id": "model_id",
            "litellm.attempt.duration": "duration",
        },
    ),
    Table(
        Failure,
        {
            "litellm.attempt.error.type": "type",
            "litellm.attempt.error.message": "message",
        },
    ),
)

LLM = Vocabulary(
    Table(
        Request,
        {
            "llm.request.model": "model",
            "llm.request.stream": "stream",
            "llm.request.messages_count": "messages_count",
            "llm.request.messages.system_count": "system_count",
            "llm.request.messages.developer_count": "developer_count",
            "llm.request.messages.user_count": "user_count",
            "llm.request.messages.assistant_count": "assistant_count",
            "llm.request.messages.tool_count": "tool_count",
            "llm.request.messages.function_count": "function_count",
            "llm.request.content_length": "content_length",
            "llm.request.modalities": "modalities",
            "llm.request.inputs_count": "inputs_count",
            "llm.request.tools_count": "tools_count",
            "llm.request.tool_choice": "tool_choice",
            "llm.request.temperature": "temperature",
            "llm.request.max_tokens": "max_tokens",
            "llm.request.top_p": "top_p",
            "llm.request.dimensions": "dimensions",
            # Retrieval.
            "llm.request.queries_count": "queries_count",
            "llm.request.query_length": "query_length",
            "llm.request.documents_count": "documents_count",
            "llm.request.document_kind": "document_kind",
            "llm.request.pages_count": "pages_count",
            "llm.request.max_results": "max_results",
            "llm.request.data_source_id": "data_source_id",
            # Jobs and what providers keep.
            "llm.request.resource_id": "resource_id",
            "llm.request.input_file_id": "input_file_id",
            "llm.request.files_count": "files_count",
            "llm.request.file_size": "file_size",
            "llm.request.endpoint": "endpoint",
            "llm.request.purpose": "purpose",
            "llm.request.completion_window": "completion_window",
            "llm.request.page_size": "page_size",
            "llm.request.http_method": "http_method",
            # The Responses API
            "llm.request.previous_response_id": "previous_response_id",
            "llm.request.response_id": "response_id",
            # images, audio, video
            "llm.request.images_count": "images_count",
            "llm.request.resolution": "resolution",
            "llm.request.quality": "quality",
            "llm.request.style": "style",
            "llm.request.output_format": "output_format",
            "llm.request.response_format": "response_format",
            "llm.request.voice": "voice",
            "llm.request.speed": "speed",
            "llm.request.language": "language",
            "llm.request.media_duration": "media_duration",
            # agents and decisions
            "llm.request.agent_id": "agent_id",
            "llm.request.questions_count": "questions_count",
        },
    ),
    Table(
        Response,
        {
            "llm.response.id": "id",
            "llm.response.model": "model",
            "llm.response.choices_count": "choices_count",
            "llm.response.finish_reason": ("finish_reasons", common_reason),
            "llm.response.content_length": "content_length",
            "llm.response.tool_calls_count": "tool_calls_count",
            "llm.cache.hit": "cache_hit",
            # Retrieval.
            "llm.response.results_count": "results_count",
            "llm.response.search_units": "search_units",
            "llm.response.pages_count": "pages_count",
            # Jobs and what providers keep.
            "llm.response.status": "status",
            "llm.job.status": "job_status",
            "llm.response.requests_count": "requests_count",
            "llm.response.requests_completed": "requests_completed",
            "llm.response.requests_failed": "requests_failed",
            "llm.response.files_count": "files_count",
            "llm.response.files_completed": "files_completed",
            "llm.response.files_failed": "files_failed",
            "llm.response.size": "size",
            "llm.response.trained_tokens": "trained_tokens",
            "llm.response.has_more": "has_more",
            "llm.response.deleted": "deleted",
            "llm.response.http_status": "http_status",
            "llm.cache.partial_hit": "partial_cache_hit",
            # images, audio, moderation, video, realtime sessions
            "llm.response.images_count": "images_count",
            "llm.response.resolution": "resolution",
            "llm.response.media_duration": "media_duration",
            "llm.response.language": "language",
            "llm.response.words_count": "words_count",
            "llm.response.segments_count": "segments_count",
            "llm.response.flagged": "flagged",
            "llm.response.flagged_categories": "flagged_categories",
            "llm.response.progress": "progress",
            "llm.response.turns_count": "turns_count",
            "llm.response.close_code": "close_code",
            "llm.response.closed_by": "closed_by",
            # sandboxes and token counters
            "llm.response.code_failed": "code_failed",
            "llm.response.error_length": "error_length",
            "llm.response.tokens_counted": "tokens_counted",
            "llm.response.tokenizer": "tokenizer",
        },
    ),
    Table(
        Stream,
        {
            "llm.response.is_streaming": ("outcome", always(value=True)),
            "llm.response.stream_outcome": "outcome",
            "llm.response.time_to_first_token": "first_token",
            "llm.response.chunk_count": "chunk_count",
            "llm.response.chunks_per_second": "chunks_per_second",
            "llm.response.tokens_per_second": "tokens_per_second",
            "llm.response.stream_duration": "duration",
            "llm.response.longest_chunk_gap": "longest_gap",
            "llm.response.chunk_gap_p50": "gap_p50",
            "llm.response.chunk_gap_p95": "gap_p95",
            "llm.response.chunk_gap_p99": "gap_p99",
        },
    ),
    Table(
        Routing,
        {
            "litellm.call_id": "call_id",
            "litellm.call_type": "call_type",
            "litellm.model_group": "model_group",
            "litellm.model_id": "model_id",
            "litellm.cooldown_time": "cooldown_time",
        },
    ),
    Table(
        Attempts,
        {
            "llm.retry.count": "retries",
            "llm.fallback.used": "fallback_used",
        },
    ),
    Table(
        Usage,
        {
            "llm.usage.prompt_tokens": "input",
            "llm.usage.completion_tokens": "output",
            "llm.usage.total_tokens": "total",
            "llm.usage.cached_tokens": "cache_read",
            "llm.usage.reasoning_tokens": "reasoning",
            # audio
            "llm.usage.audio_seconds": "audio_seconds",
        },
    ),
    Table(
        Cost,
        {
            "llm.usage.cost": "total",
            "agentops.cost.total": "total",
            "agentops.cost.source": "source",
            "agentops.cost.input": "input",
            "agentops.cost.output": "output",
            "agentops.cost.tools": "tools",
            "agentops.cost.cache_read": "cache_read",
            "agentops.cost.cache_write": "cache_write",
            "agentops.cost.reasoning": "reasoning",
            "agentops.cost.price_map": "price_map",
            "agentops.cost.price_map_date": "price_map_date",
        },
    ),
    Table(
        Saved,  # not `*.usage.*`: backends that sum or price these would count the tokens twice
        {
            "llm.cache.saved_prompt_tokens": "input",
            "llm.cache.saved_completion_tokens": "output",
            "llm.cache.saved_cost": "cost",
        },
    ),
    Table(
        Failure,
        {
            "llm.error.type": "type",
            "llm.error.message": "message",
            "llm.error.category": "category",
            "llm.error.provider": "provider",
            "llm.error.status_code": "status_code",
            "llm.error.retry_after": "retry_after",
            "llm.error.request_id": "request_id",
            "llm.error.retryable": "retryable",
        },
    ),
    Table(
        Target,
        {
            "litellm.provider": "provider",
            "llm.provider": "provider",
        },
    ),
    Table(
        Content,
        {
            "llm.request.inputs": "texts",
            "llm.request.documents": ("documents", records_as_json),
        },
    ),
    Table(
        App,
        {
            "litellm.metadata": Several(lambda app, room: dict(islice((app.metadata or {}).items(), room))),
            "litellm.metadata.tags": "tags",
            "litellm.metadata.user_api_key_alias": "key_alias",
            "litellm.metadata.user_api_key_user_id": "key_user_id",
            "litellm.metadata.team_id": "team_id",
            "litellm.metadata.team_alias": "team_alias",
            "litellm.metadata.org_id": "organization_id",
            "litellm.metadata.org_alias": "organization_alias",
            "litellm.metadata.project_id": "project_id",
            "litellm.metadata.project_alias": "project_alias",
        },
    ),
    Table(
        Call,
        {
            "llm.vendor": ("name", always("litellm")),
            # cost
            "agentops.trace.cost": "trace_cost",
        },
    ),
    # usage that the provider did not report
    Table(
        Estimate,  # not `gen_ai.usage.*` or `llm.usage.*`: backends would sum the estimates as reported usage
        {
            "agentops.usage.estimated.input_tokens": "input",
            "agentops.usage.estimated.output_tokens": "output",
        },
    ),
)
