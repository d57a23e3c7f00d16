"""The settings: what is read, what is told of values that cannot be used, and where a vocabulary is declared."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agentops_otel_litellm.exporters.agentops import AgentOpsSpanExporter
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.declaration import setting
from support.instrumented import Reinstrument
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.settings_environment import no_earlier_warnings  # noqa: F401 - a fixture

VOCABULARIES = ("gen_ai", "llm")


def _digits(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"digits, not {text!r}")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class WithPins(Settings):
    pin: int | None = setting("AGENTOPS_PIN", default=None, parse=_digits, help="", secret=True)
    door: int = setting("AGENTOPS_DOOR", default=7, parse=_digits, help="")


@pytest.mark.parametrize(
    ("text", "names"),
    [("", None), ("llm", ("llm",)), (" llm , gen_ai,llm,", ("llm", "gen_ai"))],
)
def test_vocabularies(text: str, names: tuple[str, ...] | None) -> None:
    """A comma-separated choice, in the user's order, or none."""
    assert Settings.from_environment({"AGENTOPS_SEMCONV": text}).vocabularies(VOCABULARIES) == names


@pytest.mark.parametrize(
    ("text", "quoted"), [("GEN_AI", "'GEN_AI'"), ("gen_ai, traceloop", "'gen_ai,traceloop'"), (",", "''")]
)
def test_unknown_vocabularies(text: str, quoted: str, logged: LoggedWarnings) -> None:
    """What there is is told in a line, once, however often the settings are read; there is no choice then."""
    for _ in range(2):
        assert Settings.from_environment({"AGENTOPS_SEMCONV": text}).vocabularies(VOCABULARIES) is None
    assert logged.take() == [
        (
            f"Invalid value for AGENTOPS_SEMCONV: {quoted} (expected a comma-separated choice of gen_ai, llm). "
            "The value is ignored."
        )
    ]


def test_a_bad_choice_is_told_once_by_all(
    instrumented_with: Reinstrument, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    """The exporter and the instrumentor both read the settings."""
    monkeypatch.setenv("AGENTOPS_SEMCONV", "canary")
    AgentOpsSpanExporter().shutdown()
    with instrumented_with(Recorder()):
        monkeypatch.delenv("AGENTOPS_SEMCONV")
    assert [line.split(" (")[0] for line in logged.take()] == ["Invalid value for AGENTOPS_SEMCONV: 'canary'"]


def test_the_value_of_a_secret_is_not_told(logged: LoggedWarnings) -> None:
    """Of a secret neither the value nor what its parser says, which may quote it; of others both."""
    environment = {"AGENTOPS_PIN": "canary", "AGENTOPS_DOOR": "front"}
    assert WithPins.from_environment(environment) == WithPins(pin=None, door=7)
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
def test_a_url_that_is_none_is_not_told(text: str, logged: LoggedWarnings) -> None:
    """In it a password may be anywhere, and Python's own error quotes some: the variable is named alone."""
    assert Settings.from_environment({"AGENTOPS_EXPORTER_ENDPOINT": text}).exporter_endpoint is None
    expected = "(expected a URL that begins with http:// or https://)"
    assert logged.take() == [f"Invalid value for AGENTOPS_EXPORTER_ENDPOINT {expected}. Nothing is sent to AgentOps."]


def test_a_password_in_what_is_no_url_is_not_told(logged: LoggedWarnings) -> None:
    """Somebody may have put one where a switch is."""
    assert Settings.from_environment({"AGENTOPS_STREAM_USAGE": "http://me:canary@host"}).stream_usage is False
    assert logged.take() == [
        "Invalid value for AGENTOPS_STREAM_USAGE: 'http://***@host' (expected true or false). Using false."
    ]


def test_numbers_that_are_too_large(logged: LoggedWarnings) -> None:
    """Python cannot wait so long, nor count so far."""
    given = {"AGENTOPS_MAX_WAIT_TIME": "9" * 14, "AGENTOPS_MAX_QUEUE_SIZE": "9" * 5_000}
    settings = Settings.from_environment(given)
    assert (settings.max_wait_time, settings.max_queue_size) == (5_000, 512)
    accepted = "(expected a number of {} with at most 9 digits). Using {}."
    ends = [accepted.format("milliseconds", 5_000), accepted.format("spans", 512)]
    assert sorted(line.partition("' ")[2] for line in logged.take()) == sorted(ends)
