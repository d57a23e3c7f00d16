"""The AgentOps exporter against the platform's contract on loopback: tokens, refusals, and what is told of them."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from agentops_otel_litellm.exporters import agentops
from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.settings import Settings
from conftest import Told
from servers.agentops_platform import AgentOpsPlatform, TokenRequest
from servers.openai_provider import OpenAIProvider
from test_zero_code import launch

NOWHERE = "http://127.0.0.1:9"
SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
COPY = "Copy the key of your project from https://app.agentops.ai/settings/projects."
# What an app sets → what it is told, and with which status its request for a token was answered, if it came.
BAD_KEYS: dict[str, tuple[dict[str, str], str, int | None]] = {
    "missing": (
        {"AGENTOPS_API_KEY": " "},
        f"Spans are not sent to AgentOps: AGENTOPS_API_KEY is not set. {COPY}",
        None,
    ),
    "not a UUID": (
        {"AGENTOPS_API_KEY": "canary-key"},
        f"Spans are not sent to AgentOps (status 400): AGENTOPS_API_KEY is not a UUID. {COPY}",
        400,
    ),
    "unknown": (
        {"AGENTOPS_API_KEY": AgentOpsPlatform.KEY.replace("6", "7")},
        f"Spans are not sent to AgentOps (status 403): AGENTOPS_API_KEY is not a key that AgentOps knows. {COPY}",
        403,
    ),
}
NO_TOKEN = (
    "Spans are not sent to AgentOps ({}): The token server does not work. Check the network and AGENTOPS_API_ENDPOINT."
)
# Bodies with which a token server says 200 → the cause that is told.
BAD_TOKENS = {
    b"<html>canary-key</html>": "JSONDecodeError",
    b'["canary-token"]': "TypeError",
    b'{"jwt": "canary-token"}': "KeyError",
    b'{"token": null}': "TypeError",
    b'{"token": "canary-token\\r\\nX-Injected: 1"}': "status 200",
}


class Clock:
    """Stands still until it is told."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(agentops, "monotonic", clock)
    return clock


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AgentOpsPlatform]:
    """The platform, which the environment names; nobody logs a key or a token of it, at whatever level."""
    with AgentOpsPlatform() as server:
        for variable, value in {**server.environment, "OTEL_EXPORTER_OTLP_TIMEOUT": "3"}.items():
            monkeypatch.setenv(variable, value)
        with caplog.at_level(logging.DEBUG):
            yield server
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.get_records("call"))
    assert not [secret for secret in ("canary", server.KEY, server.KEY.replace("6", "7")) if secret in logged]


def export(exporter: AgentOpsSpanExporter, name: str = "chat gpt-4o") -> SpanExportResult:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("app").start_span(name)
    assert isinstance(span, Span)
    span.end()
    return exporter.export([span])


def test_one_token_serves_all_exports(platform: AgentOpsPlatform) -> None:
    """The key buys one token, with which every batch is delivered."""
    exporter = AgentOpsSpanExporter()
    assert [export(exporter, name) for name in ("one", "two", "three")] == [SUCCESS] * 3
    exporter.shutdown()
    assert platform.token_requests == [TokenRequest(body={"api_key": platform.KEY}, status=200, token="canary.token-1")]
    assert platform.authorizations == ["Bearer canary.token-1"] * 3
    assert [span.name for span in platform.spans] == ["one", "two", "three"]


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
        assert list(pool.map(export_at_once, range(4))) == [SUCCESS] * 4
        assert platform.tokens == ["canary.token-1"]
        platform.revoke()
        assert list(pool.map(export_at_once, range(4))) == [SUCCESS] * 4
    exporter.shutdown()
    assert platform.tokens == ["canary.token-1", "canary.token-2"]


def test_headers_for_another_backend_stay_away(platform: AgentOpsPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_EXPORTER_OTLP_HEADERS neither replaces the token nor tells AgentOps the key of another backend."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic other,x-other-backend=its-key")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    (request,) = platform.requests
    assert request.headers["authorization"] == "Bearer canary.token-1"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["content-encoding"] == "gzip"
    assert "its-key" not in str(request.headers)


def test_a_token_that_expired_is_replaced(platform: AgentOpsPlatform) -> None:
    """401 buys a new token, and the batch is sent again: nothing is lost and nothing is told."""
    exporter = AgentOpsSpanExporter()
    assert export(exporter, "before") is SUCCESS
    platform.revoke()
    assert [export(exporter, name) for name in ("again", "after")] == [SUCCESS] * 2
    exporter.shutdown()
    assert [span.name for span in platform.spans] == ["before", "again", "after"]
    old, new = "Bearer canary.token-1", "Bearer canary.token-2"
    assert platform.authorizations == [old, old, new, new]


def test_a_new_token_that_is_refused_ends_the_attempt(platform: AgentOpsPlatform, clock: Clock, told: Told) -> None:
    """A second 401 in a row fails the batch; for a minute nobody is asked again."""
    platform.takes_tokens = False
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(3)] == [FAILURE] * 3
    assert platform.authorizations == ["Bearer canary.token-1", "Bearer canary.token-2"]
    line, stock = told.take()
    assert line == (
        "Spans are not sent to AgentOps: A new token is refused. "
        "AGENTOPS_API_ENDPOINT and AGENTOPS_EXPORTER_ENDPOINT must be a pair."
    )
    assert "401" in stock
    platform.takes_tokens = True
    clock.now += 60
    assert export(exporter) is SUCCESS
    exporter.shutdown()


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_bad_key_is_told_once(
    key: str, platform: AgentOpsPlatform, clock: Clock, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what to do about it, and the token server is asked at most once a minute."""
    variables, line, status = BAD_KEYS[key]
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    exporter = AgentOpsSpanExporter()
    for seconds in (0, 30, 29):
        clock.now += seconds
        assert export(exporter) is FAILURE
    assert [request.status for request in platform.token_requests] == [status] * (status is not None)
    clock.now += 1
    assert export(exporter) is FAILURE
    exporter.shutdown()
    assert [request.status for request in platform.token_requests] == [status] * 2 * (status is not None)
    assert (told.take(), platform.requests) == ([line], [])


def test_a_token_server_that_fails_is_asked_again(platform: AgentOpsPlatform, clock: Clock, told: Told) -> None:
    """It may be up again soon: spans are lost for some seconds, not for a minute."""
    platform.token_status = 500
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(2)] == [FAILURE] * 2
    assert told.take() == [NO_TOKEN.format("status 500")]
    assert len(platform.token_requests) == 1
    platform.token_status = None
    clock.now += 10
    assert export(exporter) is SUCCESS
    exporter.shutdown()


def test_an_expired_token_with_no_new_one(platform: AgentOpsPlatform, told: Told) -> None:
    """401 while the token server is down: the batch fails, and is sent only once."""
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is SUCCESS
    platform.revoke()
    platform.token_status = 500
    assert [export(exporter) for _ in range(2)] == [FAILURE] * 2
    exporter.shutdown()
    line, stock = told.take()
    assert line == NO_TOKEN.format("status 500")
    assert "401" in stock
    assert platform.authorizations == ["Bearer canary.token-1"] * 2


NO_URL = (
    "{}='agentops.ai' is not usable: it takes a URL that begins with http:// or https://. Nothing is sent to AgentOps."
)


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (f"AGENTOPS_API_ENDPOINT={NOWHERE}", NO_TOKEN.format("ConnectionError")),
        ("AGENTOPS_API_ENDPOINT=agentops.ai", NO_URL.format("AGENTOPS_API_ENDPOINT")),
        ("AGENTOPS_EXPORTER_ENDPOINT=agentops.ai", NO_URL.format("AGENTOPS_EXPORTER_ENDPOINT")),
    ],
    ids=["gone", "no URL", "no URL for spans"],
)
def test_a_server_out_of_reach(
    setting: str, line: str, platform: AgentOpsPlatform, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the variable that may be wrong; the key goes nowhere else, such as to the default."""
    monkeypatch.setattr("agentops_otel_litellm.settings.declaring.told", set())
    monkeypatch.setenv(*setting.split("=", 1))
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(2)] == [FAILURE] * 2
    exporter.shutdown()
    assert told.take() == [line]
    assert (platform.token_requests, platform.requests) == ([], [])


@pytest.mark.parametrize("reply", BAD_TOKENS)
def test_an_answer_without_a_token(reply: bytes, platform: AgentOpsPlatform, told: Told) -> None:
    """Whatever a server that says 200 sends instead of a token is not used and not told."""
    platform.token_reply = reply
    exporter = AgentOpsSpanExporter()
    assert [export(exporter) for _ in range(2)] == [FAILURE] * 2
    exporter.shutdown()
    assert told.take() == [NO_TOKEN.format(BAD_TOKENS[reply])]
    assert platform.requests == []


def test_a_collector_that_refuses_spans(platform: AgentOpsPlatform, told: Told) -> None:
    """The stock exporter tells of it; the token is kept."""
    exporter = AgentOpsSpanExporter()
    platform.status = 400
    assert export(exporter) is FAILURE
    (stock,) = told.take()
    assert "400" in stock
    platform.status = 200
    assert export(exporter) is SUCCESS
    exporter.shutdown()
    assert platform.tokens == ["canary.token-1"]


def test_a_collector_out_of_reach(platform: AgentOpsPlatform, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """No exception reaches whoever exports."""
    monkeypatch.setenv("AGENTOPS_EXPORTER_ENDPOINT", f"{NOWHERE}/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    exporter = AgentOpsSpanExporter()
    assert export(exporter) is FAILURE
    exporter.shutdown()
    assert told.take()
    assert platform.tokens == ["canary.token-1"]


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
    assert seen == [(f"{platform.url}/v3/auth/token", False), (f"{platform.url}/v1/traces", False)]


def test_the_key_is_not_in_what_settings_show(platform: AgentOpsPlatform) -> None:
    """Settings may be printed or logged."""
    settings = Settings.from_environment()
    assert settings.api_key == platform.KEY
    assert platform.KEY not in repr(settings)


def test_zero_code() -> None:
    """A program that knows nothing of all this delivers its call, compressed; nothing else is sent anywhere."""
    code = """
import os
from litellm import completion
messages = [{"role": "user", "content": "Hi"}]
completion("openai/gpt-4o", messages, api_base=os.environ["PROVIDER"], api_key="sk-a-key")
"""
    with AgentOpsPlatform() as platform, OpenAIProvider() as openai:
        variables = {**platform.environment, "OTEL_TRACES_EXPORTER": "agentops", "PROVIDER": openai.base_url}
        done = launch(sys.executable, "-c", code, OTEL_SERVICE_NAME="a-test", **variables)
    assert done.returncode == 0, done.stderr
    assert "AgentOps" not in done.stderr
    (span,) = platform.spans
    assert (span.name, span.resource["service.name"]) == ("chat gpt-4o", "a-test")
    (request,) = platform.requests
    assert request.headers["authorization"] == "Bearer canary.token-1"
    assert request.headers["content-encoding"] == "gzip"
    assert platform.KEY.encode() not in request.body
    assert len(platform.token_requests) == 1


@pytest.mark.parametrize("exporter", ["none", "agentops"])
def test_it_is_imported_only_where_it_is_chosen(exporter: str) -> None:
    """Other apps do not pay for it. Chosen without a key, it says nothing before there is a span."""
    code = "import sys; print('agentops_otel_litellm.exporters.agentops' in sys.modules)"
    done = launch(sys.executable, "-c", code, OTEL_TRACES_EXPORTER=exporter)
    assert done.stdout == f"{exporter == 'agentops'}\n"
    assert "AGENTOPS_API_KEY" not in done.stderr
