"""The distro and its configurator: what is warned of, what the resource says, and who wins beside another distro."""

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
# What the user has set → whether the missing service name is told of.
WARNED: list[tuple[dict[str, str], bool]] = [
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


@pytest.mark.parametrize(("given", "warned"), WARNED, ids=[str(given) for given, _ in WARNED])
def test_a_missing_service_name(given: dict[str, str], warned: bool, logged: LoggedWarnings) -> None:  # noqa: FBT001 - a parameter
    """It is told of once, and only where telemetry goes to where several apps are."""
    os.environ.update(given)
    AgentOpsDistro().configure()
    AgentOpsDistro().configure()
    assert logged.take() == [NO_SERVICE_NAME] * warned


def test_a_disabled_sdk() -> None:
    """OTEL_SDK_DISABLED=true: nothing is set and nothing told."""
    os.environ.update(AGENTOPS, OTEL_SDK_DISABLED=" True ")
    before = dict(os.environ)
    AgentOpsDistro().configure()
    assert before == os.environ


@pytest.mark.parametrize(
    ("exporter", "told_of_open_spans"),
    [("agentops_console", True), ("agentops, agentops_console", True), ("console", False), ("agentops", False)],
)
def test_the_configurator(exporter: str, *, told_of_open_spans: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the SDK's, with the name and version of this distro, and with open spans where the console shows them."""
    given: dict[str, object] = {}
    provider = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(_configuration, "_initialize_components", lambda **options: given.update(options))
    monkeypatch.setattr("agentops_otel_litellm.sdk.distro.get_tracer_provider", lambda: provider)
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", None)  # which an earlier test may have set
    os.environ["OTEL_TRACES_EXPORTER"] = exporter
    AgentOpsConfigurator().configure(auto_instrumentation_version="1")  # type: ignore[no-untyped-call]  # upstream's
    resource = {"telemetry.distro.name": "agentops-otel-litellm", "telemetry.distro.version": version.__version__}
    assert given == {"auto_instrumentation_version": "1", "resource_attributes": resource}
    span = provider.get_tracer("app").start_span("open")
    assert (OPEN_SPANS.find(span.get_span_context().span_id) is not None) == told_of_open_spans
    span.end()


ENVIRONMENTS: list[tuple[str, str | None]] = [
    ("", "staging"),
    ("service.name=app", "staging"),
    ("deployment.environment.name=live", None),
]


@pytest.mark.parametrize(("given", "added"), ENVIRONMENTS)
def test_where_the_app_is_deployed(given: str, added: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """AGENTOPS_ENVIRONMENT says it in the resource, unless the user does so in OpenTelemetry's variable."""
    options: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(_configuration, "_initialize_components", lambda **given: options.update(given))
    os.environ.update(AGENTOPS_ENVIRONMENT="staging", OTEL_RESOURCE_ATTRIBUTES=given)
    AgentOpsConfigurator().configure()  # type: ignore[no-untyped-call]  # upstream's
    assert options["resource_attributes"].get("deployment.environment.name") == added


# What the user has set → what is left of it, and of which variables is told.
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


@pytest.mark.parametrize(("given", "left", "of"), BATCHING, ids=[str(given) for given, _, _ in BATCHING])
def test_batches_that_the_sdk_refuses(
    given: dict[str, str], left: dict[str, str], of: list[str], logged: LoggedWarnings
) -> None:
    """It would begin with nothing traced: one line names the variable, and the app is traced."""
    environment = {f"OTEL_BSP_{name}": value for name, value in given.items()}
    drop_unusable_variables(environment)
    assert environment == {f"OTEL_BSP_{name}": value for name, value in left.items()}
    assert [line.split(": ")[0] for line in logged.take()] == [f"Invalid value for OTEL_BSP_{name}" for name in of]


def test_how_much_is_logged() -> None:
    """AGENTOPS_LOG_LEVEL sets the level of this package's logger, and of no other."""
    logger = logging.getLogger("agentops_otel_litellm")
    os.environ.update(AGENTOPS_LOG_LEVEL="error")
    try:
        AgentOpsDistro().configure()
        assert (logger.level, logging.getLogger().level) == (logging.ERROR, logging.WARNING)
    finally:
        logger.setLevel(logging.NOTSET)
