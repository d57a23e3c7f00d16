"""Generation, editing and variation of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.content.media import IMAGE_CONTENT
from agentops_otel_litellm.readers.requests import default_request
from agentops_otel_litellm.readers.responses import default_response, read_unit_cost
from agentops_otel_litellm.readers.usage import read_media_usage
from agentops_otel_litellm.readers.values import count, field, integer, keyword, length, read_fields, rows_for

Parameters = Mapping[str, Any]

_REQUEST = rows_for(
    Request,
    {
        "prompt": ("content_length", length),
        "n": ("choice_count", integer),
        "size": ("resolution", keyword),
        "quality": ("quality", keyword),
        "style": ("style", keyword),
        "output_format": ("output_format", keyword),
        "response_format": ("response_format", keyword),
    },
)


def image_request(parameters: Parameters) -> Request:
    return replace(
        default_request(parameters),
        images_count=_images_count(parameters.get("image")),
        output_type="image",
        **read_fields(parameters, _REQUEST),
    )


def _images_count(image: Any) -> int | None:
    """The number of images to edit. Only a list contains several: a tuple is one file with its name and type."""
    return len(image) if isinstance(image, list) else None if image is None else 1


def image_response(result: Any) -> Response:
    """Read the number of images. Their size and quality are left out, because LiteLLM may have guessed them."""
    return replace(default_response(result), images_count=count(field(result, "data")))


IMAGE = ApiFormat(
    request=image_request,
    response=image_response,
    usage=read_media_usage,
    cost=read_unit_cost,
    content=IMAGE_CONTENT,
)
