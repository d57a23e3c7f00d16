"""LiteLLM's finished responses → Response, Usage and Cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.readers.requests import measure
from agentops_otel_litellm.readers.values import field, integer, members, model_name, number, rows_for, taken, text


def _hidden(result: Any) -> Mapping[str, Any]:
    # Through the model's own store: asking a pydantic model for a private attribute takes 2 µs.
    private = getattr(result, "__pydantic_private__", None)
    hidden = private.get("_hidden_params") if private else getattr(result, "_hidden_params", None)
    return members(hidden)


def _cache_hit(hidden: Mapping[str, Any]) -> bool | None:
    return True if hidden.get("cache_hit") is True else None


def cache_hit(result: Any) -> bool | None:
    """Whether LiteLLM had the answer."""
    return _cache_hit(_hidden(result))


def _choices(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [members(choice) for choice in response.get("choices") or ()]


def _finish_reasons(choices: Sequence[Mapping[str, Any]]) -> tuple[str | None, ...]:
    return tuple([text(choice.get("finish_reason")) for choice in choices])


def chat_response(result: Any) -> Response:
    response, hidden = members(result), _hidden(result)
    choices = _choices(response)
    messages = [members(choice.get("message")) for choice in choices]
    return Response(
        id=text(response.get("id")),
        model=model_name(hidden.get("provider_response_model")) or model_name(response.get("model")),
        finish_reasons=_finish_reasons(choices),
        choices_count=len(choices),
        content_length=measure([message.get("content") for message in messages])[0],
        tool_calls_count=_tool_calls(messages),
        service_tier=text(response.get("service_tier")),
        system_fingerprint=text(response.get("system_fingerprint")),
        cache_hit=_cache_hit(hidden),
    )


def _tool_calls(messages: Sequence[Mapping[str, Any]]) -> int:
    count = 0
    for message in messages:
        count += len(message.get("tool_calls") or ()) + (message.get("function_call") is not None)
    return count


def text_response(result: Any) -> Response:
    response, hidden = members(result), _hidden(result)
    choices = _choices(response)
    return Response(
        id=text(response.get("id")),
        model=model_name(hidden.get("provider_response_model")) or model_name(response.get("model")),
        finish_reasons=_finish_reasons(choices),
        choices_count=len(choices),
        content_length=sum(len(choice.get("text") or "") for choice in choices),
        system_fingerprint=text(response.get("system_fingerprint")),
        cache_hit=_cache_hit(hidden),
    )


def embedding_response(result: Any) -> Response:
    response = members(result)
    data = response.get("data")
    vector = field(data[0], "embedding") if data else None
    return Response(
        model=model_name(response.get("model")),
        dimension_count=len(vector) if isinstance(vector, list) else None,
        cache_hit=_cache_hit(_hidden(result)),
    )


def default_response(result: Any) -> Response:
    response = members(result)
    return Response(
        id=text(response.get("id")),
        model=model_name(response.get("model")),
        cache_hit=_cache_hit(_hidden(result)),
    )


# --- usage and cost ---------------------------------------------------------------------------------------


_USAGE = rows_for(
    Usage,
    {
        "prompt_tokens": ("input", integer),
        "completion_tokens": ("output", integer),
        "total_tokens": ("total", integer),
    },
)
_INPUT_DETAILS = rows_for(
    Usage,
    {
        "cached_tokens": ("cache_read", integer),
        "cache_creation_tokens": ("cache_write", integer),
        "text_tokens": ("input_text", integer),
        "image_tokens": ("input_image", integer),
        "audio_tokens": ("input_audio", integer),
    },
)
_OUTPUT_DETAILS = rows_for(
    Usage,
    {
        "reasoning_tokens": ("reasoning", integer),
        "text_tokens": ("output_text", integer),
        "image_tokens": ("output_image", integer),
        "audio_tokens": ("output_audio", integer),
    },
)


def read_usage(result: Any) -> Usage | None:
    """What the provider counted. LiteLLM writes zeros where the provider sent nothing: all zeros are unknown."""
    usage = members(field(result, "usage"))
    counts = taken(usage, _USAGE)
    if not counts.get("input") and not counts.get("output"):
        return None
    for name, rows in (("prompt_tokens_details", _INPUT_DETAILS), ("completion_tokens_details", _OUTPUT_DETAILS)):
        details = usage.get(name)
        if details is not None:
            counts.update(taken(members(details), rows))
    return Usage(**counts)


def embedding_usage(result: Any) -> Usage | None:
    """Embeddings have no output tokens: the zero LiteLLM writes there counts nothing."""
    usage = read_usage(result)
    return None if usage is None else replace(usage, output=None)


def read_cost(result: Any) -> Cost | None:
    """LiteLLM's own figure for a finished response: it honours custom prices, discounts and tiers."""
    total = number(_hidden(result).get("response_cost"))
    return None if total is None else Cost(total=total, source="litellm")


def read_unit_cost(result: Any) -> Cost | None:
    """The same, of what is sold by the image or by the second: LiteLLM prices that from the response."""
    cost = read_cost(result)
    return None if cost is None else replace(cost, per_unit=True)


# --- what LiteLLM does around calls: the answer is theirs, and is told once -----------------------------------


def no_response(_result: Any) -> Response:
    return Response()


def no_usage(_result: Any) -> Usage | None:
    return None


def no_cost(_result: Any) -> Cost | None:
    return None
