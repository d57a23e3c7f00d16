"""Functions that remove secrets, personal data, media and too long texts from message content.

Secrets and personal data are removed by redactors: first the built-in rules, then the user's redactors. The patterns of
the rules run on long texts, on the application's thread. So each pattern begins with a rare character or needs a rare
text, and none can backtrack without limit. Only the type and size of media are recorded, unless the user enables media.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import count, repeat
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TypeVar, cast

from agentops_otel_litellm.records import Document, Json, Message, Part, Tool
from agentops_otel_litellm.settings import Settings

# --- redaction --------------------------------------------------------------------------------------------


logger = logging.getLogger(__name__)

Redactor = Callable[[str], str]
"""A function that returns a text without its secrets. If it raises, all content of the call is dropped."""
ENTRY_POINTS = "agentops_otel_litellm_redactor"
"""The entry point group for redactors of installed packages. All of them are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A pattern for one kind of secret, and a check that excludes similar texts."""

    kind: str
    required_texts: tuple[str, ...] = ()
    """Words in lower case. If there are any, only a text that contains one of them is searched for the pattern."""
    pattern: re.Pattern[str]
    """The pattern of the secret. If it has a group `before`, the text of this group is kept."""
    is_secret: Callable[[str], bool] = bool
    """Whether a text that matches the pattern really is a secret."""


def _digits(found: str) -> list[int]:
    return [int(digit) for digit in found if digit.isdecimal()]


def _has_card_checksum(found: str) -> bool:
    """Luhn's checksum: with every second digit from the right doubled, the sum is a multiple of ten."""
    digits = _digits(found)
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0  # noqa: PLR2004 - ISO 7812


def _has_phone_length(found: str) -> bool:
    return 8 <= len(_digits(found)) <= 15  # noqa: PLR2004 - E.164


def _begins(first: str, others: str) -> str:
    """A pattern for the position at which a secret begins: before one of the characters `first`, and not after one of
    `others`, which would mean that the position is within a word. The last letter of an escape sequence in JSON, such
    as the `n` of a line break, may precede it.
    """
    return rf"(?=[{first}])(?:(?<![{others}])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{{4}}))"


_KEYS = (
    r"(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter, LiteLLM, Langfuse
    r"|(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}"  # Stripe, and others with the same format
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|AIza[A-Za-z0-9_-]{35}"  # Google
    r"|gsk_[A-Za-z0-9]{20,}"  # Groq
    r"|xai-[A-Za-z0-9_-]{20,}"
    r"|hf_[A-Za-z0-9]{20,}"  # Hugging Face
    r"|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # SendGrid
    r"|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}"
)
RULES: tuple[Rule, ...] = (
    Rule(kind="key", pattern=re.compile(rf"{_begins('sprwAgxhnS', 'A-Za-z0-9_-')}(?:{_KEYS})")),
    # JSON web tokens, the value of `Authorization`, and credentials in URLs.
    Rule(
        kind="token",
        required_texts=("eyj",),
        pattern=re.compile(
            _begins("e", "A-Za-z0-9_-") + r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]+)?"
        ),
    ),
    Rule(
        kind="token",
        required_texts=("bearer ", "basic "),
        pattern=re.compile(r"(?P<before>(?i:bearer|basic) )[A-Za-z0-9._~+/=-]{16,}"),
    ),
    Rule(kind="token", pattern=re.compile(r"(?P<before>://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)")),
    Rule(
        kind="email",
        required_texts=("@",),
        pattern=re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?![\w-])"),
    ),
    # With a country code, or in formats that only phone numbers have.
    Rule(
        kind="phone",
        pattern=re.compile(
            _begins(r"+(\d", r"\w+.-")
            + r"(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-])"
            r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-]))"
        ),
        is_secret=_has_phone_length,
    ),
    Rule(
        kind="card",
        pattern=re.compile(_begins(r"\d", r"\w.-") + r"\d(?:[ -]?\d){12,18}(?![\w-])"),
        is_secret=_has_card_checksum,
    ),
    # The following two patterns come last, because they could match only the beginning of a secret that a rule above
    # recognises completely, and leave its rest in the text.
    # A value after a name that identifies it as a secret: `api_key=…`, `"password": "…"`.
    Rule(
        kind="key",
        required_texts=(
            "password",
            "passwd",
            "secret",
            *(f"{of}{by}key" for of in ("api", "access") for by in ("", "_", "-")),
        ),
        pattern=re.compile(
            r"""(?P<before>(?i:password|passwd|secret|api[_-]?key|access[_-]?key)"""
            r"""\\{0,31}["']?\s{0,3}[:=]\s{0,3}\\{0,31}["']?)"""
            r"""(?!-----BEGIN)[^\s"',;}]{6,}"""
        ),
    ),
    # A private key, or the beginning of one that was cut. A rule above may have replaced a part of it by a mark.
    Rule(
        kind="key",
        pattern=re.compile(
            r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s\\:,\[\]]|-(?!----END)){16,}"
            r"(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
        ),
    ),
)
"""In the order in which they are applied."""


def redactor(kinds: Collection[str]) -> Redactor:
    """Return a redactor that applies the rules of these kinds. It replaces each secret by a mark such as `[email]`."""
    chosen = [(rule.required_texts, rule.pattern, _create_mark(rule)) for rule in RULES if rule.kind in kinds]

    def redact(text: str) -> str:
        folded = text.casefold()
        for required_texts, pattern, mark in chosen:
            if not required_texts or any(sign in folded for sign in required_texts):
                text = pattern.sub(mark, text)
        return text

    return redact


def _create_mark(rule: Rule) -> Callable[[re.Match[str]], str]:
    """Return a function that replaces a match by the rule's mark, or returns it unchanged if it is no secret."""

    def mark(found: re.Match[str]) -> str:
        if not rule.is_secret(found[0]):
            return found[0]
        return f"{found.groupdict().get('before') or ''}[{rule.kind}]"

    return mark


class Redactors:
    """Returns all redactors. They are loaded when the first content is redacted: a module with a redactor of the user's
    may import LiteLLM, so it must not be imported while LiteLLM itself is being imported.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all: tuple[Redactor, ...] | None = None
        self._has_failed = False
        self._failures = count()
        self._thread = threading.local()

    def __call__(self) -> tuple[Redactor, ...] | None:
        """Return the redactors. `None` if a redactor of the user's cannot be loaded, for which a warning is logged
        once, or while it is being loaded by this thread. Then no content may be recorded.
        """
        if self._all is not None or self._has_failed or self._is_loading:
            return self._all
        # A lock could deadlock: the imported module may call LiteLLM, or wait for a thread that calls LiteLLM. Without
        # one, several threads may load the redactors at the same time, but Python imports each module once.
        self._thread.is_loading = True
        try:
            self._all = (redactor(self._settings.redact), *_load_user_redactors(self._settings))
        except _CannotBeLoaded as reason:
            self._fail(reason)
        finally:
            self._thread.is_loading = False
        return self._all

    @property
    def _is_loading(self) -> bool:
        """Whether this thread is importing a redactor's module, so that the module has called LiteLLM on import."""
        return getattr(self._thread, "is_loading", False)

    def _fail(self, reason: _CannotBeLoaded) -> None:
        # Only one thread may log. `next` is atomic; a lock could deadlock, if a signal handler interrupts its owner.
        is_first = next(self._failures) == 0
        self._has_failed = True
        if is_first and self._all is None:
            logger.warning("%s. No content is recorded.", reason)


class _CannotBeLoaded(Exception):  # noqa: N818 - an error of the user's redactor, not of this package
    """A redactor of the user's cannot be loaded. The message names the redactor and the reason."""


def _load_user_redactors(settings: Settings) -> Iterator[Redactor]:
    """Load the redactors of installed packages, and the one in AGENTOPS_REDACTOR. Raises: `_CannotBeLoaded`."""
    named = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}
    if settings.redactor:
        named["AGENTOPS_REDACTOR"] = settings.redactor
    for name, reference in named.items():
        try:
            loaded = _resolve(reference)
        except (Exception, SystemExit) as fault:  # the module may be a script that calls `sys.exit`
            raise _CannotBeLoaded(
                f"The redactor {name}={reference!r} cannot be loaded ({type(fault).__name__})"
            ) from fault
        if not callable(loaded):
            raise _CannotBeLoaded(f"The redactor {name}={reference!r} is not a function (expected `module:function`)")
        yield loaded


def _resolve(reference: str) -> Any:  # noqa: ANN401 - any object can have the name
    """Import the object to which a reference such as `module:function` refers."""
    module, colon, name = reference.partition(":")
    return resolve_name(f"__main__:{name}" if colon and _is_program(module) else reference)


def _is_program(module: str) -> bool:
    """Whether the module is the running program, whose name is `__main__`. To import it would run it a second time."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if program is None or module in sys.modules or Path(program).stem != module.rpartition(".")[2]:
        return False
    spec = find_spec(module)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == Path(program).resolve()


# --- limits -----------------------------------------------------------------------------------------------


Entry = TypeVar("Entry")
Item = TypeVar("Item", Message, Part, Tool, Document, str)

MAX_SECRET_LENGTH = 8_192
"""Maximum length of a secret that is recognised if it begins before the limit of a text and ends after it. The
redactors receive this number of characters beyond the limit, which are not recorded.
"""
MARKS = 256
"""Maximum number of messages, parts and so on that are each replaced by a separate mark. One mark replaces all further
ones, so that the size of a span is bounded.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Maximum numbers of characters that are recorded."""

    part: int
    """Maximum for one text or structure."""
    call: int
    """Maximum for all content of the call together."""
    media: int = 0
    """Maximum for the base64 of an image or other media, which does not count towards the other two limits."""


def omission_mark(size: int, noun: str = "characters") -> str:
    """The mark that replaces omitted content: `… [12 characters left out]`."""
    return f"… [{size} {noun} left out]"


_OMITTED = "omitted"
"""Role of a message, or type of a tool, that is a mark. The semantic conventions do not define such a role or type."""
_TOGETHER: Mapping[type, tuple[str, Callable[[str], object]]] = {
    Message: ("messages", lambda mark: Message(role=_OMITTED, parts=(Part(type="text", content=mark),))),
    Part: ("parts", lambda mark: Part(type="text", content=mark)),
    Tool: ("tools", lambda mark: Tool(type=_OMITTED, name=mark)),
    Document: ("documents", lambda mark: Document(content=mark)),
    str: ("texts", str),
}
"""Type of the omitted items → plural noun for them, and function that creates an item of this type with a mark."""


def mark_for_rest(first: Item, number: int) -> Item:
    """Return an item that states that `number` items are omitted. It has the same type as `first`, one of the items."""
    noun, create_mark = _TOGETHER[type(first)]
    return cast("Item", create_mark(omission_mark(number, noun)))


# --- media as base64 -------------------------------------------------------------------------

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
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
