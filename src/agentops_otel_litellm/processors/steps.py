"""The processors of a finished call, in the order in which they run. The processors for streams are in this file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import NamedTuple

from agentops_otel_litellm.call import Call, Cost
from agentops_otel_litellm.guard import log_fault
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
from agentops_otel_litellm.processors.redactors import Redactors
from agentops_otel_litellm.settings import Settings

Processor = Callable[[Call], Call]


# The traits of a call by which the steps are chosen. Most steps change few calls. So the traits of a call are found
# once, and again only after a step has changed it.
ANY_CALL = 1
"""Every call has this trait."""
_STREAMED = 512
_CACHED = 2
_FAILED = 4
"""The call or one of its attempts has failed. A retry always follows a failed attempt."""
_AROUND_CALLS = 8
"""The call consists of other calls, such as a request to the Router."""
_WITHOUT_PROVIDER = 16
"""The provider of the call or of one of its attempts is unknown."""
_WITH_DOUBTFUL_COST = 32
"""LiteLLM may have calculated the cost from an estimate of the tokens, or set 0 for lack of a price."""
_WITHOUT_COST = 64
"""The usage is known, the cost is not."""
_ESTIMATED = 128
_WITH_CONTENT = 256


def _traits_of(call: Call) -> int:  # noqa: C901 - not several functions, because it runs for every call
    """The sum of the constants above that describe the call."""
    traits, cost, target = ANY_CALL, call.cost, call.target
    is_failed, lacks_provider = call.failure is not None, target.provider is None
    if call.attempts is not None:
        for attempt in call.attempts.made:
            is_failed = is_failed or attempt.failure is not None
            lacks_provider = lacks_provider or attempt.provider is None
    if is_failed:
        traits |= _FAILED
    if lacks_provider:
        traits |= _WITHOUT_PROVIDER
    if call.stream is not None:
        traits |= _STREAMED
    if call.response is not None and call.response.cache_hit:
        traits |= _CACHED
    if call.operation is None:
        traits |= _AROUND_CALLS
    if cost is None:
        traits |= 0 if call.usage is None else _WITHOUT_COST
    elif call.usage is None or not cost.total:
        traits |= _WITH_DOUBTFUL_COST
    if call.estimate is not None:
        traits |= _ESTIMATED
    if call.content is not None:
        traits |= _WITH_CONTENT
    return traits


class Step(NamedTuple):
    """A processor, and the traits for which it runs: it can change only calls that have at least one of them."""

    process: Processor
    traits: int = ANY_CALL


class Pipeline:
    """The steps for the user's settings, in the order in which they run."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps
        self._traits = reduce(or_, (step.traits for step in steps), 0)
        """All traits for which there is a step."""

    def process(self, call: Call) -> Call:
        """Pass the call through the steps. If a processor raises, the next one receives the call unchanged."""
        traits = _traits_of(call)
        for processor, needed in self.steps if traits & self._traits else ():
            if traits & needed:
                try:
                    processed = processor(call)
                except Exception as fault:  # noqa: BLE001 - must not reach the application; `try` costs nothing
                    log_fault(f"the processor {processor.__name__}", fault)
                    continue
                if processed is not call:
                    call, traits = processed, _traits_of(processed)
        return call


def pipeline(settings: Settings, price_unmapped: Callable[[Call], Cost | None], *, records_content: bool) -> Pipeline:
    """Return the pipeline for the user's settings.

    `price_unmapped` computes the cost of a call whose model has no price in LiteLLM. `records_content` is whether
    spans, events or a completion hook record message content. If it is false, the last step drops the content.
    """
    proxy_counts = (Step(leave_counting_to_proxy),) if settings.proxy_counts else ()
    user_prices = () if settings.prices is None else (Step(create_user_price_processor(read_prices(settings.prices))),)
    return Pipeline(
        Step(create_provider_processor(dict(settings.model_providers)), _WITHOUT_PROVIDER),
        Step(drop_partial_output_count, _STREAMED),
        *user_prices,
        Step(move_cached_usage_to_saved, _CACHED),
        Step(drop_incomplete_finish_reasons, _STREAMED),
        Step(add_stream_statistics, _STREAMED),
        Step(count_retries, _FAILED),
        Step(set_deployment, _AROUND_CALLS),
        Step(categorise_failure, _FAILED),
        *proxy_counts,
        Step(drop_unknown_cost, _WITH_DOUBTFUL_COST),
        Step(create_package_price_processor(price_unmapped), _WITHOUT_COST),
        Step(drop_unneeded_estimate if settings.estimate_usage else drop_estimate, _ESTIMATED),
        Step(_content_processor(settings) if records_content else drop_content, _WITH_CONTENT),
    )


def _content_processor(settings: Settings) -> Processor:
    """Return the processor that redacts and shortens content, for the user's settings."""
    return create_content_processor(Redactors(settings), settings.content_limits)


# --- gateways ---------------------------------------------------------------------------------------------


def leave_counting_to_proxy(call: Call) -> Call:
    """Drop the tokens and the cost of a call to a LiteLLM proxy, because the proxy's own spans have them.

    A response from the application's own cache is no call to the proxy. Its cost, 0, is kept.
    """
    headers = call.response_headers
    is_of_proxy = call.target.provider == "litellm_proxy" or (headers is not None and headers.call_id is not None)
    if not is_of_proxy or call.saved is not None or (call.usage is None and call.cost is None):
        return call
    return replace(call, usage=None, cost=None)


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
    """Drop all finish reasons of a stream if the reason of any choice is missing, unless the stream has failed.

    The reason of a stream that the application did not read to its end is unknown. To a complete stream, the provider
    has sent a reason for each choice. But if there are several choices, LiteLLM may lose some reasons, and assign the
    others to the wrong choice.
    """
    stream, response = call.stream, call.response
    if stream is None or stream.outcome == "failed":
        return call
    if stream.outcome == "completed" and stream.first_chunk is None:
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
