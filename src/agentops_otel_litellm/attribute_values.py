"""Makes attribute values encodable. A single value that an exporter cannot encode would lose the whole batch of spans.

OTLP cannot encode lone surrogates, which Python's strings may contain, integers of more than 64 bits, and structures
that are nested deeper than protobuf's limit. All values that this package passes to the SDK are cleaned here: span
names, status messages, and the attributes of spans, events, log records and metrics.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.util.types import AttributeValue

MAX_DEPTH = 31
"""Maximum nesting of dicts and lists in an attribute. Protobuf reads messages of up to 100 levels: each dict takes
three levels, and the messages around an event's attribute take seven.
"""
MAX_CONTENT_DEPTH = 24
"""Maximum nesting of a structure in message content, such as a tool's arguments, which is itself nested in four others.
"""
_INTEGERS = range(-(2**63), 2**63)
_TEXT = frozenset({str})


def clean_text(text: str) -> str:
    """Replace each lone surrogate of a text with `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def clean_attributes(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """The attributes whose values can be encoded. An integer of more than 64 bits is left out; a nested structure that
    protobuf cannot encode becomes JSON text.
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
        elif kind is tuple and _TEXT.issuperset(map(type, value)) and "".join(value).isascii():
            known = list(value)
        else:
            known = _clean_other(value)
        cleaned[name if name.isascii() else clean_text(name)] = known
    return cleaned


def is_encodable(value: Any, levels: int = MAX_DEPTH) -> bool:  # noqa: ANN401 - JSON is anything
    """Whether protobuf can encode a JSON value unchanged: its dicts and lists are nested at most `levels` deep."""
    if isinstance(value, dict):
        return levels > 0 and all(
            isinstance(name, str) and is_encodable(each, levels - 1) for name, each in value.items()
        )
    if isinstance(value, list | tuple):
        return levels > 0 and all(is_encodable(each, levels - 1) for each in value)
    return not isinstance(value, int) or value in _INTEGERS


def json_text(value: Any, default: Callable[[Any], Any] = str) -> str | None:  # noqa: ANN401 - any JSON value
    """A structure as JSON text; `None` if Python cannot write it, because it is nested too deeply or contains itself.
    `default` converts an object that JSON cannot represent.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=default, skipkeys=True)
    except (ValueError, RecursionError):
        return None


def _clean_other(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value that is neither a plain string nor a plain number: a sequence, or a structure in an event."""
    if isinstance(value, str):
        return clean_text(str.__str__(value))
    if isinstance(value, tuple | list | dict):
        return _clean_structure(value) if is_encodable(value) else json_text(_clean_structure(value))
    return value


def _clean_structure(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Copy a structure, and replace lone surrogates in all of its texts."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {
            clean_text(name) if isinstance(name, str) else name: _clean_structure(each) for name, each in value.items()
        }
    if isinstance(value, tuple | list):
        return [_clean_structure(each) for each in value]
    return value
