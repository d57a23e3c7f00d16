"""Speech and transcription."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Cost, Request, Response
from agentops_otel_litellm.providers import provider_named
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.content.media import SPEECH_CONTENT, TRANSCRIPTION_CONTENT
from agentops_otel_litellm.readers.requests import default_request
from agentops_otel_litellm.readers.responses import default_response, no_usage, read_cost, read_unit_cost
from agentops_otel_litellm.readers.usage import read_media_usage
from agentops_otel_litellm.readers.values import (
    count,
    field,
    fields_of,
    file_size,
    keyword,
    length,
    number,
    read_fields,
    rows_for,
    text,
)

Parameters = Mapping[str, Any]

_SPEECH = rows_for(
    Request,
    {
        "input": ("content_length", length),
        "voice": ("voice", keyword),
        "response_format": ("response_format", keyword),
        "speed": ("speed", number),
    },
)
_TRANSCRIPTION = rows_for(
    Request,
    {
        "file": ("file_size", file_size),
        "prompt": ("content_length", length),
        "language": ("language", keyword),
        "response_format": ("response_format", keyword),
        "temperature": ("temperature", number),
    },
)
_TRANSCRIPT = rows_for(
    Response,
    {
        "text": ("content_length", length),
        "duration": ("media_duration", number),
        "words": ("words_count", count),
        "segments": ("segments_count", count),
    },
)


def speech_request(parameters: Parameters) -> Request:
    return replace(default_request(parameters), output_type="speech", **read_fields(parameters, _SPEECH))


def speech_response(result: Any) -> Response:
    """Read the size of the audio, if the HTTP client has received all of it."""
    content = field(field(result, "response"), "_content")
    return replace(default_response(result), size=len(content) if isinstance(content, bytes) else None)


def speech_cost(result: Any) -> Cost | None:
    """Read LiteLLM's price, and whether it is a price per character. Other prices are per token, of estimated
    tokens.
    """
    cost, hidden = read_cost(result), getattr(result, "_hidden_params", None)
    name, prices = text(field(hidden, "litellm_model_name")), getattr(sys.modules.get("litellm"), "model_cost", {})
    if cost is None or name is None:
        return cost
    price = prices.get(name) or prices.get(name.partition("/")[2])
    return replace(cost, per_unit=field(price, "input_cost_per_character") is not None)


def transcription_request(parameters: Parameters) -> Request:
    return replace(default_request(parameters), **read_fields(parameters, _TRANSCRIPTION))


def transcription_response(result: Any) -> Response:
    """Read a transcript. The language is read only if LiteLLM returns the provider's transcript unchanged. For other
    providers LiteLLM sets it to English, whatever was spoken.
    """
    transcript, hidden = fields_of(result), getattr(result, "_hidden_params", None)
    provider = provider_named(keyword(field(hidden, "custom_llm_provider")) or "")
    return replace(
        default_response(result),
        language=keyword(transcript.get("language")) if provider.returns_transcripts_unchanged else None,
        **read_fields(transcript, _TRANSCRIPT),
    )


SPEECH = ApiFormat(
    request=speech_request, response=speech_response, usage=no_usage, cost=speech_cost, content=SPEECH_CONTENT
)
TRANSCRIPTION = ApiFormat(
    request=transcription_request,
    response=transcription_response,
    usage=read_media_usage,
    cost=read_unit_cost,
    content=TRANSCRIPTION_CONTENT,
)
