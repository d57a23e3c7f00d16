"""The distro's defaults for environment variables."""

from __future__ import annotations

from typing import Literal

import pytest
from opentelemetry.sdk._configuration import _get_exporter_entry_point  # it logs the warning

from agentops_otel_litellm.sdk.defaults import DEFAULTS, apply_defaults
from support.destinations import AGENTOPS, ALL, CONSOLE, WITH_KEY

ALWAYS = {
    "OTEL_PYTHON_DISTRO": "agentops",
    "OTEL_PYTHON_CONFIGURATOR": "agentops",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
}
ALL += [(variables, {"AGENTOPS_API_KEY": "a-key"}, expected) for variables, expected in WITH_KEY]


@pytest.mark.parametrize(
    ("variables", "key", "expected"), ALL, ids=[f"{variables} {len(key)}" for variables, key, _ in ALL]
)
def test_default_exporters(variables: dict[str, str], key: dict[str, str], expected: tuple[str, str, str]) -> None:
    """Settings of the user have priority; a key adds AgentOps, and without a destination traces are printed."""
    environment = {f"OTEL_{name}": value for name, value in variables.items()} | key
    result = {**ALWAYS, **environment}
    result |= dict(zip(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), expected, strict=True))
    if CONSOLE in expected[0]:
        result["OTEL_BSP_SCHEDULE_DELAY"] = "200"
    elif AGENTOPS in expected[0] or (key and expected[0] != "none"):
        result["OTEL_BSP_SCHEDULE_DELAY"] = "1000"
    apply_defaults(environment)
    assert environment == result


# Our settings → the resulting OpenTelemetry variables.
OWN_SETTINGS: list[tuple[dict[str, str], dict[str, str]]] = [
    ({"AGENTOPS_SERVICE_NAME": "app"}, {"OTEL_SERVICE_NAME": "app"}),
    ({"AGENTOPS_SERVICE_NAME": "app", "OTEL_SERVICE_NAME": "other"}, {"OTEL_SERVICE_NAME": "other"}),
    ({"AGENTOPS_SERVICE_NAME": "app", "OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name = other"}, {}),
    (
        {"AGENTOPS_API_KEY": "a-key", "AGENTOPS_EXPORT_FLUSH_INTERVAL": "250"},
        {"OTEL_BSP_SCHEDULE_DELAY": "250"},
    ),
    ({"AGENTOPS_EXPORT_FLUSH_INTERVAL": "250"}, {"OTEL_BSP_SCHEDULE_DELAY": "200"}),
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100"}),
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "1000"}, {}),
]


@pytest.mark.parametrize(("variables", "expected"), OWN_SETTINGS, ids=[str(variables) for variables, _ in OWN_SETTINGS])
def test_our_settings_become_opentelemetry_variables(variables: dict[str, str], expected: dict[str, str]) -> None:
    """The service name, the delay of batches, and a batch size that fits the queue."""
    environment = dict(variables)
    apply_defaults(environment)
    names = {"OTEL_SERVICE_NAME", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"}
    result = {name: value for name, value in environment.items() if name in names}
    assert result == {"OTEL_BSP_SCHEDULE_DELAY": "200"} | expected


def test_set_variables_are_kept() -> None:
    """No default replaces a value of the user."""
    environment = dict.fromkeys(DEFAULTS, "the user's")
    apply_defaults(environment)
    assert set(environment.values()) == {"the user's"}


def test_every_default_is_declared() -> None:
    """The possible values of a variable are in its row, and so in the documentation."""
    for variables, key, _ in ALL:
        environment = {f"OTEL_{name}": value for name, value in variables.items()} | key
        result = dict(environment)
        apply_defaults(result)
        assert {name for name, value in result.items() if not environment.get(name)} <= set(DEFAULTS)
        assert all(value in DEFAULTS[name].values for name, value in result.items() if not environment.get(name))


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_an_exporter_over_grpc_does_not_conflict_with_the_default_protocol(
    signal: Literal["traces", "metrics", "logs"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK logs no warning: the test would fail. A protocol of the user is kept."""
    variable = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL"
    environment = {f"OTEL_{signal.upper()}_EXPORTER": "otlp_proto_grpc"}
    apply_defaults(environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert _get_exporter_entry_point("otlp_proto_grpc", signal) == "otlp_proto_grpc"
    assert environment[variable] == "grpc"
    for named, expected in [("otlp", None), ("otlp,otlp_proto_grpc", None), ("otlp_proto_http", None)]:
        environment = {f"OTEL_{signal.upper()}_EXPORTER": named}
        apply_defaults(environment)
        assert environment.get(variable) == expected
    environment = {
        f"OTEL_{signal.upper()}_EXPORTER": "otlp_proto_grpc",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    apply_defaults(environment)
    assert variable not in environment
