"""Parsers of variables. A parser raises a ValueError that describes the accepted values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""Levels of Python's logging."""


DIGITS = 9
"""Maximum number of digits of a number. Some systems cannot wait for a longer number of milliseconds."""


def names(text: str) -> tuple[str, ...]:
    """A comma-separated list, each name once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """A comma-separated list of `name=value`. A repeated name has its last value."""
    chosen: dict[str, str] = {}
    for item in names(text):
        name, _, value = (part.strip() for part in item.partition("="))
        if not name or not value:
            raise ValueError("comma-separated pairs, as in `acme-=openai,our-claude=anthropic`")
        chosen[name] = value
    return tuple(chosen.items())


def switch(text: str) -> bool:
    """`true` or `false`, as in OpenTelemetry's variables."""
    if text.lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return text.lower() == "true"


def number_of(what: str) -> Callable[[str], int]:
    """Return a parser of integers from 1."""

    def number(text: str) -> int:
        if text.isdecimal() and len(text) > DIGITS:
            raise ValueError(f"a number of {what} with at most {DIGITS} digits")
        if not text.isdecimal() or int(text) == 0:
            raise ValueError(f"a number of {what}, 1 or more")
        return int(text)

    return number


def url(text: str) -> str:
    """An HTTP URL with a host and a valid port, if it has one."""
    try:
        split = urlsplit(text)
        _ = split.port
    except ValueError:  # also raised for an invalid port; its text may quote a password
        split = None
    if split is None or split.scheme not in {"http", "https"} or not split.hostname:
        raise ValueError("a URL that begins with http:// or https://")
    return text


def level(text: str) -> str:
    if text.upper() not in LEVELS:
        raise ValueError(f"one of {', '.join(LEVELS)}")
    return text.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCapture:
    """Where content is recorded: nowhere by default."""

    on_spans: bool = False
    in_events: bool = False

    def __str__(self) -> str:
        return next(name for name, known in CAPTURES.items() if known == self)


CAPTURES = {
    "NO_CONTENT": ContentCapture(),
    "SPAN_ONLY": ContentCapture(on_spans=True),
    "EVENT_ONLY": ContentCapture(in_events=True),
    "SPAN_AND_EVENT": ContentCapture(on_spans=True, in_events=True),
    # The value in earlier releases of OpenTelemetry's instrumentations.
    "TRUE": ContentCapture(on_spans=True),
    "FALSE": ContentCapture(),
}


def capture(text: str) -> ContentCapture:
    if text.upper() not in CAPTURES:
        raise ValueError("one of NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT")
    return CAPTURES[text.upper()]


REDACTED = ("key", "token", "email", "phone", "card")
"""The kinds of secrets that can be redacted."""


def kinds(text: str) -> tuple[str, ...]:
    chosen = names(text.lower())
    if chosen == ("none",):
        return ()
    if not set(chosen) <= set(REDACTED):
        raise ValueError(f"a comma-separated choice of {', '.join(REDACTED)}, or none")
    return chosen
