"""Warnings about environment variables: which process of an application logs them, and how values are masked in them.

Only the first process of an application logs the warnings. The child processes that it starts inherit the environment,
and would repeat them. Keys, passwords and other secrets are masked in the warnings and in the report of `doctor`.
"""

from __future__ import annotations

import logging
import os
import re
import sys

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
