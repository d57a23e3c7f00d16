"""The AgentOps exporter against the platform's contract on loopback: tokens, refusals, and what is told of them."""

from __future__ import annotations

import threading
import time
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from agentops_otel_litellm.exporters import agentops_token
from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.agentops_queue import Consequence
from agentops_otel_litellm.settings import Settings
from support.agentops_exports import (
    FAILURE,
    MISMATCHED_ENDPOINTS,
    NO_COLLECTOR,
    NO_TOKEN,
    NOT_DELIVERED,
    SUCCESS,
    UNREACHABLE_URL,
    WRONG_URL,
    Clock,
    ended_span,
    export,
)
from support.logged_warnings import LoggedWarnings
from support.servers.agentops_platform import TRACES_ROUTE, AgentOpsPlatform, Fault, TokenRequest, without_suffix

COPY = "Copy the key of your project from https://app.agentops.ai/settings/projects."
# What an app sets → what it is told, and with which status its request for a token was answered, if it came.
BAD_KEYS: dict[str, tuple[dict[str, str], str, int | None]] = {
    "missing": (
        {"AGENTOPS_API_KEY": " "},
        f"Spans are not delivered to AgentOps: AGENTOPS_API_KEY is not set. {COPY}",
        None,
    ),
    "not a UUID": (
        {"AGENTOPS_API_KEY": "canary-key"},
        f"Spans are not delivered to AgentOps (status 400): AGENTOPS_API_KEY is not a UUID. {COPY}",
        400,
    ),
    "unknown": (
        {"AGENTOPS_API_KEY": AgentOpsPlatform.KEY.replace("6", "7")},
        f"Spans are not delivered to AgentOps (status 403): AGENTOPS_API_KEY is not a key that AgentOps knows. {COPY}",
        403,
    ),
}
# Bodies with which a token server says 200 → the cause that is told.
BAD_TOKENS = {
    b"<html>canary-key</html>": "JSONDecodeError",
    b'["canary-token"]': "TypeError",
    b'{"jwt": "canary-token"}': "KeyError",
    b'{"token": null}': "TypeError",
    b'{"token": "canary-token\\r\\nX-Injected: 1"}': "status 200",
}


def test_one_token_serves_all_exports(platform: AgentOpsPlatform) -> None:
    """The key buys one token, with which every batch is delivered."""
    exporter = AgentOpsSpanExporter()
    assert [export(exporter, name) for name in ("one", "two", "three")] == [SUCCESS] * 3
    assert exporter.last_error is None
    exporter.shutdown()
    (token,) = platform.tokens
    assert platform.token_requests == [TokenRequest(body={"api_key": platform.KEY}, status=200, token=token)]
    assert platform.authorizations == [f"Bearer {token}"] * 3
    assert [without_suffix(span) for span in platform.spans] == ["one", "two", "three"]


def test_nothing_is_requested_before_the_first_export(platform: AgentOpsPlatform) -> None:
    """Start-up waits for no server; nor does an app that makes no span."""
    exporter = AgentOpsSpanExporter()
    assert exporter.force_flush()
    exporter.shutdown()
    assert (platform.token_requests, platform.requests) == ([], [])


def test_threads_share_one_token(platform: AgentOpsPlatform) -> None:
    """Several threads that export first, or find the token expired, at once, buy one token between them."""
    exporter = AgentOpsSpanExporter()
    start = threading.Barrier(4)

    def export_at_once(_number: int) -> SpanExportResult:
        start.wait()
        return export(exporter)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(export_at_once, range(4)))
        assert exporter.force_flush()
        assert len(platform.tokens) == 1
        platform.revoke()
        list(pool.map(export_at_once, range(4)))
    exporter.shutdown()
    assert len(platform.tokens) == 2
    assert len(platform.spans) == 8


def test_headers_for_another_backend_stay_away(platform: AgentOpsPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_EXPORTER_OTLP_* are for another backend: its key is not told, and its certificates are not used."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic other,x-other-backend=its-key")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/nowhere.pem")
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    (request,) = platform.requests
    assert request.headers["authorization"] == f"Bearer {platform.tokens[0]}"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["content-encoding"] == "gzip"
    assert "its-key" not in str(request.headers)


def test_a_token_that_is_refused_is_replaced(platform: AgentOpsPlatform) -> None:
    """401 buys a new token, and the batch is sent again: nothing is lost and nothing is told."""
    exporter = AgentOpsSpanExporter()
    assert export(exporter, "before") is SUCCESS
    platform.revoke()
    assert [export(exporter, name) for name in ("again", "after")] == [SUCCESS] * 2
    exporter.shutdown()
    assert [without_suffix(span) for span in platform.spans] == ["before", "again", "after"]
    old, new = (f"Bearer {token}" for token in platform.tokens)
    assert platform.authorizations == [old, old, new, new]


def test_a_token_is_replaced_before_it_expires(platform: AgentOpsPlatform, clock: Clock) -> None:
    """It says itself when that is: nothing is sent with one that is about to expire."""
    platform.token_lifetime = 100
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is SUCCESS
    clock.ahead = 85
    assert export(exporter) is SUCCESS
    assert len(platform.tokens) == 1
    clock.ahead = 95
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    old, new = (f"Bearer {token}" for token in platform.tokens)
    assert platform.authorizations == [old, old, new]


def test_tokens_that_expire_all_the_time(platform: AgentOpsPlatform) -> None:
    """Each span arrives, once, though tokens are good for a fraction of a second."""
    platform.token_lifetime = 0.2
    exporter = AgentOpsSpanExporter()
    names = [f"span {number}" for number in range(20)]
    for name in names:
        assert export(exporter, name) is SUCCESS
        time.sleep(0.05)
    exporter.shutdown()
    assert [without_suffix(span) for span in platform.spans] == names
    assert len(platform.tokens) > 3


CLAIMS: dict[str, float | None] = {
    '{"iat": 1000, "exp": 1600}': 600,
    '{"iat": 1000, "exp": 900}': None,
    '{"exp": null}': None,
    '{"exp": 5}': None,
    '{"exp": 1%s}' % ("0" * 400): None,
    "[]": None,
    "no JSON": None,
}


@pytest.mark.parametrize("claims", CLAIMS)
def test_how_long_a_token_lives(claims: str) -> None:
    """By the server's own clock; where a token does not say it, or makes no sense, 401 will."""
    payload = urlsafe_b64encode(claims.encode()).decode().rstrip("=")
    assert agentops_token._lifetime(f"e30.{payload}.x") == CLAIMS[claims]
    assert agentops_token._lifetime("opaque") is None


def test_a_new_token_that_is_refused_ends_the_attempt(
    platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings
) -> None:
    """A second 401 in a row fails the attempt; for a minute nobody is asked again, and nothing is lost."""
    platform.accepts_tokens = False
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(3)] == [FAILURE] * 3
    assert platform.authorizations == [f"Bearer {token}" for token in platform.tokens]
    assert len(platform.tokens) == 2
    assert logged.take() == [MISMATCHED_ENDPOINTS.format("status 401")]
    platform.accepts_tokens = True
    clock.ahead += 60
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    assert len(platform.spans) == 4


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_bad_key_is_told_once(
    key: str, platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what to do about it, and the token server is asked at most once a minute."""
    variables, line, status = BAD_KEYS[key]
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    exporter = AgentOpsSpanExporter()
    for seconds in (0, 30, 29):
        clock.ahead += seconds
        assert export(exporter) is FAILURE
    assert [request.status for request in platform.token_requests] == [status] * (status is not None)
    clock.ahead += 1
    assert export(exporter) is FAILURE
    trouble = exporter.last_error
    assert trouble is not None
    assert (trouble.status, trouble.consequence) == (status, Consequence.STOPPED)
    exporter.shutdown()
    assert [request.status for request in platform.token_requests] == [status] * 2 * (status is not None)
    assert (logged.take(), platform.requests) == ([line, NOT_DELIVERED.format(4)], [])


@pytest.mark.parametrize("reply", [b"<html>Forbidden</html>", b'["Forbidden"]', b'{"message": "Forbidden"}'])
@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_that_is_not_of_the_token_server(
    status: int, reply: bytes, platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings
) -> None:
    """What stands before it, such as a proxy, says nothing of the key: the spans wait."""
    platform.token_status, platform.token_reply = status, reply
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is FAILURE
    assert logged.take() == [NO_TOKEN.format(f"status {status}")]
    platform.token_status = platform.token_reply = None
    clock.ahead += 2
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    assert len(platform.spans) == 2


def test_a_token_server_that_fails_is_asked_again(
    platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings
) -> None:
    """It may be up again soon: the spans wait for it."""
    platform.token_status = 500
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(2)] == [FAILURE] * 2
    assert logged.take() == [NO_TOKEN.format("status 500")]
    assert len(platform.token_requests) == 1
    platform.token_status = None
    clock.ahead += 2
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    assert len(platform.spans) == 3


def test_an_expired_token_with_no_new_one(platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """401 while the token server is down: the batch waits, and is sent only once."""
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is SUCCESS
    platform.revoke()
    platform.token_status = 500
    assert [export(exporter) for _ in range(2)] == [FAILURE] * 2
    exporter.shutdown()
    assert logged.take() == [NO_TOKEN.format("status 500"), NOT_DELIVERED.format(2)]
    assert platform.authorizations == [f"Bearer {platform.tokens[0]}"] * 2


NO_URL = "Invalid value for {} (expected a URL that begins with http:// or https://). Nothing is sent to AgentOps."


@pytest.mark.parametrize(
    ("setting", "lines"),
    [
        (f"AGENTOPS_API_ENDPOINT={UNREACHABLE_URL}", [NO_TOKEN.format("ConnectionError"), NOT_DELIVERED.format(2)]),
        ("AGENTOPS_API_ENDPOINT=agentops.ai", [NO_URL.format("AGENTOPS_API_ENDPOINT"), NOT_DELIVERED.format(2)]),
        (
            "AGENTOPS_EXPORTER_ENDPOINT=agentops.ai",
            [NO_URL.format("AGENTOPS_EXPORTER_ENDPOINT"), NOT_DELIVERED.format(2)],
        ),
    ],
    ids=["gone", "no URL", "no URL for spans"],
)
def test_a_server_out_of_reach(
    setting: str, lines: list[str], platform: AgentOpsPlatform, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the variable that may be wrong; the key goes nowhere else, such as to the default."""
    monkeypatch.setattr("agentops_otel_litellm.settings.parsing.warned", set())
    monkeypatch.setenv(*setting.split("=", 1))
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(2)] == [FAILURE] * 2
    exporter.shutdown()
    assert logged.take() == lines
    assert (platform.token_requests, platform.requests) == ([], [])


@pytest.mark.parametrize("reply", BAD_TOKENS)
def test_an_answer_without_a_token(reply: bytes, platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """Whatever a server that says 200 sends instead of a token is not used and not told."""
    platform.token_reply = reply
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(2)] == [FAILURE] * 2
    exporter.shutdown()
    assert logged.take() == [NO_TOKEN.format(BAD_TOKENS[reply]), NOT_DELIVERED.format(2)]
    assert platform.requests == []


def test_a_collector_that_refuses_spans(platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """They would be refused again: they are dropped, which is told once, and stand in nobody's way."""
    exporter = AgentOpsSpanExporter()
    platform.status = 400
    assert [export(exporter, "bad") for _ in range(2)] == [FAILURE] * 2
    assert logged.take() == [
        "Spans are not delivered to AgentOps (status 400): The collector rejects these spans; other spans are sent."
    ]
    platform.status = 200
    assert export(exporter, "good") is SUCCESS
    exporter.shutdown()
    assert logged.take() == [NOT_DELIVERED.format(2)]
    assert [without_suffix(span) for span in platform.spans] == ["good"]
    assert len(platform.tokens) == 1


def test_a_proxy_that_wants_a_password(platform: AgentOpsPlatform, clock: Clock, logged: LoggedWarnings) -> None:
    """It says nothing of the spans: they wait."""
    platform.fail(Fault(status=407), TRACES_ROUTE)
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is FAILURE
    platform.recover()
    clock.ahead += 2
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    assert len(platform.spans) == 2
    assert logged.take() == [NO_COLLECTOR.format("status 407")]


def test_spans_that_are_taken_but_for_some(platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """What a collector has not taken, by its own words, is told once, and counted as lost; nothing is sent again."""
    exporter = AgentOpsSpanExporter()
    platform.rejected_spans = 2
    assert [exporter.export([ended_span(), ended_span(), ended_span()]) for _ in range(2)] == [FAILURE] * 2
    assert exporter.new_drops() == 4
    platform.rejected_spans = 0
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    assert len(platform.requests) == 3
    assert logged.take() == [
        "Spans are not delivered to AgentOps (status 200): The collector rejects some spans and accepts the others.",
        NOT_DELIVERED.format(4),
    ]


def test_an_answer_that_breaks_off(platform: AgentOpsPlatform) -> None:
    """Its status says that the spans are taken: they are not sent again."""
    platform.fail(Fault(truncates_response=True), TRACES_ROUTE)
    exporter = AgentOpsSpanExporter()
    assert [export(exporter, name) for name in ("one", "two")] == [SUCCESS] * 2
    exporter.shutdown()
    assert [without_suffix(span) for span in platform.spans] == ["one", "two"]


@pytest.mark.parametrize("status", [301, 404])
def test_an_address_that_takes_no_spans(status: int, platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """A redirect is not followed, and whoever answers is not asked again for a minute."""
    platform.fail(Fault(status=status), TRACES_ROUTE)
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(3)] == [FAILURE] * 3
    assert platform.faulted_routes == [TRACES_ROUTE]
    assert logged.take() == [WRONG_URL.format(f"status {status}")]
    platform.recover()
    exporter.shutdown()
    assert logged.take() == [NOT_DELIVERED.format(3)]


def test_a_span_that_cannot_be_encoded(platform: AgentOpsPlatform, logged: LoggedWarnings) -> None:
    """It is dropped; those beside it are delivered, and no exception reaches whoever exports."""
    exporter = AgentOpsSpanExporter()
    no_name: Any = object()
    exporter.export([ended_span("one"), ReadableSpan(no_name, ended_span().context), ended_span("three")])
    exporter.shutdown()
    assert [without_suffix(span) for span in platform.spans] == ["one", "three"]
    lines = logged.take()
    assert [line for line in lines if "AgentOps" in line][-1] == NOT_DELIVERED.format(1)


def test_a_request_for_a_token_is_not_traced(platform: AgentOpsPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK suppresses instrumentation where it exports, and so for the token too."""
    seen: list[tuple[str | None, bool]] = []
    send = requests.Session.send

    def instrumented(
        session: requests.Session, request: requests.PreparedRequest, **options: object
    ) -> requests.Response:
        seen.append((request.url, is_instrumentation_enabled()))
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", instrumented)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(AgentOpsSpanExporter()))
    provider.get_tracer("app").start_span("chat gpt-4o").end()
    provider.shutdown()
    assert seen == [(f"{platform.url}/v1/traces", False), (f"{platform.url}/v3/auth/token", False)]


def test_the_key_is_not_in_what_settings_show(platform: AgentOpsPlatform) -> None:
    """Settings may be printed or logged."""
    settings = Settings.from_environment()
    assert settings.api_key == platform.KEY
    assert platform.KEY not in repr(settings)
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is SUCCESS
    assert exporter._requests is not None
    parts = [exporter, exporter._requests, exporter._requests._connection, exporter._requests._connection._auth]
    assert not [secret for secret in ("canary", platform.KEY) if secret in repr(parts)]
    exporter.shutdown()
