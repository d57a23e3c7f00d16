"""Server-sent events as bytes, cut wherever the network cut them → the messages in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


class ServerSentEvents:
    """Takes bytes piece by piece, and gives each message once its line is whole. A message is JSON on one line."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        """Of a line whose end has yet to come."""

    def messages(self, piece: Any) -> Iterator[Mapping[str, Any]]:
        """Of what came, which some of LiteLLM's streams have parsed already."""
        if isinstance(piece, Mapping):
            yield piece
            return
        if isinstance(piece, str):
            piece = piece.encode()
        whole, newline, begun = piece.rpartition(b"\n")
        if newline and self._begun:
            whole = b"".join((*self._begun, whole))
            self._begun = []
        if begun:
            self._begun.append(begun)
        if newline:
            for line in whole.split(b"\n"):
                if line.startswith((b"data: {", b"data:{")):
                    yield json.loads(line[5:])
