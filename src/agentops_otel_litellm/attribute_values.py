"""Attribute values that an exporter can encode: one value that it cannot encode loses the whole batch.

OTLP has no lone surrogates, which Python's strings may hold, no integers beyond 64 bits, and no structures nested
deeper than protobuf reads. Everything this package gives to the SDK passes through here: span names, attributes of
spans, events, log records and metrics, and status messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.util.types import AttributeValue

MAX_DEPTH = 31
"""Dicts and lists within each other in an attribute. Protobuf reads messages of 100 levels: each dict takes three of
them, and the messages around an event's attribute take seven.
"""
MAX_CONTENT_DEPTH = 24
"""The same of a structure in message content, a tool's arguments for example, which is within four others."""
_INTEGERS = range(-(2**63), 2**63)


def clean_text(text: str) -> str:
    """The text with `?` for each lone surrogate."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def clean_attributes(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """The attributes whose values can be encoded. An integer beyond 64 bits is left out; a nested structure that
    protobuf does not hold is JSON text.
    """
    cleaned: dict[str, AttributeValue] = {}
    for name, value in attributes.items():
        kind = type(value)
        if kind is str:
            known: Any = value if value.isascii() else clean_text(value)
        elif kind is float or kind is bool:
            known = value
        elif kind is int:
            if value not in _INTEGERS:
                continue
            known = value
        else:
            known = _clean_other(value)
        cleaned[name if name.isascii() else clean_text(name)] = known
    return cleaned


def is_encodable(value: Any, levels: int = MAX_DEPTH) -> bool:  # noqa: ANN401 - JSON is anything
    """Whether protobuf holds a value of JSON as it is, nested in at most `levels` dicts and lists."""
    if isinstance(value, dict):
        return levels > 0 and all(
            isinstance(name, str) and is_encodable(each, levels - 1) for name, each in value.items()
        )
    if isinstance(value, list | tuple):
        return levels > 0 and all(is_encodable(each, levels - 1) for each in value)
    return not isinstance(value, int) or value in _INTEGERS


def json_text(value: Any, default: Callable[[Any], Any] = str) -> str | None:  # noqa: ANN401 - (the same)
    """A structure as JSON text; `None` if it is nested deeper than Python writes, or within itself. `default` gives
    what stands for an object that JSON does not have.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=default, skipkeys=True)
    except (ValueError, RecursionError):
        return None


def _clean_other(value: Any) -> Any:  # noqa: ANN401 - (the same)
    """A value that is neither a plain string nor a plain number: a sequence, or a structure in an event."""
    if isinstance(value, str):
        return clean_text(str.__str__(value))
    if isinstance(value, tuple | list | dict):
        return _clean_structure(value) if is_encodable(value) else json_text(_clean_structure(value))
    return value


def _clean_structure(value: Any) -> Any:  # noqa: ANN401 - (the same)
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {
            clean_text(name) if isinstance(name, str) else name: _clean_structure(each) for name, each in value.items()
        }
    if isinstance(value, tuple | list):
        return [_clean_structure(each) for each in value]
    return value
