"""The decorator `record`, the records of message content, and functions that make values encodable for exporters.

A call has content only if the user has enabled it. The JSON object of a message, part or tool in OpenTelemetry's
conventions has exactly the record's known fields, which `vars()` returns.

A single value that an exporter cannot encode makes the whole batch of spans fail. OTLP cannot encode three kinds of
values: lone surrogates, which Python's strings may contain; integers of more than 64 bits; structures that are nested
deeper than protobuf's limit. So the functions in this module clean all values that this package passes to the SDK: span
names, status messages, and the attributes of spans, events, log records and metrics.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from opentelemetry.util.types import AttributeValue
from typing_extensions import dataclass_transform

# --- records ----------------------------------------------------------------------------------------------


Class = TypeVar("Class")
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

PartType = Literal["text", "reasoning", "tool_call", "tool_call_response", "blob", "file", "uri", "refusal", "unknown"]
Modality = Literal["image", "audio", "video", "document"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[Class]) -> type[Class]:
    """Make `cls` a frozen, keyword-only dataclass whose instances store only the fields that are not `None`.

    `vars(instance)` returns these known fields. Any other field is read from the class, which has its default.

    This is for speed: a call has a dozen records, and most of their fields are unknown. A frozen dataclass with slots
    sets every field, which takes ten times as long.
    """
    decorated = dataclass(frozen=True, kw_only=True)(cls)
    decorated.__init__ = _store_known_fields  # type: ignore[method-assign]  # type checkers see the dataclass's method
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
    """The text of a text, reasoning or refusal; the base64 or `data:` URL of a blob."""
    id: str | None = None
    """The id of a tool call. The result of the tool call has the same id."""
    name: str | None = None
    """The name of the tool."""
    arguments: Json = None
    """The arguments of a tool call: parsed JSON, or the string if it is not valid JSON."""
    response: Json = None
    """The result of a tool call."""
    modality: Modality | None = None
    mime_type: str | None = None
    uri: str | None = None
    file_id: str | None = None
    size: int | None = None
    """The length of a blob's base64 in characters. Set only if the base64 itself is not recorded."""


@record
class Message:
    """One message of a conversation."""

    role: str
    parts: tuple[Part, ...] = ()
    name: str | None = None
    finish_reason: str | None = None
    """The finish reason of a message in a response, as LiteLLM reports it; `None` if it was not received."""


INSTRUCTING = frozenset({"system", "developer"})
"""Roles of messages with instructions for the model, instead of a part of the conversation."""


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
    """Position among the documents of the reranking request, from 0."""
    score: float | None = None
    title: str | None = None
    uri: str | None = None
    content: Json = None


@record
class Content:
    """The content of a call's request and response."""

    instructions: tuple[Part, ...] | None = None
    """System instructions, if the API has a separate parameter for them. Otherwise they are messages in `input`."""
    input: tuple[Message, ...] | None = None
    output: tuple[Message, ...] | None = None
    """One message for each choice; for an interrupted stream, the part that was received."""
    tools: tuple[Tool, ...] | None = None
    texts: tuple[str, ...] | None = None
    """The texts of an embedding request."""
    query: tuple[str, ...] | None = None
    documents: tuple[Document, ...] | None = None
    """The documents of a reranking request."""
    results: tuple[Document, ...] | None = None
    """The ranked documents, or the results of a search."""
    error: str | None = None
    """The provider's error text, if the call has failed. It can quote prompts and keys. Only AgentOps receives it, in
    its copy of the span.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Maximum numbers of characters of content that are recorded."""

    part: int
    """Maximum for one text or structure."""
    call: int
    """Maximum for all content of the call together: texts, names, ids and the punctuation of JSON."""
    media: int = 0
    """Maximum for the base64 of an image or other media, which does not count towards the other two limits."""


ITEM_LENGTH = 32
"""About the number of characters of JSON around the text and the names of a message, a part, a tool and so on."""
MARKS = 256
"""Maximum number of messages, parts and so on that are each replaced by a separate mark. One mark replaces all further
ones, so that the size of a span is bounded.
"""
OMITTED = "omitted"
"""Role of a message, or type of a tool, that is a mark. The semantic conventions do not define such a role or type."""
_TOGETHER: Mapping[type, tuple[str, Callable[[str], Any]]] = {
    Message: ("messages", lambda mark: Message(role=OMITTED, parts=(Part(type="text", content=mark),))),
    Part: ("parts", lambda mark: Part(type="text", content=mark)),
    Tool: ("tools", lambda mark: Tool(type=OMITTED, name=mark)),
    Document: ("documents", lambda mark: Document(content=mark)),
    str: ("texts", str),
}
"""Type of the omitted items → plural noun for them, and function that creates an item of this type with a mark."""


def omission_mark(size: int, noun: str = "characters") -> str:
    """The mark that replaces omitted content: `… [12 characters left out]`."""
    return f"… [{size} {noun} left out]"


def mark_for_rest(kind: type[Class], number: int) -> Class:
    """Return an item of the type `kind` that states that `number` items of this type are omitted."""
    noun, create_mark = _TOGETHER[kind]
    return cast("Class", create_mark(omission_mark(number, noun)))


def opening_and_rest(conversation: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Split a conversation in two: the first message if it has instructions (otherwise nothing), and all others."""
    begins = bool(conversation) and conversation[0].role in INSTRUCTING
    return conversation[:begins], conversation[begins:]


# --- values that can be encoded ---------------------------------------------------------------------------


MAX_DEPTH = 31
"""Maximum nesting of dicts and lists in an attribute. Protobuf reads at most 100 levels of messages. In OTLP, each dict
takes three levels, and the messages around an event's attribute take seven.
"""
MAX_CONTENT_DEPTH = 24
"""Maximum nesting of a structure in message content, such as a tool's arguments. It is less than `MAX_DEPTH`, because
the structure is nested in four others.
"""
_INTEGERS = range(-(2**63), 2**63)
_TEXT = frozenset({str})


def clean_text(text: str) -> str:
    """Replace each lone surrogate of a text with `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def clean_attributes(attributes: dict[str, Any]) -> dict[str, AttributeValue]:
    """Return the attributes with values that can be encoded: the same dictionary if all can be, otherwise a new one.

    An integer of more than 64 bits is left out. A structure that is nested too deeply becomes JSON text. Lone
    surrogates become `?`.
    """
    for name, value in attributes.items():
        kind = type(value)
        if kind is str:
            is_clean = value.isascii()
        elif kind is int:
            is_clean = value in _INTEGERS
        elif kind is tuple:
            is_clean = _TEXT.issuperset(map(type, value)) and "".join(value).isascii()
        else:
            is_clean = kind is float or kind is bool
        if not (is_clean and name.isascii()):
            return {
                clean_text(name): _clean_value(value)
                for name, value in attributes.items()
                if type(value) is not int or value in _INTEGERS
            }
    return attributes


def is_encodable(value: Any, levels: int = MAX_DEPTH) -> bool:  # noqa: ANN401 - JSON is anything
    """Whether OTLP can encode a JSON value unchanged: its dicts and lists are nested at most `levels` deep, their keys
    are strings, and their integers have at most 64 bits.
    """
    if isinstance(value, dict):
        return levels > 0 and all(
            isinstance(name, str) and is_encodable(each, levels - 1) for name, each in value.items()
        )
    if isinstance(value, list | tuple):
        return levels > 0 and all(is_encodable(each, levels - 1) for each in value)
    return not isinstance(value, int) or value in _INTEGERS


def json_text(value: Any, default: Callable[[Any], Any] = str) -> str | None:  # noqa: ANN401 - any JSON value
    """The JSON text of a structure; `None` if the structure contains itself, or is nested too deeply for Python.

    `default` converts an object that JSON cannot represent.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=default, skipkeys=True)
    except (ValueError, RecursionError):
        return None


def _clean_value(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Clean the value of an attribute: a text, a number, a sequence, or a structure in an event."""
    if isinstance(value, str):
        return clean_text(str.__str__(value))
    if isinstance(value, tuple | list | dict):
        return _clean_structure(value) if is_encodable(value) else json_text(_clean_structure(value))
    return value


def _clean_structure(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Copy a structure, and replace lone surrogates in all of its texts."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {
            clean_text(name) if isinstance(name, str) else name: _clean_structure(each) for name, each in value.items()
        }
    if isinstance(value, tuple | list):
        return [_clean_structure(each) for each in value]
    return value
