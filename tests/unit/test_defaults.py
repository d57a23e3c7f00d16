"""The distro's defaults: what each environment of a user's becomes."""

from __future__ import annotations

import pytest

from agentops_otel_litellm.sdk.defaults import DEFAULTS, apply_defaults
from support.destinations import AGENTOPS, ALL, CONSOLE, WITH_KEY

ALWAYS = {
    "OTEL_PYTHON_DISTRO": "agentops",
    "OTEL_PYTHON_CONFIGURATOR": "agentops",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
}
ALL += [(given, {"AGENTOPS_API_KEY": "a-key"}, expected) for given, expected in WITH_KEY]


@pytest.mark.parametrize(("given", "key", "expected"), ALL, ids=[f"{given} {len(key)}" for given, key, _ in ALL])
def test_destinations(given: dict[str, str], key: dict[str, str], expected: tuple[str, str, str]) -> None:
    """Each signal goes where the user says, a list and `none` included; traces go to AgentOps too where it has a key;
    with no destination, they are shown.
    """
    environment = {f"OTEL_{name}": value for name, value in given.items()} | key
    became = {**ALWAYS, **environment}
    became |= dict(zip(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), expected, strict=True))
    if CONSOLE in expected[0]:
        became["OTEL_BSP_SCHEDULE_DELAY"] = "200"
    elif AGENTOPS in expected[0] or (key and expected[0] != "none"):
        became["OTEL_BSP_SCHEDULE_DELAY"] = "1000"
    apply_defaults(environment)
    assert environment == became


# What the user has set of ours → what that makes of OpenTelemetry's variables.
OURS: list[tuple[dict[str, str], dict[str, str]]] = [
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


@pytest.mark.parametrize(("given", "expected"), OURS, ids=[str(given) for given, _ in OURS])
def test_what_follows_from_our_own_settings(given: dict[str, str], expected: dict[str, str]) -> None:
    """The app's name, how long spans are gathered, and batches that fit their queue."""
    environment = dict(given)
    apply_defaults(environment)
    names = {"OTEL_SERVICE_NAME", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"}
    became = {name: value for name, value in environment.items() if name in names}
    assert became == {"OTEL_BSP_SCHEDULE_DELAY": "200"} | expected


def test_what_is_set_stays() -> None:
    """No default takes the place of what the user has set."""
    environment = dict.fromkeys(DEFAULTS, "the user's")
    apply_defaults(environment)
    assert set(environment.values()) == {"the user's"}


def test_every_default_is_declared() -> None:
    """What a variable may become is among the values that its row, and so the README, shows."""
    for given, key, _ in ALL:
        environment = {f"OTEL_{name}": value for name, value in given.items()} | key
        became = dict(environment)
        apply_defaults(became)
        assert {name for name, value in became.items() if not environment.get(name)} <= set(DEFAULTS)
        assert all(value in DEFAULTS[name].values for name, value in became.items() if not environment.get(name))
