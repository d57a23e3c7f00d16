"""`agentops-otel-litellm doctor --send`: what each destination answers to a span that takes the way of the app's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import NoReturn

import pytest
import requests

from agentops_otel_litellm.cli import probe
from agentops_otel_litellm.cli.configuration_checks import SEND_SECONDS, check_delivery
from agentops_otel_litellm.cli.report import Examined, Record, State
from support.launching import environment
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.otlp_receiver import OTLPReceiver

OTHER_KEY = AgentOpsPlatform.KEY.replace("6", "7")


@pytest.fixture
def backend() -> Iterator[OTLPReceiver]:
    with OTLPReceiver() as receiver:
        yield receiver


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
