"""ContentReaders: the readers of an operation's message content, in its request, its response and its stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agentops_otel_litellm.content_records import Content, Document, Message

Parameters = Mapping[str, Any]


class Transcript(Protocol):
    """A reader that accumulates the content of one stream."""

    def add(self, chunk: Any, /) -> None:
        """Add the next chunk."""

    def messages(self) -> tuple[Message, ...]:
        """The messages as far as they were received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReaders:
    """The readers of an operation's message content."""

    request: Callable[[Parameters], Content]
    """Parameters → content of the request."""
    response: Callable[[Any], tuple[Message, ...] | None] | None = None
    """Response → its messages."""
    documents: Callable[[Any], tuple[Document, ...] | None] | None = None
    """Response of a search → its documents."""
    transcript: Callable[[], Transcript] | None = None
    """Makes the reader of a stream's content."""
