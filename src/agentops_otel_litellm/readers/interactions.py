"""Interactions with a model or an agent, by Google's API for them: a call that the provider keeps as it keeps a job.

And the agents themselves, which are kept, too. An agent's name is its id: no other name will reach it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Failure, Request, Response, Target, Usage
from agentops_otel_litellm.readers.jobs import job_request, job_response
from agentops_otel_litellm.readers.responses import no_cost, no_usage
from agentops_otel_litellm.readers.shapes import Shape
from agentops_otel_litellm.readers.target import read_target
from agentops_otel_litellm.readers.values import (
    boolean,
    count,
    field,
    identifier,
    members,
    model_name,
    rows_for,
    taken,
    tokens,
)

Parameters = Mapping[str, Any]

_ENDED = rows_for(Response, {"success": ("deleted", boolean)})
_AGENTS = rows_for(
    Response,
    {
        "agents": ("results_count", count),
        "agent_versions": ("results_count", count),
        "next_page_token": ("has_more", lambda token: True if token else None),
    },
)
_COUNTED = rows_for(
    Usage,
    {
        "total_input_tokens": ("input", tokens),
        "total_output_tokens": ("output", tokens),
        "total_tokens": ("total", tokens),
        "total_cached_tokens": ("cache_read", tokens),
        "total_reasoning_tokens": ("reasoning", tokens),
    },
)


def interaction_request(parameters: Parameters) -> Request:
    """Of a model, or of an agent."""
    given = parameters.get("input")
    return Request(
        model=model_name(parameters.get("model")),
        stream=parameters.get("stream") is True,
        content_length=len(given) if isinstance(given, str) else None,
        tools_count=count(parameters.get("tools")),
        agent_id=identifier(parameters.get("agent")),
    )


def interaction_usage(result: Any) -> Usage | None:
    """LiteLLM writes zeros where the provider counted nothing."""
    counts = taken(members(field(result, "usage")), _COUNTED)
    return Usage(**counts) if counts.get("input") or counts.get("output") else None


class InteractionChunks:
    """Events of an interaction: pieces of what is said, and the interaction itself as it goes."""

    __slots__ = ("_interaction", "_length", "first_token")

    failure: Failure | None = None

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

    def release(self) -> None:
        """It does not hold the stream."""


def interaction_deleted(result: Any) -> Response:
    return replace(job_response(result), **taken(members(result), _ENDED))


def agent_target(parameters: Parameters, logging: Any) -> Target:
    """What LiteLLM has for the model is the agent's name."""
    return replace(read_target(parameters, logging), model=None)


def agent_request(parameters: Parameters) -> Request:
    return Request(agent_id=identifier(parameters.get("name")))


def agent_response(result: Any) -> Response:
    return replace(job_response(result), **taken(members(result), _AGENTS))


INTERACTION = Shape(
    request=interaction_request, response=job_response, usage=interaction_usage, chunks=InteractionChunks
)
DELETED_INTERACTION = Shape(request=job_request, response=interaction_deleted, usage=no_usage, cost=no_cost)
AGENT = Shape(target=agent_target, request=agent_request, response=agent_response, usage=no_usage, cost=no_cost)
