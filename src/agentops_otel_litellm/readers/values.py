"""Reads values from objects of LiteLLM and the application. A value that is not of the expected type becomes `None`.

The second half of the file reads the lists and structures of message content, up to the limits for content.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from functools import lru_cache
from math import isfinite
from typing import Any, TypeGuard, TypeVar

from agentops_otel_litellm.guard import log_fault
from agentops_otel_litellm.records import (
    INSTRUCTING,
    ITEM_LENGTH,
    MARKS,
    MAX_CONTENT_DEPTH,
    Document,
    Json,
    Limits,
    Message,
    Part,
    Tool,
    json_text,
    mark_for_rest,
)
from agentops_otel_litellm.redaction import redactor

Item = TypeVar("Item", bound=Message | Part | Tool | Document)
Value = TypeVar("Value")

# Name of a value in LiteLLM's object → field of a record, and the value's reader. Names without a row are not read.
Rows = Mapping[str, tuple[str, Callable[[Any], Any]]]
_MAX_NAME_LENGTH = 256
_MAX_URL_LENGTH = 2_048
_QUERY = re.compile(r"[?#;]")
_USER_INFO = re.compile(r"(?:(?<=/)|^)[^/@\s]{0,256}:[^/@\s]{0,256}@(?!sha256:)")
"""A user and a password before a host, as in `user:password@host/model`."""
mask_secrets = redactor(("key", "token"))
_IDENTIFIER = re.compile(r"[\w.:;,=+-]{1,256}", re.ASCII)
_KEYWORD = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_MAX_TOKENS = 10**12
"""Maximum plausible number of tokens of one call."""
COLLECTIONS: tuple[type[Collection[Any]], ...] = (
    list,
    tuple,
    deque,
    set,
    frozenset,
    type({}.values()),
    type({}.keys()),
    type({}.items()),
)
"""The types whose values `is_collection` accepts."""
NO_FIELDS: Mapping[str, Any] = {}
Parameters = Mapping[str, Any]
"""The parameters of a LiteLLM function, by name."""


def is_collection(value: Any) -> TypeGuard[Collection[Any]]:
    """Whether a value is a built-in collection, which can be iterated without an effect on the application or LiteLLM.

    Other objects are not iterated: an iterator can be iterated only once, and LiteLLM must be the one to do so; an
    object of an application's class may run any code when it is iterated, or when its length or truth value is read.
    """
    return isinstance(value, COLLECTIONS)


def is_iterator(value: Any) -> bool:
    """Whether a value can be iterated only once."""
    return hasattr(type(value), "__next__")


def has_value(value: Any) -> bool:
    """Whether an optional parameter has a value. `None`, an empty string and an empty collection are no values."""
    return bool(value) if isinstance(value, (str, dict, *COLLECTIONS)) else value is not None


def elements(value: Any) -> Collection[Any]:
    """The elements of a collection; an empty tuple for any other value, such as a generator."""
    return value if isinstance(value, COLLECTIONS) else ()


def each_of(value: Any) -> Collection[Any]:
    """The elements of a collection, or a single value as the only element. Empty for `None` and for an iterator."""
    if is_collection(value):
        return elements(value)
    return () if value is None or is_iterator(value) else (value,)


def fields_of(thing: Any) -> Mapping[str, Any]:
    """The fields of an object, by name: the items of a dict, or the attributes of a pydantic model.

    The result may be the object's own dict, so it must not be changed. It is empty for an object without fields.
    """
    # Most fields of LiteLLM's models are pydantic extras. Reading one as an attribute takes 1 µs, or 3 µs if it is
    # missing, so the dicts in which pydantic stores the fields are used.
    if isinstance(thing, dict):
        return thing
    extra: dict[str, Any] | None = getattr(thing, "__pydantic_extra__", None)
    own: Mapping[str, Any] = getattr(thing, "__dict__", NO_FIELDS)
    if not extra:
        return own
    return {**own, **extra} if own else extra


def rows_for(kind: type, rows: Rows) -> Rows:
    """Return `rows` unchanged, after checking that the record class `kind` has all fields that they name.

    Raises: `ValueError` for a misspelt field, when this package is imported.
    """
    unknown = {row[0] for row in rows.values()} - {each.name for each in fields(kind)}
    if unknown:
        raise ValueError(f"{kind.__name__} does not have {', '.join(sorted(unknown))}")
    return rows


def read_fields(source: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """Read the values of `source` whose names have a row in `rows`. Returns the fields of the record, by name.

    If the rows of two names have the same field, a value that is 0 or empty does not replace the other value.
    """
    values: dict[str, Any] = {}
    for name, value in source.items():
        if name in rows and value is not None:
            field, read = rows[name]
            try:
                # Does the same as `tokens` without a function call, because most values are counts of tokens.
                is_count = read is tokens and type(value) is int and 0 <= value <= _MAX_TOKENS
                parsed = value if is_count else read(value)
            except Exception as fault:  # noqa: BLE001 - must not reach the application
                log_fault(f"reading {name!r}", fault)
                continue
            if parsed or (parsed is not None and field not in values):
                values[field] = parsed
    return values


def field(thing: Any, name: str) -> Any:
    """The value of one field of an object (see `fields_of`); `None` if the object does not have the field."""
    if isinstance(thing, dict):
        return thing.get(name)
    extra: dict[str, Any] | None = getattr(thing, "__pydantic_extra__", None)
    if extra and name in extra:
        return extra[name]
    return getattr(thing, "__dict__", NO_FIELDS).get(name)


def model_name(value: Any) -> str | None:
    """A model's name, cut to the maximum length, without keys and passwords. Of a URL, the query is removed as well."""
    name = value if type(value) is str else text(value)
    return _without_secrets(name[:_MAX_URL_LENGTH]) if name else None


@lru_cache(maxsize=1_024)
def _without_secrets(name: str) -> str | None:
    prefix, separator, url = name.partition("://")
    if separator:
        url = _QUERY.split(url, maxsplit=1)[0]
        host, slash, path = url.partition("/")
        name = prefix + separator + host.rpartition("@")[2] + slash + path
    name = _USER_INFO.sub("", name.partition("?")[0])
    return mask_secrets(name)[:_MAX_NAME_LENGTH] or None


def identifier(value: Any) -> str | None:
    """An id. `None` for a value with slashes, such as a path or a URL, which may contain file names or keys."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def keyword(value: Any) -> str | None:
    """A keyword of a provider or of an enum, such as `in_progress`; `None` for a value with other characters."""
    known = value if type(value) is str else text(value)
    return known if known is not None and _KEYWORD.fullmatch(known) else None


def integer(value: Any) -> int | None:
    """An integer of at most 64 bits, which OTLP can carry."""
    return value if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63 else None


def tokens(value: Any) -> int | None:
    """A number of tokens; `None` if it is negative or implausibly large."""
    known = value if type(value) is int else integer(value)
    return known if known is not None and 0 <= known <= _MAX_TOKENS else None


def index(value: Any) -> int:
    """The index of a choice, a tool call or a block; 0 if the provider does not send an index."""
    known = integer(value)
    return 0 if known is None else known


def number(value: Any) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    with suppress(OverflowError):  # an integer may be larger than any float
        known = float(value)
        return known if isfinite(known) else None
    return None


def boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def count(value: Any) -> int | None:
    """The number of elements of a collection."""
    return len(value) if isinstance(value, COLLECTIONS) else None


def text(value: Any) -> str | None:
    """A string that is not empty, as a plain `str` if it is of a subclass such as an enum."""
    if type(value) is str:
        return value or None
    return str.__str__(value) if isinstance(value, str) and value else None


def texts(value: Any) -> tuple[str, ...] | None:
    """The strings in a collection, or a single string."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in elements(value) if isinstance(item, str)) or None


def quantity(value: Any) -> float | None:
    """A number, which may be written as a string, such as the duration of OpenAI's videos: `"4"`."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number(value)


def length(value: Any) -> int | None:
    """The number of characters of a text."""
    return len(value) if isinstance(value, str) else None


def characters(value: Any) -> int:
    """The number of characters of a text, 0 for any other value, so that it can be summed."""
    return len(value) if isinstance(value, str) else 0


# --- the lists and structures of message content, up to the limits --------------------------------------------

# Reading 100,000 messages takes a second of the application's thread, although most of them cannot be recorded. So a
# reader of content runs in `read_within`, and reads lists with `read_items` and structures with `plain` or `parsed`.
# All of these stop when the limits are exhausted. Counts, such as the number of messages, are read from the whole
# request.

_UNLIMITED = sys.maxsize


class _Reading(threading.local):
    """What this thread may still read. By default, everything."""

    call_limit = _UNLIMITED
    part_limit = _UNLIMITED
    remaining = _UNLIMITED
    """Characters of JSON that may still be read into the current field of `Content`. Only the punctuation is counted,
    and a character for each value of a structure: a long text is not copied, so it takes no time.
    """
    is_within_items = False
    """Whether `read_items` is running, so that a further call of it reads a list within its items."""


_READING = _Reading()
_UNREAD: Mapping[type, Any] = {kind: mark_for_rest(kind, 1) for kind in (Message, Part, Tool, Document)}
"""Type of an item → the item that stands for one that was not read."""


def read_within(limits: Limits, read: Callable[..., Value], *arguments: object) -> Value:
    """Call a reader of content. It stops reading when the limits are exhausted.

    It reads somewhat more than `processors/content.py` records, and in the same order. That module omits every item for
    which this one has a mark, and states their number.
    """
    before = _READING.call_limit, _READING.part_limit, _READING.remaining, _READING.is_within_items
    _READING.call_limit, _READING.part_limit = limits.call + MARKS * ITEM_LENGTH, limits.part
    _READING.remaining, _READING.is_within_items = _UNLIMITED, False
    try:
        return read(*arguments)
    finally:
        _READING.call_limit, _READING.part_limit, _READING.remaining, _READING.is_within_items = before


def read_items(kind: type[Item], read: Callable[[Any], Item], values: Collection[Any]) -> tuple[Item, ...]:
    """Read the elements of a list. When the limits are exhausted, the others are not read: marks stand for them."""
    if not values:
        return ()
    if _READING.is_within_items:
        known = _read_first(read, values)
    else:
        _READING.is_within_items, _READING.remaining = True, _READING.call_limit
        try:
            known = _read_first(read, values)
        finally:
            _READING.is_within_items, _READING.remaining = False, _UNLIMITED
    return (*known, *(_UNREAD[kind],) * (len(values) - len(known)))


def _read_first(read: Callable[[Any], Item], values: Iterable[Any]) -> list[Item]:
    known: list[Item] = []
    for each in values:
        if _READING.remaining <= 0:
            break
        _READING.remaining -= ITEM_LENGTH
        known.append(read(each))
    return known


def read_messages(read: Callable[[Any], Message], values: Collection[Any]) -> tuple[Message, ...]:
    """Read the messages of a request, and return them in their order. If the limits do not suffice for all, those that
    are kept are an instruction at the beginning and the last messages.
    """
    items = list(values)
    opening = int(bool(items) and text(field(items[0], "role")) in INSTRUCTING)
    items[opening:] = items[opening:][::-1]
    known = read_items(Message, read, items)
    return (*known[:opening], *known[opening:][::-1])


def only_tool_results(parts: tuple[Part, ...]) -> bool:
    """Whether all parts that were read are results of tools."""
    kinds = {part.type for part in parts if part is not _UNREAD[Part]}
    return kinds == {"tool_call_response"}


# --- JSON values ----------------------------------------------------------------------------------------------


def parsed(value: Any, *, strings: bool = False) -> Json:
    """Parse JSON text. A value that is not a text is copied (see `plain`).

    The text itself is returned if `strings` is true, if it is not JSON, or if its value has more levels than the
    attributes of an event may have.
    """
    if not isinstance(value, str):
        return plain(value)
    if strings or len(value) > _READING.part_limit * _MAX_ESCAPE_LENGTH:
        return str.__str__(value)
    try:
        return _copy(json.loads(value, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        return str.__str__(value)


_MAX_ESCAPE_LENGTH = 6
"""Maximum number of characters of JSON text for one character of a string, as in `\\u0041`."""
_VALUE_LENGTH = 2
"""Minimum number of characters of a list's element or an object's member in JSON text."""


def plain(value: Any) -> Json:
    """Copy a value, so that it consists of JSON values only; an object that JSON cannot represent becomes `None`.

    A value that exceeds the limit for one structure, or that has more levels than the attributes of an event may have,
    is returned as JSON text.
    """
    try:
        return _copy(value)
    except _NotCopiedError:
        return json_text(value, _as_json)


class _NotCopiedError(ValueError):
    """The structure is nested too deep, or too large."""


def _copy(value: Any) -> Json:
    """Copy a value within the limits. Raises: `_NotCopiedError`."""
    before = _READING.remaining
    allowed = _READING.remaining = min(before, _READING.part_limit)
    try:
        return _copied(value, MAX_CONTENT_DEPTH)
    finally:
        _READING.remaining += before - allowed


def _copied(value: Any, levels: int) -> Json:
    """Copy a value. Raises: `_NotCopiedError` if it has more than `levels` levels of nesting, or is too large."""
    if isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, str):
        return str.__str__(value)
    if is_collection(value):
        _check_size(value, levels)
        return [_copied(each, levels - 1) for each in value]
    if isinstance(value, dict) or hasattr(type(value), "model_fields"):
        members = fields_of(value)
        _check_size(members, levels)
        return {str(name): _copied(each, levels - 1) for name, each in members.items()}
    return None


def _check_size(value: Collection[Any], levels: int) -> None:
    if not levels:
        raise _NotCopiedError
    _READING.remaining -= len(value) * _VALUE_LENGTH
    if _READING.remaining < 0:
        _READING.remaining = 0
        raise _NotCopiedError


def _as_json(value: Any) -> Any:
    """Convert an object that the `json` module cannot: a pydantic model to a dict, any other object to `None`."""
    return dict(fields_of(value)) if hasattr(type(value), "model_fields") else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _number(value: float) -> Json:
    """The number itself; as text if it is not finite, or an integer of more than 64 bits, which OTLP cannot carry."""
    if isinstance(value, int):
        return value if isinstance(value, bool) or integer(value) is not None else _digits(value)
    return value if isfinite(value) else json.dumps(value)


def _digits(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # more digits than Python converts (`sys.get_int_max_str_digits`)
        return None
