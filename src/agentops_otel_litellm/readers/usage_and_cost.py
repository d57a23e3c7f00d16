"""Reads the provider's token counts as `Usage`, LiteLLM's estimates as `Estimate`, and LiteLLM's prices as `Cost`.

LiteLLM converts the usage of most providers to the format of OpenAI's, whose fields have different names in chats, in
the Responses API, and for images, audio and realtime sessions. If a provider counts no tokens, LiteLLM puts its own
estimate into the same fields. The functions named `read_counted` and `_counted_by` remove such estimates.

LiteLLM prices some results in its callbacks, after the span has ended. These are priced here with LiteLLM's functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from math import isfinite
from typing import Any, Literal

from agentops_otel_litellm.call import Cost, Estimate, Usage
from agentops_otel_litellm.guard import ignored_faults
from agentops_otel_litellm.providers import Counting, provider_named
from agentops_otel_litellm.readers.parameters import read_cache_hit
from agentops_otel_litellm.readers.streams import Chunks
from agentops_otel_litellm.readers.values import (
    NO_FIELDS,
    field,
    fields_of,
    number,
    read_fields,
    rows_for,
    text,
    tokens,
)

# --- usage ------------------------------------------------------------------------------------------------


COUNTS = rows_for(
    Usage,
    {
        "prompt_tokens": ("input", tokens),
        "input_tokens": ("input", tokens),
        "completion_tokens": ("output", tokens),
        "output_tokens": ("output", tokens),
        "total_tokens": ("total", tokens),
    },
)
_INPUT = rows_for(
    Usage,
    {
        "cached_tokens": ("cache_read", tokens),
        "cache_creation_tokens": ("cache_write", tokens),
        "cache_write_tokens": ("cache_write", tokens),
        "text_tokens": ("input_text", tokens),
        "image_tokens": ("input_image", tokens),
        "audio_tokens": ("input_audio", tokens),
    },
)
_OUTPUT = rows_for(
    Usage,
    {
        "reasoning_tokens": ("reasoning", tokens),
        "text_tokens": ("output_text", tokens),
        "image_tokens": ("output_image", tokens),
        "audio_tokens": ("output_audio", tokens),
    },
)
DETAILS = (
    ("prompt_tokens_details", _INPUT),
    ("input_tokens_details", _INPUT),
    ("input_token_details", _INPUT),
    ("completion_tokens_details", _OUTPUT),
    ("output_tokens_details", _OUTPUT),
    ("output_token_details", _OUTPUT),
)
_INPUT_KINDS = ("input_text", "input_image", "input_audio")


def read_usage(result: Any) -> Usage | None:
    """Read the `usage` of a chat, a text completion, a response or an embedding; `None` if it is unknown.

    LiteLLM sets zeros if the provider sent no usage. So if input and output are 0, the usage is unknown. If only the
    input is 0, then only the output is known, because every request has input.
    """
    usage = fields_of(field(result, "usage"))
    counts = read_fields(usage, COUNTS)
    if not counts.get("input"):
        if not counts.get("output"):
            return None
        counts = {"output": counts["output"]}
    for name, rows in DETAILS:
        details = usage.get(name)
        if details is not None:
            counts.update(read_fields(fields_of(details), rows))
    if usage.get("cache_creation_input_tokens") is not None:
        _remove_added_counts(counts, usage)
    if counts.get("cache_read") and "input_text" in counts:
        kinds = {name: counts.get(name) or 0 for name in _INPUT_KINDS}
        # LiteLLM has subtracted the cached tokens from Gemini's counts by modality, so these are too small.
        if sum(kinds.values()) == counts.get("input", 0) - counts["cache_read"]:
            counts = {name: count for name, count in counts.items() if name not in kinds}
    return Usage(**counts)


def _remove_added_counts(counts: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Remove the counts that LiteLLM adds to the usage of Anthropic's models, on any host, and of Bedrock's models.

    - Text tokens: these providers do not count by modality. LiteLLM reports all tokens that were not cached as text.
    - Reasoning tokens: LiteLLM estimates them if the provider did not count them, and does not mark the estimate.
    - Cached tokens of 0: LiteLLM sets 0 if the provider did not send this count.
    """
    for name in ("input_text", "output_text", "reasoning"):
        counts.pop(name, None)
    for name, source in (("cache_read", "cache_read_input_tokens"), ("cache_write", "cache_creation_input_tokens")):
        known = counts.pop(name, None) or tokens(usage.get(source))
        if known:
            counts[name] = known


# --- separating the provider's counts from LiteLLM's estimates ------------------------------------------------


def _counted_by_nobody(_usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """Return no usage: the provider does not count tokens, or LiteLLM does not read its counts."""
    return None


def _counted_by_ollama_chat(usage: Usage, details: Mapping[str, Any]) -> Usage | None:
    """Return only the counts that Ollama's response contains. LiteLLM estimates the missing ones.

    LiteLLM keeps Ollama's response as JSON text, in `original_response`.
    """
    response = text(details.get("original_response")) or ""
    # The quotes exclude the same words in the model's output, because JSON escapes quotes within a string.
    has_input, has_output = '"prompt_eval_count":' in response, '"eval_count":' in response
    if has_input and has_output:
        return usage
    if not has_input and not has_output:
        return None
    return replace(usage, total=None, **({"output": None} if has_input else {"input": None}))


def _counted_by_ollama(usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """Return the counts; `None` if the output is 0, which LiteLLM sets if Ollama's response contained no counts."""
    return None if usage.output == 0 else usage


_COUNTED_BY: Mapping[Counting, Callable[[Usage, Mapping[str, Any]], Usage | None]] = {
    Counting.NOBODY: _counted_by_nobody,
    Counting.OLLAMA: _counted_by_ollama,
    Counting.OLLAMA_CHAT: _counted_by_ollama_chat,
}
"""Who counts the tokens → function of the usage and LiteLLM's `model_call_details` that returns what was counted."""


def read_counted(usage: Usage, logging: Any) -> Usage | None:
    """Return the part of a usage that the provider counted, without LiteLLM's estimates; `None` if it counted nothing.

    `logging` is LiteLLM's logging object, which has the provider and the model.
    """
    details = getattr(logging, "model_call_details", None) or NO_FIELDS
    name = details.get("custom_llm_provider")
    provider = provider_named((name if type(name) is str else text(name)) or "")
    counted = _COUNTED_BY.get(provider.counting)
    if counted is not None:
        return counted(usage, details)
    is_agent = provider.agents and provider.agents in (text(details.get("model")) or "")
    return None if is_agent else usage


def read_counted_after_translation(usage: Usage, logging: Any) -> Usage | None:
    """Like `read_counted`, for a response of the Responses API, which LiteLLM may have translated from a chat.

    For Anthropic's and Bedrock's models, this also removes the counts that LiteLLM adds to the usage of a chat (see
    `_remove_added_counts`). `read_usage` cannot do so, because a translated usage does not show the provider.
    """
    counted = read_counted(usage, logging)
    details = getattr(logging, "model_call_details", None) or NO_FIELDS
    provider = provider_named(text(details.get("custom_llm_provider")) or "")
    omits_zeros = provider.omits_zero_details or "claude" in (text(details.get("model")) or "")
    if counted is None or not omits_zeros:
        return counted
    return replace(
        counted,
        input_text=None,
        output_text=None,
        reasoning=None,
        cache_read=counted.cache_read or None,
        cache_write=counted.cache_write or None,
    )


def read_estimate(usage: Any) -> Estimate | None:
    """Read LiteLLM's own `usage` object as an estimate; `None` if it has no counts."""
    return estimate_of(read_usage({"usage": usage}))


def estimate_of(usage: Usage | None) -> Estimate | None:
    """Convert a usage that LiteLLM estimated to an `Estimate`."""
    return None if usage is None else Estimate(input=usage.input, output=usage.output)


# --- cost -------------------------------------------------------------------------------------------------


_MAX_DOLLARS = 1e9


def litellm_cost(value: Any) -> Cost | None:
    """Return LiteLLM's cost, in dollars. `None` if `value` is not a plausible number: LiteLLM calculates a cost even
    from a negative or an absurdly large count.
    """
    total = value if type(value) is float else number(value)
    return Cost(total=total, source="litellm") if total is not None and 0 <= total <= _MAX_DOLLARS else None


def read_stream_cost(logging: Any) -> Cost | None:
    """Read the cost of a stream, which LiteLLM calculates when the stream ends.

    Call it only if the provider reported usage. Otherwise this is the cost of LiteLLM's estimate of the usage.
    """
    return litellm_cost(field(getattr(logging, "cost_breakdown", None), "total_cost"))


# --- results that LiteLLM has not priced ----------------------------------------------------------------------


_IGNORING_UNREADABLE_USAGE = ignored_faults()
"""LiteLLM raises an exception if a provider sends a count that is a text or a list. Then the cost is unknown."""


def price_messages(usage: Any, logging: Any) -> Cost | None:
    """Calculate the cost of a response of Anthropic's Messages API. `usage` is the response's own, because some of its
    counts that have separate prices are not in `Usage`.
    """
    calculated = _price_by_litellm(logging)
    if calculated is not None or not _is_untranslated(logging):
        return calculated
    with _IGNORING_UNREADABLE_USAGE:
        counted = sys.modules["litellm"].AnthropicConfig().calculate_usage(usage_object=usage, reasoning_content=None)
        return price_usage(counted, logging)
    return None


def price_generated_content(usage: Any, logging: Any, *, streamed: bool) -> Cost | None:
    """Calculate the cost of a response or a stream of Google's generateContent. `usage` is its `usageMetadata`.

    `streamed` is true for Google's own stream. It is false for a response, and for a stream that LiteLLM has translated
    from a chat of a different provider.
    """
    calculated = _price_by_litellm(logging)
    # `_is_untranslated` does not recognise Google's streams, because LiteLLM does not keep their HTTP responses.
    if calculated is not None or not (streamed or _is_untranslated(logging)):
        return calculated
    with _IGNORING_UNREADABLE_USAGE:
        # LiteLLM before 1.90 has no public name for this method.
        counted = sys.modules["litellm"].VertexGeminiConfig._calculate_usage({"usageMetadata": usage})  # noqa: SLF001
        return price_usage(counted, logging)
    return None


def price_chat(result: Any, logging: Any) -> Cost | None:
    """Calculate the cost of a chat stream in releases of LiteLLM that do not; `None` for any other result."""
    if not isinstance(result, Chunks) or result.provider_chunks is None or _prices_streams(logging):
        return None
    return _price_chunks(result.provider_chunks, logging)


def _price_chunks(chunks: Sequence[Any], logging: Any) -> Cost | None:
    reported = [usage for chunk in chunks if (usage := field(chunk, "usage")) is not None]
    # If several chunks have usage, each has only a part of it.
    return price_usage(reported[0], logging) if len(reported) == 1 else None


def price_response(result: Any, logging: Any) -> Cost | None:
    """Calculate the cost of a stream of the Responses API, which older releases of LiteLLM do too late, on a thread."""
    if getattr(result, "stream", None) is None or _prices_streams(logging):
        return None
    return price_result(result, logging)


def price_result(result: Any, logging: Any) -> Cost | None:
    """Calculate the cost of a response or a stream, of a chat or of the Responses API, that LiteLLM has not priced."""
    if isinstance(result, Chunks) and result.provider_chunks is not None:
        return _price_chunks(result.provider_chunks, logging)
    last_event = field(getattr(result, "stream", None), "completed_response")
    response = result if last_event is None else field(last_event, "response")
    return _price_response(response, logging) if hasattr(response, "usage") else None


def price_cached_response(response: Any, logging: Any) -> Cost | None:
    """Return what a response from LiteLLM's cache would cost without the cache.

    LiteLLM reports this cost with the response until 1.108. Since 1.109, its method `uncached_price` returns it.
    """
    uncached = getattr(logging, "uncached_price", None)
    if uncached is None or not read_cache_hit(logging):
        return None
    return litellm_cost(getattr(uncached(result=response), "cost", None))


def _prices_streams(logging: Any) -> bool:
    """Whether this release of LiteLLM has calculated the cost of a stream when the stream ends."""
    return hasattr(logging, "response_cost_calculator")  # earlier releases have no public name for this method


def _is_untranslated(logging: Any) -> bool:
    """Whether LiteLLM returns the provider's own response, rather than one that it has translated from a chat.

    LiteLLM keeps the HTTP response only in the first case. A translated response must not be priced here, because it
    lacks the count of cached tokens.
    """
    return "httpx_response" in (getattr(logging, "model_call_details", None) or ())


def _price_by_litellm(logging: Any) -> Cost | None:
    """The cost that LiteLLM has calculated, as it does if it translates the response from a chat; otherwise `None`.

    A cost of 0 is ignored, because LiteLLM sets 0 for a stream whose chunks it has not read.
    """
    cost = read_stream_cost(logging)
    return cost if cost is not None and cost.total else None


def price_usage(usage: Any, logging: Any) -> Cost | None:
    """Let LiteLLM calculate the cost of a usage, with the prices, discounts and tiers that apply to the call."""
    return _price_response(sys.modules["litellm"].ModelResponse(model=logging.model, usage=usage), logging)


def _price_response(response: Any, logging: Any) -> Cost | None:
    logging = copy(logging)  # because LiteLLM stores the parts of the cost in it
    logging.model_call_details = dict(logging.model_call_details)
    cost = litellm_cost(logging._response_cost_calculator(result=response))  # noqa: SLF001 - the only name in older releases
    return None if cost is None else with_cost_parts(cost, read_usage(response), logging)


# --- parts of a cost ------------------------------------------------------------------------------------------


_TOLERANCE = 1e-12
_PARTS = (
    *("input_cost", "output_cost", "tool_usage_cost"),
    *("cache_read_cost", "cache_creation_cost", "reasoning_cost"),
)
"""LiteLLM's names of the parts of a cost. The first three add up to the total and include the others."""


def with_cost_parts(cost: Cost, usage: Usage | None, logging: Any) -> Cost:
    """Return the cost with its parts (input, output, tools and so on), which LiteLLM records since 1.80.

    Parts that do not add up to the total are omitted. They are also omitted if the input or the output has tokens but
    no cost: the provider may have stated one price for the whole call, and LiteLLM has assigned it to one of the two.
    """
    breakdown = getattr(logging, "cost_breakdown", None)
    if not breakdown or usage is None or usage.input is None or cost.source != "litellm":
        return cost
    parts: list[float] = []
    for name in _PARTS:
        value = breakdown.get(name)
        parts.append(value if type(value) is float and isfinite(value) else (value and number(value)) or 0.0)
    of_input, of_output, of_tools, read, written, reasoning = parts
    if bool(usage.input) != bool(of_input) or bool(usage.output) != bool(of_output):
        return cost
    factor = _adjustment(of_input + of_output + of_tools, cost.total, breakdown)
    if factor is None:
        return cost
    if (read + written) * factor > of_input * factor + _TOLERANCE:
        read = written = 0.0
    if reasoning * factor > of_output * factor + _TOLERANCE:
        reasoning = 0.0
    price_map, price_map_date = (None, None) if _is_priced_by_app(logging) else _price_map()
    return Cost(
        total=cost.total,
        source="litellm",
        per_unit=cost.per_unit,
        certain=cost.certain,
        input=of_input * factor,
        output=None if usage.output is None else of_output * factor,
        tools=of_tools * factor or None,
        cache_read=read * factor or None,
        cache_write=written * factor or None,
        reasoning=reasoning * factor or None,
        price_map=price_map,
        price_map_date=price_map_date,
    )


def _adjustment(sum_of_parts: float, total: float, breakdown: Any) -> float | None:
    """The factor by which the parts must be multiplied to add up to the total: 1, or the effect of the discount and
    margin that LiteLLM applies to the total only. `None` if they do not add up in either case.
    """
    stated = breakdown.get("total_cost")
    known = stated if type(stated) is float else number(stated)
    if known is None or not abs(known - total) <= _TOLERANCE:  # `not <=` is true for NaN as well, `>` would be false
        return None
    if abs(sum_of_parts - total) <= _TOLERANCE:
        return 1.0
    discount, margin = (number(breakdown.get(name)) or 0.0 for name in ("discount_percent", "margin_percent"))
    factor = (1 - discount) * (1 + margin)
    return factor if abs(sum_of_parts * factor - total) <= _TOLERANCE else None


# --- source of LiteLLM's prices -------------------------------------------------------------------------------


_Source = tuple[Literal["remote", "bundled"] | None, str | None]
_known_source: tuple[Any, _Source] = (None, (None, None))
"""The latest price map of LiteLLM, and its source. Cached, because LiteLLM takes 10 µs to return the source.

When LiteLLM downloads new prices, its map becomes a new object.
"""


def _price_map() -> _Source:
    """The source of LiteLLM's price map, and the date of its download. Each is `None` if LiteLLM does not record it."""
    global _known_source  # noqa: PLW0603 - a process has one price map
    prices = sys.modules["litellm"].model_cost
    if _known_source[0] is not prices:
        _known_source = (prices, _read_source())
    return _known_source[1]


def _read_source() -> _Source:
    """Ask LiteLLM for the source of its price map."""
    module = sys.modules.get("litellm.litellm_core_utils.get_model_cost_map")
    get_info = getattr(module, "get_model_cost_map_source_info", None)
    info = fields_of(get_info()) if get_info is not None else {}
    if info.get("source") == "remote":
        loaded_at = text(info.get("loaded_at"))
        return "remote", None if loaded_at is None else loaded_at.partition("T")[0]
    return "bundled" if info.get("source") == "local" else None, None


def _is_priced_by_app(logging: Any) -> bool:
    """Whether the application set the prices: for the call, the deployment or the model. True if that is unknown."""
    registered = getattr(sys.modules["litellm.utils"], "_runtime_registered_model_cost", None)
    if registered is None or getattr(logging, "custom_pricing", True):
        return True
    parameters, details, model = logging.litellm_params, logging.model_call_details, logging.model
    provider = (details if isinstance(details, dict) else fields_of(details)).get("custom_llm_provider")
    infos = [registered.get(model), registered.get(f"{provider}/{model}")]
    for name in ("metadata", "litellm_metadata"):
        metadata = (parameters if isinstance(parameters, dict) else fields_of(parameters)).get(name)
        if metadata:
            infos.append(field(metadata, "model_info"))
    for info in infos:
        for name, value in (info or NO_FIELDS).items():
            if value is not None and "cost" in name:
                return True
    return False
