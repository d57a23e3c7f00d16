"""Limits for the length of content, and the marks that replace what exceeds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from agentops_otel_litellm.call.content import Document, Message, Part, Tool
from agentops_otel_litellm.record import record

Item = TypeVar("Item", Message, Part, Tool, Document, str)

LONGEST_SECRET = 8_192
"""Characters beyond the limit that are redacted but not recorded, so that a secret at the limit is recognised."""


MARKS = 256
"""Number of messages, texts and so on beyond the limit that have a mark each. The rest has one mark together, so that
the size of a span is bounded.
"""


@record
class Limits:
    """Maximum numbers of characters that are recorded."""

    part: int
    """Maximum of one text or structure."""
    call: int
    """Maximum of all content of the call."""
    media: int = 0
    """Maximum of the base64 of an image or other media, which does not count towards the other two."""


def left_out(size: int, noun: str = "characters") -> str:
    """The mark that replaces omitted content."""
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


def mark_together(first: Item, number: int) -> Item:
    """A single mark for `number` items; `first` is the first of them."""
    noun, create_mark = _TOGETHER[type(first)]
    return cast("Item", create_mark(left_out(number, noun)))
