"""Videos: creation, status and download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.content.media import VIDEO_CONTENT
from agentops_otel_litellm.readers.requests import default_request
from agentops_otel_litellm.readers.responses import default_response, no_usage, read_unit_cost
from agentops_otel_litellm.readers.values import (
    count,
    fields_of,
    file_size,
    identifier,
    integer,
    keyword,
    length,
    quantity,
    read_fields,
    rows_for,
)

Parameters = Mapping[str, Any]

_REQUEST = rows_for(
    Request,
    {
        "prompt": ("content_length", length),
        "seconds": ("media_duration", quantity),
        "size": ("resolution", keyword),
        "video_id": ("resource_id", identifier),
        "character_id": ("resource_id", identifier),
        "video": ("file_size", file_size),
        "limit": ("page_size", integer),
    },
)
_RESPONSE = rows_for(
    Response,
    {
        "data": ("results_count", count),
        "seconds": ("media_duration", quantity),
        "size": ("resolution", keyword),
        "status": ("job_status", keyword),
        "progress": ("progress", integer),
    },
)


def video_request(parameters: Parameters) -> Request:
    return replace(default_request(parameters), **read_fields(parameters, _REQUEST))


def video_response(result: Any) -> Response:
    """Read the state of a video, a list of videos, or the bytes of a video."""
    if isinstance(result, bytes):
        return Response(size=len(result))
    return replace(default_response(result), **read_fields(fields_of(result), _RESPONSE))


VIDEO = ApiFormat(
    request=video_request, response=video_response, usage=no_usage, cost=read_unit_cost, content=VIDEO_CONTENT
)
