"""Parts of messages, for the content readers of all API formats, and `Draft`, which assembles messages of a stream.

A content reader runs only if the user has enabled content. The content of a request is copied at the start of the call,
because LiteLLM changes messages in place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as slot
from math import isfinite
from typing import Any

from agentops_otel_litellm.readers.values import field, fields_of, integer, is_collection, keyword, text
from agentops_otel_litellm.records import MAX_CONTENT_DEPTH, Json, Message, Modality, Part, PartType, json_text

_MAX_SCHEME_LENGTH = 32


def text_parts(value: Any) -> tuple[Part, ...]:
    """A text part of a string that is not empty; otherwise none."""
    known = text(value)
    return () if known is None else (Part(type="text", content=known),)


def reasoning_parts(value: Any) -> tuple[Part, ...]:
    known = text(value)
    return () if known is None else (Part(type="reasoning", content=known),)


def tool_call(call_id: Any, name: Any, arguments: Any) -> Part:
    return Part(type="tool_call", id=text(call_id), name=text(name) or "", arguments=parsed(arguments))


def tool_result(call_id: Any, result: Any) -> Part:
    """The result of a tool; an empty text if it cannot be read, because the conventions require a response."""
    known = parsed(result, strings=True)
    return Part(type="tool_call_response", id=text(call_id), response="" if known is None else known)


def media(modality: Modality, url: Any, mime_type: str | None = None) -> Part:
    """A medium by its URL, or the base64 data of a `data:` URL, which is not copied."""
    known = text(url) or ""
    if not known.startswith("data:"):
        if "://" not in known[:_MAX_SCHEME_LENGTH]:  # some providers accept base64 instead of a URL
            return blob(modality, known, mime_type)
        return Part(type="uri", modality=modality, mime_type=mime_type, uri=known)
    begin = known.find(",") + 1
    kind, *encoding = known[len("data:") : max(begin - 1, 0)].split(";")
    return Part(
        type="blob",
        modality=modality,
        mime_type=kind or mime_type,
        size=len(known) - begin,
        content=known if "base64" in encoding else None,
    )


def blob(modality: Modality, data: Any, mime_type: str | None = None) -> Part:
    """A medium whose data is in the message. The size is known of base64, not of bytes."""
    known = text(data)
    return Part(type="blob", modality=modality, mime_type=mime_type, size=len(known) if known else None, content=known)


def stored_file(modality: Modality, file_id: Any, mime_type: str | None = None) -> Part:
    """A file that the provider has stored, by its id."""
    return Part(type="file", modality=modality, mime_type=mime_type, file_id=text(file_id) or "")


# --- a value as JSON ------------------------------------------------------------------------------------------


def parsed(value: Any, *, strings: bool = False) -> Json:
    """The value of a JSON text. The text itself is returned if it is not JSON, if it is nested too deep for an event,
    or if `strings` are not to be parsed.
    """
    if not isinstance(value, str):
        return plain(value)
    if strings:
        return str.__str__(value)
    try:
        return _copied(json.loads(value, parse_constant=_no_constant), MAX_CONTENT_DEPTH)
    except (ValueError, RecursionError):
        return str.__str__(value)


def plain(value: Any) -> Json:
    """A copy of the value as JSON, without what JSON cannot represent. A value that is nested too deep for an event is
    returned as JSON text.
    """
    try:
        return _copied(value, MAX_CONTENT_DEPTH)
    except _TooDeepError:
        return json_text(value, _as_json)


class _TooDeepError(ValueError):
    """The structure is nested too deep."""


def _copied(value: Any, levels: int) -> Json:
    """Copy a value, with at most `levels` levels of nesting. Raises `_TooDeepError`."""
    if isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, str):
        return str.__str__(value)
    if is_collection(value):
        _go_deeper(levels)
        return [_copied(each, levels - 1) for each in value]
    if isinstance(value, dict) or hasattr(type(value), "model_fields"):
        _go_deeper(levels)
        return {str(name): _copied(each, levels - 1) for name, each in fields_of(value).items()}
    return None


def _go_deeper(levels: int) -> None:
    if not levels:
        raise _TooDeepError


def _as_json(value: Any) -> Any:
    """An object as JSON: the fields of a model, `None` for any other object."""
    return dict(fields_of(value)) if hasattr(type(value), "model_fields") else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _number(value: float) -> Json:
    """A number, or its text if it is not finite or has more than the 64 bits of OTLP's integers."""
    if isinstance(value, int):
        return value if isinstance(value, bool) or integer(value) is not None else _digits(value)
    return value if isfinite(value) else json.dumps(value)


def _digits(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # more digits than Python writes
        return None


# --- parts in OpenAI's format, in which LiteLLM's users write the messages of most APIs -----------------------


def content_part(item: Any) -> Part:
    """Read one part of a message whose content is a list."""
    if isinstance(item, str):
        return Part(type="text", content=item)
    part = fields_of(item)
    read = _CONTENT_PARTS.get(text(part.get("type")) or "")
    return Part(type="unknown", name=keyword(part.get("type"))) if read is None else read(part)


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
    """An incomplete part. Its fragments are joined once, at the end."""

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
    """The parts, in the order in which they began."""
    tool_calls: dict[Any, _Piece] = slot(default_factory=dict)
    """Key, such as an index → the latest tool call with that key."""
    finish_reason: str | None = None


class Draft:
    """The messages of one call, in the order of their choices' indexes."""

    __slots__ = ("_choices",)

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}

    def add_fragment(self, index: int, kind: PartType, fragment: Any, key: object = None) -> None:
        """Add a fragment to the latest part, or begin a new part if its kind or its key (in APIs with keys) differs."""
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
        """Add a fragment to the tool call that has the key, such as an index, or begin a tool call with that key.

        The first fragment of a tool call has its id and name, the others have parts of its arguments. Some providers
        send the same index for every tool call: then a fragment with a name and a different id begins a new tool call.
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
        """Add a choice, unless it was added before, and set its finish reason, if there is one.

        A choice without parts also becomes a message.
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
        return tuple(
            Message(
                role="assistant",
                parts=tuple(piece if isinstance(piece, Part) else piece.part() for piece in choice.pieces),
                finish_reason=choice.finish_reason,
            )
            for _, choice in sorted(self._choices.items())
        )


ONLY_CHOICE = 0
"""The index of the choice in an API that has one choice in each response: the Responses API and Anthropic's."""
