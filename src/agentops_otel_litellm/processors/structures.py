"""JSON structures of any size: their length, and their beginning."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TypeVar

from agentops_otel_litellm.call.content import Json
from agentops_otel_litellm.processors.media import without_media

Member = TypeVar("Member")


def as_json(value: Json) -> str:
    """The JSON text, whose length counts towards the limits."""
    return json.dumps(value, ensure_ascii=False)


class Beginning:
    """Takes the beginning of a structure that has at least `size` characters as JSON, without media."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.removed = 0
        """Characters of media that were removed."""
        self.is_all = True

    def of(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.of(each) for each in self._take_members(value)]
        if isinstance(value, dict):
            return {name: self.of(value[name]) for name in self._take_members(value, map(len, value))}
        self._left -= 1
        return value

    def _take_members(self, members: Iterable[Member], names: Iterable[int] = repeat(0)) -> Iterator[Member]:
        """The first members that fit. Their names are counted here, their values by the caller."""
        for each, name in zip(members, names, strict=False):
            if self._left <= 0:
                self.is_all = False
                return
            self._left -= name + 2
            yield each

    def _text(self, text: str) -> str:
        beginning = text[: max(self._left, 0)]
        edited, whole = without_media(beginning, len(text))
        self.removed += len(beginning) - len(edited)
        self._left -= len(edited)
        self.is_all &= len(edited) == whole
        return edited
