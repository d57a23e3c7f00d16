"""Functions that create the parts of messages, for the content readers of all API formats, and `Draft`, which assembles
the messages of a stream from its chunks.

This code runs only if the user has enabled content. The content of a request is copied when the call starts, because
LiteLLM may change the application's messages in place later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from dataclasses import field as slot
from typing import Any

from agentops_otel_litellm.readers.values import field, fields_of, keyword, parsed, read_items, read_messages, text
from agentops_otel_litellm.records import Message, Modality, Part, PartType

_MAX_SCHEME_LENGTH = 32


def user_messages(values: Collection[Any]) -> tuple[Message, ...] | None:
    """One message of the user for each text; `None` if there is none. Other values are left out."""
    return read_messages(_user_message, list(filter(text, values))) or None


def _user_message(value: Any) -> Message:
    return Message(role="user", parts=text_parts(value))


def text_parts(value: Any) -> tuple[Part, ...]:
    """A single text part; no part if the value is empty or not a string."""
    known = text(value)
    return () if known is None else (Part(type="text", content=known),)


def reasoning_parts(value: Any) -> tuple[Part, ...]:
    """A single reasoning part; no part if the value is empty or not a string."""
    known = text(value)
    return () if known is None else (Part(type="reasoning", content=known),)


def tool_call(call_id: Any, name: Any, arguments: Any) -> Part:
    """A tool call. The arguments are a structure, or JSON text, which is parsed."""
    return Part(type="tool_call", id=text(call_id), name=text(name) or "", arguments=parsed(arguments))


def tool_result(call_id: Any, result: Any) -> Part:
    """The result of a tool, which is not parsed if it is a text. A result that cannot be read becomes an empty text,
    because the semantic conventions require the field `response`.
    """
    known = parsed(result, strings=True)
    return Part(type="tool_call_response", id=text(call_id), response="" if known is None else known)


def media(modality: Modality, url: Any, mime_type: str | None = None) -> Part:
    """An image or other medium: a `uri` part for a URL, a `blob` part for a `data:` URL or base64 text."""
    known = text(url) or ""
    if not known.startswith("data:"):
        if "://" not in known[:_MAX_SCHEME_LENGTH]:  # not a URL: some providers also accept base64
            return blob(modality, known, mime_type)
        return Part(type="uri", modality=modality, mime_type=mime_type, uri=known)
    begin = known.find(",") + 1
    kind, *encoding = known[len("data:") : max(begin - 1, 0)].split(";")
    return Part(
        type="blob",
        modality=modality,
        mime_type=kind or mime_type,
        size=len(known) - begin,
        content=known if "base64" in encoding else None,  # the whole URL, because removing its beginning would copy it
    )


def blob(modality: Modality, data: Any, mime_type: str | None = None) -> Part:
    """An image or other medium whose data is in the message. `data` is base64 text; content and size are `None` for
    any other value, such as bytes.
    """
    known = text(data)
    return Part(type="blob", modality=modality, mime_type=mime_type, size=len(known) if known else None, content=known)


def stored_file(modality: Modality, file_id: Any, mime_type: str | None = None) -> Part:
    """A part that refers to a file that the provider has stored."""
    return Part(type="file", modality=modality, mime_type=mime_type, file_id=text(file_id) or "")


# --- parts in OpenAI's format, which LiteLLM accepts for the messages of most APIs ----------------------------


def content_part(item: Any) -> Part:
    """Read one part of a message whose content is a list."""
    if isinstance(item, str):
        return Part(type="text", content=item)
    part = fields_of(item)
    read = _CONTENT_PARTS.get(text(part.get("type")) or "")
    return Part(type="unknown", name=keyword(part.get("type"))) if read is None else read(part)


def image_part(item: Any) -> Part:
    """Read an image in the field `image_url` of an object, as in a message that a model has generated."""
    return _CONTENT_PARTS["image_url"](fields_of(item))


def _text(part: Mapping[str, Any]) -> Part:
    return Part(type="text", content=text(part.get("text")) or "")


def _reasoning(part: Mapping[str, Any]) -> Part:
    return Part(type="reasoning", content=text(part.get("thinking") or part.get("text")) or "")


def _refusal(part: Mapping[str, Any]) -> Part:
    return Part(type="refusal", content=text(part.get("refusal")) or "")


def _sound(part: Mapping[str, Any]) -> Part:
    sound = fields_of(part.get("input_audio"))
    kind = keyword(sound.get("format"))
    return blob("audio", sound.get("data"), f"audio/{kind}" if kind else None)


def _file(part: Mapping[str, Any]) -> Part:
    file = fields_of(part.get("file"))
    if file.get("file_data"):
        return media("document", file["file_data"], text(file.get("format")))
    return stored_file("document", file.get("file_id"), text(file.get("format")))


def _url(name: str, modality: Modality) -> Callable[[Mapping[str, Any]], Part]:
    """Return a reader of the parts that have a URL, or an object with a URL, in the field `name`."""

    def read(part: Mapping[str, Any]) -> Part:
        value = part.get(name)
        return media(modality, value if isinstance(value, str) else field(value, "url"))

    return read


_CONTENT_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "thinking": _reasoning,
    "reasoning": _reasoning,
    "refusal": _refusal,
    "image_url": _url("image_url", "image"),
    "video_url": _url("video_url", "video"),
    "input_audio": _sound,
    "file": _file,
}


# --- the messages of a stream ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Piece:
    """An incomplete part. Its fragments of text are joined only when the stream has ended."""

    type: PartType
    key: object = None
    fragments: list[str] = slot(default_factory=list)
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

    pieces: list[_Piece | Part] = slot(default_factory=list)
    """The incomplete and the complete parts, in the order in which they began."""
    tool_calls: dict[Any, _Piece] = slot(default_factory=dict)
    """The key of a tool call, such as its index → the latest tool call with that key."""
    finish_reason: str | None = None

    def message(self) -> Message:
        parts = read_items(Part, lambda piece: piece if isinstance(piece, Part) else piece.part(), self.pieces)
        return Message(role="assistant", parts=parts, finish_reason=self.finish_reason)


class Draft:
    """Assembles the messages of a stream: one message for each choice, in the order of the choices' indexes."""

    __slots__ = ("_choices",)

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}

    def add_fragment(self, index: int, kind: PartType, fragment: Any, key: object = None) -> None:
        """Add a fragment of text to the choice's latest part if that part has the same kind and key. Otherwise begin a
        new part. The key is the part's index, in APIs that send one.
        """
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
        """Add a fragment to the tool call with this key, such as an index. If there is none, begin a tool call.

        The first fragment of a tool call has its id and name; all fragments may have a piece of its arguments. Some
        providers send the same index for every tool call, so a fragment with a name and a different id always begins a
        tool call.
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
        """Add a choice if it is new, so that it becomes a message even without parts, and set its finish reason.

        A `finish_reason` of `None` keeps the earlier one.
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
        return read_items(Message, _Choice.message, [choice for _, choice in sorted(self._choices.items())])


ONLY_CHOICE = 0
"""The index of the choice in an API that has one choice in each response: the Responses API and Anthropic's."""
