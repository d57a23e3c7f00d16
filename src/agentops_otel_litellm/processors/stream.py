"""Statistics of a streamed response: its duration, rates and gaps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate

from agentops_otel_litellm.call import Call


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
