"""Streams: drop token counts and finish reasons that were reported only in part, and compute statistics."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate

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


def drop_incomplete_finish_reasons(call: Call) -> Call:
    """Drop all finish reasons of a complete stream if LiteLLM lacks the reason of one choice.

    The provider sent a reason for each choice. If there are several choices, LiteLLM loses some of the reasons, and can
    assign the others to the wrong choice.
    """
    stream, response = call.stream, call.response
    if stream is None or stream.outcome != "completed" or stream.first_chunk is None:
        return call
    if response is None or None not in (response.finish_reasons or ()):
        return call
    return replace(call, response=replace(response, finish_reasons=None))


def add_stream_statistics(call: Call) -> Call:
    """Add statistics if there are two chunks or more. Rates need chunks that were received at different times."""
    stream = call.stream
    if stream is None or stream.first_chunk is None or stream.last_chunk is None or not stream.gaps:
        return call
    duration = stream.last_chunk - stream.first_chunk
    p50, p95, p99 = _percentiles(stream.gaps, 0.5, 0.95, 0.99)
    output = call.usage.output if call.usage else None
    return replace(
        call,
        stream=replace(
            stream,
            duration=duration,
            longest_gap=max(stream.gaps),
            chunks_per_second=(stream.chunk_count - 1) / duration if duration else None,
            tokens_per_second=output / duration if duration and output is not None else None,
            gap_p50=p50,
            gap_p95=p95,
            gap_p99=p99,
        ),
    )


def _percentiles(gaps: Mapping[float, int], *shares: float) -> list[float]:
    """Percentiles by the nearest-rank method: each percentile is one of the gaps."""
    lengths = sorted(gaps)
    ranks = list(accumulate(map(gaps.__getitem__, lengths)))
    return [lengths[bisect_left(ranks, share * ranks[-1])] for share in shares]
