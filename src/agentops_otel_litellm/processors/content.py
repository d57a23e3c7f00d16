"""What may be told of what was said: without what is secret, and no more than fits.

It is done on the app's thread, where the call ends: attributes are set before a span ends, and nobody may have it
unredacted, neither a span processor nor a queue. A thread of ours would need Python's lock for as long, and spans that
end there are lost to an app that flushes and is frozen. So it is bounded instead: a text is only looked at where there
is room to tell it.
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
from agentops_otel_litellm.processors.limits import LONGEST_SECRET, MARKS, Limits, Said, left_out, together
from agentops_otel_litellm.processors.media import medium, without_media
from agentops_otel_litellm.processors.redaction import Redactor
from agentops_otel_litellm.processors.structures import Beginning, as_json

Record = TypeVar("Record", Part, Tool, Document)

_SIGHT = 2
"""Characters looked at for each that may be told: what is taken out leaves room for more, but not for ever."""
_TEXT = 8
"""Characters that take as long to look at as any text does, however short."""
_MEDIA = 16
"""Characters of media that take as long as one of a text."""
_NAME = 64
"""Characters of what is likely to come again: names, in a call or in its structures."""
_LONGEST_PASSWORD = 512

_STRUCTURE = frozenset({"type", "modality", "size", "index", "score"})
"""Fields that are words of the conventions, and figures."""
_SAID = frozenset({"content", "arguments", "response", "uri", "description", "parameters"})
"""Fields of which there may be much. The others are names, which have no part in the call's limit."""
_ROLES = INSTRUCTING | {"user", "assistant", "tool", "function", "model"}

_EDITING = guard("editing what was said, which is left out")


def leave_content_out(call: Call) -> Call:
    """For where what is said is not to be told."""
    return call if call.content is None else replace(call, content=None)


def editing(redactors: Callable[[], Sequence[Redactor] | None], limits: Limits) -> Callable[[Call], Call]:
    """A processor that has what is told go through the redactors, and shortens texts, and the whole, to the limits.
    Images and the like are whole where they have room in their own limit, and else not there.

    It fails closed: where there are no redactors, or anything goes wrong, also in a function of the user's, the call is
    without its content.
    """

    def edit_content(call: Call) -> Call:
        if call.content is None:
            return call
        fit: Content | None = None
        with _EDITING:
            known = redactors()
            if known is not None:
                fit = _Editing((clean_text, *known), limits).content(call.content)
        return replace(call, content=fit)

    return edit_content


class _Editing:
    """The editing of one call's content: what is told of it has room in the limits. All else is there as well, and
    says how much was cut of it; what says so was not looked at.
    """

    def __init__(self, redactors: tuple[Redactor, ...], limits: Limits) -> None:
        self._redactors = redactors
        self._limits = limits
        self._room = limits.call
        self._sight = limits.call * _SIGHT
        """Characters that may still be looked at."""
        self._marks = MARKS
        self._known: dict[str, str] = {}
        """Short texts, as they are told."""

    def content(self, given: Content) -> Content:
        """The answer, the instructions, the tools, and of the conversation the end, have room in this order. (A call
        that has several texts or documents has little else.)
        """
        output = self._messages(given.output)
        instructions = self._records(given.instructions)
        opening, conversation = opening_and_rest(given.input or ())
        begun = self._messages(opening) or ()
        tools = self._records(given.tools)
        latest = self._messages(conversation[::-1]) or ()
        return Content(
            output=output,
            instructions=instructions,
            tools=tools,
            input=None if given.input is None else (*begun, *latest[::-1]),
            query=self._texts(given.query),
            results=self._records(given.results),
            texts=self._texts(given.texts),
            documents=self._records(given.documents),
        )

    def _several(self, given: Sequence[Said] | None, edit: Callable[[Said], Said]) -> tuple[Said, ...] | None:
        """Each, or with its mark, and then one mark for the rest."""
        return None if given is None else tuple(self._as_fits(given, edit))

    def _as_fits(self, given: Sequence[Said], edit: Callable[[Said], Said]) -> Iterator[Said]:
        for number, each in enumerate(given):
            if not self._limit:
                self._marks -= 1
                rest = len(given) - number
                if self._marks < 0 and rest > 1:
                    yield together(each, rest)
                    return
            yield edit(each)

    def _messages(self, messages: Sequence[Message] | None) -> tuple[Message, ...] | None:
        return self._several(messages, self._message)

    def _message(self, given: Message) -> Message:
        known: dict[str, Any] = {
            name: self._records(value) if name == "parts" else self._name(value) for name, value in vars(given).items()
        }
        return Message(**known)

    def _texts(self, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return self._several(texts, self._text)

    def _records(self, records: tuple[Record, ...] | None) -> tuple[Record, ...] | None:
        """Of parts, tools or documents."""
        return self._several(records, self._record)

    def _record(self, given: Record) -> Record:
        if isinstance(given, Part) and given.type == "blob":
            return self._blob(given)  # type: ignore[return-value]  # it is a part
        known: dict[str, Any] = {
            name: value if name in _STRUCTURE else self._said(value) if name in _SAID else self._name(value)
            for name, value in vars(given).items()
        }
        return type(given)(**known)

    def _blob(self, given: Part) -> Part:
        """With its base64, and then no size, or without."""
        data = medium(given, self._limits.media)
        known: dict[str, Any] = {
            name: value if name in _STRUCTURE else self._name(value)
            for name, value in vars(given).items()
            if name != "content"
        }
        return Part(**known) if data is None else Part(**{**known, "content": data, "size": None})

    def _name(self, name: str) -> str:
        if name in _ROLES:
            return name
        if self._sight <= 0:
            return left_out(len(name))
        told, missing = self._edited(name, len(name), self._limits.part)
        return f"{told}{left_out(missing)}" if missing else told

    def _said(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._text(value)
        return self._structure(value) if isinstance(value, list | dict) else self._json(value)

    @property
    def _limit(self) -> int:
        return min(self._limits.part, self._room) if self._sight > 0 else 0

    def _text(self, text: str, whole: int = 0) -> str:
        """A text, or the beginning of one whose length is `whole`."""
        whole = max(whole, len(text))
        limit = self._limit
        if not limit:
            return left_out(whole) if whole else text
        told, missing = self._edited(text, whole, limit)
        self._room = 0 if missing and limit == self._room else self._room - len(told)
        return f"{told}{left_out(missing)}" if missing else told

    def _edited(self, text: str, whole: int, limit: int) -> tuple[str, int]:
        """What may be told of a text, and how much of it is missing then."""
        beginning = text[: limit + LONGEST_SECRET]
        shown, whole = without_media(beginning, whole)
        self._sight -= (len(beginning) - len(shown)) // _MEDIA
        redacted = self._redacted(shown)
        if len(shown) < whole:  # what the beginning ends with may be half a secret
            told = redacted[: max(min(limit, len(redacted) - LONGEST_SECRET), 0)]
            return told, max(whole - len(told), 1)
        if len(redacted) <= limit:
            return redacted, 0
        return redacted[:limit], max(whole, len(redacted)) - limit

    def _structure(self, value: Json) -> Json:
        """As such where it has room, and else its beginning as text."""
        limit = self._limit
        if not limit:
            return left_out(len(as_json(value)))
        beginning = Beginning(limit + LONGEST_SECRET)
        shown = beginning.of(value)
        self._sight -= beginning.removed // _MEDIA
        text = as_json(shown)
        if beginning.is_all and len(text) <= limit:
            shown = self._json(shown)
            text = as_json(shown)
            if len(text) <= limit:
                self._room -= len(text)
                return shown
        return self._text(text, 0 if beginning.is_all else max(len(as_json(value)), len(text) + 1))

    def _json(self, value: Json) -> Json:
        """A structure, or a figure, with its texts redacted."""
        if isinstance(value, str):
            return self._redacted(value)
        if isinstance(value, list):
            return list(map(self._json, value))
        if isinstance(value, dict):
            return {self._redacted(name): self._member(name, each) for name, each in value.items()}
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
        told = self._known.get(text)
        if told is not None:
            self._sight -= 1
            return told
        self._sight -= len(text) + _TEXT
        told = text
        for redact in self._redactors:
            told = redact(told)
        if len(text) <= _NAME:
            self._known[text] = told
        return told
