"""LiteLLM's price of what it has not priced when its function returns, and how it got to a price.

Its callbacks price the rest a moment later, when the span has ended.
"""

from __future__ import annotations

import sys
from copy import copy
from typing import Any, Literal

from agentops_otel_litellm.call import Cost, Usage
from agentops_otel_litellm.guard import ignored_faults
from agentops_otel_litellm.readers.cache import read_cache_hit
from agentops_otel_litellm.readers.figures import litellm_cost
from agentops_otel_litellm.readers.streams import ChatChunks, read_stream_cost
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import field, members, number, text

_IGNORING_UNREADABLE_USAGE = ignored_faults()
"""LiteLLM calculates with whatever a provider sends, and raises for a count that is a text or a list. The cost is then
unknown, and nothing is wrong with this package.
"""


def price_messages(usage: Any, logging: Any) -> Cost | None:
    """Of Anthropic's `usage`, which has parts that are priced apart and that nothing else here tells of."""
    worked_out = _worked_out(logging)
    if worked_out is not None or not _is_as_sent(logging):
        return worked_out
    with _IGNORING_UNREADABLE_USAGE:
        counted = _litellm().AnthropicConfig().calculate_usage(usage_object=usage, reasoning_content=None)
        return _priced(counted, logging)
    return None


def price_generated_content(usage: Any, logging: Any, *, streamed: bool) -> Cost | None:
    """Of Google's `usageMetadata`: of a stream's, where that was not translated."""
    worked_out = _worked_out(logging)
    if worked_out is not None or not (streamed or _is_as_sent(logging)):
        return worked_out
    # The method has a public name since 1.90 only.
    with _IGNORING_UNREADABLE_USAGE:
        counted = _litellm().VertexGeminiConfig._calculate_usage({"usageMetadata": usage})  # noqa: SLF001
        return _priced(counted, logging)
    return None


def price_chat(told: Any, logging: Any) -> Cost | None:
    """Of a stream of a chat."""
    if not isinstance(told, ChatChunks) or _prices_streams(logging):
        return None
    return _price_kept(told, logging)


def _price_kept(told: ChatChunks, logging: Any) -> Cost | None:
    reported = [usage for chunk in told.kept if (usage := field(chunk, "usage")) is not None]
    return _priced(reported[0], logging) if len(reported) == 1 else None  # of several, none says all


def price_response(told: Any, logging: Any) -> Cost | None:
    """Of a stream of a response. Older releases leave it to a thread, which may come to it when the stream is over."""
    if getattr(told, "stream", None) is None or _prices_streams(logging):
        return None
    return price_answer(told, logging)


def price_answer(told: Any, logging: Any) -> Cost | None:
    """Of one of several responses, or streams, that LiteLLM has not priced by itself."""
    if isinstance(told, ChatChunks):
        return _price_kept(told, logging)
    ended = field(getattr(told, "stream", None), "completed_response")
    response = told if ended is None else field(ended, "response")
    return _total(response, logging) if hasattr(response, "usage") else None


def price_hit(response: Any, logging: Any) -> Cost | None:
    """What an answer from LiteLLM's cache would have cost. Releases since 1.109 say nothing for one by themselves."""
    uncached = getattr(logging, "uncached_price", None)
    if uncached is None or not read_cache_hit(logging):
        return None
    return litellm_cost(getattr(uncached(result=response), "cost", None))


def _prices_streams(logging: Any) -> bool:
    """Newer releases, where the method has a public name, have priced a stream when it ends."""
    return hasattr(logging, "response_cost_calculator")


def _is_as_sent(logging: Any) -> bool:
    """Whether the provider counted in this API: a translation leaves out what was cached. LiteLLM keeps what it got
    from the provider where it hands it on.
    """
    return "httpx_response" in (getattr(logging, "model_call_details", None) or ())


def _worked_out(logging: Any) -> Cost | None:
    """Where LiteLLM translated: of the response that came of it. A stream that has yet to be read it prices at 0."""
    cost = read_stream_cost(logging)
    return cost if cost is not None and cost.total else None


def _litellm() -> Any:
    return sys.modules["litellm"]


def _priced(usage: Any, logging: Any) -> Cost | None:
    """With the prices, discounts and tiers that hold for the call. LiteLLM writes down how it got there: on a copy."""
    return _total(_litellm().ModelResponse(model=logging.model, usage=usage), logging)


def _total(response: Any, logging: Any) -> Cost | None:
    logging = copy(logging)
    logging.model_call_details = dict(logging.model_call_details)
    cost = litellm_cost(logging._response_cost_calculator(result=response))  # noqa: SLF001 - it had no other name
    return None if cost is None else itemised(cost, read_usage(response), logging)


# --- how LiteLLM got there ----------------------------------------------------------------------------------


def itemised(cost: Cost, usage: Usage | None, logging: Any) -> Cost:
    """The cost with its parts, where LiteLLM wrote them down and they add up to it. Releases before 1.80 do not.

    A side that was counted and cost nothing may be a free one. Or the provider stated the price of the whole, which
    LiteLLM puts on one side.
    """
    told = getattr(logging, "cost_breakdown", None)
    if not told or usage is None or usage.input is None or cost.source != "litellm":
        return cost
    of_input, of_output, of_tools = [number(told.get(name)) or 0.0 for name in _SIDES]
    if bool(usage.input) != bool(of_input) or bool(usage.output) != bool(of_output):
        return cost
    share = _share(of_input + of_output + of_tools, cost.total, told)
    if share is None:
        return cost
    read, written, reasoning = [(number(told.get(name)) or 0.0) * share or None for name in _DETAILS]
    if (read or 0.0) + (written or 0.0) > of_input * share + _EXACT:
        read = written = None
    if (reasoning or 0.0) > of_output * share + _EXACT:
        reasoning = None
    price_map, price_map_date = (None, None) if _is_priced_by_app(logging) else _price_map()
    return Cost(
        total=cost.total,
        source="litellm",
        per_unit=cost.per_unit,
        input=of_input * share,
        output=None if usage.output is None else of_output * share,
        tools=of_tools * share or None,
        cache_read=read,
        cache_write=written,
        reasoning=reasoning,
        price_map=price_map,
        price_map_date=price_map_date,
    )


_EXACT = 1e-12
_SIDES = ("input_cost", "output_cost", "tool_usage_cost")
_DETAILS = ("cache_read_cost", "cache_creation_cost", "reasoning_cost")


def _share(gross: float, total: float, told: Any) -> float | None:
    """What is left of each part after discounts and margins; `None` where it is of another total, or there is more to
    the total than that.
    """
    known = number(told.get("total_cost"))
    if known is None or abs(known - total) > _EXACT:
        return None
    if abs(gross - total) <= _EXACT:
        return 1.0
    share = (1 - (number(told.get("discount_percent")) or 0.0)) * (1 + (number(told.get("margin_percent")) or 0.0))
    return share if abs(gross * share - total) <= _EXACT else None


# --- where LiteLLM's prices are from ------------------------------------------------------------------------

_Source = tuple[Literal["remote", "bundled"] | None, str | None]
_known_source: tuple[Any, _Source] = (None, (None, None))
"""LiteLLM's price map, and where it is from: LiteLLM takes ten microseconds to say, and when it fetches one anew it
puts that in the place of the other.
"""


def _price_map() -> _Source:
    """Whether LiteLLM fetched its price map, and when; recent releases know."""
    global _known_source  # noqa: PLW0603 - it is one for the process, as LiteLLM's map is
    prices = _litellm().model_cost
    if _known_source[0] is not prices:
        _known_source = (prices, _read_source())
    return _known_source[1]


def _read_source() -> _Source:
    module = sys.modules.get("litellm.litellm_core_utils.get_model_cost_map")
    tell = getattr(module, "get_model_cost_map_source_info", None)
    told = members(tell()) if tell is not None else {}
    if told.get("source") == "remote":
        loaded_at = text(told.get("loaded_at"))
        return "remote", None if loaded_at is None else loaded_at.partition("T")[0]
    return "bundled" if told.get("source") == "local" else None, None


def _is_priced_by_app(logging: Any) -> bool:
    """Whether the app gave LiteLLM the price: with the call, with the deployment, or for good. So it is where that
    cannot be told.
    """
    registered = getattr(sys.modules["litellm.utils"], "_runtime_registered_model_cost", None)
    if registered is None or getattr(logging, "custom_pricing", True):
        return True
    parameters, details = members(logging.litellm_params), members(logging.model_call_details)
    models = [members(parameters.get(name)).get("model_info") for name in ("metadata", "litellm_metadata")]
    names = (logging.model, f"{details.get('custom_llm_provider')}/{logging.model}")
    models += [registered.get(name) for name in names]
    return any("cost" in name and value is not None for model in models if model for name, value in model.items())
