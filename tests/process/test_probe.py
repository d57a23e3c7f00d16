"""`agentops-otel-litellm doctor --send`: what each destination answers to a span that takes the way of the app's."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import requests

from agentops_otel_litellm.cli import probe
from agentops_otel_litellm.cli.configuration_checks import SEND_SECONDS, check_delivery
from agentops_otel_litellm.cli.report import Examined, Record, State
from support.launching import environment
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.otlp_receiver import OTLPReceiver, ReceivedRequest

OTHER_KEY = AgentOpsPlatform.KEY.replace("6", "7")


@pytest.fixture
def platform() -> Iterator[AgentOpsPlatform]:
    with AgentOpsPlatform() as server:
        yield server


def sent(**variables: str) -> list[Record]:
    found = list(check_delivery(Examined(variables=environment(**variables), sends=True)))
    assert AgentOpsPlatform.KEY not in str(found)
    assert OTHER_KEY not in str(found)
    return found


def test_nothing_is_sent_unasked() -> None:
    """Without `--send` nobody is called."""
    assert list(check_delivery(Examined(variables=environment()))) == []


@pytest.mark.parametrize("status", [200, 401])
def test_each_backend_of_the_setting_has_a_line(backend: OTLPReceiver, status: int) -> None:
    """The advice names the variables of the key. A missing key is reported with the destinations."""
    backend.status = status
    found = sent(
        AGENTOPS_BACKEND="logfire,honeycomb,langfuse",
        LOGFIRE_BASE_URL=backend.endpoint,
        LOGFIRE_TOKEN="canary",
        HONEYCOMB_API_ENDPOINT=backend.endpoint,
        HONEYCOMB_API_KEY="canary",
        OTEL_SERVICE_NAME="a-test",
    )
    lines = {each.name: (each.state, each.text, each.advice) for each in found}
    if status == 200:
        assert lines == dict.fromkeys(("honeycomb", "logfire"), (State.OK, "delivered", ""))
    else:
        assert lines == {
            "honeycomb": (State.PROBLEM, "rejected with status 401", "Check HONEYCOMB_API_KEY."),
            "logfire": (State.PROBLEM, "rejected with status 401", "Check LOGFIRE_TOKEN."),
        }


def test_each_destination_is_told_apart(backend: OTLPReceiver, platform: AgentOpsPlatform) -> None:
    """AgentOps sends by OTLP as well: each has one span, from this distro, and one line."""
    found = sent(
        OTEL_TRACES_EXPORTER="agentops,console,otlp,otlp_proto_http",
        OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
        OTEL_SERVICE_NAME="a-test",
        **platform.environment,
    )
    assert [(each.name, each.state, each.text) for each in found] == [
        ("agentops", State.OK, "delivered"),
        ("console", State.OK, "delivered"),
        ("otlp", State.OK, "delivered"),
    ]
    for receiver in backend, platform:
        (span,) = receiver.spans
        assert span.name.removesuffix(".operation") == "agentops-otel-litellm doctor"
        assert span.resource["telemetry.distro.name"] == "agentops-otel-litellm"
        assert span.resource["service.name"] == "a-test"


def test_one_of_two_refuses(backend: OTLPReceiver, platform: AgentOpsPlatform) -> None:
    """The other's answer is what it is; of the one that refuses, the status and where to look."""
    backend.status = 403
    found = sent(
        OTEL_TRACES_EXPORTER="otlp,agentops", OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint, **platform.environment
    )
    assert [(each.name, each.state, each.text) for each in found] == [
        ("otlp", State.PROBLEM, "rejected with status 403"),
        ("agentops", State.OK, "delivered"),
    ]
    assert found[0].advice.startswith("Check the key that is sent")


def test_a_key_that_agentops_does_not_know(platform: AgentOpsPlatform) -> None:
    """What the exporter says of it is the record."""
    variables = {**platform.environment, "AGENTOPS_API_KEY": OTHER_KEY}
    (found,) = sent(OTEL_TRACES_EXPORTER="agentops", **variables)
    assert (found.name, found.state) == ("agentops", State.PROBLEM)
    assert "AGENTOPS_API_KEY is not a key that AgentOps knows." in found.advice
    assert platform.spans == []


def test_where_nothing_can_be_sent() -> None:
    """Each has its line: no exporter that can be had, and a switch."""
    (found,) = sent(OTEL_TRACES_EXPORTER="nonsense")
    assert (found.state, found.text) == (State.PROBLEM, "nothing was sent")
    (found,) = sent(OTEL_SDK_DISABLED="true")
    assert (found.state, found.text) == (State.PROBLEM, "nothing was sent: OTEL_SDK_DISABLED=true")


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that sends is not waited for beyond its time."""

    def hanging(*_command: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("", float(str(options["timeout"])))

    monkeypatch.setattr(subprocess, "run", hanging)
    (found,) = sent(OTEL_TRACES_EXPORTER="console")
    assert (found.state, found.text) == (State.PROBLEM, f"no response within {SEND_SECONDS} s")


def test_a_process_that_comes_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of as such, and not as if nothing had been wanted."""
    done = subprocess.CompletedProcess[str]("", 1, "", "")
    monkeypatch.setattr(subprocess, "run", lambda *_command, **_options: done)
    (found,) = sent(OTEL_TRACES_EXPORTER="console")
    assert (found.state, found.text) == (State.PROBLEM, "the exporters cannot be set up")


def test_a_retry_without_time_left_does_not_hide_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, the SDK's retry can begin after its time limit."""
    errors = iter([requests.ConnectionError("BadStatusLine"), ValueError("the timeout is below 0")])

    def send(*_arguments: object) -> NoReturn:
        raise next(errors)

    monkeypatch.setattr(requests.Session, "send", send)
    recorder, attempt = probe.ExportRecorder(), probe.Attempt("otlp")
    recorder.wrap_requests()
    with probe._Running(recorder._running, attempt):
        for _ in range(2):
            with pytest.raises((requests.ConnectionError, ValueError)):
                requests.Session().send(requests.PreparedRequest())
    assert attempt.error == "BadStatusLine"


class TracesOnly(OTLPReceiver):
    """A backend that knows only the path of traces, as some do."""

    def accept(self, request: ReceivedRequest) -> int:
        return super().accept(request) if request.path == "/v1/traces" else 404


def test_a_backend_that_accepts_traces_only() -> None:
    """Each signal that it rejects is named, with the setting that turns it off."""
    with TracesOnly() as backend:
        found = sent(OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint, OTEL_SERVICE_NAME="a-test")
    assert [(each.name, each.state) for each in found] == [
        ("otlp", State.OK),
        ("otlp metrics", State.PROBLEM),
        ("otlp logs", State.PROBLEM),
    ]
    assert found[1].text == "the backend accepts traces, but no metrics (status 404)"
    assert found[1].advice.startswith("Set OTEL_METRICS_EXPORTER=none, or OTEL_EXPORTER_OTLP_METRICS_ENDPOINT to")
    assert "Set OTEL_LOGS_EXPORTER=none" in found[2].advice


def test_a_certificate_of_the_server_itself(tmp_path: Path) -> None:
    """The advice names the setting for it; with http:// in place of https:// it says that too."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with OTLPReceiver() as server:
        plain = server.endpoint.replace("http://127.0.0.1", "https://localhost")
        (found,) = sent(OTEL_EXPORTER_OTLP_ENDPOINT=plain, OTEL_SERVICE_NAME="a-test", OTEL_TRACES_EXPORTER="otlp")
        assert found.advice == "The server does not use TLS: begin the endpoint with http://."
    with OTLPReceiver() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        plain = server.endpoint.replace("http://127.0.0.1", "https://localhost")
        (found,) = sent(OTEL_EXPORTER_OTLP_ENDPOINT=plain, OTEL_SERVICE_NAME="a-test", OTEL_TRACES_EXPORTER="otlp")
        assert (found.state, found.text) == (State.PROBLEM, "cannot be reached (CERTIFICATE_VERIFY_FAILED)")
        assert "set OTEL_EXPORTER_OTLP_CERTIFICATE" in found.advice
