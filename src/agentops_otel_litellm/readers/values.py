"""Values as LiteLLM and its users write them → values that are what they seem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NOTHING: dict[str, Any] = {}


def members(thing: Any) -> Mapping[str, Any]:
    """What a dict or a model holds, by name. LiteLLM's models keep most of it as pydantic extras, where going
    through attributes costs a microsecond each, and three for one that is not there.
    """
    if isinstance(thing, dict):
        return thing
    extra: dict[str, Any] | None = getattr(thing, "__pydantic_extra__", None)
    own: dict[str, Any] = getattr(thing, "__dict__", _NOTHING)
    if not extra:
        return own
    return {**own, **extra} if own else extra


def field(thing: Any, name: str) -> Any:
    return members(thing).get(name)


def integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(value: Any) -> str | None:
    """A string that says something, without what a subclass (an enum, say) makes of it."""
    if type(value) is str:
        return value or None
    return str.__str__(value) if isinstance(value, str) and value else None


def texts(value: Any) -> tuple[str, ...] | None:
    """One string or several."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) or None if isinstance(value, Sequence) else None
