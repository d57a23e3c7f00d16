"""Google's Interactions API: interactions with a model or an agent, which the provider stores, and agents.

The name of an agent is its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Failure, Request, Response, Target, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.jobs import job_request, job_response
from agentops_otel_litellm.readers.responses import no_cost, no_usage
from agentops_otel_litellm.readers.target import read_target
from agentops_otel_litellm.readers.values import (
    boolean,
    count,
    field,
    fields_of,
    identifier,
    model_name,
    read_fields,
    rows_for,
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
    """Read a request to a model or an agent."""
    value = parameters.get("input")
    return Request(
        model=model_name(parameters.get("model")),
        stream=parameters.get("stream") is True,
        content_length=len(value) if isinstance(value, str) else None,
        tools_count=count(parameters.get("tools")),
        agent_id=identifier(parameters.get("agent")),
    )


def interaction_usage(result: Any) -> Usage | None:
    """Read the usage; `None` if it has only zeros, which LiteLLM sets if the provider counted no tokens."""
    counts = read_fields(fields_of(field(result, "usage")), _COUNTED)
    return Usage(**counts) if counts.get("input") or counts.get("output") else None


class InteractionChunks:
    """Reads the events of a stream: fragments of text, and the interaction with its current state."""

    __slots__ = ("_interaction", "_length", "first_token")

    failure: Failure | None = None

    def __init__(self, _stream: Any) -> None:
        self._interaction: Any = None
        self._length = 0
        self.first_token: float | None = None

    def add(self, chunk: Any, at: float, /) -> None:
        event = fields_of(chunk)
        fragment = field(event.get("delta"), "text")
        if isinstance(fragment, str) and fragment:
            self._length += len(fragment)
            if self.first_token is None:
                self.first_token = at
        self._interaction = event.get("interaction") or self._interaction

    def response(self) -> Response:
        return replace(job_response(self._interaction), content_length=self._length)

    def usage(self) -> Usage | None:
        return interaction_usage(self._interaction)

    def release(self) -> None:
        """Do nothing, because this reader has no reference to the stream."""


def interaction_deleted(result: Any) -> Response:
    return replace(job_response(result), **read_fields(fields_of(result), _ENDED))


def agent_target(parameters: Parameters, logging: Any) -> Target:
    """The target without a model: LiteLLM sets the agent's name as the model."""
    return replace(read_target(parameters, logging), model=None)


def agent_request(parameters: Parameters) -> Request:
    return Request(agent_id=identifier(parameters.get("name")))


def agent_response(result: Any) -> Response:
    return replace(job_response(result), **read_fields(fields_of(result), _AGENTS))


INTERACTION = ApiFormat(
    request=interaction_request, response=job_response, usage=interaction_usage, chunks=InteractionChunks
)
DELETED_INTERACTION = ApiFormat(request=job_request, response=interaction_deleted, usage=no_usage, cost=no_cost)
AGENT = ApiFormat(target=agent_target, request=agent_request, response=agent_response, usage=no_usage, cost=no_cost)
