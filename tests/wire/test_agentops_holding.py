"""Spans wait while AgentOps cannot take them, in the order in which they ended; and nobody waits long for them."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.agentops_queue import MAX_PAUSE, MAX_UNANSWERED, DeliveryError
from agentops_otel_litellm.exporters.agentops_token import retry_after_seconds
from support.agentops_exports import (
    FAILURE,
    MISMATCHED_ENDPOINTS,
    NO_COLLECTOR,
    NO_RESPONSE,
    NO_TOKEN,
    NOT_DELIVERED,
    SUCCESS,
    Clock,
    ended_span,
    export,
    span_names,
)
from support.logged_warnings import LoggedWarnings
from support.servers.agentops_platform import DOWN, TRACES_ROUTE, AgentOpsPlatform, Fault

OVERFLOW = (
    "AgentOps cannot be reached, and the queue is full. The oldest spans are dropped. The maximum number of queued "
    "spans "
    "is AGENTOPS_MAX_QUEUE_SIZE ({})."
)
BEYOND = "Wed, 21 Oct 2015 07:28:00 +99999999999999"


def numbered(count: int) -> list[str]:
    return [f"span {number}" for number in range(count)]


def wait_until(condition: Callable[[], bool]) -> None:
    """An `AssertionError` if it takes ten seconds."""
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("fault", [DOWN, Fault(status=503), Fault(status=429, retry_after="1")], ids=str)
def test_an_outage_in_a_run_loses_nothing(fault: Fault, platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """Each span arrives, once, without another one to set that off, though tokens expire as well. (The short form: an
    outage of a second and a half.)
    """
    platform.token_lifetime = 1.0
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(AgentOpsSpanExporter(), schedule_delay_millis=50))
    tracer = provider.get_tracer("app")
    sent = numbered(60)
    for number, name in enumerate(sent):
        if number == 20:
            platform.fail(fault)
        if number == 50:
            platform.recover()
        tracer.start_span(name).end()
        time.sleep(0.05)
    wait_until(lambda: len(platform.spans) >= len(sent))
    provider.shutdown()
    assert span_names(platform) == sent
    assert len(platform.faulted_routes) in range(1, 6)
    assert len(logged.take()) in {1, 2}  # of the token server, of the collector


def test_attempts_become_rare(platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings) -> None:
    """Each failure in a row doubles the pause, up to eight seconds; meanwhile an export costs nothing."""
    platform.fail(Fault(status=500), TRACES_ROUTE)
    exporter = AgentOpsSpanExporter()
    pauses = []
    for _ in range(6):
        export(exporter)
        pauses.append(exporter._sender._paused_until - clock())
        assert export(exporter) is FAILURE
        clock.ahead += pauses[-1]
    assert len(platform.faulted_routes) == 6
    assert [round(pause / expected, 0) for pause, expected in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True)] == [1] * 6
    assert logged.take() == [NO_COLLECTOR.format("status 500")]
    platform.recover()
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    assert len(platform.spans) == 13


def test_a_server_that_asks_for_time_gets_it(platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings) -> None:
    """Before the end that Retry-After names there is no attempt, not even the last one."""
    platform.fail(Fault(status=503, retry_after="30"))
    exporter = AgentOpsSpanExporter()
    export(exporter)
    clock.ahead += 20
    assert export(exporter) is FAILURE
    assert not exporter.force_flush()
    assert len(platform.faulted_routes) == 1
    platform.recover()
    clock.ahead += 10
    assert export(exporter) is SUCCESS
    platform.fail(Fault(status=429, retry_after="30"))
    export(exporter)
    exporter.shutdown()
    assert len(platform.faulted_routes) == 2
    assert logged.take() == [NO_TOKEN.format("status 503"), NO_COLLECTOR.format("status 429"), NOT_DELIVERED.format(1)]
    assert len(platform.spans) == 3


def test_the_end_waits_for_a_server_that_asks_for_little(platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """Within the time that an export may take anyway."""
    platform.fail(Fault(status=503, retry_after="1"), TRACES_ROUTE)
    exporter = AgentOpsSpanExporter()
    export(exporter)
    platform.recover()
    exporter.shutdown()
    assert logged.take() == [NO_COLLECTOR.format("status 503")]
    assert len(platform.spans) == 1


def test_retry_after() -> None:
    """Seconds or a date; anything else says nothing."""
    soon = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=60), usegmt=True)
    past = format_datetime(datetime.now(timezone.utc) - timedelta(seconds=60), usegmt=True)
    assert retry_after_seconds(soon) == pytest.approx(60, abs=5)
    assert [retry_after_seconds(text) for text in (past, " 7 ", "99999999", "soon", "-1", "", None, BEYOND)] == [
        *(0, 7, MAX_PAUSE),
        *(None, None, None, None, None),
    ]


def test_the_end_makes_a_last_attempt(platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings) -> None:
    """During a pause of our own, unless an attempt has just failed."""
    platform.accepts_tokens = False
    exporter = AgentOpsSpanExporter()
    export(exporter)
    platform.accepts_tokens = True
    assert not exporter.force_flush()
    clock.ahead += 2
    exporter.shutdown()
    assert logged.take() == [MISMATCHED_ENDPOINTS.format("status 401")]
    assert len(platform.spans) == 1
    assert export(exporter) is FAILURE
    exporter.shutdown()


def test_the_oldest_go_first(
    platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is dropped, which is told once, with how many at the end; while all is well, all fits."""
    monkeypatch.setenv("AGENTOPS_MAX_QUEUE_SIZE", "10")
    exporter = AgentOpsSpanExporter()
    assert exporter.export([ended_span("before")] * 25) is SUCCESS
    platform.fail(DOWN)
    for name in numbered(30):
        export(exporter, name)
    platform.recover()
    clock.ahead += 10
    assert exporter.force_flush()
    exporter.shutdown()
    assert span_names(platform) == ["before"] * 25 + numbered(30)[20:]
    assert logged.take() == [
        NO_COLLECTOR.format("ConnectionError"),
        OVERFLOW.format(10),
        NOT_DELIVERED.format(20),
    ]


def test_a_request_that_is_too_large_is_split(platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """Nothing is lost and nothing told, unless a span is too large by itself; then others follow."""
    exporter = AgentOpsSpanExporter()
    platform.max_spans = 3
    assert exporter.export([ended_span(name) for name in numbered(10)]) is SUCCESS
    assert span_names(platform) == numbered(10)
    platform.max_spans = 0
    assert export(exporter, "large") is FAILURE
    assert logged.take() == [
        "Spans are not delivered to AgentOps (status 413): The collector does not accept a request of that size."
    ]
    platform.max_spans = None
    assert export(exporter, "after") is SUCCESS
    exporter.shutdown()
    assert span_names(platform) == [*numbered(10), "after"]
    assert logged.take() == [NOT_DELIVERED.format(1)]


def test_a_request_that_is_not_answered_and_then_too_large(
    platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is split then, though what may have been taken is sent again as it was."""
    monkeypatch.setenv("AGENTOPS_MAX_WAIT_TIME", "500")
    platform.fail(Fault(delay=1.5), TRACES_ROUTE)
    exporter = AgentOpsSpanExporter()
    assert exporter.export([ended_span(name) for name in numbered(8)]) is FAILURE
    platform.recover()
    platform.max_spans = 3
    clock.ahead += 2
    export(exporter, "after")
    exporter.shutdown()
    assert span_names(platform) == [*numbered(8), "after"]
    assert len(platform.requests) < 10
    assert logged.take() == [NO_RESPONSE]


@pytest.mark.usefixtures("platform")
def test_nobody_waits_for_a_resolver(logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no limit of its own, such as looking up a name, keeps an export and the end no longer than they may."""
    monkeypatch.setenv("AGENTOPS_MAX_WAIT_TIME", "300")
    answer = threading.Event()
    look_up = socket.getaddrinfo

    def slow(*args: object, **kwargs: object) -> object:
        answer.wait(20)
        return look_up(*args, **kwargs)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    began = time.monotonic()
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is FAILURE
    exporter.shutdown()
    assert time.monotonic() - began < 5
    assert logged.take() == [NOT_DELIVERED.format(1)]
    answer.set()
    exporter._sender._thread.join(10)
    logged.take()


def test_a_span_that_ends_while_spans_are_sent(platform: AgentOpsPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A garbage collection on the sender's thread may end one: it does not wait for itself."""
    exporter = AgentOpsSpanExporter()
    delivered = exporter._links.print_links
    inside: list[object] = []

    def delivering(spans: object) -> None:
        if not inside:
            inside.append(export(exporter, "inside"))
        delivered(spans)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr(exporter._links, "print_links", delivering)
    began = time.monotonic()
    export(exporter, "outside")
    exporter.shutdown()
    assert time.monotonic() - began < 4
    assert (inside, span_names(platform)) == ([FAILURE], ["outside", "inside"])


class Raises(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError(record.getMessage())


def test_a_log_handler_that_raises(platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings) -> None:
    """Spans are sent all the same."""
    logger, raises = logging.getLogger("agentops_otel_litellm.exporters.agentops"), Raises()
    logger.addHandler(raises)
    try:
        exporter = AgentOpsSpanExporter()
        platform.fail(DOWN)
        export(exporter)
        platform.recover()
        clock.ahead += 2
        assert export(exporter) is SUCCESS
        exporter.shutdown()
    finally:
        logger.removeHandler(raises)
    assert len(platform.spans) == 2
    logged.take()


@pytest.mark.usefixtures("platform")
def test_nothing_ends_the_thread_that_sends(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an attempt raises has failed it; the next one is made in its time."""
    exporter = AgentOpsSpanExporter()
    attempt = exporter._sender._send
    raising: list[BaseException] = [SystemExit(), RuntimeError("out of order")]

    def attempted(spans: Sequence[ReadableSpan]) -> DeliveryError | None:
        if raising:
            raise raising.pop()
        return attempt(spans)

    monkeypatch.setattr(exporter._sender, "_send", attempted)
    for outcome in (FAILURE, FAILURE, SUCCESS):
        assert export(exporter) is outcome
        clock.ahead += 60
    exporter.shutdown()


def test_a_server_that_takes_no_request_of_any_size(
    platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings
) -> None:
    """It is not asked for each span anew how many it takes, and after a few that are dropped there is a pause."""
    platform.max_spans = 0
    exporter = AgentOpsSpanExporter()
    assert exporter.export([ended_span()] * 64) is FAILURE
    assert len(platform.requests) == 9  # of 64, 32, …, 2, and three of 1
    assert export(exporter) is FAILURE
    assert len(platform.requests) == 9
    clock.ahead += 1.5
    assert export(exporter) is FAILURE
    assert len(platform.requests) == 10
    platform.max_spans = None
    clock.ahead += 3
    assert export(exporter, "the last") is SUCCESS
    exporter.shutdown()
    assert len(platform.spans) == 63
    assert logged.take() == [
        "Spans are not delivered to AgentOps (status 413): The collector does not accept a request of that size.",
        NOT_DELIVERED.format(4),
    ]


def test_a_server_that_answers_late(
    platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it may have taken is not sent for ever: that is told, and counted; what comes later is sent."""
    monkeypatch.setenv("AGENTOPS_MAX_WAIT_TIME", "500")
    exporter = AgentOpsSpanExporter()
    export(exporter, "before")
    platform.fail(Fault(delay=1.5), TRACES_ROUTE)
    assert export(exporter, "late") is FAILURE
    for _ in range(MAX_UNANSWERED - 1):
        clock.ahead += 20
        assert export(exporter, "later") is FAILURE
    assert len(platform.faulted_routes) == MAX_UNANSWERED
    platform.recover()
    clock.ahead += 20
    assert export(exporter, "after") is SUCCESS
    exporter.shutdown()
    assert logged.take() == [NO_RESPONSE, NOT_DELIVERED.format(1)]
    assert span_names(platform) == ["before", *["later"] * (MAX_UNANSWERED - 1), "after"]
