"""The pipeline a finished call passes through, in order. A processor is a function Call → Call."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.processors.attempts import count_retries, name_deployment
from agentops_otel_litellm.processors.cache import set_saved_apart
from agentops_otel_litellm.processors.cost import drop_unknown_cost
from agentops_otel_litellm.processors.errors import categorise_failure
from agentops_otel_litellm.processors.finish_reasons import drop_lost_reasons
from agentops_otel_litellm.processors.provider import naming_provider
from agentops_otel_litellm.processors.stream import add_stream_figures

Processor = Callable[[Call], Call]

PIPELINE: tuple[Processor, ...] = (
    set_saved_apart,
    drop_lost_reasons,
    add_stream_figures,
    count_retries,
    name_deployment,
    categorise_failure,
    drop_unknown_cost,
)


def pipeline(model_providers: Mapping[str, str]) -> tuple[Processor, ...]:
    """The processors, for a user who says of which provider the models with certain prefixes are."""
    return naming_provider(model_providers), *PIPELINE


__all__ = ["PIPELINE", "Processor", "pipeline"]
