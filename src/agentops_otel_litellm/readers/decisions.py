"""Decisions: questions about a text, answered with probabilities, in OpenAI's or System One's API format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.requests import measure
from agentops_otel_litellm.readers.responses import default_response
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import (
    count,
    field,
    is_collection,
    is_given,
    members,
    model_name,
    read_fields,
    rows_for,
    tokens,
)

Parameters = Mapping[str, Any]

_MEDIA = (("images", "image"), ("assets", "image"), ("audio", "audio"), ("videos", "video"))
_CACHED = rows_for(
    Usage,
    {
        "cached_tokens": ("cache_read", tokens),
        "cache_write_tokens": ("cache_write", tokens),
    },
)


def decisions_request(parameters: Parameters) -> Request:
    """Read a request. The text is OpenAI's `input` or System One's `state`; any other JSON there has no length."""
    length, kinds = _measured_input(
        parameters.get("input") if is_given(parameters.get("input")) else parameters.get("state")
    )
    kinds |= {kind for name, kind in _MEDIA if is_given(parameters.get(name))}
    return Request(
        model=model_name(parameters.get("model")),
        content_length=length,
        modalities=tuple(sorted(kinds)) or None,
        images_count=count(parameters.get("images")),
        questions_count=_entries(parameters.get("questions")),
    )


def _measured_input(given: Any) -> tuple[int | None, set[str]]:
    if isinstance(given, str):
        return len(given), {"text"}
    if not is_collection(given):
        return None, set()
    contents: Sequence[Any] = [field(message, "content") for message in given]
    if any(content is None for content in contents):
        return None, set()
    length, kinds = measure(contents)
    return length, set(kinds or ())


def _entries(given: Any) -> int | None:
    """The number of entries: of OpenAI's list or System One's object."""
    return len(given) if isinstance(given, dict) else count(given)


def decisions_response(result: Any) -> Response:
    return replace(default_response(result), results_count=_entries(field(result, "answers")))


def decisions_usage(result: Any) -> Usage | None:
    """Read the usage. System One's has no separate details, for which LiteLLM sets 0 if they are missing."""
    usage = read_usage(result)
    if usage is None:
        return None
    counts = {**vars(usage), **read_fields(members(field(result, "usage")), _CACHED)}
    return Usage(**{name: count for name, count in counts.items() if count or name in {"input", "output"}})


DECISIONS = ApiFormat(request=decisions_request, response=decisions_response, usage=decisions_usage)
