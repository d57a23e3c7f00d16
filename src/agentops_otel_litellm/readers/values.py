"""Values as LiteLLM and its users write them → values that are what they seem."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import fields
from io import BufferedRandom, BufferedReader, BytesIO, FileIO
from math import isfinite
from stat import S_ISREG
from typing import Any, TypeGuard

from agentops_otel_litellm.guard import log_fault

# Name in LiteLLM → field of a record, and how the value is taken. What is not here is not read.
Rows = Mapping[str, tuple[str, Callable[[Any], Any]]]

_LONGEST_NAME = 256
_IDENTIFIER = re.compile(r"[\w.:;,=+-]{1,256}", re.ASCII)
_KEYWORD = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_MOST_TOKENS = 10**12
"""Of one call: what is more is no count, but a mistake of whoever counted."""
_COLLECTIONS: tuple[type, ...] = (
    list,
    tuple,
    deque,
    set,
    frozenset,
    type({}.values()),
    type({}.keys()),
    type({}.items()),
)
NOTHING: Mapping[str, Any] = {}


def is_collection(value: Any) -> TypeGuard[Collection[Any]]:
    """Whether a value can be iterated without changing what the application or LiteLLM finds in it afterwards.

    An iterator can be iterated once, and that is LiteLLM's to do. A class of somebody else's may do anything when it
    is iterated or asked for its length or truth, such as query a database.
    """
    return isinstance(value, _COLLECTIONS)


def is_iterator(value: Any) -> bool:
    """Whether a value can be iterated only once."""
    return hasattr(type(value), "__next__")


def is_given(value: Any) -> bool:
    """Whether an optional parameter has a value: an empty string or collection is none."""
    return bool(value) if isinstance(value, (str, dict, *_COLLECTIONS)) else value is not None


def elements(value: Any) -> Collection[Any]:
    """The elements of a collection; none if the value is not one, for example a generator."""
    return value if is_collection(value) else ()


def members(thing: Any) -> Mapping[str, Any]:
    """What a dict or a model holds, by name. LiteLLM's models keep most of it as pydantic extras, where going
    through attributes costs a microsecond each, and three for one that is not there.
    """
    if isinstance(thing, dict):
        return thing
    extra: dict[str, Any] | None = getattr(thing, "__pydantic_extra__", None)
    own: Mapping[str, Any] = getattr(thing, "__dict__", NOTHING)
    if not extra:
        return own
    return {**own, **extra} if own else extra


def rows_for(kind: type, rows: Rows) -> Rows:
    """`rows`, when each of their fields is one of the record's; else a ValueError: a reader's typo would be silence."""
    unknown = {row[0] for row in rows.values()} - {each.name for each in fields(kind)}
    if unknown:
        raise ValueError(f"{kind.__name__} does not have {', '.join(sorted(unknown))}")
    return rows


def taken(given: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """Field → value, of what is given and has a row. Where two names give one field, nothing and 0 yield."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in rows and value is not None:
            field, take = rows[name]
            try:
                known = take(value)
            except Exception as fault:  # noqa: BLE001 - the value of one field, whatever it is
                log_fault(f"reading {name!r}", fault)
                continue
            if known or (known is not None and field not in values):
                values[field] = known
    return values


def field(thing: Any, name: str) -> Any:
    return members(thing).get(name)


def model_name(value: Any) -> str | None:
    """A model's name, cut to a bearable length. Where it is a URL, what may carry a key is left out."""
    name = text(value)
    if name is None or ("://" not in name and len(name) <= _LONGEST_NAME):
        return name
    prefix, separator, url = name.partition("://")
    if separator:
        url = url.partition("?")[0].partition("#")[0]
        host, slash, path = url.partition("/")
        url = host.rpartition("@")[2] + slash + path
    return (prefix + separator + url)[:_LONGEST_NAME]


def identifier(value: Any) -> str | None:
    """A provider's id. What has slashes is a path or a URL, as some give for ids: they name files and carry keys."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def keyword(value: Any) -> str | None:
    """A word of a provider's, or of an enum of LiteLLM's: `in_progress`, `fine-tune`."""
    known = text(value)
    return known if known is not None and _KEYWORD.fullmatch(known) else None


def integer(value: Any) -> int | None:
    """An integer that OTLP can carry: it has 64 bits."""
    return value if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63 else None


def tokens(value: Any) -> int | None:
    """A number of tokens. A negative one or one beyond all plausibility counts nothing."""
    known = integer(value)
    return known if known is not None and 0 <= known <= _MOST_TOKENS else None


def index(value: Any) -> int:
    """The index of a choice, a tool call or a block; that of the first if the provider does not send an index."""
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
    """How many there are in a collection."""
    return len(value) if is_collection(value) else None


def text(value: Any) -> str | None:
    """A string that says something, without what a subclass (an enum, say) makes of it."""
    if type(value) is str:
        return value or None
    return str.__str__(value) if isinstance(value, str) and value else None


def texts(value: Any) -> tuple[str, ...] | None:
    """One string or several."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in elements(value) if isinstance(item, str)) or None


def quantity(value: Any) -> float | None:
    """A number, or a string that is one: OpenAI's videos last `"4"` seconds."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number(value)


def length(value: Any) -> int | None:
    """Characters of a text, where it is one."""
    return len(value) if isinstance(value, str) else None


def characters(value: Any) -> int:
    """Characters of a text; 0 of what is none, to be added up."""
    return len(value) if isinstance(value, str) else 0


def file_size(given: Any) -> int | None:
    """Bytes of what is uploaded: as they are, in a buffer, in an open file, or any of these after a name.

    It is known of what is open without going to the disk. A path would have to be looked up there, on the app's thread,
    and a file that spools to the disk goes there when it is asked for its descriptor: these have none.
    """
    content = given[1] if isinstance(given, tuple) and len(given) > 1 else given
    if isinstance(content, bytes | bytearray):
        return len(content)
    if isinstance(content, BytesIO):
        return content.getbuffer().nbytes
    if isinstance(content, BufferedReader | BufferedRandom | FileIO):
        with suppress(OSError, ValueError):  # closed, or not a file of the system's
            told = os.fstat(content.fileno())
            return told.st_size if S_ISREG(told.st_mode) else None
    return None
