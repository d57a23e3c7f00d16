"""Drops the finish reasons of streams for which LiteLLM reports only some of them."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Call


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
