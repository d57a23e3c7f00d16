"""Server-sent events, as bytes in pieces of any length → their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from json import JSONDecoder
from typing import Any

_decode = JSONDecoder().raw_decode  # decodes from an index, without copying


class ServerSentEvents:
    """Parses pieces of bytes, and returns each message when its line is complete. A message is JSON on one line."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        """The pieces of an incomplete line."""

    def messages(self, piece: Any) -> Sequence[Mapping[str, Any]]:
        """The messages that a piece completes. Some of LiteLLM's streams return parsed messages instead of bytes."""
        if isinstance(piece, Mapping):
            return (piece,)
        if isinstance(piece, str):
            piece = piece.encode()
        if self._begun or not piece.endswith(b"\n"):
            whole, newline, begun = piece.rpartition(b"\n")
            if newline:
                piece, self._begun = b"".join((*self._begun, whole)), []
            if begun:
                self._begun.append(begun)
            if not newline:
                return ()
        return _messages(piece.decode(errors="replace"))


def _messages(lines: str) -> Sequence[Mapping[str, Any]]:
    messages = []
    at = lines.find("data:")
    while at >= 0:
        at += 6 if lines.startswith(" ", at + 5) else 5
        if lines.startswith("{", at):
            with suppress(ValueError, RecursionError):  # not JSON: the other events are read nevertheless
                message, at = _decode(lines, at)
                messages.append(message)
        at = lines.find("data:", at)
    return messages
