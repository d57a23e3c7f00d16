"""The pipeline a finished call passes through, in order. A processor is a function Call → Call."""

from __future__ import annotations

from collections.abc import Callable

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.prices.user import read_prices
from agentops_otel_litellm.processors.attempts import count_retries, name_deployment
from agentops_otel_litellm.processors.cache import set_saved_apart
from agentops_otel_litellm.processors.content import editing, leave_content_out
from agentops_otel_litellm.processors.cost import drop_unknown_cost, pricing_as_the_user_says, pricing_unmapped
from agentops_otel_litellm.processors.errors import categorise_failure
from agentops_otel_litellm.processors.finish_reasons import drop_lost_reasons
from agentops_otel_litellm.processors.limits import Limits
from agentops_otel_litellm.processors.provider import naming_provider
from agentops_otel_litellm.processors.redactors import Redactors
from agentops_otel_litellm.processors.stream import add_stream_figures
from agentops_otel_litellm.processors.usage import (
    drop_count_of_a_beginning,
    drop_estimate,
    drop_needless_estimate,
)
from agentops_otel_litellm.settings import Settings

Processor = Callable[[Call], Call]


def pipeline(
    settings: Settings, price_unmapped: Callable[[Call], Cost | None], *, tells_content: bool
) -> tuple[Processor, ...]:
    """The processors, as the user has set them, and with what knows prices that LiteLLM does not; `tells_content`:
    whether there is anywhere to tell what was said.
    """
    own = () if settings.prices is None else (pricing_as_the_user_says(read_prices(settings.prices)),)
    return (
        naming_provider(dict(settings.model_providers)),
        drop_count_of_a_beginning,
        *own,
        set_saved_apart,
        drop_lost_reasons,
        add_stream_figures,
        count_retries,
        name_deployment,
        categorise_failure,
        drop_unknown_cost,
        pricing_unmapped(price_unmapped),
        drop_needless_estimate if settings.estimate_usage else drop_estimate,
        _content_processor(settings) if tells_content else leave_content_out,
    )


def _content_processor(settings: Settings) -> Processor:
    """What makes content fit to be told."""
    media = settings.media_limit if settings.capture_media else 0
    return editing(Redactors(settings), Limits(part=settings.part_limit, call=settings.call_limit, media=media))


__all__ = ["Processor", "pipeline"]
