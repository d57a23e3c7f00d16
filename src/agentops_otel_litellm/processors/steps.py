"""The steps of processing a finished call, in their order. The steps that concern streams are in this file as well."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.pricing.precedence import (
    create_package_price_processor,
    create_user_price_processor,
    drop_estimate,
    drop_unknown_cost,
    drop_unneeded_estimate,
    move_cached_usage_to_saved,
    read_prices,
)
from agentops_otel_litellm.processors.content import create_content_processor, drop_content
from agentops_otel_litellm.processors.errors import (
    categorise_failure,
    count_retries,
    create_provider_processor,
    set_deployment,
)
from agentops_otel_litellm.processors.redaction import Limits, Redactors
from agentops_otel_litellm.settings import Settings

Processor = Callable[[Call], Call]


class Step(NamedTuple):
    """A processor, and the condition under which it can change a call. Most steps change few calls."""

    process: Processor
    applies: Callable[[Call], object] | None = None


def pipeline(
    settings: Settings, price_unmapped: Callable[[Call], Cost | None], *, records_content: bool
) -> tuple[Step, ...]:
    """Return the steps, in order, for the user's settings. A step is skipped for a call to which it does not apply.

    `price_unmapped` computes the cost of a call whose model has no price in LiteLLM. `records_content` is whether
    content is recorded on spans, in events or by a completion hook. If it is false, the last step drops the content.
    """
    user_prices = () if settings.prices is None else (Step(create_user_price_processor(read_prices(settings.prices))),)
    return (
        Step(create_provider_processor(dict(settings.model_providers)), _lacks_provider),
        Step(drop_partial_output_count, _STREAM),
        *user_prices,
        Step(move_cached_usage_to_saved, _is_cached),
        Step(drop_incomplete_finish_reasons, _STREAM),
        Step(add_stream_statistics, _STREAM),
        Step(count_retries, _has_failed_attempt),
        Step(set_deployment, _is_around_calls),
        Step(categorise_failure, _has_failed_attempt),
        Step(drop_unknown_cost, _has_doubtful_cost),
        Step(create_package_price_processor(price_unmapped), _lacks_cost),
        Step(drop_unneeded_estimate if settings.estimate_usage else drop_estimate, attrgetter("estimate")),
        Step(_content_processor(settings) if records_content else drop_content, attrgetter("content")),
    )


_STREAM = attrgetter("stream")


def _lacks_provider(call: Call) -> bool:
    attempts = () if call.attempts is None else call.attempts.made
    return call.target.provider is None or None in map(attrgetter("provider"), attempts)


def _is_cached(call: Call) -> object:
    return call.response is not None and call.response.cache_hit


def _has_failed_attempt(call: Call) -> bool:
    """Whether the call or an attempt has failed. The retries are counted by the attempts that failed."""
    attempts = () if call.attempts is None else call.attempts.made
    return call.failure is not None or any(map(attrgetter("failure"), attempts))


def _is_around_calls(call: Call) -> bool:
    """Whether the call is an operation around calls, such as a route."""
    return call.operation is None


def _has_doubtful_cost(call: Call) -> bool:
    """Whether the cost may be LiteLLM's price of an estimate, or a zero in place of a price."""
    return call.cost is not None and (call.usage is None or not call.cost.total)


def _lacks_cost(call: Call) -> bool:
    return call.cost is None and call.usage is not None


def _content_processor(settings: Settings) -> Processor:
    """The processor that redacts and shortens content."""
    media = settings.media_limit if settings.capture_media else 0
    return create_content_processor(
        Redactors(settings), Limits(part=settings.part_limit, call=settings.call_limit, media=media)
    )


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
