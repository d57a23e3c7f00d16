"""Names of this package, for facts that OpenTelemetry's conventions do not cover: `llm.*`, `litellm.*`,
`agentops.cost.*` and `agentops.usage.*`.

Most attributes are named by a rule (`prefixed`): a prefix and the name of the field, such as `llm.request.` and
`voice`. So a new field of such a record has an attribute without a new row. Only exceptions have rows.
"""

from __future__ import annotations

from functools import lru_cache
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
from agentops_otel_litellm.records import Content
from agentops_otel_litellm.response_headers import ResponseHeaders
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary, always, prefixed
from agentops_otel_litellm.semconv.gen_ai import records_as_json


@lru_cache(maxsize=256)
def common_reason(reasons: tuple[str | None, ...]) -> str | None:
    """The finish reason that all choices have; `None` if the choices have different ones."""
    return reasons[0] if reasons and len(set(reasons)) == 1 else None


_ROLE_COUNTS = tuple(f"{role}_count" for role in ("system", "developer", "user", "assistant", "tool", "function"))
"""Fields of a request that count its messages by role. Their attributes are named `llm.request.messages.*`."""
_GEN_AI_PARAMETERS = (
    *("choice_count", "top_k", "frequency_penalty", "presence_penalty", "seed", "stop_sequences", "reasoning_level"),
    *("output_type", "service_tier", "encoding_formats", "guardrail_id"),
)
"""Fields of a request that have no `llm.*` attribute, because the `gen_ai` vocabulary has one."""
_GEN_AI_RESPONSE = ("finish_reasons", "dimension_count", "service_tier", "system_fingerprint")
"""Fields of a response that have no `llm.*` attribute by the rule, because the `gen_ai` vocabulary has one."""
_CACHE_AND_JOB = {
    "llm.cache.hit": "cache_hit",
    "llm.cache.partial_hit": "partial_cache_hit",
    "llm.job.status": "job_status",
}
"""Attributes of a response whose names do not follow the rule → their fields."""

ATTEMPT_EVENT = "litellm.attempt"
ATTEMPT = Vocabulary(
    Table(Attempt, prefixed("litellm.attempt.", Attempt, without={"started", "failure", "kind"})),
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
            **prefixed("llm.request.", Request, without={*_ROLE_COUNTS, *_GEN_AI_PARAMETERS}),
            **{f"llm.request.messages.{count}": count for count in _ROLE_COUNTS},
        },
    ),
    Table(
        Response,
        {
            **prefixed("llm.response.", Response, without={*_CACHE_AND_JOB.values(), *_GEN_AI_RESPONSE}),
            **_CACHE_AND_JOB,
            "llm.response.finish_reason": ("finish_reasons", common_reason),
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
    Table(Routing, prefixed("litellm.", Routing)),
    Table(
        ResponseHeaders,
        {
            "llm.response.request_id": "request_id",
            **prefixed("litellm.proxy.", ResponseHeaders, without={"request_id"}),
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
            "llm.usage.audio_seconds": "audio_seconds",
        },
    ),
    Table(Cost, {"llm.usage.cost": "total", **prefixed("agentops.cost.", Cost, without={"per_unit", "certain"})}),
    Table(
        Saved,  # not named `*.usage.*`, because backends add such attributes to the billed tokens
        {
            "llm.cache.saved_prompt_tokens": "input",
            "llm.cache.saved_completion_tokens": "output",
            "llm.cache.saved_cost": "cost",
        },
    ),
    Table(Failure, prefixed("llm.error.", Failure, without={"ancestry", "exception", "code"})),
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
            "agentops.trace.cost": "trace_cost",
        },
    ),
    Table(
        Estimate,  # not named `gen_ai.usage.*` or `llm.usage.*`, because backends add such attributes to reported usage
        {
            "agentops.usage.estimated.input_tokens": "input",
            "agentops.usage.estimated.output_tokens": "output",
        },
    ),
)
