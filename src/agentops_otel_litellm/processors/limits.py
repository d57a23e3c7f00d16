"""How much is told of what was said, and what is told in the place of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from agentops_otel_litellm.call.content import Document, Message, Part, Tool
from agentops_otel_litellm.record import record

Said = TypeVar("Said", Message, Part, Tool, Document, str)

LONGEST_SECRET = 8_192
"""Characters past the limit that are looked at, and not told: no secret is cut in two and not recognised."""


MARKS = 256
"""Messages, texts and so on that have no room and still have a mark each; those after them have one together, so that
a conversation without an end makes no span without an end.
"""


@record
class Limits:
    """Characters that may be told."""

    part: int
    """Of a text, or of a structure."""
    call: int
    """Of all of them."""
    media: int = 0
    """Of the base64 of an image or the like, which has no part in the others."""


def left_out(size: int, noun: str = "characters") -> str:
    """The mark that tells how much is missing."""
    return f"… [{size} {noun} left out]"


_OMITTED = "omitted"
"""A role, and a type of tool, that is none of the conventions' words: nobody said what it stands for."""
_TOGETHER: Mapping[type, tuple[str, Callable[[str], object]]] = {
    Message: ("messages", lambda mark: Message(role=_OMITTED, parts=(Part(type="text", content=mark),))),
    Part: ("parts", lambda mark: Part(type="text", content=mark)),
    Tool: ("tools", lambda mark: Tool(type=_OMITTED, name=mark)),
    Document: ("documents", lambda mark: Document(content=mark)),
    str: ("texts", str),
}
"""What several are called, and what stands for them."""


def together(first: Said, number: int) -> Said:
    """One with a mark, in the place of so many, of which this is the first."""
    noun, standing_for = _TOGETHER[type(first)]
    return cast("Said", standing_for(left_out(number, noun)))
