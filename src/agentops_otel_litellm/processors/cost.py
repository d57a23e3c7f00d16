"""What a call cost: by the user's prices, by LiteLLM, or else by genai-prices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.prices.user import UserPrices, price

# What providers bill and count, where it is not tokens.
_BILLED = ("search_units", "pages_count")


def pricing_as_the_user_says(prices: UserPrices) -> Callable[[Call], Call]:
    """A processor that puts the user's price in the place of LiteLLM's, for the models that the user lists."""

    def price_as_the_user_says(call: Call) -> Call:
        listed = prices.of(call) if _is_whole(call) else None
        cost = price(listed, call) if listed is not None else None
        return call if cost is None else replace(call, cost=cost)

    return price_as_the_user_says


def drop_unknown_cost(call: Call) -> Call:
    """Drop a price of LiteLLM's that is none.

    Where the provider counted nothing that it bills, LiteLLM prices its own estimate; and its zero for tokens that were
    really bought means that it does not know the model. A cached answer is free in truth.
    """
    cost = call.cost
    cached = call.response is not None and call.response.cache_hit
    if cost is None or cached or cost.source != "litellm" or (cost.total and _is_counted(call)):
        return call
    return replace(call, cost=None)


def pricing_unmapped(price: Callable[[Call], Cost | None]) -> Callable[[Call], Call]:
    """A processor that asks another for the price of what the provider counted and nobody has priced."""

    def price_unmapped(call: Call) -> Call:
        usage = call.usage
        if call.cost is not None or usage is None or usage.input is None or not _is_whole(call):
            return call
        cost = price(call)
        return call if cost is None else replace(call, cost=cost)

    return price_unmapped


def _is_whole(call: Call) -> bool:
    """Whether all that was bought came: of a stream that was cut, the provider has not said what it was."""
    return call.failure is None and (call.stream is None or call.stream.outcome == "completed")


def _is_counted(call: Call) -> bool | None:
    flat = call.cost is not None and call.cost.per_unit
    return flat or call.usage is not None or any(getattr(call.response, billed, None) is not None for billed in _BILLED)
