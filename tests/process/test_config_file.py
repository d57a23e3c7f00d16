"""Programs whose telemetry a file in OTEL_CONFIG_FILE configures, under the real launcher and with `init()`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

import pytest

from agentops_otel_litellm.settings.config_file import is_configured_by_file
from support.launching import PRELUDE, launch, run_program
from support.requirements import FILE, is_installed
from support.servers.agentops_platform import AgentOpsPlatform
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver

pytestmark = pytest.mark.skipif(
    not (is_installed("opentelemetry.configuration") and is_configured_by_file({FILE: "a.yaml"})),
    reason="this release of OpenTelemetry's SDK reads no file",
)

CONFIGURATION = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch: {{exporter: {{{exporter}}}}}
{more}
"""
CALL = f"{PRELUDE}completion(**chat)"
FALLBACKS = "environment: staging, service_name: by-option"


class Configured(Protocol):
    def __call__(self, more: str, exporter: str = ...) -> str:
        """Write a configuration file, and return its path."""


@pytest.fixture
def configured(backend: OTLPReceiver, tmp_path: Path) -> Configured:
    """Write a file that exports traces to the backend, and more lines. Returns its path."""

    def write(more: str, exporter: str = f"otlp_http: {{endpoint: '{backend.endpoint}/v1/traces'}}") -> str:
        file = tmp_path / "otel.yaml"
        file.write_text(CONFIGURATION.format(exporter=exporter, more=more), "utf-8")
        return str(file)

    return write


def ours(options: str, others: str = "") -> str:
    return f"instrumentation/development: {{python: {{agentops_litellm: {{{options}}}{others}}}}}"


def test_options_and_resource(configured: Configured, backend: OTLPReceiver, provider: OpenAIProvider) -> None:
    """The options are used, the resource names this distro, and nothing but the calls' own output is printed."""
    options = ours(
        "semconv: [gen_ai], capture_message_content: SPAN_ONLY, environment: staging, service_name: by-option"
    )
    done = launch(sys.executable, "-c", CALL, PROVIDER=provider.base_url, OTEL_CONFIG_FILE=configured(options))
    assert (done.returncode, done.stdout) == (0, "")
    assert "ignor" not in done.stderr
    assert "service name" not in done.stderr
    (span,) = backend.spans
    assert "canary-prompt" in str(span.attributes["gen_ai.input.messages"])
    assert [name for name in span.attributes if name.startswith("llm.")] == []
    assert {name: span.resource.get(name) for name in RESOURCE} == RESOURCE
    assert "telemetry.distro.version" in span.resource


RESOURCE = {
    "service.name": "by-option",
    "deployment.environment.name": "staging",
    "telemetry.distro.name": "agentops-otel-litellm",
    "telemetry.sdk.language": "python",
}


def test_the_resource_in_the_file_has_priority(
    configured: Configured, backend: OTLPReceiver, provider: OpenAIProvider
) -> None:
    resource = (
        "resource:\n  attributes_list: deployment.environment.name=from-list,a=b\n"
        "  attributes: [{name: service.name, value: from-file}]\n"
    )
    file = configured(resource + ours(FALLBACKS))
    launch(sys.executable, "-c", CALL, PROVIDER=provider.base_url, OTEL_CONFIG_FILE=file)
    (span,) = backend.spans
    assert {name: span.resource[name] for name in ("service.name", "deployment.environment.name", "a")} == {
        "service.name": "from-file",
        "deployment.environment.name": "from-list",
        "a": "b",
    }
    assert span.resource["telemetry.distro.name"] == "agentops-otel-litellm"


@pytest.mark.parametrize("written", ["true", "false"])
@pytest.mark.parametrize("how", ["the launcher", "init()"])
def test_enabled(
    how: str, written: str, configured: Configured, backend: OTLPReceiver, provider: OpenAIProvider
) -> None:
    """`false` leaves LiteLLM alone; other spans are still exported."""
    variables = {"PROVIDER": provider.base_url, "OTEL_CONFIG_FILE": configured(ours(f"enabled: {written}"))}
    own = "\nfrom opentelemetry import trace\ntrace.get_tracer('app').start_span('own').end()"
    if how == "init()":
        done = run_program(f"import agentops_otel_litellm\nagentops_otel_litellm.init()\n{CALL}{own}", **variables)
    else:
        done = launch(sys.executable, "-c", CALL + own, **variables)
    assert done.returncode == 0, done.stderr
    assert sorted(span.name for span in backend.spans) == [*["chat gpt-4o"] * (written == "true"), "own"]


def test_an_invalid_option_is_reported_once(
    configured: Configured, backend: OTLPReceiver, provider: OpenAIProvider
) -> None:
    """With its line; the call is traced all the same."""
    file = configured(ours("content_part_limit: lots, semcov: gen_ai"))
    done = launch(sys.executable, "-c", CALL, PROVIDER=provider.base_url, OTEL_CONFIG_FILE=file)
    line = f"({file}, line {len(Path(file).read_text('utf-8').splitlines())})"
    assert done.stderr.count(f"Invalid value for content_part_limit {line}: 'lots' (expected a number of charac") == 1
    assert done.stderr.count(f"'semcov' {line} is not an option of agentops_litellm") == 1
    assert [span.name for span in backend.spans] == ["chat gpt-4o"]


def test_the_console_exporter(configured: Configured, provider: OpenAIProvider) -> None:
    """Also the names of the spans around a call, which are open when the call is printed."""
    program = (
        f"{PRELUDE}from opentelemetry import trace\nwith trace.get_tracer('a').start_as_current_span('my agent'):\n"
    )
    program += "    completion(**chat); trace.get_tracer_provider().force_flush()"
    file = configured("", "agentops_console: {}")
    done = launch(sys.executable, "-c", program, PROVIDER=provider.base_url, OTEL_CONFIG_FILE=file)
    lines = done.stderr.splitlines()
    (parent,) = (number for number, line in enumerate(lines) if line.startswith("my agent"))
    assert lines[parent + 1].startswith("  chat gpt-4o")


def test_the_agentops_exporter(configured: Configured, provider: OpenAIProvider) -> None:
    """Once, although it is named and there is a key; with the attributes that AgentOps reads."""
    with AgentOpsPlatform() as platform:
        key, *addresses = (
            f"{name.removeprefix('AGENTOPS_').lower()}: '{value}'"
            for name, value in platform.environment.items()
            if name.startswith("AGENTOPS_")
        )
        file = configured(ours(", ".join([key, *addresses])), "agentops: {}")
        done = launch(sys.executable, "-c", CALL, PROVIDER=provider.base_url, OTEL_CONFIG_FILE=file)
    assert done.returncode == 0, done.stderr
    assert len(platform.spans) == 1
    assert "agentops.span.kind" in platform.spans[0].attributes
