"""Settings of the SDK's batch processors that these cannot use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agentops_otel_litellm.settings.masking import is_secret, without_secrets
from agentops_otel_litellm.settings.values import number_of

SDK_QUEUE_SIZE = 2_048
PROCESSORS = {"OTEL_BSP": "spans", "OTEL_BLRP": "log records"}
"""How the variables of each batch processor begin, and what it holds."""


class Unusable(NamedTuple):
    """A variable with a value that the SDK cannot use."""

    variable: str
    text: str
    """Names it, its value, and why that is not usable."""
    used: str | None
    """What is used: `None` for the SDK's default."""

    @property
    def instead(self) -> str:
        if self.used is None:
            return "The default is used."
        return "Using the others." if is_secret(self.variable) else f"Using {self.used}."


def unusable_batching(environment: Mapping[str, str]) -> Iterator[Unusable]:
    """What the SDK does not begin with, or logs with a traceback."""
    for prefix, held in PROCESSORS.items():
        yield from _unusable_for(prefix, held, environment)


def _unusable_for(prefix: str, held: str, environment: Mapping[str, str]) -> Iterator[Unusable]:
    queue, batch = f"{prefix}_MAX_QUEUE_SIZE", f"{prefix}_MAX_EXPORT_BATCH_SIZE"
    units = {
        f"{prefix}_SCHEDULE_DELAY": "milliseconds",
        f"{prefix}_EXPORT_TIMEOUT": "milliseconds",
        queue: held,
        batch: held,
    }
    usable: dict[str, str] = {}
    for variable, unit in units.items():
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
    size = usable.get(queue, str(SDK_QUEUE_SIZE))
    if int(usable.get(batch, 0)) > int(size):
        yield Unusable(batch, f"{batch}={usable[batch]} is not usable: {queue} is {size}.", size)
