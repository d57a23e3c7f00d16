"""LiteLLM's shapes → what was said. Nothing here runs unless the user asked for content.

What is read at the start of a call is copied: LiteLLM changes messages in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agentops_otel_litellm.content import Content, Message
from agentops_otel_litellm.readers.content.chat import (
    ChatTranscript,
    TextTranscript,
    chat_answered,
    chat_asked,
    text_answered,
    text_asked,
)


class Transcript(Protocol):
    """A stream, written down."""

    def add(self, chunk: Any, /) -> None:
        """Take the next chunk."""

    def messages(self) -> tuple[Message, ...]:
        """What has been said until now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReaders:
    """The readers of what is said in a kind of operation."""

    asked: Callable[[Mapping[str, Any]], Content]
    """From the parameters."""
    answered: Callable[[Any], tuple[Message, ...]] | None = None
    """From the response."""
    transcript: Callable[[], Transcript] | None = None
    """Of a stream."""


CHAT_CONTENT = ContentReaders(asked=chat_asked, answered=chat_answered, transcript=ChatTranscript)
TEXT_CONTENT = ContentReaders(asked=text_asked, answered=text_answered, transcript=TextTranscript)

__all__ = ["CHAT_CONTENT", "TEXT_CONTENT", "ContentReaders", "Transcript"]
