"""What backends answer: with `--send`, a span is sent to each as an app would send it, by a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from agentops_otel_litellm.commands import probe
from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.other_process import asked
from agentops_otel_litellm.commands.probe import NOT_SAMPLED, Attempt
from agentops_otel_litellm.commands.record import Record, notice, ok, problem

SECONDS = 30
"""For which an answer is waited for, whatever the exporters' own limits are."""
# Statuses → what to do about them; then errors of the network, by the name that Python or requests has for them.
STATUSES: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "Check that the endpoint takes OTLP over HTTP.",
    HTTPStatus.UNAUTHORIZED: "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS or AGENTOPS_API_KEY.",
    HTTPStatus.FORBIDDEN: "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS or AGENTOPS_API_KEY.",
    HTTPStatus.NOT_FOUND: "Check the path: OTEL_EXPORTER_OTLP_ENDPOINT is a base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT "
    "a full URL.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Check the path: something else than a receiver of OTLP is there.",
}
ERRORS = {
    "BadStatusLine": "What answers does not speak HTTP/1: take the port of OTLP over HTTP, as a rule 4318.",
    "ConnectionRefusedError": "Nothing listens there: start the backend, or check the endpoint.",
    "NewConnectionError": "Nothing listens there: start the backend, or check the endpoint.",
    "NameResolutionError": "There is no such host: check the endpoint.",
    "SSLError": "Check the certificate, and whether it is https there.",
    "ConnectTimeout": "Check the endpoint, and firewalls on the way.",
    "ReadTimeout": "It is there and does not answer: look at the backend.",
    "MissingSchema": "The endpoint must begin with http:// or https://.",
    "InvalidSchema": "The endpoint must begin with http:// or https://.",
    "UNAVAILABLE": "Nothing takes gRPC there: check the endpoint and OTEL_EXPORTER_OTLP_PROTOCOL.",
    "UNAUTHENTICATED": "Check the key that is sent, in OTEL_EXPORTER_OTLP_HEADERS.",
}
LOOK = "Check the endpoint and the network, and look at the backend's log."


def check(examined: Examined) -> Iterator[Record]:
    if not examined.sends:
        return
    if examined.is_disabled:
        yield problem("--send", "nothing is sent: OTEL_SDK_DISABLED=true", "Unset OTEL_SDK_DISABLED.")
        return
    try:
        answer = asked(probe.__name__, examined.for_others, SECONDS)
    except subprocess.TimeoutExpired:
        yield problem("--send", f"no answer within {SECONDS} s", LOOK)
        return
    if answer is None:
        yield problem("--send", "the pipeline cannot be set up", "Start your app, and read what it says first.")
        return
    if not answer:
        yield problem("--send", "nothing was sent", "See above: traces have no destination that can be used.")
    for attempt in answer:
        yield _judged(Attempt(**attempt))


def _judged(attempt: Attempt) -> Record:
    if attempt.error == NOT_SAMPLED:
        return notice(attempt.exporter, "the span was not sampled, so not sent", "See OTEL_TRACES_SAMPLER.")
    if attempt.delivered:
        return ok(attempt.exporter, "delivered")
    if attempt.said:
        text, _, advice = attempt.said[0].partition(": ")  # as lines of this package's are
        return problem(attempt.exporter, text, advice or LOOK)
    if attempt.status is not None:
        refused = f"refused with status {attempt.status}"
        unknown = "Look at the backend's log."
        return problem(attempt.exporter, refused, STATUSES.get(attempt.status, unknown))
    return problem(attempt.exporter, f"not reached ({attempt.error or 'no answer'})", ERRORS.get(attempt.error, LOOK))
