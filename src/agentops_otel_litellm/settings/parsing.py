"""How the values of settings are parsed, and how invalid values are reported. `__init__.py` declares the settings.

A parser raises a ValueError that describes the accepted values.

Only the first process of an application logs warnings about variables. The child processes that it starts inherit the
environment, and would repeat them. Keys, passwords and other secrets are masked in the warnings and in the report of
`doctor`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from dataclasses import Field, dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

# --- warnings about variables -----------------------------------------------------------------------------


FIRST_PROCESS = "AGENTOPS_OTEL_LITELLM_FIRST_PROCESS"
"""Variable with the id of the process that logged the warnings. The distro sets it, for child processes."""

_LOADER = "opentelemetry.instrumentation.auto_instrumentation._load"

MASK = "***"
_SECRET = re.compile(r"HEADERS$|_KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL")
_PUBLIC = re.compile(r"_(?:CREDENTIAL_PROVIDER|CLIENT_KEY)$")
"""Variables whose names look secret, but whose values are the name of an entry point or the path of a file."""
_ADDRESS = re.compile(r"\w+://|[\w.-]+:\d{1,5}(?:/|$)")
"""The beginning of a URL, or a host and a port, which gRPC accepts."""
_SCHEME = re.compile(r"\w+://|")


def mark_first_process() -> None:
    """Set the variable that marks child processes as not the first."""
    os.environ.setdefault(FIRST_PROCESS, str(os.getpid()))


def is_first_process() -> bool:
    """Whether this process is the first one: it is not a child of a process that has set up this package."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        return False
    own = str(os.getpid())
    return os.environ.get(FIRST_PROCESS, own) == own


def quiet_child_process() -> None:
    """In a child process, keep OpenTelemetry from logging the installed configurators that it does not load. The first
    process has logged them.
    """
    if not is_first_process():
        logging.getLogger(_LOADER).addFilter(_is_no_start_up_line)


def _is_no_start_up_line(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Configuration of %s not loaded")


def warn_at_start_up(logger: logging.Logger, message: str, *values: object) -> None:
    """Log a warning about the environment. Child processes inherit the environment, and would repeat it."""
    if is_first_process():
        logger.warning(message, *values, stacklevel=2)


def invalid_value(variable: str, value: str, fault: str) -> str:
    """A sentence about an invalid value, in which `value` may be displayed. An empty `value` or `fault` is left out."""
    return f"Invalid value for {variable}{f': {value}' if value else ''}{f' ({fault})' if fault else ''}."


def masked(variable: str, text: str) -> str:
    """The text without secrets, on one line."""
    plain = without_secrets(variable, text)
    return plain if plain.isprintable() else ascii(plain)


def without_secrets(variable: str, text: str) -> str:
    """The value `text` of a variable, in which a mask replaces keys, passwords, and other values that may be secret."""
    if not text:
        return ""
    if is_secret(variable):
        return MASK
    if variable == "OTEL_RESOURCE_ATTRIBUTES":
        return ",".join(map(_attribute, text.split(",")))
    before, at, plain = text.rpartition("@")  # in a URL, a user and a password
    if "ENDPOINT" in variable and not _ADDRESS.match(text if "://" in text else plain):
        return MASK  # a key can be there by mistake
    if at:
        scheme = _SCHEME.match(before)
        plain = f"{scheme[0] if scheme else ''}{MASK}@{plain}"
    if "://" in plain or "ENDPOINT" in variable:
        base, query, _ = plain.partition("?")
        plain = f"{base}?{MASK}" if query else base
    return plain


def _attribute(pair: str) -> str:
    """Resource attributes of the application can contain anything: only the value of `service.name` is displayed."""
    name, equals, _ = pair.partition("=")
    if not equals:
        return MASK
    return pair.strip() if name.strip() == "service.name" else f"{name.strip()}={MASK}"


def is_secret(variable: str) -> bool:
    return bool(_SECRET.search(variable)) and not _PUBLIC.search(variable)


# --- settings ---------------------------------------------------------------------------------------------


logger = logging.getLogger("agentops_otel_litellm.settings")

Value = TypeVar("Value")

warned: set[str] = set()
"""Variables for which a warning was logged. Several parts of this package read the settings, and must not log it
twice.
"""


def setting(  # noqa: PLR0913 - a table's columns
    variable: str,
    *,
    default: Value,
    parse: Callable[[str], Value],
    help: str,  # noqa: A002 - argparse's word
    secret: bool = False,
    without: str | None = None,
) -> Value:
    """Declare a setting. `parse` raises a ValueError that describes the accepted values. Values of a `secret` are never
    displayed.

    If the default must not replace an invalid value, `without` describes the consequence for the user, and the setting
    is `None`.
    """
    metadata = {"variable": variable, "parse": parse, "help": help, "secret": secret, "without": without}
    declared: Value = field(default=default, metadata=metadata, repr=not secret)
    return declared


def warn_of_invalid_value(declared: Field[object], text: str, accepted: str) -> None:
    """Log that the value of a variable is invalid, once for each variable, without secrets."""
    variable = declared.metadata["variable"]
    if variable in warned:
        return
    warned.add(variable)
    # Python's own errors quote the value: the accepted values of a secret are not logged either.
    fault = "" if hides_its_value(declared) else f"expected {accepted}"
    warn_at_start_up(logger, "%s %s", invalid_value(variable, quoted(declared, text), fault), instead(declared))


def hides_its_value(declared: Field[object]) -> bool:
    """Whether the value of a setting must not be displayed, because it is a secret."""
    return declared.metadata["secret"] or is_secret(declared.metadata["variable"])


def quoted(declared: Field[object], text: str) -> str:
    """An invalid value for a message. It is empty for secrets, and for an invalid URL, in which a password can be
    anywhere.
    """
    if hides_its_value(declared) or declared.metadata["parse"] is url:
        return ""
    return repr(without_secrets(declared.metadata["variable"], text))


def instead(declared: Field[object]) -> str:
    """A sentence about the value that is used instead, or the consequence."""
    if declared.metadata["without"]:
        return str(declared.metadata["without"])
    default = format_value(declared.default)
    return f"Using {default}." if default else "The value is ignored."


def format_value(value: object) -> str:
    """The value of a setting as it is written in the variable; an empty text for `None`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


# --- parsers --------------------------------------------------------------------------------------------------

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
    """A level of Python's logging, in any case."""
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
    """Where content is recorded, by the names in `CAPTURES`, in any case."""
    if text.upper() not in CAPTURES:
        raise ValueError("one of NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT")
    return CAPTURES[text.upper()]


REDACTED = ("key", "token", "email", "phone", "card")
"""The kinds of secrets that can be redacted."""


def kinds(text: str) -> tuple[str, ...]:
    """A comma-separated list of the kinds in `REDACTED`; empty for `none`."""
    chosen = names(text.lower())
    if chosen == ("none",):
        return ()
    if not set(chosen) <= set(REDACTED):
        raise ValueError(f"a comma-separated choice of {', '.join(REDACTED)}, or none")
    return chosen
