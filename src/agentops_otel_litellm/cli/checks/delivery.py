"""With `--send`: sends a span to each destination as an application would, in a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from agentops_otel_litellm.cli import probe
from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.other_process import run_module
from agentops_otel_litellm.cli.probe import NOT_SAMPLED, Attempt
from agentops_otel_litellm.cli.record import Record, notice, ok, problem

SECONDS = 30
"""Timeout, independent of the exporters' own."""
# HTTP status → what to do. Below: network error, by the name of its class, or gRPC status → what to do.
STATUSES: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "Check that the endpoint accepts OTLP over HTTP.",
    HTTPStatus.UNAUTHORIZED: "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS or AGENTOPS_API_KEY.",
    HTTPStatus.FORBIDDEN: "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS or AGENTOPS_API_KEY.",
    HTTPStatus.NOT_FOUND: "Check the path: OTEL_EXPORTER_OTLP_ENDPOINT is a base URL, "
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT the full URL.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Check the path of the endpoint: the server does not accept OTLP there.",
}
ERRORS = {
    "BadStatusLine": "The server does not speak HTTP/1.1: use the port for OTLP over HTTP, usually 4318.",
    "ConnectionRefusedError": "Nothing listens on the endpoint: start the backend, or check the endpoint.",
    "NewConnectionError": "Nothing listens on the endpoint: start the backend, or check the endpoint.",
    "NameResolutionError": "The host does not exist: check the endpoint.",
    "SSLError": "Check the certificate, and whether the endpoint uses https.",
    "ConnectTimeout": "Check the endpoint, and firewalls in between.",
    "ReadTimeout": "The server accepts connections but does not respond: check the backend's log.",
    "MissingSchema": "The endpoint must begin with http:// or https://.",
    "InvalidSchema": "The endpoint must begin with http:// or https://.",
    "UNAVAILABLE": "No gRPC server listens on the endpoint: check it, and OTEL_EXPORTER_OTLP_PROTOCOL.",
    "UNAUTHENTICATED": "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS.",
}
DEFAULT_ADVICE = "Check the endpoint, the network and the backend's log."


def check(examined: Examined) -> Iterator[Record]:
    """Send a span to each destination, if the user wants that, and report the outcomes."""
    if not examined.sends:
        return
    if examined.is_disabled:
        yield problem("--send", "nothing was sent: OTEL_SDK_DISABLED=true", "Unset OTEL_SDK_DISABLED.")
        return
    try:
        attempts = run_module(probe.__name__, examined.subprocess_environment, SECONDS)
    except subprocess.TimeoutExpired:
        yield problem("--send", f"no response within {SECONDS} s", DEFAULT_ADVICE)
        return
    if attempts is None:
        yield problem("--send", "the exporters cannot be set up", "Start your app: its first log lines show the cause.")
        return
    if not attempts:
        yield problem("--send", "nothing was sent", "See above: traces have no usable destination.")
    for attempt in attempts:
        yield _as_record(Attempt(**attempt))


def _as_record(attempt: Attempt) -> Record:
    """The outcome of the export to one destination, as a record with advice."""
    if attempt.error == NOT_SAMPLED:
        return notice(attempt.exporter, "the span was not sampled, so not sent", "Check OTEL_TRACES_SAMPLER.")
    if attempt.delivered:
        return ok(attempt.exporter, "delivered")
    if attempt.log_lines:
        text, _, advice = attempt.log_lines[0].partition(": ")  # the form of the AgentOps exporter's lines
        return problem(attempt.exporter, text, advice or DEFAULT_ADVICE)
    if attempt.status is not None:
        text = f"rejected with status {attempt.status}"
        return problem(attempt.exporter, text, STATUSES.get(attempt.status, "Check the backend's log."))
    text = f"cannot be reached ({attempt.error or 'no response'})"
    return problem(attempt.exporter, text, ERRORS.get(attempt.error, DEFAULT_ADVICE))
