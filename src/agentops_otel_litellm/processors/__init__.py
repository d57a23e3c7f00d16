"""The pipeline a finished call passes through, in order. A processor is a function Call → Call."""

from __future__ import annotations

from collections.abc import Callable

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.processors.attempts import count_retries, name_deployment
from agentops_otel_litellm.processors.cache import set_saved_apart
from agentops_otel_litellm.processors.content import editing, leave_content_out
from agentops_otel_litellm.processors.cost import drop_unknown_cost
from agentops_otel_litellm.processors.errors import categorise_failure
from agentops_otel_litellm.processors.provider import naming_provider
from agentops_otel_litellm.processors.redaction import redactors
from agentops_otel_litellm.processors.stream import add_stream_rates
from agentops_otel_litellm.processors.usage import (
    drop_count_of_a_beginning,
    drop_estimate,
    drop_needless_estimate,
)
from agentops_otel_litellm.settings import Settings

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


def pipeline(settings: Settings) -> tuple[Processor, ...]:
    """The processors, as the user has set them."""
    return (
        naming_provider(dict(settings.model_providers)),
        *PIPELINE,
        drop_needless_estimate if settings.estimate_usage else drop_estimate,
        _content_processor(settings),
    )


def _content_processor(settings: Settings) -> Processor:
    """What makes content fit to be told."""
    if not settings.tells_content:
        return leave_content_out
    own = redactors(settings)
    if own is None:
        return leave_content_out
    media_limit = settings.media_limit if settings.capture_media else 0
    return editing(own, settings.part_limit, settings.call_limit, media_limit)


__all__ = ["PIPELINE", "Processor", "pipeline"]
