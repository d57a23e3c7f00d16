"""What a span says of attempts, and what the provider knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from time import perf_counter, time_ns

from opentelemetry.sdk.trace import ReadableSpan

from support.recorder import Attributes, attributes_of
from support.servers import openai_provider, wire

Exchange = openai_provider.Exchange | wire.Exchange

ERRORS = {
    500: ("InternalServerError", "the provider had an internal error"),
    429: ("RateLimitError", "the rate limit was reached"),
    401: ("AuthenticationError", "the credentials were rejected"),
}
"""The status a provider sent → what LiteLLM calls that, and we."""


def attempts_of(span: ReadableSpan) -> list[Attributes]:
    """What the attempts' events say, without `litellm.attempt.` and, as nobody else knows it, how long they took."""
    events = [event for event in span.events if event.name == "litellm.attempt"]
    assert len(events) == len(span.events)
    return [
        {name.removeprefix("litellm.attempt."): value for name, value in (event.attributes or {}).items()}
        for event in events
    ]


def without_duration(attempts: Iterable[Attributes]) -> list[Attributes]:
    return [{name: value for name, value in each.items() if name != "duration"} for each in attempts]


def expected_attempts(
    ledger: Sequence[Exchange], statuses: Iterable[int | None] | None = None, provider: str = "openai"
) -> list[Attributes]:
    """An attempt for each request that the provider saw, failed where the ledger, or one of `statuses`, says so."""
    if statuses is None:
        statuses = [exchange.status for exchange in ledger if isinstance(exchange, openai_provider.Exchange)]
    told: list[Attributes] = []
    for number, (exchange, status) in enumerate(zip(ledger, statuses, strict=True), 1):
        attempt: Attributes = {"number": number, "model": exchange.body["model"], "provider": provider}
        if status is not None and status >= 400:
            error, said = ERRORS[status]
            attempt |= {"error.type": error, "error.message": f"{error}: {said} (HTTP {status}, {provider})"}
        told.append(attempt)
    return told


def retries_and_fallback(span: ReadableSpan) -> tuple[object, object]:
    """Retries, and whether there was a fallback."""
    attributes = attributes_of(span)
    return attributes.get("llm.retry.count"), attributes.get("llm.fallback.used")


def assert_attempt_times(span: ReadableSpan, ledger: Sequence[Exchange]) -> None:
    """Each attempt was under way when its request came in, and was over before the next one began."""
    wall_to_monotonic = perf_counter() - time_ns() / 1e9
    tolerance = 0.005  # between the two clocks
    periods = []
    for event in span.events:
        began = event.timestamp / 1e9 + wall_to_monotonic
        duration = (event.attributes or {})["litellm.attempt.duration"]
        assert isinstance(duration, float)
        periods.append((began, began + duration))
    assert len(periods) == len(ledger)
    for (began, ended), exchange in zip(periods, ledger, strict=True):
        assert began - tolerance <= exchange.received_at <= ended + tolerance
    for (_, ended), (began, _) in pairwise(periods):
        assert ended <= began + tolerance
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.events[0].timestamp
    assert periods[-1][1] <= span.end_time / 1e9 + wall_to_monotonic + tolerance
