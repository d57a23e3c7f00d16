"""What may be told of what was said: shortened to the limits, redacted, and nothing where that fails."""

from __future__ import annotations

import pytest

from support.apps import App
from support.captured import Capture, captured_content
from support.logged_warnings import LoggedWarnings


def test_where_a_redactor_fails_nothing_is_told(
    app: App, capture: Capture, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    """The rest of the span is there, and so is the answer; it is told once."""

    def fails(_text: str) -> str:
        raise RuntimeError("of the user's")

    monkeypatch.setattr("support.edited_content.fails", fails, raising=False)
    recorder = capture("SPAN_AND_EVENT", AGENTOPS_REDACTOR="support.edited_content:fails")
    for _ in range(2):
        assert app.ask().choices[0].message.content == "Hello, world!"
    assert all("gen_ai.usage.input_tokens" in (span.attributes or {}) for span in recorder.spans())
    assert "Say hello." not in recorder.everything()
    (line,) = logged.take()
    assert line.startswith("Redacting the content of a call failed (RuntimeError at ")


@pytest.mark.parametrize("app", ["sync"], indirect=True)
def test_the_limits_and_the_rules_are_settings(app: App, capture: Capture) -> None:
    """What is told is still JSON."""
    recorder = capture("SPAN_ONLY", AGENTOPS_CONTENT_PART_LIMIT="10", AGENTOPS_REDACT="card")
    app.ask(messages=[{"role": "user", "content": "a@b.cd 4111 1111 1111 1111"}])
    assert captured_content(recorder)["gen_ai.input.messages"] == [
        {"role": "user", "parts": [{"type": "text", "content": "a@b.cd [ca… [16 characters left out]"}]}
    ]
