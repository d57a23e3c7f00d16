"""Creates the record of a call (`Call`) from its invocation, when the call starts and after it has ended.

A value that cannot be read is absent from the record; the other values are present. To this end, each value is read in
its own `try`. A `guard` has the same effect, but entering one costs more than most of these steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import (
    MAX_RECORDED_GAPS,
    Call,
    Cost,
    Response,
    Routing,
    Stream,
    StreamOutcome,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.invocation.context import suppressed
from agentops_otel_litellm.records import Content
from agentops_otel_litellm.response_headers import ResponseHeaders

if TYPE_CHECKING:
    from agentops_otel_litellm.invocation.invocation import Invocation
    from agentops_otel_litellm.invocation.timeline import SortedGaps

ResponseFacts = tuple[Response | None, Usage | None, Cost | None]
"""Response, usage and cost that were read from one result of LiteLLM."""

_NO_FACTS: ResponseFacts = (None, None, None)
_NO_TARGET = Target()
_READING_RESPONSE = "reading a response"
_READING_USAGE = "reading a response's usage"
_READING_COST = "reading a response's cost"
_READING_CONTENT = guard("reading message content")
_READING_OPT_OUT = guard("reading LiteLLM's setting for message logging (no content is captured)")
_READING_EXCEPTION = guard("reading an exception")
_READING_RESPONSE_FAILURE = guard("reading the error of a failed response")


def initial_call(invocation: Invocation) -> Call:
    """The record of a call that starts: its operation, target, routing and start time."""
    operation = invocation.operation
    return Call(
        name=operation.name,
        operation=operation.name if invocation.calls_a_model else None,
        target=read_target(invocation),
        routing=None if invocation.calls_a_model else read_routing(invocation),
        timing=Timing(started_at=invocation.started_at),
        is_inner=invocation.is_inner or None,
    )


def finished_call(
    invocation: Invocation, duration: float | None, outcome: StreamOutcome, result: object, error: BaseException | None
) -> Call:
    """The complete record of a call that has ended. If it cannot be read, the record of the start is returned.

    `duration` is in seconds, `None` if it is unknown. `result` is the object that LiteLLM returned; `None` if that is a
    stream, or if there is no result.
    """
    try:
        return _read_call(invocation, duration, outcome, result, error)
    except Exception as fault:  # must not reach the application
        log_fault("reading a finished call", fault)
    return initial_call(invocation)


def _read_call(
    invocation: Invocation, duration: float | None, outcome: StreamOutcome, result: object, error: BaseException | None
) -> Call:
    operation, failure = invocation.operation, None
    if error is not None:
        with _READING_EXCEPTION:
            failure = readers.read_failure(error, sent_request=invocation.attempts.sent_request)
    elif invocation.chunks is not None and invocation.chunks.failure is not None:
        # The provider sent an error as a chunk. LiteLLM may not raise it, and end the stream normally. If LiteLLM has
        # translated the stream, the failed attempt has the provider's own error.
        outcome, failure = "failed", invocation.attempts.last_failure or invocation.chunks.failure
    elif operation.api_format == "responses":  # not for stored responses, because fetching one has not failed
        with _READING_RESPONSE_FAILURE:
            failure = readers.read_failed_response(result)
    response, usage, cost = _read_facts(invocation, outcome, result)
    target, started = read_target(invocation), invocation.started
    return Call(
        name=operation.name,
        operation=operation.name if invocation.calls_a_model else None,
        target=target,
        attempts=invocation.attempts.finish(started, started + (duration or 0), target, failure),
        timing=Timing(started_at=invocation.started_at, duration=duration),
        routing=read_routing(invocation) if invocation.is_recorded else None,
        request=invocation.request,
        response=response,
        usage=usage,
        cost=cost,
        stream=None if invocation.chunks is None else _read_stream_times(invocation, outcome),
        failure=failure,
        app=invocation.app,
        response_headers=invocation.response_headers or read_headers(invocation, result, error),
        content=None if invocation.content is None else _read_content(invocation, invocation.content, result, error),
        estimate=invocation.estimate,
        answered_by_another=None if invocation.nested is None else invocation.nested.is_answered_by_nested_call,
        is_inner=invocation.is_inner or None,
    )


def read_target(invocation: Invocation) -> Target:
    """The provider, model and server of the call, as far as LiteLLM has resolved them. Empty if reading fails."""
    try:
        return invocation.api_format.target(invocation.parameters, invocation.logging)
    except Exception as fault:  # must not reach the application
        log_fault("reading the provider of a call", fault)
    return _NO_TARGET


def read_routing(invocation: Invocation) -> Routing | None:
    """LiteLLM's identifiers of the call, from its first logging object, and the cooldown of the Router's deployment.
    `None` if reading fails.
    """
    try:
        routing = invocation.api_format.routing(invocation.parameters, invocation.first_logging)
        cooldown = invocation.cooldown_time
        return routing if cooldown is None else replace(routing, cooldown_time=cooldown)
    except Exception as fault:  # must not reach the application
        log_fault("reading the routing of a call", fault)
    return None


def read_headers(invocation: Invocation, result: object, error: BaseException | None = None) -> ResponseHeaders | None:
    """What the headers of a response, a stream or an error state; `None` for operations around calls."""
    if not invocation.calls_a_model or not invocation.is_recorded:
        return None
    try:
        return readers.read_response_headers(result) if error is None else readers.read_error_headers(error)
    except Exception as fault:  # must not reach the application
        log_fault("reading the headers of a response", fault)
    return None


# --- response, usage and cost -------------------------------------------------------------------------------


def _read_facts(invocation: Invocation, outcome: StreamOutcome, result: object) -> ResponseFacts:
    """Response, usage and cost of the call. If LiteLLM received several results for it, their usage and cost are
    combined (`NestedResponses.combine`).
    """
    is_stream, nested = invocation.chunks is not None, invocation.nested
    if invocation.chunks is not None:
        facts = _read_stream(invocation, invocation.chunks, outcome)
    elif invocation.unreturned_facts is not None:
        facts = invocation.unreturned_facts
    else:
        facts = read_result(invocation, result) if outcome == "completed" else _NO_FACTS
    if nested is None:
        return facts
    try:
        if outcome == "completed" and not is_stream:
            nested.set_final_result(invocation.api_format, result)
        return nested.combine(facts, failed=outcome != "completed" and not is_stream)
    except Exception as fault:  # must not reach the application
        log_fault(_READING_RESPONSE, fault)
    return facts


def read_result(invocation: Invocation, result: object) -> ResponseFacts:
    """Response, usage and cost of a result that is not a stream."""
    api_format, logging = invocation.api_format, invocation.logging
    # If a part of the result is from LiteLLM's cache, only the rest, from the provider, is billed.
    billed = result if invocation.provider_response is None else invocation.provider_response
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    try:
        response = _with_cache_hit(invocation, api_format.response(result))
    except Exception as fault:  # must not reach the application
        log_fault(_READING_RESPONSE, fault)
    if invocation.is_mocked:  # then LiteLLM invents the usage and the cost
        return response, None, None
    try:
        reported = api_format.usage(billed)
        # If the provider counts no tokens, LiteLLM reports an estimate as usage. Then `counted` returns `None`.
        usage = None if reported is None else api_format.counted(reported, logging)
        if usage is None and reported is not None:
            invocation.estimate = readers.estimate_of(reported)
        if usage is None and (response is None or not response.cache_hit):
            _estimate_usage(invocation, billed)
    except Exception as fault:  # must not reach the application
        log_fault(_READING_USAGE, fault)
    try:
        cost = _priced(invocation, api_format.cost(billed), usage, billed)
    except Exception as fault:  # must not reach the application
        log_fault(_READING_COST, fault)
    return response, usage, cost


def _read_stream(invocation: Invocation, chunks: readers.Chunks, outcome: StreamOutcome) -> ResponseFacts:
    """Response, usage and cost from the received chunks of a stream. The cost of an interrupted stream is unknown,
    because LiteLLM prices only complete streams.
    """
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    try:
        response = _with_cache_hit(invocation, chunks.response())
    except Exception as fault:  # must not reach the application
        log_fault(_READING_RESPONSE, fault)
    if invocation.is_mocked:  # then LiteLLM invents the usage and the cost
        return response, None, None
    try:
        if not invocation.is_usage_estimated:
            usage = chunks.usage()
        if usage is None and invocation.calculated_usage is not None:
            invocation.estimate = readers.read_estimate(invocation.calculated_usage)
        if usage is None and len(invocation.chunk_times) and (response is None or not response.cache_hit):
            _estimate_usage(invocation, chunks)
    except Exception as fault:  # must not reach the application
        log_fault(_READING_USAGE, fault)
    try:
        if usage is not None and outcome == "completed":
            cost = _priced(invocation, invocation.api_format.stream_cost(invocation.logging), usage, chunks)
    except Exception as fault:  # must not reach the application
        log_fault(_READING_COST, fault)
    return response, usage, cost


def _estimate_usage(invocation: Invocation, result: object) -> None:
    """Estimate the usage of a chat with LiteLLM's tokenizer, if the user wants estimates and LiteLLM has made none.

    LiteLLM makes one only at the end of a stream whose usage the application has requested.
    """
    if invocation.estimate is not None or not invocation.is_recorded or not invocation.telemetry.estimates_usage:
        return
    with suppressed():  # the hooks must not record this calculation
        invocation.estimate = readers.estimate_chat(invocation.parameters, result, read_target(invocation).model)


def read_one_of_several(invocation: Invocation, api_format: readers.ApiFormat, result: object) -> ResponseFacts:
    """Response, usage and cost of one of several results that LiteLLM received for a call. For a stream, `result` is
    the accumulator of its chunks (`readers.Chunks`), and the response is not read.
    """
    logging, chunks = invocation.logging, result if readers.is_chunks(result) else None
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    with guard(_READING_RESPONSE):
        response = api_format.response(result) if chunks is None else None
    if invocation.is_mocked:
        return response, None, None
    with guard(_READING_USAGE):
        usage = api_format.usage(result) if chunks is None else chunks.usage()
    with guard(_READING_COST):
        if usage is not None and invocation.is_recorded:
            cost = readers.read_stated_cost(result, logging)
            cost = cost or (None if chunks is not None else api_format.cost(result))
            cost = cost or api_format.price(result, logging) or readers.price_result(result, logging)
            cost = readers.with_certainty(cost, usage, logging)
    return response, usage, cost


def _with_cache_hit(invocation: Invocation, response: Response) -> Response:
    """Set `cache_hit` or `partial_cache_hit` of a response. LiteLLM reports a partial hit as a hit, so `cache_hit` is
    then left unknown.
    """
    if invocation.provider_response is not None:
        return replace(response, cache_hit=None, partial_cache_hit=True)
    return replace(response, cache_hit=True) if readers.read_cache_hit(invocation.logging) else response


def _priced(invocation: Invocation, cost: Cost | None, usage: Usage | None, result: object) -> Cost | None:
    """The cost that the provider or a gateway states, or else LiteLLM's cost with its parts, such as the cost of the
    input. If LiteLLM has not priced the result, LiteLLM's price function is called.

    If the usage is unknown, or the span is not recorded, LiteLLM's cost has no parts, and is not calculated. (Pricing
    takes a millisecond.)
    """
    logging = invocation.logging
    stated = readers.read_stated_cost(result, logging) if invocation.api_format.counts_tokens else None
    if stated is not None:
        return stated
    if invocation.is_recorded:
        if usage is None:
            if cost is None and invocation.operation.api_format == "embedding" and readers.read_cache_hit(logging):
                return readers.price_cached_embeddings(result, logging)
        else:
            if cost is None or not cost.total:
                cost = _calculated(invocation, result) or cost
            cost = cost and readers.with_cost_parts(cost, usage, logging)
    return readers.with_certainty(cost, usage, logging)


def _calculated(invocation: Invocation, result: object) -> Cost | None:
    """The cost by LiteLLM's price function; `None` if LiteLLM has no price."""
    logging = invocation.logging
    if invocation.operation.api_format == "embedding":
        return readers.price_embeddings(result, logging)
    return (
        invocation.api_format.price(result, logging)
        or readers.price_cached_response(result, logging)
        or readers.price_as_application(result, logging)
    )


def _read_stream_times(invocation: Invocation, outcome: StreamOutcome) -> Stream:
    """The times of the chunks, in seconds since the call started."""
    started, times, chunks = invocation.started, invocation.chunk_times, invocation.chunks
    first, latest, first_token = times.first, times.latest, None if chunks is None else chunks.first_token
    return Stream(
        outcome=outcome,
        chunk_count=len(times),
        first_chunk=None if first is None else first - started,
        first_token=None if first_token is None else first_token - started,
        last_chunk=None if latest is None else latest - started,
        **_gap_statistics(times.gaps()),
    )


def _gap_statistics(gaps: SortedGaps) -> dict[str, Any]:
    """The fields of a `Stream` that describe the gaps between its chunks; none for a stream of one chunk."""
    if not gaps:
        return {}
    return {
        "gaps": gaps.sample(MAX_RECORDED_GAPS),
        "longest_gap": gaps[len(gaps) - 1],
        "gap_p50": gaps.percentile(0.5),
        "gap_p95": gaps.percentile(0.95),
        "gap_p99": gaps.percentile(0.99),
    }


# --- content ------------------------------------------------------------------------------------------------


def _read_content(
    invocation: Invocation, content: Content, result: object, error: BaseException | None
) -> Content | None:
    """The content of request and response, and the provider's error text. `None` if LiteLLM's message logging is off
    for the call, or if this setting cannot be read.
    """
    with _READING_OPT_OUT:
        loggings = {id(each): each for each in (invocation.first_logging, invocation.logging)}.values()
        if not any(readers.is_message_logging_off(invocation.parameters, each) for each in loggings):
            content = _with_response_content(invocation, content, result)
            return content if error is None else _with_error_text(content, error)
    return None


def _with_error_text(content: Content, error: BaseException) -> Content:
    with _READING_EXCEPTION:
        return replace(content, error=readers.read_error_text(error))
    return content


def _with_response_content(invocation: Invocation, content: Content, result: object) -> Content:
    """Add the content of the response to the content of the request; for a stream, the part that was received."""
    limits = invocation.content_limits
    with _READING_CONTENT:
        if invocation.chunks is not None:
            return replace(content, output=readers.read_within(limits, invocation.chunks.messages))
        content_readers = invocation.api_format.content
        if result is not None and content_readers is not None:
            read_output, read_documents = content_readers.response, content_readers.documents
            return replace(
                content,
                output=readers.read_within(limits, read_output, result) if read_output else None,
                results=readers.read_within(limits, read_documents, result) if read_documents else None,
            )
    return content
