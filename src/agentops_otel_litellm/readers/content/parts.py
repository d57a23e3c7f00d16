"""Pieces of messages, as all families of them are made of."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from agentops_otel_litellm.attribute_values import MAX_CONTENT_DEPTH, json_text
from agentops_otel_litellm.call.content import Json, Modality, Part
from agentops_otel_litellm.readers.values import integer, members, text

_LONGEST_SCHEME = 32


def text_parts(value: Any) -> tuple[Part, ...]:
    """A string that says something."""
    known = text(value)
    return () if known is None else (Part(type="text", content=known),)


def reasoning_parts(value: Any) -> tuple[Part, ...]:
    known = text(value)
    return () if known is None else (Part(type="reasoning", content=known),)


def tool_call(call_id: Any, name: Any, arguments: Any) -> Part:
    return Part(type="tool_call", id=text(call_id), name=text(name) or "", arguments=parsed(arguments))


def tool_result(call_id: Any, result: Any) -> Part:
    return Part(type="tool_call_response", id=text(call_id), response=parsed(result, strings=True))


def media(modality: Modality, url: Any, mime_type: str | None = None) -> Part:
    """By reference, or sent with the message, as base64 in a `data:` URL, which is not copied."""
    known = text(url) or ""
    if not known.startswith("data:"):
        if "://" not in known[:_LONGEST_SCHEME]:  # what some take in the place of a URL
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
    """What is sent with the message: base64, or bytes, which nobody has encoded yet."""
    known = text(data)
    return Part(type="blob", modality=modality, mime_type=mime_type, size=len(known) if known else None, content=known)


def stored_file(modality: Modality, file_id: Any, mime_type: str | None = None) -> Part:
    """What the provider keeps."""
    return Part(type="file", modality=modality, mime_type=mime_type, file_id=text(file_id) or "")


def parsed(value: Any, *, strings: bool = False) -> Json:
    """What a string of JSON says; the string, where it is none, where all `strings` are meant as such, and where it is
    nested deeper than an event can hold.
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
    """A copy of what JSON can say of a value: what it cannot is left out. What is nested deeper than an event can hold
    is JSON text.
    """
    try:
        return _copied(value, MAX_CONTENT_DEPTH)
    except _TooDeepError:
        return json_text(value, _as_json)


class _TooDeepError(ValueError):
    """The structure is nested too deep."""


def _copied(value: Any, levels: int) -> Json:
    if isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list | tuple):
        _go_deeper(levels)
        return [_copied(each, levels - 1) for each in value]
    if isinstance(value, dict) or hasattr(type(value), "model_fields"):
        _go_deeper(levels)
        return {str(name): _copied(each, levels - 1) for name, each in members(value).items()}
    return None


def _go_deeper(levels: int) -> None:
    if not levels:
        raise _TooDeepError


def _as_json(value: Any) -> Any:
    """What JSON has for an object: a model's fields, and of others nothing."""
    return dict(members(value)) if hasattr(type(value), "model_fields") else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _number(value: float) -> Json:
    """OTLP's integers have 64 bits, and JSON has no numbers that are not finite: those are text."""
    if isinstance(value, int):
        return value if isinstance(value, bool) or integer(value) is not None else _digits(value)
    return value if isfinite(value) else json.dumps(value)


def _digits(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # more digits than Python writes
        return None
