"""Warnings at the start of an application about settings that cannot work, and missing exporters."""

from __future__ import annotations

import os
from unittest.mock import patch

import pytest
from opentelemetry.sdk import _configuration

from agentops_otel_litellm.sdk import distro
from agentops_otel_litellm.sdk.defaults import apply_defaults
from agentops_otel_litellm.sdk.distro import AgentOpsConfigurator, AgentOpsDistro
from agentops_otel_litellm.settings.destinations import Obstacle, missing_exporters, only_usable_exporters
from support.logged_warnings import LoggedWarnings
from support.requirements import GRPC, needs_files, needs_no_grpc

BASE, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
# Environment variables → names of those whose endpoint accepts no telemetry.
ENDPOINTS: list[tuple[dict[str, str], list[str]]] = [
    ({}, []),
    ({BASE: "http://localhost:4318"}, []),
    ({BASE: "https://host/some/path/"}, []),
    ({BASE: "http://[::1]:4318"}, []),
    ({BASE: " http://localhost:4318 "}, []),
    ({BASE: "http://localhost:4317"}, [BASE]),
    ({BASE: "http://me:canary@localhost:4317/"}, [BASE]),
    ({BASE: "http://localhost:4317", "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none"}, [BASE]),
    ({BASE: "http://localhost:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, []),
    (
        {BASE: "http://localhost:4317", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
        [BASE],
    ),  # metrics and logs use http/protobuf
    ({BASE: "localhost:4318"}, [BASE]),
    ({BASE: "http://"}, [BASE]),
    ({BASE: "http://host:port"}, [BASE]),
    ({BASE: "http://[::1"}, [BASE]),
    ({BASE: "http://host/v1/metrics"}, [BASE]),
    ({TRACES: "http://host/v1/traces"}, []),
    ({TRACES: "http://host"}, [TRACES]),
    ({TRACES: "http://host/", BASE: "http://host:4317"}, [TRACES, BASE]),
    ({BASE: "http://localhost:4317", "OTEL_CONFIG_FILE": "a.yaml"}, []),
    (
        {BASE: "http://localhost:4317", **{f"OTEL_{each}_EXPORTER": "none" for each in ("TRACES", "METRICS", "LOGS")}},
        [],
    ),
]
# Environment variables → warnings about exporters, and the variables that the SDK sees in their place.
EXPORTERS: list[tuple[dict[str, str], list[str], dict[str, str]]] = [
    ({}, [], {}),
    ({"TRACES_EXPORTER": "otlp_proto_http, console", "METRICS_EXPORTER": "none"}, [], {}),
    ({"TRACES_EXPORTER": "nonsense"}, ["OTEL_TRACES_EXPORTER names 'nonsense'"], {"TRACES_EXPORTER": "none"}),
    (
        {"TRACES_EXPORTER": " nonsense, agentops ,none,console"},
        ["OTEL_TRACES_EXPORTER names 'nonsense'"],
        {"TRACES_EXPORTER": "agentops,console"},
    ),
    ({"METRICS_EXPORTER": "agentops"}, ["OTEL_METRICS_EXPORTER names 'agentops'"], {"METRICS_EXPORTER": "none"}),
    (
        {"TRACES_EXPORTER": "otlp,console", "EXPORTER_OTLP_PROTOCOL": "grpc"},
        [GRPC],
        {"TRACES_EXPORTER": "console", "METRICS_EXPORTER": "none", "LOGS_EXPORTER": "none"},
    ),
    (
        {"TRACES_EXPORTER": "otlp", "EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
        ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL='http/json' is not a supported protocol"],
        {"TRACES_EXPORTER": "none"},
    ),
    ({"TRACES_EXPORTER": "nonsense", "CONFIG_FILE": "a.yaml"}, [], {}),
]


def with_defaults(names: dict[str, str]) -> dict[str, str]:
    environment = dict(names)
    apply_defaults(environment)
    return environment


@pytest.mark.parametrize(("variables", "names"), ENDPOINTS, ids=[str(variables) for variables, _ in ENDPOINTS])
def test_unusable_endpoints_are_reported(variables: dict[str, str], names: list[str]) -> None:
    """Each variable that an exporter uses is reported once, with advice and without its value."""
    needs_files(variables)
    found = list(distro.obstacles(with_defaults(variables)))
    assert [each.name for each in found] == names
    assert all(each.advice and "canary" not in str(each) for each in found)


@pytest.mark.parametrize(
    ("variables", "warnings", "changes"), EXPORTERS, ids=[str(variables) for variables, *_ in EXPORTERS]
)
def test_missing_exporters_are_hidden_from_the_sdk(
    variables: dict[str, str], warnings: list[str], changes: dict[str, str], logged: LoggedWarnings
) -> None:
    """Each is reported once, and the variables are restored after the setup of the SDK."""
    needs_files(f"OTEL_{name}" for name in variables)
    needs_no_grpc(warnings)
    environment = with_defaults({f"OTEL_{name}": value for name, value in variables.items()})
    before = dict(environment)
    with only_usable_exporters(environment):
        during = dict(environment)
        assert missing_exporters(environment) == []
    lines = logged.take()
    assert [line.startswith(start) for line, start in zip(lines, warnings, strict=True)] == [True] * len(lines)
    assert during == {**before, **{f"OTEL_{name}": value for name, value in changes.items()}}
    assert environment == before


def test_litellm_is_not_required_if_its_instrumentation_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distro, "LITELLM", "litellm >= 999")
    assert [each.name for each in distro.obstacles({})] == ["litellm"]
    assert list(distro.obstacles({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "agentops_litellm"})) == []


@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        ("AGENTOPS_APIKEY", "AGENTOPS_API_KEY"),
        ("AGENTOPS_ENDPOINT", "AGENTOPS_API_ENDPOINT"),
        ("AGENTOPS_ENVIROMENT", "AGENTOPS_ENVIRONMENT"),
        ("AGENTOPS_API_KEY_FILE", None),
        ("AGENTOPS_FAIL_SAFE", None),
        ("AGENTOPS_UMBRELLA", None),
        ("AGENTOPS_API_KEY", None),
        ("OTEL_SERVICENAME", None),
    ],
)
def test_misspelt_variables_are_reported(variable: str, setting: str | None) -> None:
    """The warning suggests the setting with a similar name, and leaves out the value, which may be a key."""
    found = list(distro.misspelt_variables({variable: "canary"}))
    line = f"{variable} is not a setting, so nothing reads it."
    assert found == ([] if setting is None else [Obstacle(variable, line, f"Did you mean {setting}?")])
    assert list(distro.misspelt_variables({variable: ""})) == []


def test_the_distro_warns_once(monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings) -> None:
    """Also if it is configured twice."""
    monkeypatch.setattr(AgentOpsDistro, "_instance", None)
    with patch.dict(os.environ, {BASE: "localhost:4318", "AGENTOPS_APIKEY": "canary", "OTEL_SERVICE_NAME": "app"}):
        AgentOpsDistro().configure()
        AgentOpsDistro().configure()
    assert [line.partition(" is ")[0] for line in logged.take()] == [BASE, "AGENTOPS_APIKEY"]


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no such sampler: canary"), KeyError("canary")],
    ids=["of the SDK's class", "of another class"],
)
def test_a_failed_setup_of_the_sdk_is_logged(
    error: Exception, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    """The log line leaves out the text of the exception, and the launcher continues with the instrumentations."""

    def failing(**_options: object) -> None:
        raise error

    monkeypatch.setattr(_configuration, "_initialize_components", failing)
    AgentOpsConfigurator().configure()  # type: ignore[no-untyped-call]  # upstream's
    (line,) = logged.take()
    assert line.startswith(
        f"OpenTelemetry is not set up, or only in part ({type(error).__name__}): telemetry is missing. "
    )
