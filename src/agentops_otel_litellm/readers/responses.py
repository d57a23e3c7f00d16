"""LiteLLM's finished responses → Response, Usage and Cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.readers.requests import measure
from agentops_otel_litellm.readers.values import (
    field,
    identifier,
    integer,
    keyword,
    members,
    model_name,
    number,
    rows_for,
    taken,
)


def _hidden(result: Any) -> Mapping[str, Any]:
    # Through the model's own store: asking a pydantic model for a private attribute takes 2 µs.
    private = getattr(result, "__pydantic_private__", None)
    hidden = private.get("_hidden_params") if private else getattr(result, "_hidden_params", None)
    return members(hidden)


def _answering(response: Mapping[str, Any], hidden: Mapping[str, Any]) -> str | None:
    """The model that answered, as its provider names it: before some LiteLLM puts its own name for the provider.

    It does not for OpenAI, whose models others name so (`openai/gpt-oss-20b`).
    """
    name = model_name(hidden.get("provider_response_model")) or model_name(response.get("model"))
    prefix, _, rest = (name or "").partition("/")
    return rest if rest and prefix == hidden.get("custom_llm_provider") != "openai" else name


def _cache_hit(hidden: Mapping[str, Any]) -> bool | None:
    return True if hidden.get("cache_hit") is True else None


def cache_hit(result: Any) -> bool | None:
    """Whether LiteLLM had the answer."""
    return _cache_hit(_hidden(result))


def _choices(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [members(choice) for choice in response.get("choices") or ()]


def _finish_reasons(choices: Sequence[Mapping[str, Any]]) -> tuple[str | None, ...]:
    return tuple([keyword(choice.get("finish_reason")) for choice in choices])


def chat_response(result: Any) -> Response:
    response, hidden = members(result), _hidden(result)
    choices = _choices(response)
    messages = [members(choice.get("message")) for choice in choices]
    return Response(
        id=identifier(response.get("id")),
        model=_answering(response, hidden),
        finish_reasons=_finish_reasons(choices),
        choices_count=len(choices),
        content_length=measure([message.get("content") for message in messages])[0],
        tool_calls_count=_tool_calls(messages),
        service_tier=served_tier(response.get("service_tier")),
        system_fingerprint=identifier(response.get("system_fingerprint")),
        cache_hit=_cache_hit(hidden),
    )


def served_tier(value: Any) -> str | None:
    """The tier a request was served at. `auto` is a wish: LiteLLM writes it where it does not know the tier's name."""
    tier = keyword(value)
    return None if tier == "auto" else tier


def _tool_calls(messages: Sequence[Mapping[str, Any]]) -> int:
    count = 0
    for message in messages:
        count += len(message.get("tool_calls") or ()) + (message.get("function_call") is not None)
    return count


def text_response(result: Any) -> Response:
    response, hidden = members(result), _hidden(result)
    choices = _choices(response)
    return Response(
        id=identifier(response.get("id")),
        model=_answering(response, hidden),
        finish_reasons=_finish_reasons(choices),
        choices_count=len(choices),
        content_length=sum(len(choice.get("text") or "") for choice in choices),
        system_fingerprint=identifier(response.get("system_fingerprint")),
        cache_hit=_cache_hit(hidden),
    )


def embedding_response(result: Any) -> Response:
    response, hidden = members(result), _hidden(result)
    data = response.get("data")
    vector = field(data[0], "embedding") if data else None
    return Response(
        model=_answering(response, hidden),
        dimension_count=len(vector) if isinstance(vector, list) else None,
        cache_hit=_cache_hit(hidden),
    )


def default_response(result: Any) -> Response:
    response = members(result)
    return Response(
        id=identifier(response.get("id")),
        model=model_name(response.get("model")),
        cache_hit=cache_hit(result),
    )


# --- usage and cost ---------------------------------------------------------------------------------------


_USAGE = rows_for(
    Usage,
    {
        "prompt_tokens": ("input", integer),
        "input_tokens": ("input", integer),
        "completion_tokens": ("output", integer),
        "output_tokens": ("output", integer),
        "total_tokens": ("total", integer),
    },
)
_INPUT_DETAILS = rows_for(
    Usage,
    {
        "cached_tokens": ("cache_read", integer),
        "cache_creation_tokens": ("cache_write", integer),
        "cache_write_tokens": ("cache_write", integer),
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
# Under the names of chats and, below, of the Responses API: LiteLLM rewrites the one into the other in place.
_DETAILS = (
    ("prompt_tokens_details", _INPUT_DETAILS),
    ("completion_tokens_details", _OUTPUT_DETAILS),
    ("input_tokens_details", _INPUT_DETAILS),
    ("output_tokens_details", _OUTPUT_DETAILS),
)


def read_usage(result: Any) -> Usage | None:
    """What the provider counted. LiteLLM writes zeros where the provider sent nothing: all zeros are unknown."""
    usage = members(field(result, "usage"))
    counts = taken(usage, _USAGE)
    if not counts.get("input") and not counts.get("output"):
        return None
    for name, rows in _DETAILS:
        details = usage.get(name)
        if details is not None:
            counts.update(taken(members(details), rows))
    if usage.get("cache_creation_input_tokens") is not None:
        _read_as_anthropics(counts, usage)
    if counts.get("cache_read") and "input_text" in counts:
        kinds = {name: counts.get(name) or 0 for name in _INPUT_KINDS}
        if sum(kinds.values()) == counts.get("input", 0) - counts["cache_read"]:  # of Gemini's what was cached is gone
            counts = {name: count for name, count in counts.items() if name not in kinds}
    return Usage(**counts)


_INPUT_KINDS = ("input_text", "input_image", "input_audio")


def _read_as_anthropics(counts: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Of Anthropic's models, wherever they are hosted, and of Bedrock's LiteLLM tells more than was said.

    They do not count by modality: what was not cached it calls text. And it counts the text of the reasoning by
    itself, unless it was told; which of the two is not to be seen. Zeros of the cache it writes where nothing was said.
    """
    for name in ("input_text", "output_text", "reasoning"):
        counts.pop(name, None)
    for name, given in (("cache_read", "cache_read_input_tokens"), ("cache_write", "cache_creation_input_tokens")):
        known = counts.pop(name, None) or integer(usage.get(given))
        if known:
            counts[name] = known


# Providers that do not count what is embedded: LiteLLM counts words and the like.
_UNCOUNTED_EMBEDDINGS = frozenset({"gemini", "huggingface", "sagemaker", "triton"})


def embedding_usage(result: Any) -> Usage | None:
    """Embeddings have no output tokens: the zero LiteLLM writes there counts nothing. Nor does the sum of those it has
    in its cache one by one, where each has an equal share of the tokens it was counted with, or a guess.

    Of an input that is not text Gemini does count the tokens, and by modality.
    """
    hidden = _hidden(result)
    if _cache_hit(hidden) and "cache_key" not in hidden:
        return None
    usage = read_usage(result)
    if usage is None:
        return None
    if hidden.get("custom_llm_provider") in _UNCOUNTED_EMBEDDINGS and usage.input_text is None:
        return None
    return replace(usage, output=None)


def read_cost(result: Any) -> Cost | None:
    """LiteLLM's own figure for a finished response: it honours custom prices, discounts and tiers."""
    total = number(_hidden(result).get("response_cost"))
    return None if total is None else Cost(total=total, source="litellm")


def no_price(_told: Any, _logging: Any) -> Cost | None:
    """What LiteLLM has not priced by then stays unpriced."""
    return None


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
