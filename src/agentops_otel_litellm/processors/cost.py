"""Whether the price LiteLLM gave is one."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


def drop_unknown_cost(call: Call) -> Call:
    """Drop a price that is none.

    Where the provider counted no tokens, LiteLLM prices its own estimate, unless it is not tokens that are sold; and
    its zero for what was really bought means that it does not know the model. A cached answer is free in truth.
    """
    cost = call.cost
    cached = call.response is not None and call.response.cache_hit
    if cost is None or cached or (cost.total and (cost.per_unit or call.usage is not None)):
        return call
    return replace(call, cost=None)
