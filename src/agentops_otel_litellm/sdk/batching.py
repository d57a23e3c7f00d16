"""Invalid settings of the SDK's batch processors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agentops_otel_litellm.settings.declaring import invalid_value
from agentops_otel_litellm.settings.masking import is_secret, without_secrets
from agentops_otel_litellm.settings.values import number_of

SDK_QUEUE_SIZE = 2_048
PROCESSORS = {"OTEL_BSP": "spans", "OTEL_BLRP": "log records"}
"""The prefix of each batch processor's variables, and what the processor queues."""


class Unusable(NamedTuple):
    """A variable with a value that the SDK cannot use."""

    variable: str
    text: str
    """A sentence with the variable, its value and the expected values."""
    used: str | None
    """The value that is used instead; `None` for the SDK's default."""

    @property
    def instead(self) -> str:
        """A sentence about the value that is used instead."""
        if self.used is None:
            return "The default is used."
        return "Using the other headers." if is_secret(self.variable) else f"Using {self.used}."


def unusable_batching(environment: Mapping[str, str]) -> Iterator[Unusable]:
    """Find the values with which the SDK would not start, or would log a traceback."""
    for prefix, queued in PROCESSORS.items():
        yield from _unusable_for(prefix, queued, environment)


def _unusable_for(prefix: str, queued: str, environment: Mapping[str, str]) -> Iterator[Unusable]:
    """Find the invalid values of one batch processor's variables."""
    queue, batch = f"{prefix}_MAX_QUEUE_SIZE", f"{prefix}_MAX_EXPORT_BATCH_SIZE"
    units = {
        f"{prefix}_SCHEDULE_DELAY": "milliseconds",
        f"{prefix}_EXPORT_TIMEOUT": "milliseconds",
        queue: queued,
        batch: queued,
    }
    usable: dict[str, str] = {}
    for variable, unit in units.items():
        text = environment.get(variable, "").strip()
        if not text:
            continue
        try:
            number_of(unit)(text)
        except ValueError as accepted:
            value = repr(without_secrets(variable, text))
            yield Unusable(variable, invalid_value(variable, value, f"expected {accepted}"), None)
        else:
            usable[variable] = text
    size = usable.get(queue, str(SDK_QUEUE_SIZE))
    if int(usable.get(batch, 0)) > int(size):
        yield Unusable(batch, invalid_value(batch, usable[batch], f"expected at most {queue}, {size}"), size)
