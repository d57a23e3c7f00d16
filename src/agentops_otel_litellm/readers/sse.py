"""Server-sent events, as bytes in pieces of any length → their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from json import JSONDecoder
from typing import Any

_decode = JSONDecoder().raw_decode  # decodes from an index, without copying


class ServerSentEvents:
    """Parses a stream of bytes, and returns each message when it is complete. A message is JSON on one line."""

    __slots__ = ("_incomplete_line",)

    def __init__(self) -> None:
        self._incomplete_line: list[bytes] = []
        """The pieces of an incomplete line."""

    def messages(self, piece: Any) -> Sequence[Mapping[str, Any]]:
        """The messages that a piece completes. Some of LiteLLM's streams return parsed messages instead of bytes."""
        if isinstance(piece, Mapping):
            return (piece,)
        if isinstance(piece, str):
            piece = piece.encode()
        if self._incomplete_line or not piece.endswith(b"\n"):
            complete_lines, newline, rest = piece.rpartition(b"\n")
            if newline:
                piece, self._incomplete_line = b"".join((*self._incomplete_line, complete_lines)), []
            if rest:
                self._incomplete_line.append(rest)
            if not newline:
                return ()
        return _messages(piece.decode(errors="replace"))


def _messages(lines: str) -> Sequence[Mapping[str, Any]]:
    """The JSON objects in complete lines, each of which begins with `data:`."""
    messages = []
    position = lines.find("data:")
    while position >= 0:
        position += 6 if lines.startswith(" ", position + 5) else 5
        if lines.startswith("{", position):
            with suppress(ValueError, RecursionError):  # not JSON: the other events are read nevertheless
                message, position = _decode(lines, position)
                messages.append(message)
        position = lines.find("data:", position)
    return messages
