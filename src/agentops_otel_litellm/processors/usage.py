"""Which of the tokens are the provider's count of the whole call."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


def drop_count_of_a_beginning(call: Call) -> Call:
    """Of a stream that was cut, drop what had been written until then: providers that count as they go begin with a
    zero, or a one, and nobody tells what they wrote and counted after that. The input had been read whole.
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
    """Nobody asked for it."""
    return call if call.estimate is None else replace(call, estimate=None)


def drop_needless_estimate(call: Call) -> Call:
    """Where the provider counted it is not needed, and nothing was written where LiteLLM's cache had the answer."""
    cached = call.response is not None and call.response.cache_hit
    return drop_estimate(call) if call.usage is not None or cached else call
