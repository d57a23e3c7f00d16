"""Answers that come in fragments: for each choice what has been said and which tools have been called so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agentops_otel_litellm.call.content import Message, Part, PartType
from agentops_otel_litellm.readers.content.parts import tool_call


@dataclass(slots=True)
class _Piece:
    """A part in the making. Fragments are joined once, at the end."""

    type: PartType
    key: object = None
    fragments: list[str] = field(default_factory=list)
    id: str | None = None
    name: str | None = None

    def part(self) -> Part:
        whole = "".join(self.fragments)
        if self.type == "tool_call":
            return tool_call(self.id, self.name, whole)
        return Part(type=self.type, content=whole)


@dataclass(slots=True)
class _Choice:
    pieces: list[_Piece | Part] = field(default_factory=list)
    """In the order in which they began."""
    calls: dict[Any, _Piece] = field(default_factory=dict)
    finish_reason: str | None = None


class Draft:
    """The answers to one call, in the order of their indexes."""

    __slots__ = ("_choices",)

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}

    def say(self, index: int, kind: PartType, fragment: Any, key: object = None) -> None:
        """Add to what is being said, or begin a part of another kind, or of another key, where the API has those."""
        if not isinstance(fragment, str) or not fragment:
            return
        pieces = self._choice(index).pieces
        last = pieces[-1] if pieces else None
        if not isinstance(last, _Piece) or (last.type, last.key) != (kind, key):
            last = _Piece(kind, key)
            pieces.append(last)
        last.fragments.append(fragment)

    def call(self, index: int, call: Any, call_id: Any, name: Any, arguments: Any) -> None:
        """Add to the tool call of that key (an index, say), or begin it. The first fragment has its id and name.

        Some providers count each call as the first: then another name and id begin another one.
        """
        choice = self._choice(index)
        call = call if isinstance(call, int | str) else None
        piece = choice.calls.get(call)
        if piece is None or (name and call_id and piece.id not in (None, call_id)):
            piece = choice.calls[call] = _Piece("tool_call")
            choice.pieces.append(piece)
        piece.id, piece.name = piece.id or call_id, piece.name or name
        if isinstance(arguments, str):
            piece.fragments.append(arguments)

    def add(self, index: int, part: Part) -> None:
        """A part that comes whole."""
        self._choice(index).pieces.append(part)

    def finish(self, index: int, reason: str | None) -> None:
        """The choice is there, and has ended where there is a reason."""
        choice = self._choice(index)
        choice.finish_reason = reason or choice.finish_reason

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice

    def messages(self) -> tuple[Message, ...]:
        """One for each choice."""
        return tuple(
            Message(
                role="assistant",
                parts=tuple(piece if isinstance(piece, Part) else piece.part() for piece in choice.pieces),
                finish_reason=choice.finish_reason,
            )
            for _, choice in sorted(self._choices.items())
        )
