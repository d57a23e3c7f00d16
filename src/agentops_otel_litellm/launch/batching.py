"""How the SDK gathers spans, where the user says so in a way that it cannot use."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping

from agentops_otel_litellm.settings.values import number_of

logger = logging.getLogger(__name__)

SDK_QUEUE_SIZE = 2_048
# What the SDK refuses to begin with, or tells of with a traceback → what it is a number of.
BATCHING = {
    "OTEL_BSP_SCHEDULE_DELAY": "milliseconds",
    "OTEL_BSP_MAX_QUEUE_SIZE": "spans",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "spans",
}


def drop_unusable_batching(environment: MutableMapping[str, str]) -> None:
    """Take out what the SDK's batches cannot be made with, and tell of it: no setting may keep the app untraced."""
    for variable, unit in BATCHING.items():
        text = environment.get(variable, "").strip()
        try:
            if text:
                number_of(unit)(text)
        except ValueError as accepted:
            logger.warning("%s=%r is not usable: it takes %s. The default is used.", variable, text, accepted)
            del environment[variable]
    queue, batch = (environment.get(variable, "").strip() for variable in list(BATCHING)[1:])
    if batch and int(batch) > int(queue or SDK_QUEUE_SIZE):
        logger.warning(
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=%s is not usable: OTEL_BSP_MAX_QUEUE_SIZE is %s. That is used.",
            batch,
            queue or SDK_QUEUE_SIZE,
        )
        environment["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] = queue or str(SDK_QUEUE_SIZE)
