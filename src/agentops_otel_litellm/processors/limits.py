"""Limits for the length of content, and the marks that replace what exceeds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from agentops_otel_litellm.call.content import Document, Message, Part, Tool
from agentops_otel_litellm.record import record

Item = TypeVar("Item", Message, Part, Tool, Document, str)

MAX_SECRET_LENGTH = 8_192
"""Number of characters after the limit of a text that the redactors receive although they are not recorded: a secret of
at most this length that begins before the limit is recognised.
"""


MARKS = 256
"""Maximum number of messages, parts and so on that are each replaced by a mark of their own. One mark replaces all the
others, so that the size of a span is bounded.
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


def omission_mark(size: int, noun: str = "characters") -> str:
    """The mark that replaces omitted content: `… [12 characters left out]`."""
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


def mark_for_rest(first: Item, number: int) -> Item:
    """A single mark that replaces `number` items, of which `first` is the first. The mark has the type of the items."""
    noun, create_mark = _TOGETHER[type(first)]
    return cast("Item", create_mark(omission_mark(number, noun)))
