"""Finish reasons of a stream that LiteLLM reports incompletely."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


def drop_incomplete_reasons(call: Call) -> Call:
    """Drop the finish reasons of a complete stream if one is missing.

    The provider sent all of them, but LiteLLM loses some if there are several choices, and can assign the others to the
    wrong choice.
    """
    stream, response = call.stream, call.response
    if stream is None or stream.outcome != "completed" or stream.first_chunk is None:
        return call
    if response is None or None not in (response.finish_reasons or ()):
        return call
    return replace(call, response=replace(response, finish_reasons=None))
