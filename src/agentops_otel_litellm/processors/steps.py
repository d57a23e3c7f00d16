"""The processors of a finished call, in the order in which they run. The processors for streams are in this file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
    """A processor, and a quick check whether it can change a call. Most processors change few calls."""

    process: Processor
    applies: Callable[[Call], object] | None = None


def pipeline(
    settings: Settings, price_unmapped: Callable[[Call], Cost | None], *, records_content: bool
) -> tuple[Step, ...]:
    """Return the steps for the user's settings, in the order in which they run.

    `price_unmapped` computes the cost of a call whose model has no price in LiteLLM. `records_content` is whether
    spans, events or a completion hook record message content. If it is false, the last step drops the content.
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
    """Whether the call or one of its attempts has failed. A retry always follows a failed attempt."""
    attempts = () if call.attempts is None else call.attempts.made
    return call.failure is not None or any(map(attrgetter("failure"), attempts))


def _is_around_calls(call: Call) -> bool:
    """Whether the call consists of other calls, such as a request to the Router."""
    return call.operation is None


def _has_doubtful_cost(call: Call) -> bool:
    """Whether LiteLLM may have calculated the cost from an estimate of the tokens, or set 0 for lack of a price."""
    return call.cost is not None and (call.usage is None or not call.cost.total)


def _lacks_cost(call: Call) -> bool:
    return call.cost is None and call.usage is not None


def _content_processor(settings: Settings) -> Processor:
    """Return the processor that redacts and shortens content, for the user's settings."""
    media = settings.media_limit if settings.capture_media else 0
    return create_content_processor(
        Redactors(settings), Limits(part=settings.part_limit, call=settings.call_limit, media=media)
    )


# --- streams ----------------------------------------------------------------------------------------------


def drop_partial_output_count(call: Call) -> Call:
    """Drop the count of output tokens of a stream that ended early and has no finish reason.

    Some providers report usage at the start of a stream, with all input tokens and 0 or 1 output tokens. They report
    the actual number of output tokens at the end, which was not received.
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
    """Drop all finish reasons of a complete stream if the reason of any choice is missing.

    The provider has sent a reason for each choice. But if there are several choices, LiteLLM may lose some reasons, and
    assign the others to the wrong choice.
    """
    stream, response = call.stream, call.response
    if stream is None or stream.outcome != "completed" or stream.first_chunk is None:
        return call
    if response is None or None not in (response.finish_reasons or ()):
        return call
    return replace(call, response=replace(response, finish_reasons=None))


def add_stream_statistics(call: Call) -> Call:
    """Add the duration and the rates to a stream of two chunks or more. There are no rates if its duration is 0."""
    stream = call.stream
    if stream is None or stream.first_chunk is None or stream.last_chunk is None or stream.chunk_count == 1:
        return call
    duration = stream.last_chunk - stream.first_chunk
    output = call.usage.output if call.usage else None
    return replace(
        call,
        stream=replace(
            stream,
            duration=duration,
            chunks_per_second=(stream.chunk_count - 1) / duration if duration else None,
            tokens_per_second=output / duration if duration and output is not None else None,
        ),
    )
