"""The steps of processing a finished call, in their order, and those that concern streams.

For streams, token counts and finish reasons that were reported only in part are dropped, and statistics are computed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import accumulate
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
from agentops_otel_litellm.processors.redaction import Limits, Redactors
from agentops_otel_litellm.settings import Settings

# --- streams ----------------------------------------------------------------------------------------------


def drop_partial_output_count(call: Call) -> Call:
    """Drop the output tokens of an interrupted stream.

    Providers that report usage during a stream report 0 or 1 output tokens at first, and the final count at the end,
    which was not received. The count of input tokens in the first report is complete.
    """
    usage, stream = call.usage, call.stream
    if usage is None or stream is None or stream.outcome == "completed":
        return call
    reasons = call.response.finish_reasons if call.response is not None else None
    if reasons and None not in reasons:
        return call
    return replace(
        call,
        usage=replace(
            usage,
            output=None,
            total=None,
            reasoning=None,
            output_text=None,
            output_image=None,
            output_audio=None,
        ),
    )


def drop_incomplete_finish_reasons(call: Call) -> Call:
    """Drop all finish reasons of a complete stream if LiteLLM lacks the reason of one choice.

    The provider sent a reason for each choice. If there are several choices, LiteLLM loses some of the reasons, and can
    assign the others to the wrong choice.
    """
    stream, response = call.stream, call.response
    if stream is None or stream.outcome != "completed" or stream.first_chunk is None:
        return call
    if response is None or None not in (response.finish_reasons or ()):
        return call
    return replace(call, response=replace(response, finish_reasons=None))


def add_stream_statistics(call: Call) -> Call:
    """Add statistics if there are two chunks or more. Rates need chunks that were received at different times."""
    stream = call.stream
    if stream is None or stream.first_chunk is None or stream.last_chunk is None or not stream.gaps:
        return call
    duration = stream.last_chunk - stream.first_chunk
    p50, p95, p99 = _percentiles(stream.gaps, 0.5, 0.95, 0.99)
    output = call.usage.output if call.usage else None
    return replace(
        call,
        stream=replace(
            stream,
            duration=duration,
            longest_gap=max(stream.gaps),
            chunks_per_second=(stream.chunk_count - 1) / duration if duration else None,
            tokens_per_second=output / duration if duration and output is not None else None,
            gap_p50=p50,
            gap_p95=p95,
            gap_p99=p99,
        ),
    )


def _percentiles(gaps: Mapping[float, int], *shares: float) -> list[float]:
    """Percentiles by the nearest-rank method: each percentile is one of the gaps."""
    lengths = sorted(gaps)
    ranks = list(accumulate(map(gaps.__getitem__, lengths)))
    return [lengths[bisect_left(ranks, share * ranks[-1])] for share in shares]


# --- the order --------------------------------------------------------------------------------------------


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
