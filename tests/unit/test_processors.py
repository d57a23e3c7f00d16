"""The processors, as functions of whole calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise
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
    *instants: float, outcome: StreamOutcome = "completed", output: int | None = None, first_token: float | None = None
) -> Call:
    """A call whose chunks came at these instants."""
    return replace(
        CALL,
        usage=None if output is None else Usage(input=1, output=output),
        stream=Stream(
            outcome=outcome,
            chunk_count=len(instants),
            first_chunk=instants[0] if instants else None,
            first_token=first_token,
            last_chunk=instants[-1] if instants else None,
            gaps=Counter(after - before for before, after in pairwise(instants)),
        ),
    )


def figures(call: Call) -> Stream:
    stream = add_stream_statistics(call).stream
    assert stream is not None
    return stream


# --- streams ----------------------------------------------------------------------------------------------


def test_the_figures_of_a_stream() -> None:
    """Rates are of the time between the first chunk and the last, in which one chunk less came than there are."""
    call = streamed(1.0, 1.5, 3.0, output=8)
    assert add_stream_statistics(call) == replace(
        call,
        stream=Stream(
            outcome="completed",
            chunk_count=3,
            first_chunk=1.0,
            last_chunk=3.0,
            gaps={0.5: 1, 1.5: 1},
            duration=2.0,
            longest_gap=1.5,
            chunks_per_second=1.0,
            tokens_per_second=4.0,
            gap_p50=0.5,
            gap_p95=1.5,
            gap_p99=1.5,
        ),
    )


def test_one_chunk_has_no_rates() -> None:
    """Nor has it a gap: nothing is divided by no time."""
    stream = figures(streamed(1.0, output=8))
    assert (stream.chunks_per_second, stream.tokens_per_second, stream.longest_gap) == (None, None, None)


def test_chunks_that_come_at_once_have_no_rates() -> None:
    """A clock that did not move between them does not make a division by zero."""
    stream = figures(streamed(1.0, 1.0, output=8))
    assert (stream.chunks_per_second, stream.tokens_per_second, stream.longest_gap) == (None, None, 0.0)


def test_tokens_that_were_not_counted_have_no_rate() -> None:
    """Chunks are no tokens."""
    stream = figures(streamed(1.0, 2.0))
    assert (stream.chunks_per_second, stream.tokens_per_second) == (1.0, None)


@pytest.mark.parametrize("call", [CALL, streamed(), streamed(outcome="abandoned", output=8)])
def test_without_a_chunk_there_are_no_figures(call: Call) -> None:
    """A plain call, and a stream that was never read, are left as they are."""
    assert add_stream_statistics(call) == call


@pytest.mark.parametrize(
    ("outcome", "reasons", "kept"),
    [
        ("completed", ("stop", "length"), ("stop", "length")),
        ("completed", ("stop", None), None),
        ("completed", (), ()),
        ("abandoned", ("stop", None), ("stop", None)),
        ("failed", (None,), (None,)),
    ],
)
def test_reasons_that_litellm_lost(
    outcome: StreamOutcome, reasons: tuple[str | None, ...], kept: tuple[str | None, ...] | None
) -> None:
    """The provider gave all of a stream that was read to its end; of one that was not, some did not come."""
    call = replace(streamed(1.0, 2.0, outcome=outcome), response=Response(id="r", finish_reasons=reasons))
    assert drop_incomplete_finish_reasons(call) == replace(call, response=Response(id="r", finish_reasons=kept))


@pytest.mark.parametrize(
    ("gaps", "percentiles"),
    [
        ({0.25: 1}, (0.25, 0.25, 0.25)),
        ({0.25: 1, 0.5: 1}, (0.25, 0.5, 0.5)),
        ({0.25: 99, 4.0: 1}, (0.25, 0.25, 0.25)),
        ({0.25: 98, 4.0: 2}, (0.25, 0.25, 4.0)),
        ({0.5: 1, 0.25: 94, 4.0: 5}, (0.25, 0.5, 4.0)),
        ({float(length): 1 for length in range(100, 0, -1)}, (50.0, 95.0, 99.0)),
        ({float(length): 10**6 for length in range(1, 101)}, (50.0, 95.0, 99.0)),
    ],
)
def test_percentiles_are_gaps_that_there_were(gaps: dict[float, int], percentiles: tuple[float, ...]) -> None:
    """So many percent of them are not longer."""
    stream = Stream(outcome="completed", chunk_count=sum(gaps.values()) + 1, first_chunk=0, last_chunk=1, gaps=gaps)
    told = figures(replace(CALL, stream=stream))
    assert (told.gap_p50, told.gap_p95, told.gap_p99) == percentiles


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1e6), max_size=20).map(sorted),
    st.none() | st.integers(0, 10**9),
    st.sampled_from(["completed", "closed", "abandoned", "cancelled", "failed"]),
)
def test_figures_are_never_negative(instants: list[float], output: int | None, outcome: StreamOutcome) -> None:
    """Whatever came when: figures are known or not, and what is known is not below nothing."""
    stream = figures(streamed(*instants, outcome=outcome, output=output))
    percentiles = (stream.gap_p50, stream.gap_p95, stream.gap_p99)
    given = (stream.duration, stream.longest_gap, stream.chunks_per_second, stream.tokens_per_second, *percentiles)
    assert all(figure is None or figure >= 0 for figure in given)
    assert (stream.chunks_per_second is None) == (len(set(instants)) < 2)


# --- errors -----------------------------------------------------------------------------------------------

CANARY = "sk-canary"


class About(TypedDict):
    message: str
    model: str
    llm_provider: str


ABOUT: About = {"message": CANARY, "model": CANARY, "llm_provider": "openai"}
RESPONSE = httpx.Response(422, request=httpx.Request("POST", "http://localhost"))
# The exception → its category, and what is said of it. Each has the canary for a text.
FAILURES: list[tuple[BaseException, str | None, str]] = [
    (exceptions.AuthenticationError(**ABOUT), "auth", ": the credentials were rejected"),
    (exceptions.RateLimitError(**ABOUT), "rate_limit", ": the rate limit was reached"),
    (RouterRateLimitError(CANARY, 1.0, False, []), "rate_limit", ": the rate limit was reached"),  # noqa: FBT003 - theirs
    (exceptions.BudgetExceededError(2, 1, CANARY), "quota", ": the budget or quota is used up"),
    (
        exceptions.ContextWindowExceededError(**ABOUT),
        "context_length",
        ": the request is longer than the model's context",
    ),
    (exceptions.ContentPolicyViolationError(**ABOUT), "content_filter", ": the content was rejected by a policy"),
    (exceptions.NotFoundError(**ABOUT), "not_found", ": the model or resource does not exist"),
    (exceptions.Timeout(**ABOUT), "timeout", ": no response was received in time"),
    (TimeoutError(CANARY), "timeout", ": no response was received in time"),
    (httpx.ReadTimeout(CANARY), "timeout", ": no response was received in time"),
    (
        exceptions.JSONSchemaValidationError(CANARY, "openai", CANARY, CANARY),
        "invalid_response",
        ": the response was invalid",
    ),
    *(
        (interrupted(**ABOUT), "stream_interrupted", ": the stream was interrupted")
        for interrupted in [getattr(exceptions, "MidStreamFallbackError", None)]  # which old releases have not
        if interrupted is not None
    ),
    (exceptions.APIConnectionError(**ABOUT), "connection", ": the provider could not be reached"),
    (ConnectionResetError(CANARY), "connection", ": the provider could not be reached"),
    (httpx.ConnectError(CANARY), "connection", ": the provider could not be reached"),
    (exceptions.InternalServerError(**ABOUT), "server_error", ": the provider had an internal error"),
    (exceptions.ServiceUnavailableError(**ABOUT), "server_error", ": the provider had an internal error"),
    (
        exceptions.UnprocessableEntityError(**ABOUT, response=RESPONSE),
        "invalid_request",
        ": the request was rejected as invalid",
    ),
    (exceptions.BadRequestError(**ABOUT), "invalid_request", ": the request was rejected as invalid"),
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


def categorised(failure: Failure, call: Call = CALL) -> Failure:
    failed = categorise_failure(replace(call, failure=failure)).failure
    assert failed is not None
    return failed


@pytest.mark.parametrize(("error", "category", "said"), FAILURES, ids=[type(row[0]).__name__ for row in FAILURES])
def test_an_exception_has_its_category_and_its_sentence(error: BaseException, category: str | None, said: str) -> None:
    """The sentence is made of the category, the status code and the provider; what the exception says is not in it."""
    assert CANARY in str(error)
    read = readers.read_failure(error)
    status = getattr(error, "status_code", None)
    if category == "cancelled":
        assert categorised(read) == replace(read, category=category, message=f"{type(error).__name__}{said}")
        return
    facts = "openai" if status is None else f"HTTP {status}, openai"
    assert categorised(read) == replace(
        read,
        category=category,
        message=f"{type(error).__name__}{said} ({facts})",
        provider="openai",
        retryable=RETRYABLE.get(category or ""),
    )


def test_every_category_is_in_the_table_above() -> None:
    """A category that is new, or is no more, is to be told to whoever looks for it."""
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
def test_where_the_class_says_nothing_the_status_does(status: int | None, category: str | None) -> None:
    """LiteLLM's `APIError`, and its `BadRequestError`, are raised for anything."""
    assert categorised(Failure(type="APIError", ancestry=("APIError",), status_code=status)).category == category


def test_the_nearest_ancestor_decides() -> None:
    """Not the status, and not a more general class further up."""
    failure = Failure(type="Mine", ancestry=("Mine", "Timeout", "APIConnectionError"), status_code=401)
    assert categorised(failure).category == "timeout"


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
def test_a_stream_that_had_begun_was_interrupted(kind: str, chunks: int, category: str) -> None:
    """A connection that breaks, or a server that fails, after the first chunk."""
    call = streamed(*map(float, range(chunks)), outcome="failed")
    assert categorised(Failure(type=kind, ancestry=(kind,)), call).category == category


@pytest.mark.parametrize(("of_failure", "of_target", "known"), [("azure", "openai", "azure"), (None, None, None)])
def test_the_provider_that_failed(of_failure: str | None, of_target: str | None, known: str | None) -> None:
    """The exception's own, else the one that was asked, which need not be known."""
    failure = Failure(type="ValueError", ancestry=("ValueError",), provider=of_failure)
    failed = categorised(failure, replace(CALL, target=Target(provider=of_target)))
    assert failed.provider == known
    assert failed.message == (f"ValueError ({known})" if known else "ValueError")


def test_a_call_that_did_not_fail_is_left_as_it_is() -> None:
    assert categorise_failure(CALL) is CALL


# --- cost -------------------------------------------------------------------------------------------------

PRICE, FREE = Cost(total=0.25, source="litellm"), Cost(total=0.0, source="litellm")
COUNTED, CACHED = Usage(input=3, output=4), Response(cache_hit=True)


@pytest.mark.parametrize(
    ("cost", "usage", "response", "settled"),
    [
        (PRICE, COUNTED, None, PRICE),
        (PRICE, COUNTED, Response(), PRICE),
        (PRICE, None, None, None),  # LiteLLM's price for its own estimate
        (FREE, COUNTED, None, None),  # LiteLLM does not know the model
        (FREE, None, None, None),
        (FREE, COUNTED, CACHED, FREE),  # free in truth
        (FREE, None, CACHED, FREE),
        (None, COUNTED, CACHED, None),
        (None, COUNTED, None, None),
    ],
)
def test_which_price_is_one(
    cost: Cost | None, usage: Usage | None, response: Response | None, settled: Cost | None
) -> None:
    """A price needs tokens that were counted and a model that has one; only from the cache is an answer free."""
    call = replace(CALL, cost=cost, usage=usage, response=response)
    assert drop_unknown_cost(call) == replace(call, cost=settled)


# --- cache ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "usage", "saved"),
    [
        (PRICE, COUNTED, Saved(input=3, output=4, cost=0.25)),
        (FREE, COUNTED, Saved(input=3, output=4)),  # LiteLLM does not know the model
        (None, COUNTED, Saved(input=3, output=4)),
        (PRICE, None, Saved()),  # LiteLLM's price for its own estimate
        (None, None, None),
    ],
)
def test_what_a_hit_saved(cost: Cost | None, usage: Usage | None, saved: Saved | None) -> None:
    """What the answer had used and cost once was not used again, and a hit is free."""
    call = replace(CALL, cost=cost, usage=usage, response=CACHED)
    assert move_cached_usage_to_saved(call) == replace(call, cost=FREE, usage=None, saved=saved)
    replayed = replace(streamed(1.0, 2.0), cost=cost, usage=usage, response=CACHED)
    assert move_cached_usage_to_saved(replayed) == replace(replayed, cost=FREE, usage=None)


@pytest.mark.parametrize("response", [None, Response(), Response(partial_cache_hit=True)])
def test_what_is_no_hit_is_left_as_it_is(response: Response | None) -> None:
    """A part from the cache has no usage: what there is is that of the rest."""
    call = replace(CALL, cost=PRICE, usage=COUNTED, response=response)
    assert move_cached_usage_to_saved(call) is call


# --- attempts ---------------------------------------------------------------------------------------------


def attempted(*asked: Attempt) -> Call:
    return replace(CALL, attempts=Attempts(made=asked))


@pytest.mark.parametrize(
    ("asked", "retries", "fallback_used"),
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
    asked: list[tuple[str, str, str | None]], retries: int | None, *, fallback_used: bool | None
) -> None:
    """A retry asks the same model, or the same group of the Router's; of a single attempt nothing is said."""
    failure = Failure(type="Timeout", ancestry=("Timeout",))
    made = [
        Attempt(number=number, provider=provider, model=model, model_group=group, failure=failure)
        for number, (provider, model, group) in enumerate(asked, 1)
    ]
    counted = count_retries(attempted(*made)).attempts
    assert counted is not None
    kinds = [attempt.kind for attempt in counted.made]
    assert kinds[0] is None
    assert counted == Attempts(
        made=tuple(replace(attempt, kind=kind) for attempt, kind in zip(made, kinds, strict=True)),
        retries=retries,
        fallback_used=fallback_used,
    )
    if len(asked) > 1:
        assert kinds.count("retry") == retries
        assert kinds.count("fallback") == len(asked) - 1 - kinds.count("retry")


def test_what_follows_an_answer_is_no_retry() -> None:
    """LiteLLM has a tool run for the model, and asks it again."""
    call = attempted(Attempt(number=1, model="a"), Attempt(number=2, model="a"))
    assert count_retries(call) is call


def test_a_routed_call_has_the_deployment_it_came_to() -> None:
    """The last one; a call of its own knows its deployment, and one without attempts came to none."""
    made = [Attempt(number=1, model_id="one"), Attempt(number=2, model_id="two")]
    routed = replace(attempted(*made), operation=None, routing=Routing(model_group="fast"))
    assert set_deployment(routed).routing == Routing(model_group="fast", model_id="two")
    for call in (replace(routed, operation="chat"), replace(routed, attempts=None), replace(routed, routing=None)):
        assert set_deployment(call) is call


def test_what_kind_of_failure_an_attempt_was() -> None:
    """As of a call; that of the last one may have begun to answer, and one that is told already is left as it is."""
    lost = Failure(type="APIConnectionError", ancestry=("APIConnectionError",))
    known = replace(lost, category="stream_interrupted", message="told")
    made = [Attempt(number=number, failure=failure) for number, failure in enumerate((lost, None, known, lost), 1)]
    call = replace(streamed(1.0, 2.0, outcome="failed"), attempts=Attempts(made=tuple(made)))
    attempts = categorise_failure(call).attempts
    assert attempts is not None
    categories = [attempt.failure.category if attempt.failure else None for attempt in attempts.made]
    assert categories == ["connection", None, "stream_interrupted", "stream_interrupted"]
    assert attempts.made[2] == made[2]


COUNTED = Usage(input=5, output=7, total=12, cache_read=1, reasoning=2, output_text=3, output_image=4, output_audio=1)
ESTIMATED = replace(CALL, estimate=Estimate(input=5, output=7))


@pytest.mark.parametrize(
    ("outcome", "reasons", "whole"),
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
def test_the_count_of_a_beginning_is_dropped(
    outcome: StreamOutcome, reasons: tuple[str | None, ...] | None, *, whole: bool
) -> None:
    """Of a stream that was cut before it said why it ends, only what was read is known."""
    call = replace(streamed(1.0, outcome=outcome), usage=COUNTED, response=Response(finish_reasons=reasons))
    assert drop_partial_output_count(call).usage == (COUNTED if whole else Usage(input=5, cache_read=1))


@pytest.mark.parametrize("call", [CALL, streamed(1.0, outcome="failed"), replace(CALL, usage=COUNTED)])
def test_what_is_whole_or_unknown_stays(call: Call) -> None:
    """There is nothing to drop of a plain call, nor of one that nobody counted."""
    assert drop_partial_output_count(call) == call


@pytest.mark.parametrize(
    ("call", "kept"),
    [
        (ESTIMATED, True),
        (replace(ESTIMATED, response=Response(id="r")), True),
        (replace(ESTIMATED, usage=COUNTED), False),
        (replace(ESTIMATED, response=Response(cache_hit=True)), False),
    ],
)
def test_an_estimate_is_told_where_nobody_counted(call: Call, *, kept: bool) -> None:
    """It is needless where there is a count, or where nothing was used; and nobody is told who did not ask."""
    assert drop_unneeded_estimate(call) == (call if kept else replace(call, estimate=None))
    assert drop_estimate(call) == replace(call, estimate=None)
