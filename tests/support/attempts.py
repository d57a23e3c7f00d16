"""Attempts on spans, and expected attempts from the requests that the provider received."""

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
"""Status of a response → LiteLLM's class of the error, and the phrase in our message."""


def attempts_of(span: ReadableSpan) -> list[Attributes]:
    """The attributes of the events for attempts, without the prefix `litellm.attempt.`."""
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
    """An attempt for each exchange, failed if its status, or the one in `statuses`, is an error."""
    if statuses is None:
        statuses = [exchange.status for exchange in ledger if isinstance(exchange, openai_provider.Exchange)]
    attempts: list[Attributes] = []
    for number, (exchange, status) in enumerate(zip(ledger, statuses, strict=True), 1):
        attempt: Attributes = {"number": number, "model": exchange.body["model"], "provider": provider}
        if status is not None and status >= 400:
            error, phrase = ERRORS[status]
            attempt |= {"error.type": error, "error.message": f"{error}: {phrase} (HTTP {status}, {provider})"}
        attempts.append(attempt)
    return attempts


def retries_and_fallback(span: ReadableSpan) -> tuple[object, object]:
    """The number of retries, and whether a fallback was used."""
    attributes = attributes_of(span)
    return attributes.get("llm.retry.count"), attributes.get("llm.fallback.used")


def assert_attempt_times(span: ReadableSpan, ledger: Sequence[Exchange]) -> None:
    """Each attempt had started when its request arrived, and ended before the next attempt started."""
    wall_to_monotonic = perf_counter() - time_ns() / 1e9
    tolerance = 0.005  # differences between the two clocks
    periods = []
    for event in span.events:
        start = event.timestamp / 1e9 + wall_to_monotonic
        duration = (event.attributes or {})["litellm.attempt.duration"]
        assert isinstance(duration, float)
        periods.append((start, start + duration))
    assert len(periods) == len(ledger)
    for (start, end), exchange in zip(periods, ledger, strict=True):
        assert start - tolerance <= exchange.received_at <= end + tolerance
    for (_, end), (start, _) in pairwise(periods):
        assert end <= start + tolerance
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.events[0].timestamp
    assert periods[-1][1] <= span.end_time / 1e9 + wall_to_monotonic + tolerance
