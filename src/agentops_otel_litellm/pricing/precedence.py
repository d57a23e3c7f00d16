"""Which price decides the cost of a call: the first of these sources that has one.

1. The user's own prices (`AGENTOPS_PRICES`): `create_user_price_processor` replaces the cost that the readers have
   read.
2. The cost that the provider or a gateway states in its response. LiteLLM puts it in place of its own calculation, and
   the readers read the result, so `Cost.source` is `litellm`, too.
3. The cost that LiteLLM calculates by its price map. `readers/prices.py` calculates it where LiteLLM does so only after
   the span has ended. `drop_unknown_cost` drops it if LiteLLM has no price for the model, or only an estimate of the
   usage.
4. The prices of the package genai-prices, if the cost is still unknown: `create_package_price_processor`.

`processors/steps.py` calls these processors in this order. A stated price of 0 is a price. A cost that no source knows
is absent, not 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.pricing.user_prices import UserPrices, price

_BILLED_UNITS = ("search_units", "pages_count")
"""Fields of a response with units other than tokens that providers report and bill."""


def create_user_price_processor(prices: UserPrices) -> Callable[[Call], Call]:
    """Return a processor that replaces LiteLLM's cost of a complete call, if the user's prices contain the call's
    model.
    """

    def apply_user_price(call: Call) -> Call:
        prices_of_model = prices.of(call) if _is_complete(call) else None
        cost = price(prices_of_model, call) if prices_of_model is not None else None
        return call if cost is None else replace(call, cost=cost)

    return apply_user_price


def drop_unknown_cost(call: Call) -> Call:
    """Drop LiteLLM's cost in two cases in which it is not the actual cost.

    If the provider reported neither tokens nor other units, and does not bill by a unit that needs no report, LiteLLM's
    cost is the price of LiteLLM's own estimate of the tokens. If the cost is 0 although the response is not from
    LiteLLM's cache, LiteLLM has no price for the model.
    """
    cost, response = call.cost, call.response
    if cost is None or cost.source != "litellm" or (response is not None and response.cache_hit):
        return call
    if cost.total and (
        cost.per_unit
        or call.usage is not None
        or any(getattr(response, billed, None) is not None for billed in _BILLED_UNITS)
    ):
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


def _is_complete(call: Call) -> bool:
    """Whether the call has succeeded, and its stream, if it has one, was read to its end. Otherwise the usage is
    unknown.
    """
    return call.failure is None and (call.stream is None or call.stream.outcome == "completed")
