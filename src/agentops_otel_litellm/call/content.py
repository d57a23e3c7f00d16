"""What was said in a call, in nobody's vocabulary. A call has a `Content` only where the user asked for it.

A record's known fields, by name, are the JSON objects of OpenTelemetry's conventions for messages, parts and
tools: `vars(part)` is one.
"""

from __future__ import annotations

from typing import Literal

from agentops_otel_litellm.record import record

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

PartType = Literal["text", "reasoning", "tool_call", "tool_call_response", "blob", "file", "uri", "refusal", "unknown"]
Modality = Literal["image", "audio", "video", "document"]


@record
class Part:
    """A piece of a message. Its type says which of the fields it has."""

    type: PartType
    content: str | None = None
    """Of text, reasoning, a refusal; the base64 of a blob, or the `data:` URL that has it."""
    id: str | None = None
    """Of a tool call, and of the one that a result is of."""
    name: str | None = None
    """The tool's."""
    arguments: Json = None
    """As the model wrote them: what JSON says, or the string, where it is none or was cut short."""
    response: Json = None
    modality: Modality | None = None
    mime_type: str | None = None
    uri: str | None = None
    file_id: str | None = None
    size: int | None = None
    """Characters of base64 that were left out of a blob."""


@record
class Message:
    """What one side said."""

    role: str
    parts: tuple[Part, ...] = ()
    name: str | None = None
    finish_reason: str | None = None
    """Of an answer, as LiteLLM gives it; `None` where it did not come."""


INSTRUCTING = frozenset({"system", "developer"})
"""Roles of those who tell the model what to be."""


@record
class Tool:
    """A tool that the model may call."""

    type: str
    name: str
    description: str | None = None
    parameters: Json = None
    """JSON schema."""


@record
class Document:
    """A text that is searched, or found."""

    id: str | None = None
    index: int | None = None
    """Of one that is ranked: which of those given it is."""
    score: float | None = None
    title: str | None = None
    uri: str | None = None
    content: Json = None


@record
class Content:
    """All that was said."""

    instructions: tuple[Part, ...] | None = None
    """System instructions that the API takes apart from the conversation."""
    input: tuple[Message, ...] | None = None
    output: tuple[Message, ...] | None = None
    """One message for each choice; of a stream that was cut, what had come until then."""
    tools: tuple[Tool, ...] | None = None
    # Retrieval, embeddings.
    texts: tuple[str, ...] | None = None
    """Inputs that nobody says to anybody."""
    query: tuple[str, ...] | None = None
    documents: tuple[Document, ...] | None = None
    """Those given to be ranked."""
    results: tuple[Document, ...] | None = None


def opening_and_rest(conversation: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What the model is told to be, where that is the conversation's first message; and the others."""
    begins = bool(conversation) and conversation[0].role in INSTRUCTING
    return conversation[:begins], conversation[begins:]
