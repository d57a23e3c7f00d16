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
    fields_of,
    has_value,
    is_collection,
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
    """Read a request. The text is OpenAI's `input` or System One's `state`; if that is JSON, its length is unknown."""
    length, kinds = _measured_input(
        parameters.get("input") if has_value(parameters.get("input")) else parameters.get("state")
    )
    kinds |= {kind for name, kind in _MEDIA if has_value(parameters.get(name))}
    return Request(
        model=model_name(parameters.get("model")),
        content_length=length,
        modalities=tuple(sorted(kinds)) or None,
        images_count=count(parameters.get("images")),
        questions_count=_entries_count(parameters.get("questions")),
    )


def _measured_input(text_or_messages: Any) -> tuple[int | None, set[str]]:
    """The number of characters, `None` if it is unknown, and the modalities."""
    if isinstance(text_or_messages, str):
        return len(text_or_messages), {"text"}
    if not is_collection(text_or_messages):
        return None, set()
    contents: Sequence[Any] = [field(message, "content") for message in text_or_messages]
    if any(content is None for content in contents):
        return None, set()
    length, kinds = measure(contents)
    return length, set(kinds or ())


def _entries_count(value: Any) -> int | None:
    """The number of questions or answers, which are a list in OpenAI's format and an object in System One's."""
    return len(value) if isinstance(value, dict) else count(value)


def decisions_response(result: Any) -> Response:
    return replace(default_response(result), results_count=_entries_count(field(result, "answers")))


def decisions_usage(result: Any) -> Usage | None:
    """Read the usage. System One reports cached tokens beside the other counts; LiteLLM sets 0 for missing counts."""
    usage = read_usage(result)
    if usage is None:
        return None
    counts = {**vars(usage), **read_fields(fields_of(field(result, "usage")), _CACHED)}
    return Usage(**{name: count for name, count in counts.items() if count or name in {"input", "output"}})


DECISIONS = ApiFormat(request=decisions_request, response=decisions_response, usage=decisions_usage)
