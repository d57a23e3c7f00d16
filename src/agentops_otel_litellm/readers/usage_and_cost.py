"""Token counts → Usage, and LiteLLM's prices → Cost.

The counts have the format of OpenAI's usage, to which LiteLLM translates that of nearly all providers. The names of the
counts are those of chats, of the Responses API, and of images, audio and realtime sessions. LiteLLM translates between
these, in part in place. For providers that count no tokens, LiteLLM makes an estimate in the same format, which is
separated from the counts of the provider here.

LiteLLM prices some results in its callbacks, after the span has ended, so their price is calculated here.
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
    """Read the provider's token counts of a chat, a text completion, a response or an embedding.

    LiteLLM sets zeros if the provider sent no usage. So the usage is unknown if all counts are 0. If only the input is
    0, the input is unknown, because every request has input.
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
        # Gemini's counts by modality, from which LiteLLM has subtracted the cached tokens, do not add up to the input.
        if sum(kinds.values()) == counts.get("input", 0) - counts["cache_read"]:
            counts = {name: count for name, count in counts.items() if name not in kinds}
    return Usage(**counts)


def _remove_added_counts(counts: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Remove the counts that LiteLLM adds to the usage of Anthropic's models, on any host, and of Bedrock's models.

    These providers do not count by modality; LiteLLM sets the tokens that were not cached as text. It estimates
    reasoning tokens that the provider did not count, and an estimate cannot be distinguished from a count. It sets
    zeros for the cache if the provider sent no such counts.
    """
    for name in ("input_text", "output_text", "reasoning"):
        counts.pop(name, None)
    for name, source in (("cache_read", "cache_read_input_tokens"), ("cache_write", "cache_creation_input_tokens")):
        known = counts.pop(name, None) or tokens(usage.get(source))
        if known:
            counts[name] = known


# --- counts of the provider and estimates of LiteLLM ----------------------------------------------------------


def _counted_by_nobody(_usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """No usage: the provider does not count tokens, or not in a form that LiteLLM reads."""
    return None


def _counted_by_ollama_chat(usage: Usage, details: Mapping[str, Any]) -> Usage | None:
    """The counts that Ollama's response contains. LiteLLM estimates the others, and keeps the response as JSON text.

    The names of the counts are searched for with their quotes. Within a text of the response they cannot be found,
    because JSON escapes quotes in texts.
    """
    response = text(details.get("original_response")) or ""
    has_input, has_output = '"prompt_eval_count":' in response, '"eval_count":' in response
    if has_input and has_output:
        return usage
    if not has_input and not has_output:
        return None
    return replace(usage, total=None, **({"output": None} if has_input else {"input": None}))


def _counted_by_ollama(usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """The counts, unless the output is 0: LiteLLM sets 0 if Ollama's response contained no counts. LiteLLM does not
    keep the response, so a real 0 cannot be distinguished.
    """
    return None if usage.output == 0 else usage


_COUNTED_BY: Mapping[Counting, Callable[[Usage, Mapping[str, Any]], Usage | None]] = {
    Counting.NOBODY: _counted_by_nobody,
    Counting.OLLAMA: _counted_by_ollama,
    Counting.OLLAMA_CHAT: _counted_by_ollama_chat,
}
"""Who counts the tokens → the function that returns the counted part of a usage. Without a row, all of it is
counted.
"""


def read_counted(usage: Usage, logging: Any) -> Usage | None:
    """The part of the usage that the provider has counted, according to LiteLLM's logging object."""
    details = getattr(logging, "model_call_details", None) or NO_FIELDS
    name = details.get("custom_llm_provider")
    provider = provider_named((name if type(name) is str else text(name)) or "")
    counted = _COUNTED_BY.get(provider.counting)
    if counted is not None:
        return counted(usage, details)
    is_agent = provider.agents and provider.agents in (text(details.get("model")) or "")
    return None if is_agent else usage


def read_counted_after_translation(usage: Usage, logging: Any) -> Usage | None:
    """The part that the provider has counted of a usage that LiteLLM may have translated to a different API format.

    In the translation, LiteLLM sets 0 for counts that Anthropic's models and Bedrock did not send, and reports all
    tokens that were not cached as text tokens. These counts are removed. (`read_usage` removes them from the usage of
    chats.)
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
    """The estimate in a `usage` that LiteLLM calculated."""
    return estimate_of(read_usage({"usage": usage}))


def estimate_of(usage: Usage | None) -> Estimate | None:
    """The estimate in a usage that the provider has not counted."""
    return None if usage is None else Estimate(input=usage.input, output=usage.output)


# --- cost -------------------------------------------------------------------------------------------------


_MAX_DOLLARS = 1e9


def litellm_cost(value: Any) -> Cost | None:
    """The cost in dollars that LiteLLM calculated, or `None` if `value` is not a number that a call can cost.

    LiteLLM multiplies any count that a provider sends, even a negative or an absurd one.
    """
    total = value if type(value) is float else number(value)
    return Cost(total=total, source="litellm") if total is not None and 0 <= total <= _MAX_DOLLARS else None


def read_stream_cost(logging: Any) -> Cost | None:
    """LiteLLM's price of a stream that has ended. Call it only if the provider reported usage, because LiteLLM also
    prices its own estimate of the usage.
    """
    return litellm_cost(field(getattr(logging, "cost_breakdown", None), "total_cost"))


# --- results that LiteLLM has not priced ----------------------------------------------------------------------


_IGNORING_UNREADABLE_USAGE = ignored_faults()
"""LiteLLM raises if a provider sends a count that is a text or a list. The cost is then unknown, which is not a fault
of this package.
"""


def price_messages(usage: Any, logging: Any) -> Cost | None:
    """Price a response by Anthropic's own `usage`, because `Usage` lacks some counts that have prices of their own."""
    calculated = _price_by_litellm(logging)
    if calculated is not None or not _is_untranslated(logging):
        return calculated
    with _IGNORING_UNREADABLE_USAGE:
        counted = sys.modules["litellm"].AnthropicConfig().calculate_usage(usage_object=usage, reasoning_content=None)
        return _price_usage(counted, logging)
    return None


def price_generated_content(usage: Any, logging: Any, *, streamed: bool) -> Cost | None:
    """Price a response by Google's `usageMetadata`. `streamed` is true for a stream that LiteLLM has not translated."""
    calculated = _price_by_litellm(logging)
    if calculated is not None or not (streamed or _is_untranslated(logging)):
        return calculated
    # The method has a public name since 1.90 only.
    with _IGNORING_UNREADABLE_USAGE:
        counted = sys.modules["litellm"].VertexGeminiConfig._calculate_usage({"usageMetadata": usage})  # noqa: SLF001
        return _price_usage(counted, logging)
    return None


def price_chat(result: Any, logging: Any) -> Cost | None:
    """Price a chat stream, if LiteLLM does not price it at its end; `None` for any other result."""
    if not isinstance(result, Chunks) or result.provider_chunks is None or _prices_streams(logging):
        return None
    return _price_chunks(result.provider_chunks, logging)


def _price_chunks(chunks: Sequence[Any], logging: Any) -> Cost | None:
    reported = [usage for chunk in chunks if (usage := field(chunk, "usage")) is not None]
    return _price_usage(reported[0], logging) if len(reported) == 1 else None  # several are parts of the usage


def price_response(result: Any, logging: Any) -> Cost | None:
    """Price a stream of the Responses API. Older releases of LiteLLM price it on a thread that may end after the
    span.
    """
    if getattr(result, "stream", None) is None or _prices_streams(logging):
        return None
    return price_result(result, logging)


def price_result(result: Any, logging: Any) -> Cost | None:
    """Price one of several responses, or streams, that LiteLLM has not priced."""
    if isinstance(result, Chunks) and result.provider_chunks is not None:
        return _price_chunks(result.provider_chunks, logging)
    last_event = field(getattr(result, "stream", None), "completed_response")
    response = result if last_event is None else field(last_event, "response")
    return _price_response(response, logging) if hasattr(response, "usage") else None


def price_cached_response(response: Any, logging: Any) -> Cost | None:
    """The price that a response from LiteLLM's cache would have without the cache.

    Releases of LiteLLM since 1.109 do not report this price with the response, but have a method that returns it.
    """
    uncached = getattr(logging, "uncached_price", None)
    if uncached is None or not read_cache_hit(logging):
        return None
    return litellm_cost(getattr(uncached(result=response), "cost", None))


def _prices_streams(logging: Any) -> bool:
    """Whether LiteLLM has priced a stream when it ends. It has in the releases in which this method has a public
    name.
    """
    return hasattr(logging, "response_cost_calculator")


def _is_untranslated(logging: Any) -> bool:
    """Whether LiteLLM returns the provider's response untranslated. A translation by LiteLLM omits the cached tokens.

    LiteLLM keeps the provider's HTTP response only if it does not translate the response.
    """
    return "httpx_response" in (getattr(logging, "model_call_details", None) or ())


def _price_by_litellm(logging: Any) -> Cost | None:
    """The price that LiteLLM has calculated, which it does if it has translated the response; `None` if there is none.

    A price of 0 is omitted, because LiteLLM sets it for a stream that was not read.
    """
    cost = read_stream_cost(logging)
    return cost if cost is not None and cost.total else None


def _price_usage(usage: Any, logging: Any) -> Cost | None:
    """Price the usage with the prices, discounts and tiers that apply to the call."""
    return _price_response(sys.modules["litellm"].ModelResponse(model=logging.model, usage=usage), logging)


def _price_response(response: Any, logging: Any) -> Cost | None:
    logging = copy(logging)  # LiteLLM sets the parts of the price on it
    logging.model_call_details = dict(logging.model_call_details)
    cost = litellm_cost(logging._response_cost_calculator(result=response))  # noqa: SLF001 - the only name in older releases
    return None if cost is None else with_cost_parts(cost, read_usage(response), logging)


# --- parts of a price -----------------------------------------------------------------------------------------


_TOLERANCE = 1e-12
_PARTS = (
    *("input_cost", "output_cost", "tool_usage_cost"),
    *("cache_read_cost", "cache_creation_cost", "reasoning_cost"),
)
"""LiteLLM's names of the parts of a price: three that add up to the total, and three that are parts of those."""


def with_cost_parts(cost: Cost, usage: Usage | None, logging: Any) -> Cost:
    """Return the cost with its parts, if LiteLLM has recorded parts that add up to the total, as it does since 1.80.

    The parts are omitted if the input or the output has tokens and a price of 0. That side may be free, or the provider
    may have stated one price for the whole call, which LiteLLM assigns to one of the two sides.
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
    """The factor by which discount and margin change each part; `None` if the changed parts do not add up to the
    total.
    """
    stated = breakdown.get("total_cost")
    known = stated if type(stated) is float else number(stated)
    if known is None or not abs(known - total) <= _TOLERANCE:  # `not <=`, because every comparison with NaN is false
        return None
    if abs(sum_of_parts - total) <= _TOLERANCE:
        return 1.0
    discount, margin = (number(breakdown.get(name)) or 0.0 for name in ("discount_percent", "margin_percent"))
    factor = (1 - discount) * (1 + margin)
    return factor if abs(sum_of_parts * factor - total) <= _TOLERANCE else None


# --- source of LiteLLM's prices -------------------------------------------------------------------------------


_Source = tuple[Literal["remote", "bundled"] | None, str | None]
_known_source: tuple[Any, _Source] = (None, (None, None))
"""LiteLLM's price map and its source, cached because LiteLLM takes ten microseconds to return the source.

LiteLLM replaces the map when it fetches a new one.
"""


def _price_map() -> _Source:
    """The source of LiteLLM's price map, and the date on which it was fetched, in releases that record them."""
    global _known_source  # noqa: PLW0603 - one for the process, as LiteLLM's map
    prices = sys.modules["litellm"].model_cost
    if _known_source[0] is not prices:
        _known_source = (prices, _read_source())
    return _known_source[1]


def _read_source() -> _Source:
    """Read the source of LiteLLM's price map from LiteLLM."""
    module = sys.modules.get("litellm.litellm_core_utils.get_model_cost_map")
    get_info = getattr(module, "get_model_cost_map_source_info", None)
    info = fields_of(get_info()) if get_info is not None else {}
    if info.get("source") == "remote":
        loaded_at = text(info.get("loaded_at"))
        return "remote", None if loaded_at is None else loaded_at.partition("T")[0]
    return "bundled" if info.get("source") == "local" else None, None


def _is_priced_by_app(logging: Any) -> bool:
    """Whether the application set the price: for the call, the deployment or the model. Also true if it is unknown."""
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
