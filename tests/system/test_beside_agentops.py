"""Beside the real package agentops, and what else sets OpenTelemetry up: each span comes to AgentOps once, in one tree.

`tox -e nested` has what is needed.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agentops_otel_litellm.version import SCOPE
from support.distributions import NOTICES, only_these
from support.launching import LAUNCHER, PRELUDE, environment, launch
from support.project import SUPPORT
from support.requirements import is_installed
from support.servers.agentops_platform import AgentOpsPlatform, without_suffix
from support.servers.agentops_reader import displayed_span, displayed_trace
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver, ReceivedSpan

APP = SUPPORT / "beside_app.py"
OTHERS = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def without_others(*kept: str) -> dict[str, str]:
    """Of what is installed, LiteLLM's instrumentation of ours and these alone."""
    names = {each.name for each in entry_points(group="opentelemetry_instrumentor")}
    return {OTHERS: ",".join(sorted(names - {"agentops_litellm", *kept}))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of the app."""

    answers: str
    spans: list[ReceivedSpan]
    tokens: int
    """That the provider counted."""


# Who comes first → how the app is started.
ORDERS: dict[str, list[str]] = {
    "ours first": [str(LAUNCHER), sys.executable, str(APP), "theirs"],
    "theirs first": [sys.executable, str(APP), "theirs first"],
}


@cache
def run(order: str) -> Run:
    with AgentOpsPlatform() as platform, OpenAIProvider() as provider, TemporaryDirectory() as folder:
        done = subprocess.run(
            ORDERS[order],
            env=environment(**platform.environment, **without_others(), PROVIDER=provider.base_url),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=folder,  # where agentops has its log
        )
        assert done.returncode == 0, done.stderr
        counted = [exchange.usage or {} for exchange in provider.ledger]
        return Run(
            answers=next(line for line in done.stdout.splitlines() if line.startswith("answers: ")),
            spans=platform.spans,
            tokens=sum(int(str(usage.get("total_tokens", 0))) for usage in counted),
        )


@pytest.fixture(params=["ours first", "theirs first"])
def both(request: pytest.FixtureRequest) -> Run:
    if not is_installed("agentops.sdk.core"):
        pytest.skip("agentops is not installed: `tox -e nested`")
    return run(request.param)


TREE = Counter(
    {
        (None, "default.session"): 1,
        ("default.session", "main.session"): 1,
        ("main.session", "Assistant.agent"): 1,
        ("Assistant.agent", "work.task"): 1,
        ("work.task", "ask.task"): 2,
        ("ask.task", "chat gpt-4o.llm"): 2,
    }
)


def test_spans_of_both_are_one_tree(both: Run) -> None:
    """Theirs of decorators, and ours; each comes once, and all went well."""
    names = {span.span_id: span.name for span in both.spans}
    assert Counter((names.get(span.parent_span_id), span.name) for span in both.spans) == TREE
    assert len(names) == TREE.total()
    assert len({span.trace_id for span in both.spans}) == 1
    assert {span.status for span in both.spans} == {"OK"}


def test_tokens_are_counted_once(both: Run) -> None:
    """As the provider did: spans of OpenAI's client, which LiteLLM calls, would double them."""
    assert displayed_trace(both.spans).tokens == both.tokens == 2 * 18
    ours = [displayed_span(span.attributes) for span in both.spans if span.scope == SCOPE]
    assert [(each.type, each.tokens["total_tokens"]) for each in ours] == [("request", 18)] * 2


def test_the_app_is_answered(both: Run) -> None:
    """Also where agentops 0.4.21, without us, would give LiteLLM a stream that it cannot read."""
    assert both.answers == f"answers: {['Hello, world!'] * 2}"


# --- what else sets OpenTelemetry up ----------------------------------------------------------------------

A_SPAN = "from opentelemetry import trace; trace.get_tracer('app').start_span('a span').end()"


@pytest.mark.skipif(
    not is_installed("opentelemetry.exporter.otlp.proto.grpc"), reason="OTLP over gRPC: `tox -e nested`"
)
@pytest.mark.parametrize("order", NOTICES, ids=" before ".join)
def test_beside_a_distro_that_has_grpc(order: tuple[str, str], tmp_path: Path) -> None:
    """Whichever is found first: spans go to AgentOps, and over HTTP to whom the app says, once each."""
    with AgentOpsPlatform() as platform, OTLPReceiver() as backend:
        done = launch(
            sys.executable,
            "-c",
            A_SPAN,
            **platform.environment,
            PYTHONPATH=only_these(order, tmp_path),
            OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
            OTEL_SERVICE_NAME="a-test",
        )
    assert (done.stdout, done.stderr) == ("", NOTICES[order])
    assert [[without_suffix(span) for span in platform.spans], [span.name for span in backend.spans]] == [
        ["a span"]
    ] * 2


CONFIGURATION = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch:
        exporter:
          otlp_http:
            endpoint: {}/v1/traces
"""


@pytest.mark.skipif(
    not is_installed("opentelemetry.configuration"), reason="opentelemetry-configuration: `tox -e nested`"
)
@pytest.mark.parametrize("more", ["", ",agentops_litellm"], ids=["", "without LiteLLM"])
def test_a_configuration_file(more: str, tmp_path: Path) -> None:
    """It says where spans go; where there is a key they come to AgentOps as well, once each."""
    file = tmp_path / "otel.yaml"
    with AgentOpsPlatform() as platform, OTLPReceiver() as backend:
        file.write_text(CONFIGURATION.format(backend.endpoint), "utf-8")
        given = {OTHERS: without_others()[OTHERS] + more, "OTEL_CONFIG_FILE": str(file)}
        done = launch(sys.executable, "-c", A_SPAN, **platform.environment, **given)
    assert done.returncode == 0, done.stderr
    assert [[without_suffix(span) for span in platform.spans], [span.name for span in backend.spans]] == [
        ["a span"]
    ] * 2


@pytest.mark.skipif(
    not is_installed("openinference.instrumentation.litellm"), reason="OpenInference's: `tox -e nested`"
)
def test_another_instrumentation_of_litellm() -> None:
    """One log line states that calls are recorded twice, and how to change that. Ours are recorded all the same."""
    with AgentOpsPlatform() as platform, OpenAIProvider() as provider:
        given = {**platform.environment, **without_others("litellm"), "PROVIDER": provider.base_url}
        done = launch(sys.executable, "-c", f"{PRELUDE}completion(**chat)", **given)
    (line,) = (line for line in done.stderr.splitlines() if "recorded twice" in line)
    assert line.startswith("OpenInference also records LiteLLM calls: ")
    assert f"{OTHERS}=litellm." in line
    assert [without_suffix(span) for span in platform.spans if span.scope == SCOPE] == ["chat gpt-4o"]
