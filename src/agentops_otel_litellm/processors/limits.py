"""Limits for the length of content, and the marks that replace what exceeds them.

Media are recorded by type and size only, unless the user enables them. JSON structures of any size are cut to their
beginning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import TypeVar, cast

from agentops_otel_litellm.content_records import Document, Json, Message, Part, Tool

Entry = TypeVar("Entry")
Item = TypeVar("Item", Message, Part, Tool, Document, str)

MAX_SECRET_LENGTH = 8_192
"""Number of characters after the limit of a text that the redactors receive although they are not recorded: a secret of
at most this length that begins before the limit is recognised.
"""
MARKS = 256
"""Maximum number of messages, parts and so on that are each replaced by a mark of their own. One mark replaces all the
others, so that the size of a span is bounded.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Maximum numbers of characters that are recorded."""

    part: int
    """Maximum of one text or structure."""
    call: int
    """Maximum of all content of the call."""
    media: int = 0
    """Maximum of the base64 of an image or other media, which does not count towards the other two."""


def omission_mark(size: int, noun: str = "characters") -> str:
    """The mark that replaces omitted content: `… [12 characters left out]`."""
    return f"… [{size} {noun} left out]"


_OMITTED = "omitted"
"""Role, or type of tool, of a mark. The conventions do not define it, so it cannot be confused with a real one."""
_TOGETHER: Mapping[type, tuple[str, Callable[[str], object]]] = {
    Message: ("messages", lambda mark: Message(role=_OMITTED, parts=(Part(type="text", content=mark),))),
    Part: ("parts", lambda mark: Part(type="text", content=mark)),
    Tool: ("tools", lambda mark: Tool(type=_OMITTED, name=mark)),
    Document: ("documents", lambda mark: Document(content=mark)),
    str: ("texts", str),
}
"""Type → plural noun, and the function that creates a mark of this type."""


def mark_for_rest(first: Item, number: int) -> Item:
    """A single mark that replaces `number` items, of which `first` is the first. The mark has the type of the items."""
    noun, create_mark = _TOGETHER[type(first)]
    return cast("Item", create_mark(omission_mark(number, noun)))


# --- media as base64 -------------------------------------------------------------------------

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_DATA_URL = re.compile(r"(data:[\w.+/;=-]{0,128};base64,)([A-Za-z0-9+/=_-]+)")
_ONLY_DATA_URL = re.compile(r"(data:(?:\w[\w.-]{0,64}/[\w.+-]{1,64})?(?:;[\w.+=-]{0,64}){0,8},)\S+")
_ONLY_BASE64 = re.compile(r"(?=[A-Za-z0-9]*[+/])[A-Za-z0-9+/]{256,}={0,2}")


def remove_media(beginning: str, full_length: int) -> tuple[str, int]:
    """Replace media in a text by marks. Media are `data:` URLs anywhere in the text, or base64 as the whole text.

    `beginning` is the beginning of a text that has `full_length` characters. Returns the changed beginning, and the
    length that the text would have with this beginning. If the beginning ends within media, the rest of the text is
    assumed to be media as well, and is replaced by the same mark.
    """
    if beginning.startswith("data:"):
        data_url = _ONLY_DATA_URL.fullmatch(beginning)
        if data_url is not None:
            return _with_length(f"{data_url[1]}{omission_mark(full_length - len(data_url[1]))}")
    if "base64," in beginning:
        return _without_data_urls(beginning, full_length)
    if _ONLY_BASE64.fullmatch(beginning):
        return _with_length(omission_mark(full_length))
    return beginning, full_length


def _without_data_urls(beginning: str, full_length: int) -> tuple[str, int]:
    """Replace the base64 of each `data:` URL in a text by a mark."""
    remaining = full_length - len(beginning)
    ends_in_media = False

    def mark(found: re.Match[str]) -> str:
        nonlocal ends_in_media
        ends_in_media = found.end() == len(beginning)
        return f"{found[1]}{omission_mark(len(found[2]) + (remaining if ends_in_media else 0))}"

    edited = _DATA_URL.sub(mark, beginning)
    return _with_length(edited) if ends_in_media else (edited, len(edited) + remaining)


def _with_length(edited: str) -> tuple[str, int]:
    return edited, len(edited)


def base64_within_limit(part: Part, limit: int) -> str | None:
    """The base64 of a blob, if it is valid and has at most `limit` characters."""
    content = part.content or ""
    begin = content.find(",") + 1 if content.startswith("data:") else 0
    if not limit or len(content) - begin > limit:
        return None
    data = content[begin:]
    return data if _BASE64.fullmatch(data) else None


# --- JSON structures -------------------------------------------------------------------------


def as_json(value: Json) -> str:
    """The JSON text, whose length counts towards the limits."""
    return json.dumps(value, ensure_ascii=False)


class Beginning:
    """Copies the beginning of a structure, without media: as much as has about `size` characters as JSON."""

    def __init__(self, size: int) -> None:
        self._remaining = size
        self.removed_media_length = 0
        """Characters of media that were removed."""
        self.is_complete = True
        """Whether the copy has all of the structure."""

    def take(self, value: Json) -> Json:
        """Return the copy of a value. It is called for the structure, and then for each value in it."""
        if isinstance(value, str):
            return self._take_text(value)
        if isinstance(value, list):
            return [self.take(each) for each in self._take_entries(value)]
        if isinstance(value, dict):
            return {name: self.take(value[name]) for name in self._take_entries(value, map(len, value))}
        self._remaining -= 1
        return value

    def _take_entries(self, entries: Iterable[Entry], name_lengths: Iterable[int] = repeat(0)) -> Iterator[Entry]:
        """The first entries of a list or an object that fit. The lengths of their names are subtracted here, the
        lengths of their values when these are copied.
        """
        for each, name_length in zip(entries, name_lengths, strict=False):
            if self._remaining <= 0:
                self.is_complete = False
                return
            self._remaining -= name_length + 2
            yield each

    def _take_text(self, text: str) -> str:
        beginning = text[: max(self._remaining, 0)]
        edited, full_length = remove_media(beginning, len(text))
        self.removed_media_length += len(beginning) - len(edited)
        self._remaining -= len(edited)
        self.is_complete &= len(edited) == full_length
        return edited
