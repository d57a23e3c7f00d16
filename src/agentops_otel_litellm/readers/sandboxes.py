"""Sandboxes, which run code that a model wrote. The sizes of code and output are read, not their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Target
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.responses import no_cost, no_usage
from agentops_otel_litellm.readers.target import read_target
from agentops_otel_litellm.readers.values import (
    count,
    field,
    fields_of,
    identifier,
    keyword,
    length,
    read_fields,
    rows_for,
)

Parameters = Mapping[str, Any]

_REQUEST = rows_for(
    Request,
    {
        "code": ("content_length", length),
        "container": ("resource_id", lambda container: identifier(field(container, "id") or container)),
    },
)
_RESPONSE = rows_for(
    Response,
    {
        "id": ("id", identifier),
        "stdout": ("content_length", length),
        "stderr": ("error_length", length),
        "results": ("results_count", count),
    },
)


def sandbox_target(parameters: Parameters, logging: Any) -> Target:
    """The target without a model: LiteLLM sets the name of the operation as the model."""
    target = read_target(parameters, logging)
    return replace(target, provider=target.provider or keyword(parameters.get("provider")), model=None)


def sandbox_request(parameters: Parameters) -> Request:
    return Request(**read_fields(parameters, _REQUEST))


def sandbox_response(result: Any) -> Response:
    """Read a sandbox, or whether it was deleted."""
    return (
        Response(deleted=result) if isinstance(result, bool) else Response(**read_fields(fields_of(result), _RESPONSE))
    )


def code_response(result: Any) -> Response:
    """Read the result of the code, which has an error or none, and no exit code."""
    response = fields_of(result)
    return Response(
        code_failed=response["error"] is not None if "error" in response else None,
        **read_fields(response, _RESPONSE),
    )


SANDBOX = ApiFormat(
    target=sandbox_target, request=sandbox_request, response=sandbox_response, usage=no_usage, cost=no_cost
)
CODE = replace(SANDBOX, response=code_response)
