"""What a setting is: a field that declares its variable, its default and its help."""

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

told: set[str] = set()
"""Variables that were told of: several parts of the package read the settings."""


def setting(  # noqa: PLR0913 - a table's columns
    variable: str,
    *,
    default: Value,
    parse: Callable[[str], Value],
    help: str,  # noqa: A002 - argparse's word
    secret: bool = False,
    without: str | None = None,
) -> Value:
    """Declare a setting. `parse` raises a ValueError that says what is accepted; of a secret nothing is told.

    Where the default must not stand in for a value that cannot be used, the setting is `None`, and `without` says what
    then is not done.
    """
    metadata = {"variable": variable, "parse": parse, "help": help, "secret": secret, "without": without}
    declared: Value = field(default=default, metadata=metadata, repr=not secret)
    return declared


def tell(declared: Field[object], text: str, accepted: str) -> None:
    """Log that a variable's value is not usable, once for each variable, and without what may be a secret."""
    variable = declared.metadata["variable"]
    if variable in told:
        return
    told.add(variable)
    given = quoted(declared, text)
    if is_kept_quiet(declared):  # what is accepted may quote it: Python's own errors do
        warn_at_start_up(logger, "%s is not usable. %s", variable, instead(declared))
    else:
        of = f"{variable}={given}" if given else variable
        warn_at_start_up(logger, "%s is not usable: it takes %s. %s", of, accepted, instead(declared))


def is_kept_quiet(declared: Field[object]) -> bool:
    return declared.metadata["secret"] or is_secret(declared.metadata["variable"])


def quoted(declared: Field[object], text: str) -> str:
    """A value that is not usable, as far as it may be shown: nothing of a secret, and nothing where a URL should be. In
    what is no URL, a password or a key is nowhere for certain.
    """
    if is_kept_quiet(declared) or declared.metadata["parse"] is url:
        return ""
    return repr(without_secrets(declared.metadata["variable"], text))


def instead(declared: Field[object]) -> str:
    """What is done without a value that is not usable, in a sentence."""
    if declared.metadata["without"]:
        return str(declared.metadata["without"])
    default = shown(declared.default)
    return f"Using {default}." if default else "It is ignored."


def shown(value: object) -> str:
    """A setting's value as one would write it in its variable: nothing, where it has none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
