"""How the SDK gathers spans, where the user says so in a way that it cannot use."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from typing import NamedTuple

from agentops_otel_litellm.settings.masking import without_secrets
from agentops_otel_litellm.settings.values import number_of

logger = logging.getLogger(__name__)

SDK_QUEUE_SIZE = 2_048
QUEUE, BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
# What the SDK refuses to begin with, or tells of with a traceback → what it is a number of.
BATCHING = {
    "OTEL_BSP_SCHEDULE_DELAY": "milliseconds",
    "OTEL_BSP_EXPORT_TIMEOUT": "milliseconds",
    QUEUE: "spans",
    BATCH: "spans",
}


class Unusable(NamedTuple):
    """A variable with a value that the SDK cannot use."""

    variable: str
    text: str
    """Names it, its value, and why that is not usable."""
    used: str | None
    """What is used: `None` for the SDK's default."""

    @property
    def instead(self) -> str:
        return "The default is used." if self.used is None else "That is used."


def drop_unusable_batching(environment: MutableMapping[str, str]) -> None:
    """Take out what the SDK's batches cannot be made with, and tell of it: no setting may keep the app untraced."""
    for found in mend_batching(environment):
        logger.warning("%s %s", found.text, found.instead)


def mend_batching(environment: MutableMapping[str, str]) -> list[Unusable]:
    """Take it out, and tell nothing: what it was."""
    unusable = [*unusable_batching(environment)]
    for found in unusable:
        if found.used is None:
            del environment[found.variable]
        else:
            environment[found.variable] = found.used
    return unusable


def unusable_batching(environment: Mapping[str, str]) -> Iterator[Unusable]:
    usable: dict[str, str] = {}
    for variable, unit in BATCHING.items():
        text = environment.get(variable, "").strip()
        if not text:
            continue
        try:
            number_of(unit)(text)
        except ValueError as accepted:
            quoted = without_secrets(variable, text)
            yield Unusable(variable, f"{variable}={quoted!r} is not usable: it takes {accepted}.", None)
        else:
            usable[variable] = text
    queue = usable.get(QUEUE, str(SDK_QUEUE_SIZE))
    if int(usable.get(BATCH, 0)) > int(queue):
        yield Unusable(BATCH, f"{BATCH}={usable[BATCH]} is not usable: {QUEUE} is {queue}.", queue)
