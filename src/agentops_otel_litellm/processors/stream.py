"""The figures of a streamed response: how long, how fast, how even."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


def figure_stream(call: Call) -> Call:
    """Add duration and rates. One chunk has no duration, and a rate needs one."""
    stream = call.stream
    if stream is None or stream.first_chunk is None or stream.last_chunk is None:
        return call
    duration = stream.last_chunk - stream.first_chunk
    output = call.usage.output if call.usage else None
    return replace(
        call,
        stream=replace(
            stream,
            duration=duration,
            longest_gap=max(stream.gaps, default=None),
            chunks_per_second=(stream.chunk_count - 1) / duration if duration else None,
            tokens_per_second=output / duration if duration and output is not None else None,
        ),
    )
