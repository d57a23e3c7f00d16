"""Structures of JSON, which a call may have of any size: how long they are, and how they begin."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TypeVar

from agentops_otel_litellm.call.content import Json
from agentops_otel_litellm.processors.media import without_media

Member = TypeVar("Member")


def as_json(value: Json) -> str:
    """It as text, which is as long as it is said to be."""
    return json.dumps(value, ensure_ascii=False)


class Beginning:
    """As much of a structure, in its order, as has no fewer than `size` characters as JSON; without media."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.removed = 0
        """Characters of media."""
        self.is_all = True

    def of(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.of(each) for each in self._some(value)]
        if isinstance(value, dict):
            return {name: self.of(value[name]) for name in self._some(value, map(len, value))}
        self._left -= 1
        return value

    def _some(self, members: Iterable[Member], names: Iterable[int] = repeat(0)) -> Iterator[Member]:
        """The first members, as many as there is room for; what they say is yet to be counted, but for their names."""
        for each, name in zip(members, names, strict=False):
            if self._left <= 0:
                self.is_all = False
                return
            self._left -= name + 2
            yield each

    def _text(self, text: str) -> str:
        beginning = text[: max(self._left, 0)]
        shown, whole = without_media(beginning, len(text))
        self.removed += len(beginning) - len(shown)
        self._left -= len(shown)
        self.is_all &= len(shown) == whole
        return shown
