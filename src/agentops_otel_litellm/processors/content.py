"""Redacts content and shortens it to the limits.

This runs on the application's thread when the call ends, because a span's attributes are set before it ends, and no
span processor or queue may receive unredacted content. A background thread would own the GIL for as long, and spans
that end on it would be lost if the application flushes and is then frozen. Instead the work is bounded: a text is only
redacted if the limits leave room to record it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from agentops_otel_litellm.attribute_values import clean_text
from agentops_otel_litellm.call import Call
from agentops_otel_litellm.call.content import (
    INSTRUCTING,
    Content,
    Document,
    Json,
    Message,
    Part,
    Tool,
    opening_and_rest,
)
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.processors.limits import LONGEST_SECRET, MARKS, Item, Limits, left_out, mark_together
from agentops_otel_litellm.processors.media import medium, without_media
from agentops_otel_litellm.processors.redaction import Redactor
from agentops_otel_litellm.processors.structures import Beginning, as_json

Record = TypeVar("Record", Part, Tool, Document)

_BUDGET_FACTOR = 2
"""Characters that are redacted for each that may be recorded. Redaction can shorten a text, which leaves room for more
content, but the work must stay bounded."""
_TEXT_COST = 8
"""Cost of redacting any text, however short, in characters."""
_MEDIA_COST = 16
"""Characters of media whose removal costs as much as redacting one character."""
_LONGEST_CACHED = 64
"""Maximum length of texts whose redaction is cached: such names are often repeated in a call or a structure."""
_LONGEST_PASSWORD = 512

_UNEDITED = frozenset({"type", "modality", "size", "index", "score"})
"""Fields that are terms of the conventions, or numbers. They are not redacted."""
_LIMITED = frozenset({"content", "arguments", "response", "uri", "description", "parameters"})
"""Fields that can be long. The other fields are names, which do not count towards the call's limit."""
_ROLES = INSTRUCTING | {"user", "assistant", "tool", "function", "model"}

_EDITING = guard("redacting the content of a call")


def drop_content(call: Call) -> Call:
    """Drop the content, if it is not recorded."""
    return call if call.content is None else replace(call, content=None)


def create_content_processor(
    redactors: Callable[[], Sequence[Redactor] | None], limits: Limits
) -> Callable[[Call], Call]:
    """A processor that redacts all content, and shortens each text and the whole content to the limits. Media are kept
    whole if they fit their own limit, and are left out otherwise.

    It fails closed: if the redactors are not available, or anything raises, including a function of the user's, the
    call has no content.
    """

    def edit_content(call: Call) -> Call:
        if call.content is None:
            return call
        edited: Content | None = None
        with _EDITING:
            loaded = redactors()
            if loaded is not None:
                edited = _Editing((clean_text, *loaded), limits).content(call.content)
        return replace(call, content=edited)

    return edit_content


class _Editing:
    """Edits the content of one call. Content within the limits is redacted and recorded; content beyond them is not
    read, and is replaced by a mark with its length.
    """

    def __init__(self, redactors: tuple[Redactor, ...], limits: Limits) -> None:
        self._redactors = redactors
        self._limits = limits
        self._room = limits.call
        """Characters that may still be recorded."""
        self._budget = limits.call * _BUDGET_FACTOR
        """Characters that may still be redacted."""
        self._marks = MARKS
        self._cache: dict[str, str] = {}
        """Short text → redacted text."""

    def content(self, content: Content) -> Content:
        """Edit everything in the order of priority: the output, the instructions, the tools, and of the conversation
        the latest messages. A call with texts or documents has little else.
        """
        output = self._messages(content.output)
        instructions = self._records(content.instructions)
        opening, conversation = opening_and_rest(content.input or ())
        first = self._messages(opening) or ()
        tools = self._records(content.tools)
        latest = self._messages(conversation[::-1]) or ()
        return Content(
            output=output,
            instructions=instructions,
            tools=tools,
            input=None if content.input is None else (*first, *latest[::-1]),
            query=self._texts(content.query),
            results=self._records(content.results),
            texts=self._texts(content.texts),
            documents=self._records(content.documents),
        )

    def _items(self, items: Sequence[Item] | None, edit: Callable[[Item], Item]) -> tuple[Item, ...] | None:
        """Edit items. Each item beyond the limits has a mark; after too many marks, a single mark replaces the rest."""
        return None if items is None else tuple(self._edit_items(items, edit))

    def _edit_items(self, items: Sequence[Item], edit: Callable[[Item], Item]) -> Iterator[Item]:
        for number, each in enumerate(items):
            if not self._limit:
                self._marks -= 1
                rest = len(items) - number
                if self._marks < 0 and rest > 1:
                    yield mark_together(each, rest)
                    return
            yield edit(each)

    def _messages(self, messages: Sequence[Message] | None) -> tuple[Message, ...] | None:
        return self._items(messages, self._message)

    def _message(self, message: Message) -> Message:
        fields: dict[str, Any] = {
            name: self._records(value) if name == "parts" else self._name(value)
            for name, value in vars(message).items()
        }
        return Message(**fields)

    def _texts(self, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return self._items(texts, self._text)

    def _records(self, records: tuple[Record, ...] | None) -> tuple[Record, ...] | None:
        """Edit parts, tools or documents."""
        return self._items(records, self._record)

    def _record(self, record: Record) -> Record:
        if isinstance(record, Part) and record.type == "blob":
            return self._blob(record)  # type: ignore[return-value]  # it is a part
        fields: dict[str, Any] = {
            name: value if name in _UNEDITED else self._value(value) if name in _LIMITED else self._name(value)
            for name, value in vars(record).items()
        }
        return type(record)(**fields)

    def _blob(self, part: Part) -> Part:
        """Edit media: keep either its base64 or only its size."""
        data = medium(part, self._limits.media)
        fields: dict[str, Any] = {
            name: value if name in _UNEDITED else self._name(value)
            for name, value in vars(part).items()
            if name != "content"
        }
        return Part(**fields) if data is None else Part(**{**fields, "content": data, "size": None})

    def _name(self, name: str) -> str:
        if name in _ROLES:
            return name
        if self._budget <= 0:
            return left_out(len(name))
        edited, missing = self._edit(name, len(name), self._limits.part)
        return f"{edited}{left_out(missing)}" if missing else edited

    def _value(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._text(value)
        return self._structure(value) if isinstance(value, list | dict) else self._json(value)

    @property
    def _limit(self) -> int:
        return min(self._limits.part, self._room) if self._budget > 0 else 0

    def _text(self, text: str, whole: int = 0) -> str:
        """Edit a text, or the beginning of one whose length is `whole`."""
        whole = max(whole, len(text))
        limit = self._limit
        if not limit:
            return left_out(whole) if whole else text
        edited, missing = self._edit(text, whole, limit)
        self._room = 0 if missing and limit == self._room else self._room - len(edited)
        return f"{edited}{left_out(missing)}" if missing else edited

    def _edit(self, text: str, whole: int, limit: int) -> tuple[str, int]:
        """The redacted text up to the limit, and the number of characters that are left out."""
        beginning = text[: limit + LONGEST_SECRET]
        shortened, whole = without_media(beginning, whole)
        self._budget -= (len(beginning) - len(shortened)) // _MEDIA_COST
        redacted = self._redacted(shortened)
        if len(shortened) < whole:  # the beginning may end within a secret, which is not recognised
            edited = redacted[: max(min(limit, len(redacted) - LONGEST_SECRET), 0)]
            return edited, max(whole - len(edited), 1)
        if len(redacted) <= limit:
            return redacted, 0
        return redacted[:limit], max(whole, len(redacted)) - limit

    def _structure(self, value: Json) -> Json:
        """Edit a structure. It stays one if it fits the limits; otherwise its beginning is recorded as text."""
        limit = self._limit
        if not limit:
            return left_out(len(as_json(value)))
        beginning = Beginning(limit + LONGEST_SECRET)
        shortened = beginning.of(value)
        self._budget -= beginning.removed // _MEDIA_COST
        text = as_json(shortened)
        if beginning.is_all and len(text) <= limit:
            edited = self._json(shortened)
            text = as_json(edited)
            if len(text) <= limit:
                self._room -= len(text)
                return edited
        return self._text(text, 0 if beginning.is_all else max(len(as_json(value)), len(text) + 1))

    def _json(self, value: Json) -> Json:
        """Redact all texts and numbers in a JSON value."""
        if isinstance(value, str):
            return self._redacted(value)
        if isinstance(value, list):
            return list(map(self._json, value))
        if isinstance(value, dict):
            return {self._redacted(name): self._member(name, each) for name, each in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            redacted = self._redacted(str(value))
            return value if redacted == str(value) else redacted
        return value

    def _member(self, name: str, value: Json) -> Json:
        """Redact a member of an object. A short text is redacted together with its name, which may identify it as a
        secret.
        """
        edited = self._json(value)
        if edited != value or not isinstance(value, str) or len(value) > _LONGEST_PASSWORD:
            return edited
        named = f"{name}={value}"
        redacted = self._redacted(named)
        return redacted.removeprefix(f"{name}=") if redacted != named else edited

    def _redacted(self, text: str) -> str:
        redacted = self._cache.get(text)
        if redacted is not None:
            self._budget -= 1
            return redacted
        self._budget -= len(text) + _TEXT_COST
        redacted = text
        for redact in self._redactors:
            redacted = redact(redacted)
        if len(text) <= _LONGEST_CACHED:
            self._cache[text] = redacted
        return redacted
