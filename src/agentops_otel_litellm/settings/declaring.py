"""The declaration of a setting: a field with its variable, its default and its help."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import Field, field
from typing import TypeVar

from agentops_otel_litellm.processes import warn_at_start_up
from agentops_otel_litellm.settings.masking import is_secret, without_secrets
from agentops_otel_litellm.settings.values import url

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


def invalid_value(variable: str, value: str, fault: str) -> str:
    """A sentence about an invalid value, in which `value` may be displayed. An empty `value` or `fault` is left out."""
    return f"Invalid value for {variable}{f': {value}' if value else ''}{f' ({fault})' if fault else ''}."


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
