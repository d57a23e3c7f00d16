"""JSON structures of any size: their length, and their beginning."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TypeVar

from agentops_otel_litellm.call.content import Json
from agentops_otel_litellm.processors.media import remove_media

Entry = TypeVar("Entry")


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
