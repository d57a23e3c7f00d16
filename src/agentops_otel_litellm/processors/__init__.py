"""The pipeline a finished call passes through, in order. A processor is a function Call → Call."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.processors.attempts import count_retries, name_deployment
from agentops_otel_litellm.processors.cache import set_saved_apart
from agentops_otel_litellm.processors.cost import drop_unknown_cost
from agentops_otel_litellm.processors.errors import categorise_failure
from agentops_otel_litellm.processors.provider import naming_provider
from agentops_otel_litellm.processors.stream import add_stream_rates
from agentops_otel_litellm.processors.usage import (
    drop_count_of_a_beginning,
    drop_estimate,
    drop_needless_estimate,
)

Processor = Callable[[Call], Call]

PIPELINE: tuple[Processor, ...] = (
    drop_count_of_a_beginning,
    set_saved_apart,
    add_stream_rates,
    count_retries,
    name_deployment,
    categorise_failure,
    drop_unknown_cost,
)


def pipeline(model_providers: Mapping[str, str], *, estimates: bool = False) -> tuple[Processor, ...]:
    """The processors, for a user who says of which provider the models with certain prefixes are, and whether to tell
    what LiteLLM estimates.
    """
    return naming_provider(model_providers), *PIPELINE, drop_needless_estimate if estimates else drop_estimate


__all__ = ["PIPELINE", "Processor", "pipeline"]
