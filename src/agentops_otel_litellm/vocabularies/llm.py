"""Names of our own: `llm.*`, `litellm.*` and `agentops.cost.*`, for what the conventions do not cover."""

from __future__ import annotations

from agentops_otel_litellm.call import Request
from agentops_otel_litellm.vocabularies.vocabulary import Vocabulary


def role_count(request: Request, role: str) -> int | None:
    """How many messages of `role` were sent; `None` where there were no messages at all."""
    return None if not request.role_counts else dict(request.role_counts).get(role)


def only(reasons: tuple[str | None, ...] | None) -> str | None:
    """The reason all choices ended for; `None` where they differ (`gen_ai.response.finish_reasons` has each)."""
    return reasons[0] if reasons and len(set(reasons)) == 1 else None


LLM = Vocabulary(
    request={
        "llm.request.model": lambda request: request.model,
        "llm.request.stream": lambda request: request.stream,
        "llm.request.messages_count": lambda request: request.messages_count,
        "llm.request.messages.system_count": lambda request: role_count(request, "system"),
        "llm.request.messages.developer_count": lambda request: role_count(request, "developer"),
        "llm.request.messages.user_count": lambda request: role_count(request, "user"),
        "llm.request.messages.assistant_count": lambda request: role_count(request, "assistant"),
        "llm.request.messages.tool_count": lambda request: role_count(request, "tool"),
        "llm.request.messages.function_count": lambda request: role_count(request, "function"),
        "llm.request.content_length": lambda request: request.content_length,
        "llm.request.modalities": lambda request: request.modalities,
        "llm.request.inputs_count": lambda request: request.inputs_count,
        "llm.request.tools_count": lambda request: request.tools_count,
        "llm.request.tool_choice": lambda request: request.tool_choice,
        "llm.request.temperature": lambda request: request.temperature,
        "llm.request.max_tokens": lambda request: request.max_tokens,
        "llm.request.top_p": lambda request: request.top_p,
        "llm.request.dimensions": lambda request: request.dimensions,
    },
    response={
        "llm.response.id": lambda response: response.id,
        "llm.response.model": lambda response: response.model,
        "llm.response.choices_count": lambda response: response.choices_count,
        "llm.response.finish_reason": lambda response: only(response.finish_reasons),
        "llm.response.content_length": lambda response: response.content_length,
        "llm.response.tool_calls_count": lambda response: response.tool_calls_count,
        "llm.cache.hit": lambda response: response.cache_hit,
    },
    stream={
        "llm.response.is_streaming": lambda _: True,
        "llm.response.stream_outcome": lambda stream: stream.outcome,
        "llm.response.time_to_first_token": lambda stream: stream.first_token,
        "llm.response.chunk_count": lambda stream: stream.chunk_count,
        "llm.response.chunks_per_second": lambda stream: stream.chunks_per_second,
        "llm.response.tokens_per_second": lambda stream: stream.tokens_per_second,
        "llm.response.stream_duration": lambda stream: stream.duration,
        "llm.response.longest_chunk_gap": lambda stream: stream.longest_gap,
    },
    route={
        "litellm.call_id": lambda route: route.call_id,
        "litellm.call_type": lambda route: route.call_type,
        "litellm.model_group": lambda route: route.model_group,
        "litellm.model_id": lambda route: route.model_id,
    },
    usage={
        "llm.usage.prompt_tokens": lambda usage: usage.input,
        "llm.usage.completion_tokens": lambda usage: usage.output,
        "llm.usage.total_tokens": lambda usage: usage.total,
        "llm.usage.cached_tokens": lambda usage: usage.cache_read,
        "llm.usage.reasoning_tokens": lambda usage: usage.reasoning,
    },
    cost={
        "llm.usage.cost": lambda cost: cost.total,
        "agentops.cost.total": lambda cost: cost.total,
        "agentops.cost.source": lambda cost: cost.source,
    },
    failure={
        "llm.error.type": lambda failure: failure.type,
        "llm.error.message": lambda failure: failure.message,
        "llm.error.category": lambda failure: failure.category,
        "llm.error.provider": lambda failure: failure.provider,
        "llm.error.status_code": lambda failure: failure.status_code,
        "llm.error.retry_after": lambda failure: failure.retry_after,
        "llm.error.request_id": lambda failure: failure.request_id,
    },
    target={
        "litellm.provider": lambda target: target.provider,
        "llm.provider": lambda target: target.provider,
    },
    call={
        "llm.vendor": lambda _: "litellm",
    },
)
