"""Reading the settings, and warnings about invalid values."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.parsing import setting
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.settings_environment import no_earlier_warnings  # noqa: F401 - a fixture

VOCABULARIES = ("gen_ai", "llm")


def parse_digits(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"digits, not {text!r}")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class SettingsWithPin(Settings):
    pin: int | None = setting("AGENTOPS_PIN", default=None, parse=parse_digits, help="", secret=True)
    door: int = setting("AGENTOPS_DOOR", default=7, parse=parse_digits, help="")


@pytest.mark.parametrize(
    ("text", "names"),
    [("", None), ("llm", ("llm",)), (" llm , gen_ai,llm,", ("llm", "gen_ai"))],
)
def test_a_choice_of_vocabularies(text: str, names: tuple[str, ...] | None) -> None:
    """A comma-separated list in the user's order; an empty value is no choice."""
    assert Settings.from_environment({"AGENTOPS_SEMCONV": text}).vocabularies(VOCABULARIES) == names


@pytest.mark.parametrize(
    ("text", "quoted_value"), [("GEN_AI", "'GEN_AI'"), ("gen_ai, traceloop", "'gen_ai,traceloop'"), (",", "''")]
)
def test_unknown_vocabularies_are_reported_once(text: str, quoted_value: str, logged: LoggedWarnings) -> None:
    """The warning lists the known vocabularies, and the value counts as no choice."""
    for _ in range(2):
        assert Settings.from_environment({"AGENTOPS_SEMCONV": text}).vocabularies(VOCABULARIES) is None
    assert logged.take() == [
        (
            f"Invalid value for AGENTOPS_SEMCONV: {quoted_value} (expected a comma-separated choice of gen_ai, llm). "
            "The value is ignored."
        )
    ]


def test_exporter_and_instrumentor_report_an_invalid_choice_once(
    instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    """Both read the setting."""
    monkeypatch.setenv("AGENTOPS_SEMCONV", "canary")
    AgentOpsSpanExporter().shutdown()
    with instrumented_with(Recorder()):
        monkeypatch.delenv("AGENTOPS_SEMCONV")
    assert [line.split(" (")[0] for line in logged.take()] == ["Invalid value for AGENTOPS_SEMCONV: 'canary'"]


def test_the_value_of_a_secret_is_not_logged(logged: LoggedWarnings) -> None:
    """The parser's message may quote the value, so it is left out too. Both are logged for other settings."""
    environment = {"AGENTOPS_PIN": "canary", "AGENTOPS_DOOR": "front"}
    assert SettingsWithPin.from_environment(environment) == SettingsWithPin(pin=None, door=7)
    assert sorted(logged.take()) == [
        "Invalid value for AGENTOPS_DOOR: 'front' (expected digits, not 'front'). Using 7.",
        "Invalid value for AGENTOPS_PIN. The value is ignored.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "me:canary@collector.internal/v1/traces",
        "canary",
        "http://me:canary@exa\u2100mple.com/",
        "http:///canary",
        "http://me:canary",
    ],
)
def test_an_invalid_url_is_not_logged(text: str, logged: LoggedWarnings) -> None:
    """It may have a password at any position, and Python's own error may quote it."""
    assert Settings.from_environment({"AGENTOPS_EXPORTER_ENDPOINT": text}).exporter_endpoint is None
    expected = "(expected a URL that begins with http:// or https://)"
    assert logged.take() == [f"Invalid value for AGENTOPS_EXPORTER_ENDPOINT {expected}. Nothing is sent to AgentOps."]


def test_credentials_in_other_settings_are_masked(logged: LoggedWarnings) -> None:
    """A URL may be in the wrong variable by mistake."""
    assert Settings.from_environment({"AGENTOPS_STREAM_USAGE": "http://me:canary@host"}).stream_usage is None
    assert logged.take() == [
        "Invalid value for AGENTOPS_STREAM_USAGE: 'http://***@host' (expected true or false). The value is ignored."
    ]


def test_numbers_that_are_too_large_are_rejected(logged: LoggedWarnings) -> None:
    """Python can neither wait for so long nor convert so many digits."""
    environment = {"AGENTOPS_MAX_WAIT_TIME": "9" * 14, "AGENTOPS_MAX_QUEUE_SIZE": "9" * 5_000}
    settings = Settings.from_environment(environment)
    assert (settings.max_wait_time, settings.max_queue_size) == (5_000, 512)
    accepted = "(expected a number of {} with at most 9 digits). Using {}."
    ends = [accepted.format("milliseconds", 5_000), accepted.format("spans", 512)]
    assert sorted(line.partition("' ")[2] for line in logged.take()) == sorted(ends)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"AGENTOPS_API_KEY": "a-key"}, True),
        ({"AGENTOPS_API_KEY": "a-key", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"AGENTOPS_API_KEY": "a-key", "AGENTOPS_STREAM_USAGE": "false"}, False),
        ({"AGENTOPS_STREAM_USAGE": "true"}, True),
    ],
)
def test_the_usage_of_streams_is_requested_for_agentops(environment: dict[str, str], expected: bool) -> None:  # noqa: FBT001 - a parameter
    """By default only if AgentOps is a destination."""
    assert Settings.from_environment(environment).requests_stream_usage(environment) is expected
