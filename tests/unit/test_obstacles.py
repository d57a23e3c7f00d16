"""What is told when an app starts, of what will be in its way; and exporters that are missing."""

from __future__ import annotations

import os
from unittest.mock import patch

import pytest
from opentelemetry.sdk import _configuration

from agentops_otel_litellm.sdk import distro
from agentops_otel_litellm.sdk.defaults import apply_defaults
from agentops_otel_litellm.sdk.distro import AgentOpsConfigurator, AgentOpsDistro
from agentops_otel_litellm.settings.destinations import missing_exporters, only_usable_exporters
from support.logged_warnings import LoggedWarnings
from support.requirements import GRPC, needs_files, needs_no_grpc

BASE, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
# What the user sets → of which variables it is told that nothing is taken there.
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
    ({BASE: "http://localhost:4317", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, [BASE]),  # of the other signals
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
# What the user sets → what is told of exporters, and what the SDK is shown of them.
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


def with_defaults(given: dict[str, str]) -> dict[str, str]:
    environment = dict(given)
    apply_defaults(environment)
    return environment


@pytest.mark.parametrize(("given", "variables"), ENDPOINTS, ids=[str(given) for given, _ in ENDPOINTS])
def test_endpoints(given: dict[str, str], variables: list[str]) -> None:
    """Each variable is told of once, with what to set, where something is sent by it; its value is not quoted."""
    needs_files(given)
    found = list(distro.obstacles(with_defaults(given)))
    assert [each.name for each in found] == variables
    assert all(each.advice and "canary" not in str(each) for each in found)


@pytest.mark.parametrize(("given", "told_of", "shown"), EXPORTERS, ids=[str(given) for given, *_ in EXPORTERS])
def test_exporters(given: dict[str, str], told_of: list[str], shown: dict[str, str], logged: LoggedWarnings) -> None:
    """Those that are missing are told of once, and hidden while the SDK is set up; the variables stay as they were."""
    needs_files(f"OTEL_{name}" for name in given)
    needs_no_grpc(told_of)
    environment = with_defaults({f"OTEL_{name}": value for name, value in given.items()})
    before = dict(environment)
    with only_usable_exporters(environment):
        during = dict(environment)
        assert missing_exporters(environment) == []
    lines = logged.take()
    assert [line.startswith(start) for line, start in zip(lines, told_of, strict=True)] == [True] * len(lines)
    assert during == {**before, **{f"OTEL_{name}": value for name, value in shown.items()}}
    assert environment == before


def test_litellm_is_not_asked_for_where_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is switched off is not missed."""
    monkeypatch.setattr(distro, "LITELLM", "litellm >= 999")
    assert [each.name for each in distro.obstacles({})] == ["litellm"]
    assert list(distro.obstacles({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "agentops_litellm"})) == []


@pytest.mark.parametrize(
    ("variable", "meant"),
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
def test_misspelt_variables(variable: str, meant: str | None) -> None:
    """Where it is plain which setting is meant, its name is told, and never the value, which may be a key."""
    found = list(distro.misspelt_variables({variable: "canary"}))
    line = f"{variable} is not a setting, so nothing reads it."
    assert found == ([] if meant is None else [distro.Obstacle(variable, line, f"Did you mean {meant}?")])
    assert list(distro.misspelt_variables({variable: ""})) == []


def test_the_distro_tells_of_them_once(monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings) -> None:
    """However often it is asked to configure."""
    monkeypatch.setattr(AgentOpsDistro, "_instance", None)
    with patch.dict(os.environ, {BASE: "localhost:4318", "AGENTOPS_APIKEY": "canary", "OTEL_SERVICE_NAME": "app"}):
        AgentOpsDistro().configure()
        AgentOpsDistro().configure()
    assert [line.partition(" is ")[0] for line in logged.take()] == [BASE, "AGENTOPS_APIKEY"]


@pytest.mark.parametrize(
    "fault", [RuntimeError("no such sampler: canary"), KeyError("canary")], ids=["of the SDK's class", "another"]
)
def test_what_the_sdk_cannot_set_up(fault: Exception, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings) -> None:
    """One line says so, without what others than the SDK say; the launcher goes on to the instrumentations."""

    def failing(**_options: object) -> None:
        raise fault

    monkeypatch.setattr(_configuration, "_initialize_components", failing)
    AgentOpsConfigurator().configure()  # type: ignore[no-untyped-call]  # upstream's
    (line,) = logged.take()
    assert line.startswith(
        f"OpenTelemetry is not set up, or only in part ({type(fault).__name__}): telemetry is missing. "
    )
