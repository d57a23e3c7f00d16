"""The cost of a call: by the user's prices, by LiteLLM, or else by genai-prices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.pricing.user_prices import UserPrices, price

# Fields of a response with units other than tokens that providers report and bill.
_BILLED = ("search_units", "pages_count")


def create_user_price_processor(prices: UserPrices) -> Callable[[Call], Call]:
    """A processor that replaces LiteLLM's cost of a complete call, if the user's prices contain its model."""

    def apply_user_price(call: Call) -> Call:
        listed = prices.of(call) if _is_whole(call) else None
        cost = price(listed, call) if listed is not None else None
        return call if cost is None else replace(call, cost=cost)

    return apply_user_price


def drop_unknown_cost(call: Call) -> Call:
    """Drop LiteLLM's cost if it is not the actual cost.

    If the provider reported no usage, LiteLLM prices its own estimate. And a cost of zero for tokens that were used
    means that LiteLLM has no price for the model. A cost of zero is right only for a cached response.
    """
    cost = call.cost
    cached = call.response is not None and call.response.cache_hit
    if cost is None or cached or cost.source != "litellm" or (cost.total and _has_billed_usage(call)):
        return call
    return replace(call, cost=None)


def create_package_price_processor(price: Callable[[Call], Cost | None]) -> Callable[[Call], Call]:
    """A processor that computes the cost with `price` if the provider reported usage and the cost is unknown."""

    def apply_package_price(call: Call) -> Call:
        usage = call.usage
        if call.cost is not None or usage is None or usage.input is None or not _is_whole(call):
            return call
        cost = price(call)
        return call if cost is None else replace(call, cost=cost)

    return apply_package_price


def _is_whole(call: Call) -> bool:
    """Whether the call is complete: the usage of an interrupted stream is not known completely."""
    return call.failure is None and (call.stream is None or call.stream.outcome == "completed")


def _has_billed_usage(call: Call) -> bool | None:
    flat = call.cost is not None and call.cost.per_unit
    return flat or call.usage is not None or any(getattr(call.response, billed, None) is not None for billed in _BILLED)
