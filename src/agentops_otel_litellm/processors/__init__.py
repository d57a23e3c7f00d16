"""The pipeline of processors through which each finished call passes. A processor is a function Call → Call."""

from __future__ import annotations

from collections.abc import Callable

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.pricing.precedence import (
    create_package_price_processor,
    create_user_price_processor,
    drop_unknown_cost,
)
from agentops_otel_litellm.pricing.user_prices import read_prices
from agentops_otel_litellm.processors.attempts import count_retries, set_deployment
from agentops_otel_litellm.processors.cache import move_cached_usage_to_saved
from agentops_otel_litellm.processors.content import create_content_processor, drop_content
from agentops_otel_litellm.processors.errors import categorise_failure
from agentops_otel_litellm.processors.finish_reasons import drop_incomplete_finish_reasons
from agentops_otel_litellm.processors.limits import Limits
from agentops_otel_litellm.processors.provider import create_provider_processor
from agentops_otel_litellm.processors.redactors import Redactors
from agentops_otel_litellm.processors.stream import add_stream_statistics
from agentops_otel_litellm.processors.usage import drop_estimate, drop_partial_output_count, drop_unneeded_estimate
from agentops_otel_litellm.settings import Settings

Processor = Callable[[Call], Call]


def pipeline(
    settings: Settings, price_unmapped: Callable[[Call], Cost | None], *, records_content: bool
) -> tuple[Processor, ...]:
    """The processors, in order, for the user's settings.

    `price_unmapped` computes the cost of a call whose model has no price in LiteLLM. `records_content` is whether
    content is recorded on spans, in events or by a completion hook.
    """
    user_prices = () if settings.prices is None else (create_user_price_processor(read_prices(settings.prices)),)
    return (
        create_provider_processor(dict(settings.model_providers)),
        drop_partial_output_count,
        *user_prices,
        move_cached_usage_to_saved,
        drop_incomplete_finish_reasons,
        add_stream_statistics,
        count_retries,
        set_deployment,
        categorise_failure,
        drop_unknown_cost,
        create_package_price_processor(price_unmapped),
        drop_unneeded_estimate if settings.estimate_usage else drop_estimate,
        _content_processor(settings) if records_content else drop_content,
    )


def _content_processor(settings: Settings) -> Processor:
    """The processor that redacts and shortens content."""
    media = settings.media_limit if settings.capture_media else 0
    return create_content_processor(
        Redactors(settings), Limits(part=settings.part_limit, call=settings.call_limit, media=media)
    )


__all__ = ["Processor", "pipeline"]
