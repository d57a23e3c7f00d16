"""Draft: assembles messages from the fragments of a stream, with text and tool calls for each choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agentops_otel_litellm.content_records import Message, Part, PartType
from agentops_otel_litellm.readers.content.parts import tool_call


@dataclass(slots=True)
class _Piece:
    """An incomplete part. Its fragments are joined once, at the end."""

    type: PartType
    key: object = None
    fragments: list[str] = field(default_factory=list)
    id: str | None = None
    name: str | None = None

    def part(self) -> Part:
        text = "".join(self.fragments)
        if self.type == "tool_call":
            return tool_call(self.id, self.name, text)
        return Part(type=self.type, content=text)


@dataclass(slots=True)
class _Choice:
    """The incomplete message of one choice."""

    pieces: list[_Piece | Part] = field(default_factory=list)
    """The parts, in the order in which they began."""
    tool_calls: dict[Any, _Piece] = field(default_factory=dict)
    """Key, such as an index → the latest tool call with that key."""
    finish_reason: str | None = None


class Draft:
    """The messages of one call, in the order of their choices' indexes."""

    __slots__ = ("_choices",)

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}

    def add_fragment(self, index: int, kind: PartType, fragment: Any, key: object = None) -> None:
        """Add a fragment to the latest part, or begin a new part if its kind or its key (in APIs with keys) differs."""
        if not isinstance(fragment, str) or not fragment:
            return
        pieces = self._choice(index).pieces
        last = pieces[-1] if pieces else None
        if not isinstance(last, _Piece) or (last.type, last.key) != (kind, key):
            last = _Piece(kind, key)
            pieces.append(last)
        last.fragments.append(fragment)

    def add_tool_call(
        self, index: int, *, key: Any, call_id: Any = None, name: Any = None, arguments: Any = None
    ) -> None:
        """Add a fragment to the tool call that has the key, such as an index, or begin a tool call with that key.

        The first fragment of a tool call has its id and name, the others have parts of its arguments. Some providers
        send the same index for every tool call: then a fragment with a name and a different id begins a new tool call.
        """
        choice = self._choice(index)
        key = key if isinstance(key, int | str) else None
        piece = choice.tool_calls.get(key)
        if piece is None or (name and call_id and piece.id not in (None, call_id)):
            piece = choice.tool_calls[key] = _Piece("tool_call")
            choice.pieces.append(piece)
        piece.id, piece.name = piece.id or call_id, piece.name or name
        if isinstance(arguments, str):
            piece.fragments.append(arguments)

    def add(self, index: int, part: Part) -> None:
        """Add a complete part."""
        self._choice(index).pieces.append(part)

    def add_choice(self, index: int, finish_reason: str | None = None) -> None:
        """Add a choice, unless it was added before, and set its finish reason, if there is one.

        A choice without parts also becomes a message.
        """
        choice = self._choice(index)
        choice.finish_reason = finish_reason or choice.finish_reason

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice

    def messages(self) -> tuple[Message, ...]:
        """One message for each choice."""
        return tuple(
            Message(
                role="assistant",
                parts=tuple(piece if isinstance(piece, Part) else piece.part() for piece in choice.pieces),
                finish_reason=choice.finish_reason,
            )
            for _, choice in sorted(self._choices.items())
        )
