"""The content of a call, independent of any convention, and the decorator of all records.

A call has content only if the user has enabled it. `vars()` of a message, part or tool returns its known fields, which
are its JSON object in OpenTelemetry's conventions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from typing_extensions import dataclass_transform

Class = TypeVar("Class")
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

PartType = Literal["text", "reasoning", "tool_call", "tool_call_response", "blob", "file", "uri", "refusal", "unknown"]
Modality = Literal["image", "audio", "video", "document"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[Class]) -> type[Class]:
    """Make `cls` a frozen, keyword-only dataclass whose instances store only the fields that are not `None`.

    `vars(instance)` has these known fields. Any other field is read from the class, where it has the dataclass's
    default. A call has a dozen records, and most of their fields are unknown. Creating a record takes a tenth of the
    time that a frozen dataclass with slots takes, because the dataclass sets every field.
    """
    decorated = dataclass(frozen=True, kw_only=True)(cls)
    decorated.__init__ = _store_known_fields  # type: ignore[method-assign]  # type checkers see the dataclass's own
    return decorated


def _store_known_fields(self: object, **fields: object) -> None:
    known = self.__dict__
    for name, value in fields.items():
        if value is not None:
            known[name] = value


@record
class Part:
    """A part of a message. Its type determines which fields it has."""

    type: PartType
    content: str | None = None
    """The text, reasoning or refusal; the base64 or `data:` URL of a blob."""
    id: str | None = None
    """The id of a tool call, also on the result of that tool call."""
    name: str | None = None
    """The name of the tool."""
    arguments: Json = None
    """Parsed JSON, or the string if it is not valid JSON."""
    response: Json = None
    modality: Modality | None = None
    mime_type: str | None = None
    uri: str | None = None
    file_id: str | None = None
    size: int | None = None
    """The length of a blob's base64 in characters, if the base64 is not recorded."""


@record
class Message:
    """One message of a conversation."""

    role: str
    parts: tuple[Part, ...] = ()
    name: str | None = None
    finish_reason: str | None = None
    """The finish reason of a message in a response, as LiteLLM reports it; `None` if it was not received."""


INSTRUCTING = frozenset({"system", "developer"})
"""Roles of messages that instruct the model."""


@record
class Tool:
    """A tool that the model can call."""

    type: str
    name: str
    description: str | None = None
    parameters: Json = None
    """JSON schema."""


@record
class Document:
    """A document of a reranking, or a result of a search."""

    id: str | None = None
    index: int | None = None
    """Position among the documents of a reranking's request."""
    score: float | None = None
    title: str | None = None
    uri: str | None = None
    content: Json = None


@record
class Content:
    """All content of a call."""

    instructions: tuple[Part, ...] | None = None
    """System instructions of APIs that separate them from the conversation."""
    input: tuple[Message, ...] | None = None
    output: tuple[Message, ...] | None = None
    """One message for each choice; for an interrupted stream, the part that was received."""
    tools: tuple[Tool, ...] | None = None
    texts: tuple[str, ...] | None = None
    """Texts of embeddings."""
    query: tuple[str, ...] | None = None
    documents: tuple[Document, ...] | None = None
    """The documents of a reranking."""
    results: tuple[Document, ...] | None = None


def opening_and_rest(conversation: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Split a conversation: the first message, if it instructs the model, and the other messages."""
    begins = bool(conversation) and conversation[0].role in INSTRUCTING
    return conversation[:begins], conversation[begins:]
