"""Drops token counts that are not the provider's count of the whole call."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


def drop_partial_output_count(call: Call) -> Call:
    """Drop the output tokens of an interrupted stream.

    Providers that report usage during a stream report 0 or 1 output tokens at first, and the final count at the end,
    which was not received. The count of input tokens in the first report is complete.
    """
    usage, stream = call.usage, call.stream
    if usage is None or stream is None or stream.outcome == "completed":
        return call
    reasons = call.response.finish_reasons if call.response is not None else None
    if reasons and None not in reasons:
        return call
    return replace(
        call,
        usage=replace(
            usage,
            output=None,
            total=None,
            reasoning=None,
            output_text=None,
            output_image=None,
            output_audio=None,
        ),
    )


def drop_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate of the usage, which the user has not enabled."""
    return call if call.estimate is None else replace(call, estimate=None)


def drop_unneeded_estimate(call: Call) -> Call:
    """Drop LiteLLM's estimate if the provider reported usage, or if the response is from LiteLLM's cache."""
    cached = call.response is not None and call.response.cache_hit
    return drop_estimate(call) if call.usage is not None or cached else call
