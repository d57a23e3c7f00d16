"""LiteLLM's price of what it has not priced when its function returns, and how it got to a price.

Its callbacks price the rest a moment later, when the span has ended.
"""

from __future__ import annotations

import sys
from copy import copy
from dataclasses import replace
from math import isclose
from typing import Any

from agentops_otel_litellm.call import Cost, Usage
from agentops_otel_litellm.readers.responses import read_usage
from agentops_otel_litellm.readers.streams import ChatChunks, read_stream_cost
from agentops_otel_litellm.readers.values import field, members, number, text


def price_messages(usage: Any, logging: Any) -> Cost | None:
    """Of Anthropic's `usage`, which has parts that are priced apart and that nothing else here tells of."""
    worked_out = _worked_out(logging)
    if worked_out is not None or not _is_as_sent(logging):
        return worked_out
    return _priced(_litellm().AnthropicConfig().calculate_usage(usage_object=usage, reasoning_content=None), logging)


def price_generated_content(usage: Any, logging: Any, *, streamed: bool) -> Cost | None:
    """Of Google's `usageMetadata`: of a stream's, where that was not translated."""
    worked_out = _worked_out(logging)
    if worked_out is not None or not (streamed or _is_as_sent(logging)):
        return worked_out
    # The method has a public name since 1.90 only.
    return _priced(_litellm().VertexGeminiConfig._calculate_usage({"usageMetadata": usage}), logging)  # noqa: SLF001


def price_chat(told: Any, logging: Any) -> Cost | None:
    """Of a stream of a chat. Newer releases, where the method has a public name, have priced it when it ends."""
    if not isinstance(told, ChatChunks) or hasattr(logging, "response_cost_calculator"):
        return None
    reported = [usage for chunk in told.kept if (usage := field(chunk, "usage")) is not None]
    return _priced(reported[0], logging) if len(reported) == 1 else None  # of several, none says all


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
    response = _litellm().ModelResponse(model=logging.model, usage=usage)
    logging = copy(logging)
    logging.model_call_details = dict(logging.model_call_details)
    total = number(logging._response_cost_calculator(result=response))  # noqa: SLF001 - it had no other name
    return None if total is None else itemised(Cost(total=total, source="litellm"), read_usage(response), logging)


# --- how LiteLLM got there ----------------------------------------------------------------------------------


def itemised(cost: Cost, usage: Usage | None, logging: Any) -> Cost:
    """The cost with its parts, where LiteLLM wrote them down and they add up to it. Releases before 1.80 do not.

    A side that was counted and cost nothing may be a free one. Or the provider stated the price of the whole, which
    LiteLLM puts on one side.
    """
    told = members(getattr(logging, "cost_breakdown", None))
    total = number(told.get("total_cost"))
    if usage is None or usage.input is None or total is None or not _equal(total, cost.total):
        return cost
    sides = [number(told.get(name)) or 0.0 for name in ("input_cost", "output_cost", "tool_usage_cost")]
    of_input, of_output, of_tools = sides
    if bool(usage.input) != bool(of_input) or bool(usage.output) != bool(of_output):
        return cost
    share = _share(sum(sides), cost.total, told)
    if share is None:
        return cost
    parts: dict[str, Any] = {
        "input": of_input * share,
        "output": None if usage.output is None else of_output * share,
        "tools": of_tools * share or None,
    }
    details = {name: number(told.get(theirs)) for name, theirs in _DETAILS.items()}
    known = {name: amount * share for name, amount in details.items() if amount}
    if known.get("cache_read", 0) + known.get("cache_write", 0) <= of_input * share + _EXACT:
        parts |= {name: known.get(name) for name in ("cache_read", "cache_write")}
    if known.get("reasoning", 0) <= of_output * share + _EXACT:
        parts["reasoning"] = known.get("reasoning")
    return replace(cost, **parts, **_price_map(logging))


_EXACT = 1e-12
_DETAILS = {
    "cache_read": "cache_read_cost",
    "cache_write": "cache_creation_cost",
    "reasoning": "reasoning_cost",
}


def _equal(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=0, abs_tol=_EXACT)


def _share(gross: float, total: float, told: Any) -> float | None:
    """What is left of each part after discounts and margins; `None` where there is more to the total than that."""
    if _equal(gross, total):
        return 1.0
    discount, margin = (number(told.get(name)) or 0.0 for name in ("discount_percent", "margin_percent"))
    share = (1 - discount) * (1 + margin)
    return share if _equal(gross * share, total) else None


def _price_map(logging: Any) -> dict[str, Any]:
    """Where LiteLLM's price map is from, if the price is; recent releases know."""
    tell = getattr(sys.modules.get("litellm.litellm_core_utils.get_model_cost_map"), _TELLS_SOURCE, None)
    if tell is None or _is_priced_by_app(logging):
        return {}
    told = tell()
    if told.get("source") != "remote":
        return {"price_map": "bundled" if told.get("source") == "local" else None}
    loaded_at = text(told.get("loaded_at"))
    return {"price_map": "remote", "price_map_date": None if loaded_at is None else loaded_at.partition("T")[0]}


_TELLS_SOURCE = "get_model_cost_map_source_info"


def _is_priced_by_app(logging: Any) -> bool:
    """Whether the app gave LiteLLM the price: with the call, with the deployment, or for good."""
    parameters = getattr(logging, "litellm_params", None)
    is_custom = getattr(sys.modules["litellm.litellm_core_utils.litellm_logging"], "use_custom_pricing_for_model", None)
    if is_custom is None or is_custom(parameters):
        return True
    registered = getattr(sys.modules["litellm.utils"], "_runtime_registered_model_cost", None)
    if registered is None:
        return True
    model = getattr(logging, "model", None)
    provider = field(getattr(logging, "model_call_details", None), "custom_llm_provider")
    names = (model, f"{provider}/{model}")
    return any("cost" in price for name in names if name in registered for price in registered[name])
