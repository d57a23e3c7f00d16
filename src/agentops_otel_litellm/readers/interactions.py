"""Interactions with a model or an agent, by Google's API for them: a call that the provider keeps as it keeps a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Usage
from agentops_otel_litellm.readers.jobs import job_response
from agentops_otel_litellm.readers.shapes import Shape
from agentops_otel_litellm.readers.values import count, field, integer, members, model_name, rows_for, taken

_COUNTED = rows_for(
    Usage,
    {
        "total_input_tokens": ("input", integer),
        "total_output_tokens": ("output", integer),
        "total_tokens": ("total", integer),
        "total_cached_tokens": ("cache_read", integer),
        "total_reasoning_tokens": ("reasoning", integer),
    },
)


def interaction_request(parameters: Mapping[str, Any]) -> Request:
    given = parameters.get("input")
    return Request(
        model=model_name(parameters.get("model")),
        stream=parameters.get("stream") is True,
        content_length=len(given) if isinstance(given, str) else None,
        tools_count=count(parameters.get("tools")),
    )


def interaction_usage(result: Any) -> Usage | None:
    """LiteLLM writes zeros where the provider counted nothing."""
    counts = taken(members(field(result, "usage")), _COUNTED)
    return Usage(**counts) if counts.get("input") or counts.get("output") else None


class InteractionChunks:
    """Events of an interaction: pieces of what is said, and the interaction itself as it goes."""

    __slots__ = ("_interaction", "_length", "first_token")

    def __init__(self, _stream: Any) -> None:
        self._interaction: Any = None
        self._length = 0
        self.first_token: float | None = None

    def add(self, chunk: Any, at: float, /) -> None:
        event = members(chunk)
        said = field(event.get("delta"), "text")
        if isinstance(said, str) and said:
            self._length += len(said)
            if self.first_token is None:
                self.first_token = at
        self._interaction = event.get("interaction") or self._interaction

    def response(self) -> Response:
        return replace(job_response(self._interaction), content_length=self._length)

    def usage(self) -> Usage | None:
        return interaction_usage(self._interaction)


INTERACTION = Shape(
    request=interaction_request, response=job_response, usage=interaction_usage, chunks=InteractionChunks
)
