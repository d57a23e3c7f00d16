"""The processors, as functions of whole calls."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TypedDict

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litellm import exceptions
from litellm.types.router import RouterRateLimitError

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import (
    Attempt,
    Attempts,
    Call,
    Cost,
    Estimate,
    Failure,
    Response,
    Routing,
    Saved,
    Stream,
    StreamOutcome,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.pricing.precedence import (
    drop_estimate,
    drop_unknown_cost,
    drop_unneeded_estimate,
    move_cached_usage_to_saved,
)
from agentops_otel_litellm.processors.errors import RETRYABLE, categorise_failure, count_retries, set_deployment
from agentops_otel_litellm.processors.steps import (
    add_stream_statistics,
    drop_incomplete_finish_reasons,
    drop_partial_output_count,
)

CALL = Call(
    name="chat", operation="chat", target=Target(provider="openai", model="gpt-4o"), timing=Timing(started_at=1)
)


def streamed(
    *chunk_times: float,
    outcome: StreamOutcome = "completed",
    output: int | None = None,
    first_token: float | None = None,
) -> Call:
    """A call whose chunks arrived at these times."""
    return replace(
        CALL,
        usage=None if output is None else Usage(input=1, output=output),
        stream=Stream(
            outcome=outcome,
            chunk_count=len(chunk_times),
            first_chunk=chunk_times[0] if chunk_times else None,
            first_token=first_token,
            last_chunk=chunk_times[-1] if chunk_times else None,
        ),
    )


def statistics_of(call: Call) -> Stream:
    stream = add_stream_statistics(call).stream
    assert stream is not None
    return stream


# --- streams ----------------------------------------------------------------------------------------------


def test_stream_statistics() -> None:
    """Rates are for the time between the first and the last chunk, so the first chunk does not count."""
    call = streamed(1.0, 1.5, 3.0, output=8)
    assert add_stream_statistics(call) == replace(
        call,
        stream=Stream(
            outcome="completed",
            chunk_count=3,
            first_chunk=1.0,
            last_chunk=3.0,
            duration=2.0,
            chunks_per_second=1.0,
            tokens_per_second=4.0,
        ),
    )


def test_one_chunk_has_no_rates() -> None:
    stream = statistics_of(streamed(1.0, output=8))
    assert (stream.duration, stream.chunks_per_second, stream.tokens_per_second) == (None, None, None)


def test_chunks_at_one_time_have_no_rates() -> None:
    """A duration of zero must not cause a division by zero."""
    stream = statistics_of(streamed(1.0, 1.0, output=8))
    assert (stream.duration, stream.chunks_per_second, stream.tokens_per_second) == (0.0, None, None)


def test_unknown_tokens_have_no_rate() -> None:
    """The number of chunks is not used in place of the number of tokens."""
    stream = statistics_of(streamed(1.0, 2.0))
    assert (stream.chunks_per_second, stream.tokens_per_second) == (1.0, None)


@pytest.mark.parametrize("call", [CALL, streamed(), streamed(outcome="abandoned", output=8)])
def test_a_call_without_chunks_has_no_statistics(call: Call) -> None:
    """A plain call, and a stream that was never read."""
    assert add_stream_statistics(call) == call


@pytest.mark.parametrize(
    ("outcome", "reasons", "kept"),
    [
        ("completed", ("stop", "length"), ("stop", "length")),
        ("completed", ("stop", None), None),
        ("completed", (), ()),
        *((outcome, ("stop", None), None) for outcome in ("abandoned", "closed", "cancelled")),
        ("abandoned", ("stop",), ("stop",)),
        ("failed", (None,), (None,)),
    ],
)
def test_incomplete_finish_reasons_are_dropped(
    outcome: StreamOutcome, reasons: tuple[str | None, ...], kept: tuple[str | None, ...] | None
) -> None:
    """A completed stream has a reason for each choice, so LiteLLM has lost one. If the application has not read the
    stream to its end, the reason is unknown. A failed stream ended with an error.
    """
    call = replace(streamed(1.0, 2.0, outcome=outcome), response=Response(id="r", finish_reasons=reasons))
    assert drop_incomplete_finish_reasons(call) == replace(call, response=Response(id="r", finish_reasons=kept))


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1e6), max_size=20).map(sorted),
    st.none() | st.integers(0, 10**9),
    st.sampled_from(["completed", "closed", "abandoned", "cancelled", "failed"]),
)
def test_statistics_are_never_negative(chunk_times: list[float], output: int | None, outcome: StreamOutcome) -> None:
    """For any times and outcome, each statistic is `None` or at least 0."""
    stream = statistics_of(streamed(*chunk_times, outcome=outcome, output=output))
    percentiles = (stream.gap_p50, stream.gap_p95, stream.gap_p99)
    values = (stream.duration, stream.longest_gap, stream.chunks_per_second, stream.tokens_per_second, *percentiles)
    assert all(figure is None or figure >= 0 for figure in values)
    assert (stream.chunks_per_second is None) == (len(set(chunk_times)) < 2)


# --- errors -----------------------------------------------------------------------------------------------

CANARY = "sk-canary"


class ErrorArguments(TypedDict):
    message: str
    model: str
    llm_provider: str


ERROR_ARGUMENTS: ErrorArguments = {"message": CANARY, "model": CANARY, "llm_provider": "openai"}
RESPONSE = httpx.Response(422, request=httpx.Request("POST", "http://localhost"))
# Exception → its category and the phrase in its message. Each exception's text is the canary.
FAILURES: list[tuple[BaseException, str | None, str]] = [
    (exceptions.AuthenticationError(**ERROR_ARGUMENTS), "auth", ": the credentials were rejected"),
    (exceptions.RateLimitError(**ERROR_ARGUMENTS), "rate_limit", ": the rate limit was reached"),
    (RouterRateLimitError(CANARY, 1.0, False, []), "rate_limit", ": the rate limit was reached"),  # noqa: FBT003 - theirs
    (exceptions.BudgetExceededError(2, 1, CANARY), "quota", ": the budget or quota is used up"),
    (
        exceptions.ContextWindowExceededError(**ERROR_ARGUMENTS),
        "context_length",
        ": the request is longer than the model's context",
    ),
    (
        exceptions.ContentPolicyViolationError(**ERROR_ARGUMENTS),
        "content_filter",
        ": the content was rejected by a policy",
    ),
    (exceptions.NotFoundError(**ERROR_ARGUMENTS), "not_found", ": the model or resource does not exist"),
    (exceptions.Timeout(**ERROR_ARGUMENTS), "timeout", ": no response was received in time"),
    (TimeoutError(CANARY), "timeout", ": no response was received in time"),
    (httpx.ReadTimeout(CANARY), "timeout", ": no response was received in time"),
    (
        exceptions.JSONSchemaValidationError(CANARY, "openai", CANARY, CANARY),
        "invalid_response",
        ": the response was invalid",
    ),
    *(
        (interrupted(**ERROR_ARGUMENTS), "stream_interrupted", ": the stream was interrupted")
        for interrupted in [getattr(exceptions, "MidStreamFallbackError", None)]  # old releases do not have it
        if interrupted is not None
    ),
    (exceptions.APIConnectionError(**ERROR_ARGUMENTS), "connection", ": the provider could not be reached"),
    (ConnectionResetError(CANARY), "connection", ": the provider could not be reached"),
    (httpx.ConnectError(CANARY), "connection", ": the provider could not be reached"),
    (exceptions.InternalServerError(**ERROR_ARGUMENTS), "server_error", ": the provider had an internal error"),
    (exceptions.ServiceUnavailableError(**ERROR_ARGUMENTS), "server_error", ": the provider had an internal error"),
    (
        exceptions.UnprocessableEntityError(**ERROR_ARGUMENTS, response=RESPONSE),
        "invalid_request",
        ": the request is invalid",
    ),
    (exceptions.BadRequestError(**ERROR_ARGUMENTS), "invalid_request", ": the request is invalid"),
    (asyncio.CancelledError(CANARY), "cancelled", ": the call was cancelled"),
    (GeneratorExit(CANARY), "cancelled", ": the call was cancelled"),
    (KeyboardInterrupt(CANARY), "cancelled", ": the call was cancelled"),
    (ValueError(CANARY), None, ""),
]
CATEGORIES = {
    "auth",
    "rate_limit",
    "quota",
    "context_length",
    "content_filter",
    "not_found",
    "timeout",
    "invalid_response",
    "stream_interrupted",
    "connection",
    "server_error",
    "invalid_request",
    "cancelled",
}


def categorise(failure: Failure, call: Call = CALL) -> Failure:
    failed = categorise_failure(replace(call, failure=failure)).failure
    assert failed is not None
    return failed


# LiteLLM sets a status for these, although it raises them by itself, and no server has sent the status.
WITHOUT_STATUS = {"BudgetExceededError", "JSONSchemaValidationError", "RouterRateLimitError", "Timeout"}


@pytest.mark.parametrize(("error", "category", "phrase"), FAILURES, ids=[type(row[0]).__name__ for row in FAILURES])
def test_an_exception_has_a_category_and_a_message(error: BaseException, category: str | None, phrase: str) -> None:
    """The message has the class, the category, the status and the provider, and never the exception's text."""
    assert CANARY in str(error)
    read = readers.read_failure(error)
    status = None if type(error).__name__ in WITHOUT_STATUS else getattr(error, "status_code", None)
    if category == "cancelled":
        assert categorise(read) == replace(read, category=category, message=f"{type(error).__name__}{phrase}")
        return
    facts = "openai" if status is None else f"HTTP {status}, openai"
    assert categorise(read) == replace(
        read,
        category=category,
        message=f"{type(error).__name__}{phrase} ({facts})",
        provider="openai",
        retryable=RETRYABLE.get(category or ""),
    )


def test_the_table_of_failures_has_every_category() -> None:
    """A new or removed category is documented, so the table must follow."""
    assert {category for _, category, _ in FAILURES} == {*CATEGORIES, None}


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (400, "invalid_request"),
        (401, "auth"),
        (402, "quota"),
        (403, "auth"),
        (404, "not_found"),
        (408, "timeout"),
        (418, "invalid_request"),
        (422, "invalid_request"),
        (429, "rate_limit"),
        (500, "server_error"),
        (503, "server_error"),
        (529, "server_error"),
        (200, "invalid_response"),
        (302, None),
        (None, "server_error"),
    ],
)
def test_the_status_decides_for_general_exception_classes(status: int | None, category: str | None) -> None:
    """LiteLLM raises `APIError` for any status."""
    assert categorise(Failure(type="APIError", ancestry=("APIError",), status_code=status)).category == category


def test_the_nearest_base_class_decides_the_category() -> None:
    """Neither the status nor a more general base class does."""
    failure = Failure(type="Mine", ancestry=("Mine", "Timeout", "APIConnectionError"), status_code=401)
    assert categorise(failure).category == "timeout"


@pytest.mark.parametrize(
    ("kind", "chunks", "category"),
    [
        ("APIConnectionError", 0, "connection"),
        ("APIConnectionError", 2, "stream_interrupted"),
        ("InternalServerError", 2, "stream_interrupted"),
        ("RateLimitError", 2, "rate_limit"),
        ("CancelledError", 2, "cancelled"),
    ],
)
def test_a_connection_error_after_the_first_chunk_is_an_interrupted_stream(
    kind: str, chunks: int, category: str
) -> None:
    """So is an error of the server. Other errors keep their category."""
    call = streamed(*map(float, range(chunks)), outcome="failed")
    assert categorise(Failure(type=kind, ancestry=(kind,)), call).category == category


@pytest.mark.parametrize(("of_failure", "of_target", "known"), [("azure", "openai", "azure"), (None, None, None)])
def test_the_provider_of_a_failure(of_failure: str | None, of_target: str | None, known: str | None) -> None:
    """The exception's provider, or else the target's, which may be unknown."""
    failure = Failure(type="ValueError", ancestry=("ValueError",), provider=of_failure)
    failed = categorise(failure, replace(CALL, target=Target(provider=of_target)))
    assert failed.provider == known
    assert failed.message == (f"ValueError ({known})" if known else "ValueError")


def test_a_call_without_failure_is_unchanged() -> None:
    assert categorise_failure(CALL) is CALL


# --- cost -------------------------------------------------------------------------------------------------

PRICE, FREE = Cost(total=0.25, source="litellm"), Cost(total=0.0, source="litellm")
USAGE, CACHE_HIT = Usage(input=3, output=4), Response(cache_hit=True)


@pytest.mark.parametrize(
    ("cost", "usage", "response", "expected"),
    [
        (PRICE, USAGE, None, PRICE),
        (PRICE, USAGE, Response(), PRICE),
        (PRICE, None, None, None),  # LiteLLM's price for its own estimate
        (FREE, USAGE, None, None),  # LiteLLM does not know the model
        (FREE, None, None, None),
        (FREE, USAGE, CACHE_HIT, FREE),  # really free
        (FREE, None, CACHE_HIT, FREE),
        (None, USAGE, CACHE_HIT, None),
        (None, USAGE, None, None),
    ],
)
def test_a_cost_needs_counted_tokens_and_a_price_unless_cached(
    cost: Cost | None, usage: Usage | None, response: Response | None, expected: Cost | None
) -> None:
    """LiteLLM reports 0 for unknown prices, and prices its own estimates; only a cached response really costs 0."""
    call = replace(CALL, cost=cost, usage=usage, response=response)
    assert drop_unknown_cost(call) == replace(call, cost=expected)


# --- cache ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "usage", "saved"),
    [
        (PRICE, USAGE, Saved(input=3, output=4, cost=0.25)),
        (FREE, USAGE, Saved(input=3, output=4)),  # LiteLLM does not know the model
        (None, USAGE, Saved(input=3, output=4)),
        (PRICE, None, Saved()),  # LiteLLM's price for its own estimate
        (None, None, None),
    ],
)
def test_usage_and_cost_of_a_cache_hit_are_moved_to_saved(
    cost: Cost | None, usage: Usage | None, saved: Saved | None
) -> None:
    """LiteLLM repeats the usage and cost of the first call, but a cache hit uses no tokens and costs 0."""
    call = replace(CALL, cost=cost, usage=usage, response=CACHE_HIT)
    assert move_cached_usage_to_saved(call) == replace(call, cost=FREE, usage=None, saved=saved)
    replayed = replace(streamed(1.0, 2.0), cost=cost, usage=usage, response=CACHE_HIT)
    assert move_cached_usage_to_saved(replayed) == replace(replayed, cost=FREE, usage=None)


@pytest.mark.parametrize("response", [None, Response(), Response(partial_cache_hit=True)])
def test_a_call_that_is_no_full_cache_hit_is_unchanged(response: Response | None) -> None:
    """The usage of a partial hit belongs to the part that the provider returned."""
    call = replace(CALL, cost=PRICE, usage=USAGE, response=response)
    assert move_cached_usage_to_saved(call) is call


# --- attempts ---------------------------------------------------------------------------------------------


def call_with_attempts(*rows: Attempt) -> Call:
    return replace(CALL, attempts=Attempts(made=rows))


@pytest.mark.parametrize(
    ("rows", "retries", "fallback_used"),
    [
        ([("openai", "a", None)], None, None),
        ([("openai", "a", None), ("openai", "a", None)], 1, False),
        ([("openai", "a", None), ("openai", "b", None)], 0, True),
        ([("openai", "a", None), ("azure", "a", None)], 0, True),
        ([("openai", "a", None), ("openai", "a", None), ("openai", "b", None), ("openai", "b", None)], 2, True),
        ([("openai", "a", "fast"), ("azure", "b", "fast")], 1, False),
        ([("openai", "a", "fast"), ("openai", "a", "slow")], 0, True),
    ],
)
def test_retries_and_fallbacks_are_counted(
    rows: list[tuple[str, str, str | None]], retries: int | None, *, fallback_used: bool | None
) -> None:
    """A retry has the same model, or the same model group of the Router. A single attempt has no counts."""
    failure = Failure(type="Timeout", ancestry=("Timeout",))
    made = [
        Attempt(number=number, provider=provider, model=model, model_group=group, failure=failure)
        for number, (provider, model, group) in enumerate(rows, 1)
    ]
    counted = count_retries(call_with_attempts(*made)).attempts
    assert counted is not None
    kinds = [attempt.kind for attempt in counted.made]
    assert kinds[0] is None
    assert counted == Attempts(
        made=tuple(replace(attempt, kind=kind) for attempt, kind in zip(made, kinds, strict=True)),
        retries=retries,
        fallback_used=fallback_used,
    )
    if len(rows) > 1:
        assert kinds.count("retry") == retries
        assert kinds.count("fallback") == len(rows) - 1 - kinds.count("retry")


def test_an_attempt_after_a_successful_one_is_no_retry() -> None:
    """LiteLLM runs a tool for the model and sends a follow-up request."""
    call = call_with_attempts(Attempt(number=1, model="a"), Attempt(number=2, model="a"))
    assert count_retries(call) is call


def test_a_routed_call_has_the_deployment_of_its_last_attempt() -> None:
    """Calls of an operation have their own deployment already, and a call without attempts has none."""
    made = [Attempt(number=1, model_id="one"), Attempt(number=2, model_id="two")]
    routed = replace(call_with_attempts(*made), operation=None, routing=Routing(model_group="fast"))
    assert set_deployment(routed).routing == Routing(model_group="fast", model_id="two")
    for call in (replace(routed, operation="chat"), replace(routed, attempts=None), replace(routed, routing=None)):
        assert set_deployment(call) is call


def test_failures_of_attempts_are_categorised() -> None:
    """As for a call: only the last attempt may be an interrupted stream. A failure with a category is unchanged."""
    lost = Failure(type="APIConnectionError", ancestry=("APIConnectionError",))
    known = replace(lost, category="stream_interrupted", message="recorded")
    made = [Attempt(number=number, failure=failure) for number, failure in enumerate((lost, None, known, lost), 1)]
    call = replace(streamed(1.0, 2.0, outcome="failed"), attempts=Attempts(made=tuple(made)))
    attempts = categorise_failure(call).attempts
    assert attempts is not None
    categories = [attempt.failure.category if attempt.failure else None for attempt in attempts.made]
    assert categories == ["connection", None, "stream_interrupted", "stream_interrupted"]
    assert attempts.made[2] == made[2]


FULL_USAGE = Usage(
    input=5, output=7, total=12, cache_read=1, reasoning=2, output_text=3, output_image=4, output_audio=1
)
ESTIMATED = replace(CALL, estimate=Estimate(input=5, output=7))


@pytest.mark.parametrize(
    ("outcome", "reasons", "complete"),
    [
        ("completed", None, True),
        ("completed", ("stop",), True),
        ("closed", ("stop",), True),
        ("closed", None, False),
        ("closed", (), False),
        ("abandoned", (None,), False),
        ("failed", ("stop", None), False),
        ("cancelled", None, False),
    ],
)
def test_the_output_count_of_an_incomplete_stream_is_dropped(
    outcome: StreamOutcome, reasons: tuple[str | None, ...] | None, *, complete: bool
) -> None:
    """Without a finish reason, the count of the output covers only a part of it."""
    call = replace(streamed(1.0, outcome=outcome), usage=FULL_USAGE, response=Response(finish_reasons=reasons))
    assert drop_partial_output_count(call).usage == (FULL_USAGE if complete else Usage(input=5, cache_read=1))


@pytest.mark.parametrize("call", [CALL, streamed(1.0, outcome="failed"), replace(CALL, usage=FULL_USAGE)])
def test_plain_calls_and_unknown_usage_are_unchanged(call: Call) -> None:
    """There is no output count of an incomplete stream to drop."""
    assert drop_partial_output_count(call) == call


@pytest.mark.parametrize(
    ("call", "kept"),
    [
        (ESTIMATED, True),
        (replace(ESTIMATED, response=Response(id="r")), True),
        (replace(ESTIMATED, usage=FULL_USAGE), False),
        (replace(ESTIMATED, response=Response(cache_hit=True)), False),
    ],
)
def test_an_estimate_is_kept_only_without_counted_usage(call: Call, *, kept: bool) -> None:
    """A cache hit uses no tokens, so it needs no estimate. `drop_estimate` drops it if the setting is off."""
    assert drop_unneeded_estimate(call) == (call if kept else replace(call, estimate=None))
    assert drop_estimate(call) == replace(call, estimate=None)
