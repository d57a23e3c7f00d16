"""What a family of content has: readers of what is asked, of what is answered, and of a stream of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agentops_otel_litellm.call.content import Content, Document, Message

Parameters = Mapping[str, Any]


class Transcript(Protocol):
    """A stream, written down."""

    def add(self, chunk: Any, /) -> None:
        """Take the next chunk."""

    def messages(self) -> tuple[Message, ...]:
        """What has been said until now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReaders:
    """The readers of what is said in a kind of operation."""

    asked: Callable[[Parameters], Content]
    """From the parameters."""
    answered: Callable[[Any], tuple[Message, ...] | None] | None = None
    """From the response."""
    found: Callable[[Any], tuple[Document, ...] | None] | None = None
    """From the response of a search."""
    transcript: Callable[[], Transcript] | None = None
    """Of a stream."""
