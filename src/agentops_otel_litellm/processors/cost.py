"""Whether the price LiteLLM gave is one."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call

# What providers bill and count, where it is not tokens.
_BILLED = ("search_units", "pages_count")


def drop_unknown_cost(call: Call) -> Call:
    """Drop a price that is none.

    Where the provider counted nothing that it bills, LiteLLM prices its own estimate; and its zero for tokens that were
    really bought means that it does not know the model. A cached answer is free in truth.
    """
    cost = call.cost
    cached = call.response is not None and call.response.cache_hit
    if cost is None or cached or (cost.total and _is_counted(call)):
        return call
    return replace(call, cost=None)


def _is_counted(call: Call) -> bool | None:
    flat = call.cost is not None and call.cost.per_unit
    return flat or call.usage is not None or any(getattr(call.response, billed, None) is not None for billed in _BILLED)
