"""Fixtures, spans and log lines for tests of the exporter to AgentOps."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from agentops_otel_litellm.exporters import agentops, agentops_queue, agentops_token
from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from support.servers.agentops_platform import AgentOpsPlatform, without_suffix

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
UNREACHABLE_URL = "http://127.0.0.1:9"
QUEUED = "Spans are queued for AgentOps ({}): "
NO_TOKEN = QUEUED + "AgentOps sends no token. Check the network and AGENTOPS_API_ENDPOINT."
NO_COLLECTOR = (
    QUEUED + "AgentOps' collector cannot be reached, or cannot accept spans now. Check the network and "
    "AGENTOPS_EXPORTER_ENDPOINT."
)
WRONG_URL = (
    QUEUED + "The server does not accept spans at this URL. Check AGENTOPS_EXPORTER_ENDPOINT: it must be the full URL."
)
MISMATCHED_ENDPOINTS = (
    QUEUED
    + "The collector rejects a new token. AGENTOPS_API_ENDPOINT and AGENTOPS_EXPORTER_ENDPOINT must belong to one "
    "server."
)
NOT_DELIVERED = "{} spans were not delivered to AgentOps."


class Clock:
    """A monotonic clock that tests can advance."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (agentops_token, agentops, agentops_queue):
        monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AgentOpsPlatform]:
    """The platform, set in the environment. At the end, no log record may have its key or tokens."""
    with AgentOpsPlatform() as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        with caplog.at_level(logging.DEBUG):
            yield server
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.get_records("call"))
    assert not [secret for secret in ("canary", server.KEY, server.KEY.replace("6", "7")) if secret in logged]


def ended_span(name: str = "chat gpt-4o") -> Span:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("app").start_span(name)
    assert isinstance(span, Span)
    span.end()
    return span


def export(to: AgentOpsSpanExporter, name: str = "chat gpt-4o") -> SpanExportResult:
    return to.export([ended_span(name)])


NO_RESPONSE = (
    "Spans are queued for AgentOps (ReadTimeout): The collector accepts requests but does not respond in time. "
    "Spans are dropped after several requests without a response. If it is not overloaded, "
    "increase AGENTOPS_MAX_WAIT_TIME."
)


def span_names(platform: AgentOpsPlatform) -> list[str]:
    return [*map(without_suffix, platform.spans)]
