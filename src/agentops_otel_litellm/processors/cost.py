"""Whether the price LiteLLM gave is one."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


def settle_cost(call: Call) -> Call:
    """A price of zero for tokens that were really bought means that LiteLLM does not know the model's price."""
    cost, usage = call.cost, call.usage
    cached = call.response is not None and call.response.cache_hit
    if cost is None or cost.total or usage is None or cached:
        return call
    return replace(call, cost=None)
