"""The distro and its configurator: warnings, resource attributes and rejected settings."""

from __future__ import annotations

import logging
import os

import pytest
from opentelemetry.sdk import _configuration
from opentelemetry.sdk.trace import TracerProvider

from agentops_otel_litellm import version
from agentops_otel_litellm.exporters.console import OPEN_SPANS
from agentops_otel_litellm.sdk.distro import AgentOpsConfigurator, AgentOpsDistro
from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables
from support.distributions import (
    isolated_environment,  # noqa: F401 - a fixture
)
from support.logged_warnings import LoggedWarnings

NO_SERVICE_NAME = "No service name is set, so backends will show this app as unknown_service: set OTEL_SERVICE_NAME."
AGENTOPS = {"OTEL_TRACES_EXPORTER": "agentops"}
# Environment variables → whether there is a warning about the missing service name.
SERVICE_NAME_WARNINGS: list[tuple[dict[str, str], bool]] = [
    ({}, False),
    ({"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none"}, False),
    ({"OTEL_TRACES_EXPORTER": "none"}, False),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, True),
    (AGENTOPS, True),
    ({"OTEL_TRACES_EXPORTER": "agentops_console,agentops"}, True),
    ({"OTEL_METRICS_EXPORTER": "prometheus"}, True),
    ({"AGENTOPS_API_KEY": "a-key"}, True),
    ({"AGENTOPS_API_KEY": "a-key", "OTEL_TRACES_EXPORTER": "console"}, True),
    ({**AGENTOPS, "OTEL_SERVICE_NAME": "app"}, False),
    ({**AGENTOPS, "AGENTOPS_SERVICE_NAME": "app"}, False),
    ({**AGENTOPS, "OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=app"}, False),
    ({**AGENTOPS, "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=app"}, True),
]


@pytest.mark.parametrize(
    ("variables", "warned"), SERVICE_NAME_WARNINGS, ids=[str(variables) for variables, _ in SERVICE_NAME_WARNINGS]
)
def test_a_missing_service_name_is_reported_once(
    variables: dict[str, str],
    warned: bool,  # noqa: FBT001 - a parameter
    logged: LoggedWarnings,
) -> None:
    """Only if telemetry is sent to a backend, where other applications may send theirs."""
    os.environ.update(variables)
    AgentOpsDistro().configure()
    AgentOpsDistro().configure()
    assert logged.take() == [NO_SERVICE_NAME] * warned


def test_a_disabled_sdk_is_not_configured() -> None:
    """With OTEL_SDK_DISABLED=true, no variable is set and nothing is logged."""
    os.environ.update(AGENTOPS, OTEL_SDK_DISABLED=" True ")
    before = dict(os.environ)
    AgentOpsDistro().configure()
    assert before == os.environ


@pytest.mark.parametrize(
    ("exporter", "registers_open_spans"),
    [("agentops_console", True), ("agentops, agentops_console", True), ("console", False), ("agentops", False)],
)
def test_the_configurator_sets_resource_attributes_and_open_spans(
    exporter: str, *, registers_open_spans: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes this distro's name and version to the SDK. The console exporter needs the processor for open spans."""
    passed: dict[str, object] = {}
    provider = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(_configuration, "_initialize_components", lambda **options: passed.update(options))
    monkeypatch.setattr("agentops_otel_litellm.sdk.distro.get_tracer_provider", lambda: provider)
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", None)  # an earlier test may have set it
    os.environ["OTEL_TRACES_EXPORTER"] = exporter
    AgentOpsConfigurator().configure(auto_instrumentation_version="1")  # type: ignore[no-untyped-call]  # upstream's
    resource = {"telemetry.distro.name": "agentops-otel-litellm", "telemetry.distro.version": version.__version__}
    assert passed == {"auto_instrumentation_version": "1", "resource_attributes": resource}
    span = provider.get_tracer("app").start_span("open")
    assert (OPEN_SPANS.find(span.get_span_context().span_id) is not None) == registers_open_spans
    span.end()


ENVIRONMENTS: list[tuple[str, str | None]] = [
    ("", "staging"),
    ("service.name=app", "staging"),
    ("deployment.environment.name=live", None),
]


@pytest.mark.parametrize(("variables", "added"), ENVIRONMENTS)
def test_the_environment_setting_becomes_a_resource_attribute(
    variables: str, added: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless OTEL_RESOURCE_ATTRIBUTES has the attribute."""
    options: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(_configuration, "_initialize_components", lambda **passed: options.update(passed))
    os.environ.update(AGENTOPS_ENVIRONMENT="staging", OTEL_RESOURCE_ATTRIBUTES=variables)
    AgentOpsConfigurator().configure()  # type: ignore[no-untyped-call]  # upstream's
    assert options["resource_attributes"].get("deployment.environment.name") == added


# Variables → variables that remain, and those that are reported.
BATCHING: list[tuple[dict[str, str], dict[str, str], list[str]]] = [
    ({"MAX_QUEUE_SIZE": "100"}, {"MAX_QUEUE_SIZE": "100"}, []),
    ({"MAX_QUEUE_SIZE": "-5", "SCHEDULE_DELAY": "1.5"}, {}, ["SCHEDULE_DELAY", "MAX_QUEUE_SIZE"]),
    ({"EXPORT_TIMEOUT": "30s"}, {}, ["EXPORT_TIMEOUT"]),
    ({"EXPORT_TIMEOUT": "30000"}, {"EXPORT_TIMEOUT": "30000"}, []),
    ({"MAX_QUEUE_SIZE": " ", "MAX_EXPORT_BATCH_SIZE": "9"}, {"MAX_QUEUE_SIZE": " ", "MAX_EXPORT_BATCH_SIZE": "9"}, []),
    ({"MAX_EXPORT_BATCH_SIZE": "9999"}, {"MAX_EXPORT_BATCH_SIZE": "2048"}, ["MAX_EXPORT_BATCH_SIZE"]),
    (
        {"MAX_EXPORT_BATCH_SIZE": "9", "MAX_QUEUE_SIZE": "8"},
        {"MAX_EXPORT_BATCH_SIZE": "8", "MAX_QUEUE_SIZE": "8"},
        ["MAX_EXPORT_BATCH_SIZE"],
    ),
]


@pytest.mark.parametrize(
    ("variables", "expected", "invalid"), BATCHING, ids=[str(variables) for variables, _, _ in BATCHING]
)
def test_batch_settings_that_the_sdk_rejects_are_dropped(
    variables: dict[str, str], expected: dict[str, str], invalid: list[str], logged: LoggedWarnings
) -> None:
    """Otherwise the SDK would fail to start. A log line names each variable."""
    environment = {f"OTEL_BSP_{name}": value for name, value in variables.items()}
    drop_unusable_variables(environment)
    assert environment == {f"OTEL_BSP_{name}": value for name, value in expected.items()}
    assert [line.split(": ")[0] for line in logged.take()] == [f"Invalid value for OTEL_BSP_{name}" for name in invalid]


def test_the_log_level_setting() -> None:
    """AGENTOPS_LOG_LEVEL sets the level of this package's logger only."""
    logger = logging.getLogger("agentops_otel_litellm")
    os.environ.update(AGENTOPS_LOG_LEVEL="error")
    try:
        AgentOpsDistro().configure()
        assert (logger.level, logging.getLogger().level) == (logging.ERROR, logging.WARNING)
    finally:
        logger.setLevel(logging.NOTSET)
