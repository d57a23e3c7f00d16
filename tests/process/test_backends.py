"""`AGENTOPS_BACKEND`: programs under the launcher, whose spans loopback receivers accept in place of the backends."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.backends import shell_blocks
from support.conformance import Emitted
from support.launching import PRELUDE, launch
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import Attributes, OTLPHandler, OTLPReceiver, ReceivedRequest

CALL = f"{PRELUDE}completion(**chat, metadata={{'tags': ['a'], 'session_id': 'session-1'}})"
LANGFUSE_KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-canary", "LANGFUSE_SECRET_KEY": "sk-lf-canary"}
WITHOUT_OPERATION = "Span 'chat gpt-4o' has no operation, but the kind CLIENT"
"""What the check of all spans finds for Phoenix, which receives OpenInference's attributes in place of `gen_ai.*`."""
USAGE_NAMES = re.compile(r"gen_ai\.usage\.|langfuse\.|llm\.token_count\.|llm\.cost\.")


class Backend(OTLPReceiver):
    """Accepts traces at any path."""

    def __init__(self) -> None:
        super().__init__(OTLPHandler)
        self.paths: list[str] = []

    def accept(self, request: ReceivedRequest) -> int:
        self.paths.append(request.path)
        return super().accept(
            ReceivedRequest(
                path="/v1/traces" if request.path.endswith(("/v1/traces", "/otel")) else request.path,
                headers=request.headers,
                body=request.body,
            )
        )

    @property
    def attributes(self) -> Attributes:
        """The attributes of the span of the only call."""
        (span,) = self.spans
        return span.attributes


@pytest.fixture
def provider() -> Iterator[str]:
    with OpenAIProvider() as server:
        yield server.base_url


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Backend()) for _ in range(3)]


def run(provider: str, **variables: str) -> str:
    """Run a program that makes one call, and return its output on stderr."""
    done = launch("python", "-c", CALL, PROVIDER=provider, OTEL_SERVICE_NAME="test", **variables)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines(keepends=True)
    return "".join(line for line in lines if "already loaded" not in line)  # of the launcher


def test_langfuse_receives_its_attributes_with_its_key(provider: str, backends: list[Backend]) -> None:
    """With the variables of the page. And no `gen_ai.usage.*`, because it would count the cost as tokens."""
    langfuse = backends[0]
    (commands,) = shell_blocks("backends.md")
    variables = dict(re.findall(r"^export (\w+)=(.+)$", commands, re.MULTILINE))
    assert variables.pop("OTEL_SERVICE_NAME") == "my-agent"
    stderr = run(provider, LANGFUSE_HOST=langfuse.url, **{**variables, **LANGFUSE_KEYS})
    assert variables.keys() == {"AGENTOPS_BACKEND", *LANGFUSE_KEYS}
    assert stderr == ""
    assert langfuse.paths == ["/api/public/otel/v1/traces"]
    (request,) = langfuse.requests
    key = b64encode(b"pk-lf-canary:sk-lf-canary").decode()
    assert request.headers["authorization"] == f"Basic {key}"
    written = {name for name in langfuse.attributes if USAGE_NAMES.match(name)}
    assert written == {
        "langfuse.observation.cost_details",
        "langfuse.observation.usage_details",
        "langfuse.trace.tags",
    }
    assert langfuse.attributes["session.id"] == "session-1"


def test_each_of_several_backends_receives_only_what_it_reads(provider: str, backends: list[Backend]) -> None:
    """Also the user's own OTLP endpoint, which receives the attributes of the default, with its own headers."""
    langfuse, openobserve, collector = backends
    stderr = run(
        provider,
        AGENTOPS_BACKEND="openobserve,langfuse,otlp",
        LANGFUSE_HOST=langfuse.url,
        **LANGFUSE_KEYS,
        OPENOBSERVE_URL=openobserve.url,
        OPENOBSERVE_ORG="acme",
        OPENOBSERVE_AUTH_TOKEN="Basic canary-openobserve",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="x-collector-key=canary-collector",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert stderr == ""
    assert openobserve.paths == ["/api/acme/v1/traces"]
    keys = ("authorization", "x-collector-key")
    sent = [[request.headers.get(key) for key in keys] for backend in backends for request in backend.requests]
    key = b64encode(b"pk-lf-canary:sk-lf-canary").decode()
    assert sent == [[f"Basic {key}", None], ["Basic canary-openobserve", None], [None, "canary-collector"]]
    tokens = {
        *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
        *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.reasoning.output_tokens"),
    }
    names = [
        {name for name in backend.attributes if USAGE_NAMES.match(name)}
        & {
            *tokens,
            "gen_ai.usage.cost",
            "gen_ai.usage.cost.amount",
            "langfuse.observation.usage_details",
        }
        for backend in backends
    ]
    assert names[0] == {"langfuse.observation.usage_details"}
    assert names[1] - tokens == {"gen_ai.usage.cost"}
    assert names[2] - tokens == {"gen_ai.usage.cost.amount"}
    assert openobserve.attributes["gen_ai.usage.cost"] == collector.attributes["gen_ai.usage.cost.amount"]
    assert len({backend.spans[0].span_id for backend in backends}) == 1


def test_the_default_is_unchanged(provider: str, backends: list[Backend]) -> None:
    """The span of the default, and the same span if `AGENTOPS_BACKEND=otlp` names the default's destination."""
    default, named = backends[:2]
    silent = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    run(provider, OTEL_EXPORTER_OTLP_ENDPOINT=default.url, **silent)
    run(provider, OTEL_EXPORTER_OTLP_ENDPOINT=named.url, AGENTOPS_BACKEND="otlp", **silent)
    assert list(default.attributes) == list(named.attributes)
    assert "gen_ai.usage.cost.amount" in default.attributes
    assert not any(re.match(r"langfuse\.|gen_ai\.usage\.cost$", name) for name in default.attributes)


def test_a_backend_that_is_down_does_not_delay_the_others(
    provider: str, backends: list[Backend], emitted: Emitted
) -> None:
    langfuse, phoenix = backends[:2]
    langfuse.status = 401
    run(
        provider,
        AGENTOPS_BACKEND="langfuse,phoenix",
        LANGFUSE_HOST=langfuse.url,
        **LANGFUSE_KEYS,
        PHOENIX_COLLECTOR_ENDPOINT=phoenix.url,
    )
    assert phoenix.attributes["openinference.span.kind"] == "LLM"
    assert not any(name.startswith(("langfuse.", "gen_ai.usage.")) for name in phoenix.attributes)
    assert emitted.take() == [WITHOUT_OPERATION]


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"AGENTOPS_BACKEND": "langfuse,phoenix", "LANGFUSE_PUBLIC_KEY": "pk-lf-canary"},
            (
                "AGENTOPS_BACKEND names langfuse, but LANGFUSE_SECRET_KEY is not set: nothing is sent to "
                "Langfuse. Set LANGFUSE_SECRET_KEY, or remove langfuse from AGENTOPS_BACKEND."
            ),
        ),
        (
            {"AGENTOPS_BACKEND": "grafana", "GRAFANA_CLOUD_INSTANCE_ID": "1", "GRAFANA_CLOUD_API_KEY": "canary"},
            (
                "AGENTOPS_BACKEND names grafana, but GRAFANA_CLOUD_OTLP_ENDPOINT is not set: nothing is sent to "
                "Grafana Cloud. Set GRAFANA_CLOUD_OTLP_ENDPOINT to the URL that Grafana Cloud displays, or remove "
                "grafana."
            ),
        ),
        (
            {"AGENTOPS_BACKEND": "mlflow", "MLFLOW_TRACKING_URI": "sqlite:///canary.db"},
            (
                "MLFLOW_TRACKING_URI='sqlite:///canary.db' is no URL that begins with http:// or https://: "
                "nothing is sent to MLflow. Correct MLFLOW_TRACKING_URI, or remove mlflow from AGENTOPS_BACKEND."
            ),
        ),
        (
            {"AGENTOPS_BACKEND": "phoenix", "OTEL_TRACES_EXPORTER": "none"},
            (
                "AGENTOPS_BACKEND=phoenix has no effect, because OTEL_TRACES_EXPORTER chooses other exporters. Add "
                "agentops_backends to the exporters there, or unset AGENTOPS_BACKEND."
            ),
        ),
        (
            {"AGENTOPS_BACKEND": "langfuze", "OTEL_TRACES_EXPORTER": "none"},
            (
                "Invalid value for AGENTOPS_BACKEND: 'langfuze' (expected a comma-separated choice of agentops, "
                "langfuse, phoenix, mlflow, datadog, langsmith, braintrust, posthog, honeycomb, signoz, openobserve, "
                "logfire, newrelic, grafana, otlp)."
            ),
        ),
    ],
)
def test_what_is_missing_is_one_line(
    provider: str, backends: list[Backend], emitted: Emitted, variables: dict[str, str], line: str
) -> None:
    """And the other backends receive the call."""
    phoenix = backends[0]
    stderr = run(provider, PHOENIX_COLLECTOR_ENDPOINT=phoenix.url, **variables)
    assert stderr.count("\n") == 1
    assert line in stderr
    is_sent = "phoenix" in variables["AGENTOPS_BACKEND"] and "OTEL_TRACES_EXPORTER" not in variables
    assert len(phoenix.spans) == int(is_sent)
    assert emitted.take() == [WITHOUT_OPERATION] * is_sent
