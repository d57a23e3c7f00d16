"""The steps of processing a finished call, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.pricing.precedence import (
    create_package_price_processor,
    create_user_price_processor,
    drop_estimate,
    drop_unknown_cost,
    drop_unneeded_estimate,
    move_cached_usage_to_saved,
)
from agentops_otel_litellm.pricing.user_prices import read_prices
from agentops_otel_litellm.processors.content import create_content_processor, drop_content
from agentops_otel_litellm.processors.errors import (
    categorise_failure,
    count_retries,
    create_provider_processor,
    set_deployment,
)
from agentops_otel_litellm.processors.limits import Limits
from agentops_otel_litellm.processors.redaction import Redactors
from agentops_otel_litellm.processors.stream import (
    add_stream_statistics,
    drop_incomplete_finish_reasons,
    drop_partial_output_count,
)
from agentops_otel_litellm.settings import Settings

Processor = Callable[[Call], Call]


class Step(NamedTuple):
    """A processor, and the field of a call without which it has nothing to do."""

    process: Processor
    needs: str | None = None


def pipeline(
    settings: Settings, price_unmapped: Callable[[Call], Cost | None], *, records_content: bool
) -> tuple[Step, ...]:
    """Return the steps, in order, for the user's settings. A step is skipped for a call that lacks the field it needs.

    `price_unmapped` computes the cost of a call whose model has no price in LiteLLM. `records_content` is whether
    content is recorded on spans, in events or by a completion hook. If it is false, the last step drops the content.
    """
    user_prices = () if settings.prices is None else (Step(create_user_price_processor(read_prices(settings.prices))),)
    return (
        Step(create_provider_processor(dict(settings.model_providers))),
        Step(drop_partial_output_count, "stream"),
        *user_prices,
        Step(move_cached_usage_to_saved, "response"),
        Step(drop_incomplete_finish_reasons, "stream"),
        Step(add_stream_statistics, "stream"),
        Step(count_retries, "attempts"),
        Step(set_deployment, "routing"),
        Step(categorise_failure),
        Step(drop_unknown_cost, "cost"),
        Step(create_package_price_processor(price_unmapped), "usage"),
        Step(drop_unneeded_estimate if settings.estimate_usage else drop_estimate, "estimate"),
        Step(_content_processor(settings) if records_content else drop_content, "content"),
    )


def _content_processor(settings: Settings) -> Processor:
    """The processor that redacts and shortens content."""
    media = settings.media_limit if settings.capture_media else 0
    return create_content_processor(
        Redactors(settings), Limits(part=settings.part_limit, call=settings.call_limit, media=media)
    )
