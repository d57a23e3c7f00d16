"""What a setting is: a field that declares its variable, its default and its help."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import Field, field
from typing import TypeVar

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
    """Log that a variable's value is not usable, once for each variable, and without the value of a secret."""
    variable = declared.metadata["variable"]
    if variable in told:
        return
    told.add(variable)
    instead = declared.metadata["without"] or (
        f"Using {shown(declared.default)}." if shown(declared.default) else "It is ignored."
    )
    if declared.metadata["secret"]:  # what is accepted may quote it: Python's own errors do
        logger.warning("%s is not usable. %s", variable, instead)
    else:
        logger.warning("%s=%r is not usable: it takes %s. %s", variable, text, accepted, instead)


def shown(value: object) -> str:
    """A setting's value as one would write it in its variable: nothing, where it has none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
