"""If LiteLLM's message logging is off for a call, no content of it is captured; span and metrics stay."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import litellm
import pytest

from agentops_otel_litellm.readers import logging_payload
from agentops_otel_litellm.readers.logging_payload import is_message_logging_off
from support.apps import App
from support.captured import Capture
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.servers.openai_provider import Script

SECRET = "canary-prompt"
ANSWER = "canary-answer"
MESSAGES = [{"role": "user", "content": SECRET}]
ENABLED = {"headers": {"x-litellm-enable-message-redaction": "true"}}
OPT_OUTS: dict[str, dict[str, Any]] = {
    "parameter": {"turn_off_message_logging": True},
    "no-log": {"no-log": True},
    "header": {"metadata": ENABLED},
    "old header": {"metadata": {"headers": {"litellm-enable-message-redaction": "true"}}},
}


def without_content(telemetry: Recorder) -> bool:
    everything = telemetry.everything()
    return SECRET not in everything and ANSWER not in everything


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("opt_out", OPT_OUTS)
def test_opt_out_of_one_call(app: App, capture: Capture, opt_out: str, streamed: bool) -> None:  # noqa: FBT001 - one of two
    telemetry = capture("SPAN_AND_EVENT")
    app.provider.script(Script(content=(ANSWER,)))
    (app.read if streamed else app.ask)(messages=MESSAGES, **OPT_OUTS[opt_out])
    assert telemetry.attributes()["llm.request.messages_count"] == 1
    assert "gen_ai.client.operation.duration" in {point.name for point in telemetry.points()}
    assert without_content(telemetry)
    telemetry.forget()
    (app.read if streamed else app.ask)(messages=MESSAGES)
    assert SECRET in str(telemetry.attributes()["gen_ai.input.messages"])
    assert ANSWER in str(telemetry.attributes()["gen_ai.output.messages"])


@pytest.mark.parametrize(
    ("parameters", "captured"),
    [({}, False), ({"turn_off_message_logging": False}, True), ({"turn_off_message_logging": "False"}, True)],
)
def test_opt_out_of_all_calls(
    app: App,
    capture: Capture,
    monkeypatch: pytest.MonkeyPatch,
    parameters: dict[str, Any],
    captured: bool,  # noqa: FBT001 - (the same)
) -> None:
    """The parameter of a call is stronger."""
    monkeypatch.setattr(litellm, "turn_off_message_logging", True)
    telemetry = capture("SPAN_AND_EVENT")
    app.ask(messages=MESSAGES, **parameters)
    assert without_content(telemetry) is not captured


def test_opt_out_of_a_call_that_fails(app: App, capture: Capture) -> None:
    telemetry = capture("SPAN_AND_EVENT")
    app.provider.script(Script(status=400))
    with pytest.raises(litellm.BadRequestError):
        app.ask(messages=MESSAGES, turn_off_message_logging=True)
    assert telemetry.attributes()["error.type"] == "BadRequestError"
    assert without_content(telemetry)


@pytest.mark.parametrize("parameters", OPT_OUTS.values(), ids=OPT_OUTS)
def test_opt_out_of_other_operations(app: App, capture: Capture, parameters: dict[str, Any]) -> None:
    telemetry = capture("SPAN_AND_EVENT")
    app.ask("embedding", input=[SECRET], **parameters)
    assert telemetry.attributes()["gen_ai.operation.name"] == "embeddings"
    assert without_content(telemetry)


def test_no_log_that_the_administrator_disabled(app: App, capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "global_disable_no_log_param", True)
    telemetry = capture("SPAN_ONLY")
    app.ask(messages=MESSAGES, **OPT_OUTS["no-log"])
    assert SECRET in str(telemetry.attributes()["gen_ai.input.messages"])


@pytest.mark.parametrize(
    ("parameters", "off"),
    [
        ({}, False),
        ({"turn_off_message_logging": True}, True),
        ({"metadata": {"turn_off_message_logging": True}}, True),
        ({"litellm_metadata": ENABLED}, True),
        ({"metadata": None, "no-log": True}, True),
        ({"metadata": ["not a dict"]}, False),
    ],
)
def test_without_a_logging_object(parameters: dict[str, Any], off: bool) -> None:  # noqa: FBT001 - (the same)
    """The call failed before LiteLLM made one, or LiteLLM carries it in Rust."""
    assert is_message_logging_off(parameters, None) is off


def test_settings_of_a_key_or_a_team() -> None:
    """The proxy gives them to the logging object."""
    logging = SimpleNamespace(
        model_call_details={"litellm_params": {}},
        standard_callback_dynamic_params={"turn_off_message_logging": True},
    )
    assert is_message_logging_off({}, logging)


def test_no_content_if_the_opt_out_cannot_be_read(
    app: App, capture: Capture, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = capture("SPAN_AND_EVENT")
    monkeypatch.setattr(logging_payload, "_own_setting", None)
    app.ask(messages=MESSAGES)
    assert telemetry.attributes()["gen_ai.request.model"] == "gpt-4o"
    assert without_content(telemetry)
    assert "message logging" in logged.take()[0]
