"""What an answer from LiteLLM's cache used and cost: nothing."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call, Cost, Saved


def set_saved_apart(call: Call) -> Call:
    """Tokens and price of a cached answer are those of the call that it once came from: they are what was saved.

    Of a stream that LiteLLM replays they are not known: it keeps neither whether the provider had counted the
    tokens or LiteLLM guessed them, nor which of them were cheaper.
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
