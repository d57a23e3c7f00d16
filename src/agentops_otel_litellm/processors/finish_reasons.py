"""Whether the reasons that a stream's choices ended for are all there."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


def drop_lost_reasons(call: Call) -> Call:
    """Drop the reasons of a stream that came to its end with one missing: the provider gave them all, and LiteLLM lost
    one on the way (it does with several choices), so that those it has may be another choice's.
    """
    stream, response = call.stream, call.response
    if stream is None or stream.outcome != "completed" or stream.first_chunk is None:
        return call
    if response is None or None not in (response.finish_reasons or ()):
        return call
    return replace(call, response=replace(response, finish_reasons=None))
