"""Parses the values of the settings, which `__init__.py` declares, and warns of invalid values.

Only the first process of an application logs these warnings, because its child processes inherit the environment and
would repeat them. Keys, passwords and other secrets are masked in the warnings and in the report of `doctor`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from dataclasses import Field, dataclass, field
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from agentops_otel_litellm.redaction import redactor

# --- warnings about variables -----------------------------------------------------------------------------


FIRST_PROCESS = "AGENTOPS_OTEL_LITELLM_FIRST_PROCESS"
"""Variable with the id of the process that has logged the warnings. The distro sets it, so that child processes, which
inherit it, log none.
"""

_LOADER = "opentelemetry.instrumentation.auto_instrumentation._load"

MASK = "***"
_SECRET = re.compile(r"HEADERS$|_KEY$|TOKEN|SECRET|PASSWORD|CREDENTIAL")
_PUBLIC = re.compile(r"_(?:CREDENTIAL_PROVIDER|CLIENT_KEY)$")
"""Variables that `_SECRET` matches, although their values are no secrets, but names of entry points or paths."""
_ADDRESS = re.compile(r"\w+://|[\w.-]+:\d{1,5}(?:/|$)")
"""The beginning of a URL, or a host with a port, which gRPC accepts as an endpoint."""
_SCHEME = re.compile(r"\w+://|")
_PARAMETERS = re.compile("[?#;]")
_KEY_IN_PATH = re.compile(r"(?<=/)(?=[^/]{0,256}\d)(?=[^/]{0,256}[A-Za-z])[\w~%+=-]{16,}(?=/|$)")
"""A part of a URL's path that may be a key: 16 characters or more, among them digits and letters."""
_redact = redactor(("key", "token"), mark=MASK)


def mark_first_process() -> None:
    """Set `FIRST_PROCESS` to the id of this process, unless a parent process has set it."""
    os.environ.setdefault(FIRST_PROCESS, str(os.getpid()))


def is_first_process() -> bool:
    """Whether this process is the first one of the application: no parent process has set up this package."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        return False
    own = str(os.getpid())
    return os.environ.get(FIRST_PROCESS, own) == own


def quiet_child_process() -> None:
    """In a child process, suppress OpenTelemetry's log lines about installed configurators that it does not load. The
    first process has logged them.
    """
    if not is_first_process():
        logging.getLogger(_LOADER).addFilter(_is_no_start_up_line)


def _is_no_start_up_line(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Configuration of %s not loaded")


def warn_at_start_up(logger: logging.Logger, message: str, *values: object) -> None:
    """Log a warning about the environment, but only in the first process of the application."""
    if is_first_process():
        logger.warning(message, *values, stacklevel=2)


def invalid_value(variable: str, value: str, fault: str) -> str:
    """A sentence that a variable has an invalid value. It quotes `value`, which must have no secrets, and states
    `fault`, what is wrong. Either may be empty.
    """
    return f"Invalid value for {variable}{f': {value}' if value else ''}{f' ({fault})' if fault else ''}."


def masked(variable: str, text: str) -> str:
    """The value `text` of a variable, without secrets and on one line, to be displayed."""
    plain = without_secrets(variable, text)
    return plain if plain.isprintable() else ascii(plain)


def without_secrets(variable: str, text: str) -> str:
    """The value `text` of a variable, in which `***` replaces keys, passwords and whatever else may be secret."""
    if not text:
        return ""
    if is_secret(variable):
        return MASK
    if variable == "OTEL_RESOURCE_ATTRIBUTES":
        return ",".join(map(_attribute, text.split(",")))
    before, at, plain = text.rpartition("@")  # in a URL, `before` has a user and a password
    if "ENDPOINT" in variable and not _ADDRESS.match(text if "://" in text else plain):
        return MASK  # not an endpoint: the user may have set a key here by mistake
    if at:
        scheme = _SCHEME.match(before)
        plain = f"{scheme[0] if scheme else ''}{MASK}@{plain}"
    if "://" in plain or "ENDPOINT" in variable:
        # A query, a fragment and parameters after a semicolon can have a key.
        base = _PARAMETERS.split(plain, maxsplit=1)[0]
        rest = f"{plain[len(base)]}{MASK}" if len(base) < len(plain) else ""
        plain = f"{_KEY_IN_PATH.sub(MASK, base)}{rest}"
    return _redact(plain)


def _attribute(pair: str) -> str:
    """Mask one of OTEL_RESOURCE_ATTRIBUTES. Only the value of `service.name` is kept, others may be secret."""
    name, equals, _ = pair.partition("=")
    if not equals:
        return MASK
    return pair.strip() if name.strip() == "service.name" else f"{name.strip()}={MASK}"


def is_secret(variable: str) -> bool:
    return bool(_SECRET.search(variable)) and not _PUBLIC.search(variable)


# --- settings ---------------------------------------------------------------------------------------------


logger = logging.getLogger("agentops_otel_litellm.settings")

Value = TypeVar("Value")

_PREFIX = re.compile("^(?:AGENTOPS|OTEL_INSTRUMENTATION_GENAI)_")

warned: set[str] = set()
"""Variables and options for which a warning was logged. Several parts of this package read the settings, but only one
may warn.
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
    """Declare a setting. `parse` raises a ValueError, whose text describes the accepted values, for an invalid value.
    The value of a `secret` is never displayed.

    An invalid value is replaced by the default. If it must be replaced by `None` instead, `without` is a sentence that
    describes the consequence for the user.

    The name of its option in a configuration file is the variable's, without its prefix and in lower case.
    """
    metadata = {
        "variable": variable,
        "option": _PREFIX.sub("", variable).lower(),
        "parse": parse,
        "help": help,
        "secret": secret,
        "without": without,
    }
    declared: Value = field(default=default, metadata=metadata, repr=not secret)
    return declared


def warn_of_invalid_value(declared: Field[object], text: str, accepted: str, place: str | None = None) -> None:
    """Log that a setting has the invalid value `text`, once, without secrets. `place` is a line of a configuration
    file; `None` if the value is that of the variable.
    """
    variable = declared.metadata["variable"] if place is None else f"{declared.metadata['option']} ({place})"
    # For a secret, `accepted` is not logged: it may be an error of Python, which quotes the value.
    fault = "" if hides_its_value(declared) else f"expected {accepted}"
    warn_once(variable, f"{invalid_value(variable, quoted(declared, text), fault)} {instead(declared)}")


def warn_once(subject: str, message: str) -> None:
    """Log a warning about a variable or an option, unless a warning about it was logged before."""
    if subject not in warned:
        warned.add(subject)
        warn_at_start_up(logger, "%s", message)


def hides_its_value(declared: Field[object]) -> bool:
    """Whether the value of a setting must not be displayed, because it is a secret."""
    return declared.metadata["secret"] or is_secret(declared.metadata["variable"])


def quoted(declared: Field[object], text: str) -> str:
    """An invalid value, as a message may quote it. Empty for a secret, and for a URL, because a password can be
    anywhere in an invalid URL.
    """
    if hides_its_value(declared) or declared.metadata["parse"] in {url, servers}:
        return ""
    return repr(without_secrets(declared.metadata["variable"], text))


def instead(declared: Field[object]) -> str:
    """A sentence that states which value is used instead of an invalid one, or what the consequence is."""
    if declared.metadata["without"]:
        return str(declared.metadata["without"])
    default = format_value(declared.default)
    return f"Using {default}." if default else "The value is ignored."


def format_value(value: object) -> str:
    """The value of a setting, as the user would write it in the variable; an empty text for `None`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


# --- parsers --------------------------------------------------------------------------------------------------

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""Levels of Python's logging."""

DIGITS = 9
"""Maximum number of digits of a number. Some systems cannot wait for more milliseconds."""


def names(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list. A repeated name is returned once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Parse a comma-separated list of `name=value`. If a name is repeated, its last value is used."""
    chosen: dict[str, str] = {}
    for item in names(text):
        name, _, value = (part.strip() for part in item.partition("="))
        if not name or not value:
            raise ValueError("comma-separated pairs, as in `acme-=openai,our-claude=anthropic`")
        chosen[name] = value
    return tuple(chosen.items())


def switch(text: str) -> bool:
    """Parse `true` or `false`, in any case, as in OpenTelemetry's variables."""
    if text.lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return text.lower() == "true"


def number_of(what: str) -> Callable[[str], int]:
    """Return a parser of integers of 1 or more. `what` is the unit, for the message, such as `spans`."""

    def number(text: str) -> int:
        if text.isdecimal() and len(text) > DIGITS:
            raise ValueError(f"a number of {what} with at most {DIGITS} digits")
        if not text.isdecimal() or int(text) == 0:
            raise ValueError(f"a number of {what}, 1 or more")
        return int(text)

    return number


def url(text: str) -> str:
    """Check an HTTP URL: it must have a host, and a port, if it has one, must be valid."""
    try:
        split = urlsplit(text)
        _ = split.port  # raises if the port is invalid
    except ValueError:  # not passed on, because its text may quote a password
        split = None
    if split is None or split.scheme not in {"http", "https"} or not split.hostname:
        raise ValueError("a URL that begins with http:// or https://")
    return text


def servers(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list of hosts, hosts with a port, and HTTP or WebSocket URLs without a query."""
    for each in names(text):
        try:
            split = urlsplit(each if "://" in each else f"//{each}")
            is_valid = split.port is None or bool(split.port)  # raises if the port is invalid
        except ValueError:
            is_valid = False
        if not is_valid or not _is_server(split):
            raise ValueError("hosts or URLs, as in `gateway.example.com,http://localhost:8000/v1`")
    return names(text)


def _is_server(split: SplitResult) -> bool:
    """Whether this is a host, perhaps with a scheme, a port and a path, and nothing else."""
    has_more = bool(split.query or split.fragment or split.username or split.password or set(split.netloc) & {"*", " "})
    return bool(split.hostname) and split.scheme in {"", "http", "https", "ws", "wss"} and not has_more


def level(text: str) -> str:
    """Parse the name of a log level, in any case."""
    if text.upper() not in LEVELS:
        raise ValueError(f"one of {', '.join(LEVELS)}")
    return text.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCapture:
    """Where message content is recorded. The default is nowhere."""

    on_spans: bool = False
    in_events: bool = False

    def __str__(self) -> str:
        return next(name for name, known in CAPTURES.items() if known == self)


CAPTURES = {
    "NO_CONTENT": ContentCapture(),
    "SPAN_ONLY": ContentCapture(on_spans=True),
    "EVENT_ONLY": ContentCapture(in_events=True),
    "SPAN_AND_EVENT": ContentCapture(on_spans=True, in_events=True),
    # The values in earlier releases of OpenTelemetry's instrumentations.
    "TRUE": ContentCapture(on_spans=True),
    "FALSE": ContentCapture(),
}


def capture(text: str) -> ContentCapture:
    """Parse one of the names in `CAPTURES`, in any case."""
    if text.upper() not in CAPTURES:
        raise ValueError("one of NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT")
    return CAPTURES[text.upper()]


REDACTED = ("key", "token", "email", "phone", "card")
"""The kinds of secrets and personal data that can be redacted."""


def inner_calls(text: str) -> str:
    """Parse the value of AGENTOPS_INNER_CALLS."""
    if text.lower() not in {"internal", "none"}:
        raise ValueError("internal or none")
    return text.lower()


def kinds(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list of the kinds in `REDACTED`. `none` is an empty list."""
    chosen = names(text.lower())
    if chosen == ("none",):
        return ()
    if not set(chosen) <= set(REDACTED):
        raise ValueError(f"a comma-separated choice of {', '.join(REDACTED)}, or none")
    return chosen
