"""The pipeline a finished call passes through, in order. A processor is a function Call → Call."""

from __future__ import annotations

from collections.abc import Callable

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.processors.attempts import count_retries, name_deployment
from agentops_otel_litellm.processors.cost import drop_unknown_cost
from agentops_otel_litellm.processors.errors import categorise_failure
from agentops_otel_litellm.processors.stream import add_stream_rates

Processor = Callable[[Call], Call]

PIPELINE: tuple[Processor, ...] = (
    add_stream_rates,
    count_retries,
    name_deployment,
    categorise_failure,
    drop_unknown_cost,
)

__all__ = ["PIPELINE", "Processor"]
