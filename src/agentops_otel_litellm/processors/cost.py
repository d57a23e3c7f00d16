"""The cost of a call, and the usage from which it is computed.

The cost is computed with the user's prices, by LiteLLM, or else with the prices of genai-prices. A response from
LiteLLM's cache used no tokens and cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agentops_otel_litellm.call import Call, Cost, Response, Saved
from agentops_otel_litellm.pricing.user_prices import UserPrices, price

# Fields of a response with units other than tokens that providers report and bill.
_BILLED_UNITS = ("search_units", "pages_count")


def create_user_price_processor(prices: UserPrices) -> Callable[[Call], Call]:
    """Return a processor that replaces LiteLLM's cost of a complete call, if the user's prices contain the call's
    model.
    """

    def apply_user_price(call: Call) -> Call:
        prices_of_model = prices.of(call) if _is_complete(call) else None
        cost = price(prices_of_model, call) if prices_of_model is not None else None
        return call if cost is None else replace(call, cost=cost)

    return apply_user_price


def move_cached_usage_to_saved(call: Call) -> Call:
    """Move the usage and cost of a cached response, which are those of the original call, to `saved`.

    The call with the cached response then has no usage and a cost of 0. For a stream that LiteLLM replays from its
    cache, `saved` is unknown: LiteLLM does not store whether the tokens of the stream are the provider's count or an
    estimate, nor which of the tokens are billed at a lower price.
    """
    if call.response is None or not call.response.cache_hit:
        return call
    saved: Saved | None = None
    if call.stream is None and (call.usage is not None or call.cost is not None):
        saved = Saved(
            input=call.usage.input if call.usage else None,
            output=call.usage.output if call.usage else None,
            cost=call.cost.total or None if call.cost and call.usage else None,
        )
    return replace(call, usage=None, cost=Cost(total=0.0, source="litellm"), saved=saved)


def drop_unknown_cost(call: Call) -> Call:
    """Drop LiteLLM's cost in two cases in which it is not the actual cost.

    If the provider reported no usage, LiteLLM's cost is the price of LiteLLM's own estimate of the tokens. If the cost
    is 0 although the response is not from LiteLLM's cache, LiteLLM has no price for the model.
    """
    cost = call.cost
    if cost is None or cost.source != "litellm" or (call.response is not None and call.response.cache_hit):
        return call
    if cost.total and (cost.per_unit or call.usage is not None or _reports_billed_units(call.response)):
        return call
    return replace(call, cost=None)


def create_package_price_processor(price: Callable[[Call], Cost | None]) -> Callable[[Call], Call]:
    """Return a processor that computes an unknown cost with `price`, if the provider reported the usage."""

    def apply_package_price(call: Call) -> Call:
        usage = call.usage
        if call.cost is not None or usage is None or usage.input is None or not _is_complete(call):
            return call
        cost = price(call)
        return call if cost is None else replace(call, cost=cost)

    return apply_package_price


def drop_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate of the usage, which the user has not enabled."""
    return call if call.estimate is None else replace(call, estimate=None)


def drop_unneeded_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate if the provider reported usage, or if the response is from LiteLLM's cache."""
    cached = call.response is not None and call.response.cache_hit
    return drop_estimate(call) if call.usage is not None or cached else call


def _is_complete(call: Call) -> bool:
    """Whether the call has succeeded, and its stream, if it has one, was read to its end. Otherwise the usage is
    unknown.
    """
    return call.failure is None and (call.stream is None or call.stream.outcome == "completed")


def _reports_billed_units(response: Response | None) -> bool:
    """Whether the provider reported units other than tokens that it bills."""
    return any(getattr(response, unit, None) is not None for unit in _BILLED_UNITS)
