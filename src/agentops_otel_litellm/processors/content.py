"""What may be told of what was said: without what is secret, and no more than fits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.call.content import Content, Document, Json, Message, Part, Tool
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.processors.redaction import Redactor

Record = TypeVar("Record", Part, Message, Tool, Document, Content)

_LONGEST_PASSWORD = 512
_DATA_URL = re.compile(r"(data:[\w.+/;=-]{0,128};base64,)([A-Za-z0-9+/=_-]+)")
_ONLY_BASE64 = re.compile(r"(?=[A-Za-z0-9]*[+/])[A-Za-z0-9+/]{256,}={0,2}")

LONGEST_SECRET = 8_192
"""Characters past the limit that are looked at, and not told: no secret is cut in two and not recognised."""

_STRUCTURE = frozenset({"type", "modality", "size"})
"""Fields that are words of the conventions."""
_CUT = frozenset({"content", "arguments", "response", "uri", "description", "parameters"})
"""Fields of which there may be much."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_EDITING = guard("editing what was said, which is left out")


def leave_content_out(call: Call) -> Call:
    """For where what is said is not to be told."""
    return call if call.content is None else replace(call, content=None)


def editing(
    redactors: Iterable[Redactor], part_limit: int, call_limit: int, media_limit: int = 0
) -> Callable[[Call], Call]:
    """A processor that has each text go through the redactors, and shortens texts, and then the whole, to the limits
    (in characters). Images and the like are whole where they have room in their own limit, and else not there.

    It fails closed: where anything goes wrong, also in a function of the user's, the call is without its content.
    """
    edited = _Edited((_without_surrogates, *redactors), part_limit, media_limit)

    def edit_content(call: Call) -> Call:
        if call.content is None:
            return call
        fit: Content | None = None
        with _EDITING:
            fit = _fitted(edited.record(call.content), call_limit)
        return replace(call, content=fit)

    return edit_content


def _without_surrogates(text: str) -> str:
    """Halves of characters, which Python's strings may have and no exporter can write."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class _Edited:
    """What records, and texts, are after editing."""

    def __init__(self, redactors: tuple[Redactor, ...], limit: int, media_limit: int) -> None:
        self._redactors = redactors
        self._limit = limit
        self._media_limit = media_limit

    def record(self, given: Record) -> Record:
        """The same with every text edited, whatever it holds."""
        known: dict[str, Any] = {
            name: value if name in _STRUCTURE else self._value(value) for name, value in self._members(given)
        }
        if isinstance(given, Part) and given.type == "blob":
            known |= self._media(given.content)
        return type(given)(**known)

    @staticmethod
    def _members(given: Part | Message | Tool | Document | Content) -> list[tuple[str, Any]]:
        """All but the base64, which is no text."""
        is_blob = isinstance(given, Part) and given.type == "blob"
        return [(name, value) for name, value in vars(given).items() if not (is_blob and name == "content")]

    def _media(self, content: str | None) -> dict[str, str | None]:
        """The base64, which then needs no size."""
        if not content or not self._media_limit:
            return {}
        data = content.partition(",")[2] if content.startswith("data:") else content
        return {"content": data, "size": None} if len(data) <= self._media_limit and _BASE64.fullmatch(data) else {}

    def _value(self, value: Any) -> Any:  # noqa: ANN401 - records, and JSON
        if isinstance(value, tuple):
            return tuple(self._text(each) if isinstance(each, str) else self.record(each) for each in value)
        edited = self._json(value)
        if isinstance(edited, list | dict) and length(edited) > self._limit:
            return self._text(json.dumps(edited, ensure_ascii=False))
        return edited

    def _json(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return list(map(self._json, value))
        if isinstance(value, dict):
            return {self._text(name): self._member(name, each) for name, each in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            told = self._redacted(str(value))
            return value if told == str(value) else told
        return value

    def _member(self, name: str, value: Json) -> Json:
        """Of what is short its name may say that it is a secret."""
        told = self._json(value)
        if told != value or not isinstance(value, str) or len(value) > _LONGEST_PASSWORD:
            return told
        named = f"{name}={value}"
        redacted = self._redacted(named)
        return redacted.removeprefix(f"{name}=") if redacted != named else told

    def _redacted(self, text: str) -> str:
        for redact in self._redactors:
            text = redact(text)
        return text

    def _text(self, text: str) -> str:
        looked_at = _without_base64(text[: self._limit + LONGEST_SECRET])
        told = self._redacted(looked_at)
        all_of_it = len(text) <= self._limit + LONGEST_SECRET
        room = self._limit if all_of_it else min(self._limit, len(told) - LONGEST_SECRET)
        return told if all_of_it and len(told) <= room else cut(told, max(room, 0), len(text))


def _without_base64(text: str) -> str:
    """Media that come as text: in `data:` URLs, or where all of a text is one."""
    if "base64," in text:
        text = _DATA_URL.sub(lambda found: f"{found[1]}… [{len(found[2])} characters left out]", text)
    return f"… [{len(text)} characters left out]" if _ONLY_BASE64.fullmatch(text) else text


def cut(text: str, room: int, whole: int) -> str:
    """Its beginning, and how much is missing of the `whole` length that it had."""
    return f"{text[:room]}… [{whole - min(room, len(text))} characters left out]"


def length(value: Any) -> int:  # noqa: ANN401 - records, and JSON
    """Characters of all texts in it."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + length(each) for name, each in value.items())
    if isinstance(value, list | tuple):
        return sum(map(length, value))
    if isinstance(value, Part) and value.type == "blob":
        return 1  # it has a limit of its own
    return length(vars(value)) if isinstance(value, Part | Message | Tool | Document | Content) else 1


def _fitted(content: Content, room: int) -> Content:
    """What is told where not all of it fits: the answer, the instructions, the tools, and of the conversation the end,
    in this order. (A call that has several texts or documents has little else.)
    """
    if length(content) <= room:
        return content
    fitting = _Fitting(room)
    return Content(
        output=fitting.messages(content.output),
        instructions=fitting.each_of(content.instructions),
        tools=fitting.each_of(content.tools),
        input=fitting.messages(content.input, from_the_end=True),
        query=fitting.texts(content.query),
        results=fitting.each_of(content.results),
        texts=fitting.texts(content.texts),
        documents=fitting.each_of(content.documents),
    )


class _Fitting:
    """What has room in what is left of it. Each message, part and tool stays, and tells how much was cut of it."""

    def __init__(self, room: int) -> None:
        self._room = room

    def messages(
        self, messages: tuple[Message, ...] | None, *, from_the_end: bool = False
    ) -> tuple[Message, ...] | None:
        if messages is None:
            return None
        step = -1 if from_the_end else 1
        fitted = (replace(each, parts=self.each_of(each.parts) or ()) for each in messages[::step])
        return tuple(fitted)[::step]

    def texts(self, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if texts is None else tuple(map(self._value, texts))

    def each_of(self, records: tuple[Record, ...] | None) -> tuple[Record, ...] | None:
        """Of parts, tools or documents."""
        return None if records is None else tuple(map(self._record, records))

    def _record(self, given: Record) -> Record:
        if isinstance(given, Part) and given.type == "blob":
            return given
        known: dict[str, Any] = {
            name: self._value(value) if name in _CUT else value for name, value in vars(given).items()
        }
        return type(given)(**known)

    def _value(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        size = length(value)
        if size <= self._room:
            self._room -= size
            return value
        room, self._room = self._room, 0
        return cut(value if isinstance(value, str) else "", room, size)
