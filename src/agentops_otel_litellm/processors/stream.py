"""The figures of a streamed response: how long, how fast, how even."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


def add_stream_rates(call: Call) -> Call:
    """Add duration and rates: of two chunks or more, and where they did not all come in one instant."""
    stream, response = call.stream, call.response
    if stream is None or stream.first_chunk is None or stream.last_chunk is None:
        return call
    if response is not None and stream.outcome == "completed" and None in (response.finish_reasons or ()):
        # The provider gave them all, and LiteLLM lost one on the way (it does with several choices): not known.
        response = replace(response, finish_reasons=None)
    duration = stream.last_chunk - stream.first_chunk if stream.chunk_count > 1 else None
    output = call.usage.output if call.usage else None
    return replace(
        call,
        response=response,
        stream=replace(
            stream,
            duration=duration,
            longest_gap=max(stream.gaps, default=None),
            chunks_per_second=(stream.chunk_count - 1) / duration if duration else None,
            tokens_per_second=output / duration if duration and output is not None else None,
        ),
    )
