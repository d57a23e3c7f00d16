"""Parts of messages, for the content readers of all APIs."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from agentops_otel_litellm.attribute_values import MAX_CONTENT_DEPTH, json_text
from agentops_otel_litellm.content_records import Json, Modality, Part
from agentops_otel_litellm.readers.values import fields_of, integer, is_collection, text

_MAX_SCHEME_LENGTH = 32


def text_parts(value: Any) -> tuple[Part, ...]:
    """A text part of a string that is not empty; otherwise none."""
    known = text(value)
    return () if known is None else (Part(type="text", content=known),)


def reasoning_parts(value: Any) -> tuple[Part, ...]:
    known = text(value)
    return () if known is None else (Part(type="reasoning", content=known),)


def tool_call(call_id: Any, name: Any, arguments: Any) -> Part:
    return Part(type="tool_call", id=text(call_id), name=text(name) or "", arguments=parsed(arguments))


def tool_result(call_id: Any, result: Any) -> Part:
    """The result of a tool; an empty text if it cannot be read, because the conventions require a response."""
    known = parsed(result, strings=True)
    return Part(type="tool_call_response", id=text(call_id), response="" if known is None else known)


def media(modality: Modality, url: Any, mime_type: str | None = None) -> Part:
    """A medium by its URL, or the base64 data of a `data:` URL, which is not copied."""
    known = text(url) or ""
    if not known.startswith("data:"):
        if "://" not in known[:_MAX_SCHEME_LENGTH]:  # some providers accept base64 instead of a URL
            return blob(modality, known, mime_type)
        return Part(type="uri", modality=modality, mime_type=mime_type, uri=known)
    begin = known.find(",") + 1
    kind, *encoding = known[len("data:") : max(begin - 1, 0)].split(";")
    return Part(
        type="blob",
        modality=modality,
        mime_type=kind or mime_type,
        size=len(known) - begin,
        content=known if "base64" in encoding else None,
    )


def blob(modality: Modality, data: Any, mime_type: str | None = None) -> Part:
    """A medium whose data is in the message. The size is known of base64, not of bytes."""
    known = text(data)
    return Part(type="blob", modality=modality, mime_type=mime_type, size=len(known) if known else None, content=known)


def stored_file(modality: Modality, file_id: Any, mime_type: str | None = None) -> Part:
    """A file that the provider has stored, by its id."""
    return Part(type="file", modality=modality, mime_type=mime_type, file_id=text(file_id) or "")


def parsed(value: Any, *, strings: bool = False) -> Json:
    """The value of a JSON text. The text itself is returned if it is not JSON, if it is nested too deep for an event,
    or if `strings` are not to be parsed.
    """
    if not isinstance(value, str):
        return plain(value)
    if strings:
        return str.__str__(value)
    try:
        return _copied(json.loads(value, parse_constant=_no_constant), MAX_CONTENT_DEPTH)
    except (ValueError, RecursionError):
        return str.__str__(value)


def plain(value: Any) -> Json:
    """A copy of the value as JSON, without what JSON cannot represent. A value that is nested too deep for an event is
    returned as JSON text.
    """
    try:
        return _copied(value, MAX_CONTENT_DEPTH)
    except _TooDeepError:
        return json_text(value, _as_json)


class _TooDeepError(ValueError):
    """The structure is nested too deep."""


def _copied(value: Any, levels: int) -> Json:
    """Copy a value, with at most `levels` levels of nesting. Raises `_TooDeepError`."""
    if isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, str):
        return str.__str__(value)
    if is_collection(value):
        _go_deeper(levels)
        return [_copied(each, levels - 1) for each in value]
    if isinstance(value, dict) or hasattr(type(value), "model_fields"):
        _go_deeper(levels)
        return {str(name): _copied(each, levels - 1) for name, each in fields_of(value).items()}
    return None


def _go_deeper(levels: int) -> None:
    if not levels:
        raise _TooDeepError


def _as_json(value: Any) -> Any:
    """An object as JSON: the fields of a model, `None` for any other object."""
    return dict(fields_of(value)) if hasattr(type(value), "model_fields") else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _number(value: float) -> Json:
    """A number, or its text if it is not finite or has more than the 64 bits of OTLP's integers."""
    if isinstance(value, int):
        return value if isinstance(value, bool) or integer(value) is not None else _digits(value)
    return value if isfinite(value) else json.dumps(value)


def _digits(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # more digits than Python writes
        return None
