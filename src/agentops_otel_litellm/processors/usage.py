"""The usage of a call: moved if the response is from LiteLLM's cache, and LiteLLM's estimates dropped."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call, Cost, Saved


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


def drop_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate of the usage, which the user has not enabled."""
    return call if call.estimate is None else replace(call, estimate=None)


def drop_unneeded_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate if the provider reported usage, or if the response is from LiteLLM's cache."""
    cached = call.response is not None and call.response.cache_hit
    return drop_estimate(call) if call.usage is not None or cached else call
