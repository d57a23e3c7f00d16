"""Redacts message content and shortens it to the limits, or drops it (`drop_content`) if it is not recorded.

This runs on the application's thread when the call ends: no span processor or queue may receive unredacted content, so
it must be redacted before the span ends. A background thread would not make the application faster, because it would
hold Python's global interpreter lock for as long. It could also lose spans, if a serverless platform freezes the
process after a flush. Instead, the work is bounded: a text is redacted only if the limits allow at least its beginning
to be recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any, TypeVar

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.records import (
    INSTRUCTING,
    ITEM_LENGTH,
    MARKS,
    Content,
    Document,
    Json,
    Limits,
    Message,
    Part,
    Tool,
    clean_text,
    mark_for_rest,
    omission_mark,
    opening_and_rest,
)
from agentops_otel_litellm.redaction import Redactor

Record = TypeVar("Record", Part, Tool, Document)
Entry = TypeVar("Entry")
Item = TypeVar("Item", Message, Part, Tool, Document, str)

MAX_SECRET_LENGTH = 8_192
"""Maximum length of a secret that is recognised if it begins before the limit of a text and ends after it. The
redactors receive this number of characters beyond the limit, which are not recorded.
"""
_BUDGET_FACTOR = 2
"""Maximum number of characters that are redacted, as a multiple of the number that may be recorded. It is more than 1,
because redaction can shorten a text, so that more text can be recorded."""
_TEXT_COST = 8
"""Fixed cost of redacting a text, added to its length, in characters."""
_MEDIA_COST = 16
"""Number of characters of media whose removal costs as much as redacting one character."""
_MAX_CACHED_LENGTH = 64
"""Maximum length of texts whose redaction is cached. Many short texts are names that a call repeats."""
_MAX_PASSWORD_LENGTH = 512
"""Maximum length of a member of an object that is redacted together with its name."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_SHORT_NAME = 32
"""Maximum length of a name that is recorded although the limits are exhausted: a mark would be no shorter."""
_UNEDITED_FIELDS = frozenset({"type", "modality", "size", "index", "score"})
"""Fields that are not redacted: they are numbers, or terms of the semantic conventions."""
_LIMITED_FIELDS = frozenset({"content", "arguments", "response", "uri", "description", "parameters"})
"""Fields that can be long. The other fields are names."""
_ROLES = INSTRUCTING | {"user", "assistant", "tool", "function", "model"}

_EDITING = guard("redacting the content of a call")


def drop_content(call: Call) -> Call:
    """Return the call without its message content.

    It is the last step in `steps.py` if nothing records content, and then `Invocation` reads no content either. If only
    spans or only events record content, `Telemetry._complete` uses it for the other.
    """
    return call if call.content is None else replace(call, content=None)


def create_content_processor(
    redactors: Callable[[], Sequence[Redactor] | None], limits: Limits
) -> Callable[[Call], Call]:
    """Return a processor that redacts the content of a call, and shortens it to `limits`, which are for each text and
    for the whole call. Media have a separate limit: they are recorded completely or not at all.

    The processor drops the content if `redactors` returns `None`, or if any code raises, such as the user's redactor.
    """

    def edit_content(call: Call) -> Call:
        if call.content is None:
            return call
        edited: Content | None = None
        with _EDITING:
            loaded = redactors()
            if loaded is not None:
                edited = _ContentEditor((clean_text, *loaded), limits).edit(call.content)
        return replace(call, content=edited)

    return edit_content


class _ContentEditor:
    """Edits the content of one call: content within the limits is redacted, the rest is replaced by marks that state
    its length.
    """

    def __init__(self, redactors: tuple[Redactor, ...], limits: Limits) -> None:
        self._redactors = redactors
        self._limits = limits
        self._remaining = limits.call
        """Characters that may still be recorded."""
        self._budget = limits.call * _BUDGET_FACTOR
        """Characters that may still be redacted."""
        self._marks = MARKS
        """Marks for single items that may still be recorded."""
        self._cache: dict[str, str] = {}
        """Short text → redacted text."""

    def edit(self, content: Content) -> Content:
        """Return the edited content.

        The call's limit applies to all content together, so the most important content is edited first: the output, the
        instructions, the tools, and the other messages from the last to the first. Queries, results, texts and
        documents come last, because calls that have them have hardly any other content.
        """
        output = self._edit_messages(content.output)
        instructions = self._edit_records(content.instructions)
        opening, conversation = opening_and_rest(content.input or ())
        first = self._edit_messages(opening) or ()
        tools = self._edit_records(content.tools)
        latest = self._edit_messages(conversation[::-1]) or ()
        return Content(
            output=output,
            instructions=instructions,
            tools=tools,
            input=None if content.input is None else (*first, *latest[::-1]),
            query=self._edit_texts(content.query),
            results=self._edit_records(content.results),
            texts=self._edit_texts(content.texts),
            documents=self._edit_records(content.documents),
            error=None if content.error is None else self._edit_text(content.error),
        )

    def _edit_all(self, items: Sequence[Item] | None, edit: Callable[[Item], Item]) -> tuple[Item, ...] | None:
        """Edit items of one type; `None` for `None`. When the limits are exhausted, each further item becomes a mark.
        After `MARKS` marks, a single mark replaces all remaining items of a list.
        """
        return None if items is None else tuple(self._edited_items(items, edit))

    def _edited_items(self, items: Sequence[Item], edit: Callable[[Item], Item]) -> Iterator[Item]:
        for number, each in enumerate(items):
            self._remaining -= ITEM_LENGTH
            if not self._current_limit:
                self._marks -= 1
                rest = len(items) - number
                if self._marks < 0 and rest > 1:
                    yield mark_for_rest(type(each), rest)
                    return
            yield edit(each)

    def _edit_messages(self, messages: Sequence[Message] | None) -> tuple[Message, ...] | None:
        return self._edit_all(messages, self._edit_message)

    def _edit_message(self, message: Message) -> Message:
        fields: dict[str, Any] = {
            name: self._edit_records(value) if name == "parts" else self._edit_name(value)
            for name, value in vars(message).items()
        }
        return Message(**fields)

    def _edit_texts(self, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return self._edit_all(texts, self._edit_text)

    def _edit_records(self, records: tuple[Record, ...] | None) -> tuple[Record, ...] | None:
        """Edit parts, tools or documents."""
        return self._edit_all(records, self._edit_record)

    def _edit_record(self, record: Record) -> Record:
        if isinstance(record, Part) and record.type == "blob":
            return self._edit_blob(record)  # type: ignore[return-value]  # `record` is a part, so the result is one
        fields: dict[str, Any] = {name: self._edit_field(name, value) for name, value in vars(record).items()}
        return type(record)(**fields)

    def _edit_field(self, name: str, value: Any) -> Any:  # noqa: ANN401 - a field of any type
        """Edit the field `name` of a part, tool or document."""
        if name in _UNEDITED_FIELDS:
            return value
        return self._edit_value(value) if name in _LIMITED_FIELDS else self._edit_name(value)

    def _edit_blob(self, part: Part) -> Part:
        """Edit media. The base64 is kept if it is within the limit for media; otherwise only its size is."""
        data = base64_within_limit(part, self._limits.media)
        fields: dict[str, Any] = {
            name: value if name in _UNEDITED_FIELDS else self._edit_name(value)
            for name, value in vars(part).items()
            if name != "content"
        }
        return Part(**fields) if data is None else Part(**{**fields, "content": data, "size": None})

    def _edit_name(self, name: str) -> str:
        """Redact a name. A short name is recorded although the limits are exhausted."""
        if name in _ROLES:
            return name
        if len(name) > _SHORT_NAME or self._budget <= 0:
            return self._edit_text(name)
        self._remaining -= len(name)
        edited, omitted_length = self._redact_up_to(name, len(name), self._limits.part)
        return f"{edited}{omission_mark(omitted_length)}" if omitted_length else edited

    def _edit_value(self, value: Json) -> Json:
        """Edit a text, a structure, a number, a Boolean or `None`."""
        if isinstance(value, str):
            return self._edit_text(value)
        return self._edit_structure(value) if isinstance(value, list | dict) else self._redact_json(value)

    @property
    def _current_limit(self) -> int:
        """Maximum length of the next text; 0 if the call's limit is reached, or no further text may be redacted."""
        return max(min(self._limits.part, self._remaining), 0) if self._budget > 0 else 0

    def _edit_text(self, text: str, full_length: int = 0) -> str:
        """Edit a text. If `text` is only the beginning of a longer text, `full_length` is the length of the latter."""
        full_length = max(full_length, len(text))
        limit = self._current_limit
        if not limit:
            return omission_mark(full_length) if full_length else text
        edited, omitted_length = self._redact_up_to(text, full_length, limit)
        self._remaining = 0 if omitted_length and limit == self._remaining else self._remaining - len(edited)
        return f"{edited}{omission_mark(omitted_length)}" if omitted_length else edited

    def _redact_up_to(self, text: str, full_length: int, limit: int) -> tuple[str, int]:
        """Return at most `limit` characters of the redacted beginning of a text, and the number of omitted characters.

        The redactors receive `MAX_SECRET_LENGTH` characters more than the limit, so that they recognise a secret that
        begins before the limit and ends after it. `full_length` is as in `_edit_text`.
        """
        beginning = text[: limit + MAX_SECRET_LENGTH]
        shortened, full_length = remove_media(beginning, full_length)
        self._budget -= (len(beginning) - len(shortened)) // _MEDIA_COST
        redacted = self._redact(shortened)
        if len(shortened) < full_length:
            # The beginning may end within a secret, which the redactors may not recognise. So the last characters are
            # dropped.
            edited = redacted[: max(min(limit, len(redacted) - MAX_SECRET_LENGTH), 0)]
            return edited, max(full_length - len(edited), 1)
        if len(redacted) <= limit:
            return redacted, 0
        return redacted[:limit], max(full_length, len(redacted)) - limit

    def _edit_structure(self, value: Json) -> Json:
        """Edit a list or an object. If it exceeds the limits, it is replaced by the beginning of its JSON text."""
        limit = self._current_limit
        if not limit:
            return omission_mark(len(as_json(value)))
        beginning = Beginning(limit + MAX_SECRET_LENGTH)
        shortened = beginning.take(value)
        self._budget -= beginning.removed_media_length // _MEDIA_COST
        text = as_json(shortened)
        if beginning.is_complete and len(text) <= limit:
            edited = self._redact_json(shortened)
            text = as_json(edited)
            if len(text) <= limit:
                self._remaining -= len(text)
                return edited
        return self._edit_text(text, 0 if beginning.is_complete else max(len(as_json(value)), len(text) + 1))

    def _redact_json(self, value: Json) -> Json:
        """Redact all texts and numbers in a JSON value."""
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, list):
            return list(map(self._redact_json, value))
        if isinstance(value, dict):
            return {self._redact(name): self._redact_member(name, each) for name, each in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            redacted = self._redact(str(value))
            return value if redacted == str(value) else redacted
        return value

    def _redact_member(self, name: str, value: Json) -> Json:
        """Redact the member `name` of an object. A redactor may recognise a secret only by its name, as in
        `password=…`, so a short text that is unchanged is redacted again, together with the name.
        """
        edited = self._redact_json(value)
        if edited != value or not isinstance(value, str) or len(value) > _MAX_PASSWORD_LENGTH:
            return edited
        named = f"{name}={value}"
        redacted = self._redact(named)
        return redacted.removeprefix(f"{name}=") if redacted != named else edited

    def _redact(self, text: str) -> str:
        """Redact a text with all redactors. The results for short texts are cached."""
        redacted = self._cache.get(text)
        if redacted is not None:
            self._budget -= 1
            return redacted
        self._budget -= len(text) + _TEXT_COST
        redacted = text
        for redact in self._redactors:
            redacted = redact(redacted)
        if len(text) <= _MAX_CACHED_LENGTH:
            self._cache[text] = redacted
        return redacted


_DATA_URL = re.compile(r"(data:[\w.+/;=-]{0,128};base64,)([A-Za-z0-9+/=_-]+)")
_ONLY_DATA_URL = re.compile(r"(data:(?:\w[\w.-]{0,64}/[\w.+-]{1,64})?(?:;[\w.+=-]{0,64}){0,8},)\S+")
_ONLY_BASE64 = re.compile(r"(?=[A-Za-z0-9]*[+/])[A-Za-z0-9+/]{256,}={0,2}")


def remove_media(beginning: str, full_length: int) -> tuple[str, int]:
    """Replace media in a text by marks. Media are `data:` URLs anywhere in the text, or a whole text that is base64.

    `beginning` is the text, or the beginning of it if it is long; `full_length` is the length of the whole text.
    Returns the changed beginning, and the length of the whole text with it. If the beginning ends within media, the
    rest of the text is assumed to be media as well, and the same mark replaces it.
    """
    if beginning.startswith("data:"):
        data_url = _ONLY_DATA_URL.fullmatch(beginning)
        if data_url is not None:
            return _with_length(f"{data_url[1]}{omission_mark(full_length - len(data_url[1]))}")
    if "base64," in beginning:
        return _without_data_urls(beginning, full_length)
    if _ONLY_BASE64.fullmatch(beginning):
        return _with_length(omission_mark(full_length))
    return beginning, full_length


def _without_data_urls(beginning: str, full_length: int) -> tuple[str, int]:
    """Replace the base64 of each `data:` URL in a text by a mark."""
    remaining = full_length - len(beginning)
    ends_in_media = False

    def mark(found: re.Match[str]) -> str:
        nonlocal ends_in_media
        ends_in_media = found.end() == len(beginning)
        return f"{found[1]}{omission_mark(len(found[2]) + (remaining if ends_in_media else 0))}"

    edited = _DATA_URL.sub(mark, beginning)
    return _with_length(edited) if ends_in_media else (edited, len(edited) + remaining)


def _with_length(edited: str) -> tuple[str, int]:
    return edited, len(edited)


def base64_within_limit(part: Part, limit: int) -> str | None:
    """The base64 of a blob, if it is valid and has at most `limit` characters; always `None` if `limit` is 0."""
    content = part.content or ""
    begin = content.find(",") + 1 if content.startswith("data:") else 0
    if not limit or len(content) - begin > limit:
        return None
    data = content[begin:]
    return data if _BASE64.fullmatch(data) else None


# --- JSON structures -------------------------------------------------------------------------


def as_json(value: Json) -> str:
    """The JSON text of a structure. Its length is what counts towards the limits."""
    return json.dumps(value, ensure_ascii=False)


class Beginning:
    """Copies the beginning of a structure, without media, up to about `size` characters of its JSON text."""

    def __init__(self, size: int) -> None:
        self._remaining = size
        self.removed_media_length = 0
        """Characters of media that were removed."""
        self.is_complete = True
        """Whether the copy is the whole structure."""

    def take(self, value: Json) -> Json:
        """Return a copy of the value, cut where the limit is used up. It is first called with the whole structure, and
        calls itself with each value in it.
        """
        if isinstance(value, str):
            return self._take_text(value)
        if isinstance(value, list):
            return [self.take(each) for each in self._take_entries(value)]
        if isinstance(value, dict):
            return {name: self.take(value[name]) for name in self._take_entries(value, map(len, value))}
        self._remaining -= 1
        return value

    def _take_entries(self, entries: Iterable[Entry], name_lengths: Iterable[int] = repeat(0)) -> Iterator[Entry]:
        """Yield the first entries of a list or an object, as many as fit. The lengths of their names are subtracted
        here; the lengths of their values are subtracted when the caller copies these.
        """
        for each, name_length in zip(entries, name_lengths, strict=False):
            if self._remaining <= 0:
                self.is_complete = False
                return
            self._remaining -= name_length + 2
            yield each

    def _take_text(self, text: str) -> str:
        beginning = text[: max(self._remaining, 0)]
        edited, full_length = remove_media(beginning, len(text))
        self.removed_media_length += len(beginning) - len(edited)
        self._remaining -= len(edited)
        self.is_complete &= len(edited) == full_length
        return edited
