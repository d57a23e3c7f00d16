"""OpenTelemetry's completion hook gets what is said as it may be told, and nothing where nothing may be."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.trace import Span

pytest.importorskip("opentelemetry.util.genai", reason="needs the extra `upload`")
from opentelemetry.util.genai import completion_hook as upstream
from opentelemetry.util.genai._upload.completion_hook import UploadCompletionHook
from opentelemetry.util.genai.types import InputMessage, TextPart

from agentops_otel_litellm import telemetry as telemetry_module
from agentops_otel_litellm.patching.traced_functions import TRACING
from support.apps import App
from support.captured import CONTENT, Capture, captured_content, event_attributes
from support.logged_warnings import LoggedWarnings
from support.recorder import Recorder
from support.servers.openai_provider import Script

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"
PATH = "OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH"
REFERENCES = {f"{name}_ref" for name in CONTENT}
SECRET = f"sk-{'x' * 40}"
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
ASKED: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": f"My key is {SECRET}."}]},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}],
}
ANSWER = Script(content=("Let ", "me."), tool_calls=(("call_1", "look", ('{"at": ', '"cat.png"}')),))
UPLOADED = {
    "gen_ai.input.messages_ref": [
        {"role": "system", "parts": [{"content": "Be brief.", "type": "text"}], "name": None},
        {"role": "user", "parts": [{"content": "My key is [key].", "type": "text"}], "name": None},
    ],
    "gen_ai.output.messages_ref": [
        {
            "role": "assistant",
            "parts": [
                {"content": "Let me.", "type": "text"},
                {"arguments": {"at": "cat.png"}, "name": "look", "id": "call_1", "type": "tool_call"},
            ],
            "finish_reason": "tool_call",
            "name": None,
        }
    ],
    "gen_ai.tool.definitions_ref": [
        {"name": "look", "description": "Looks.", "parameters": SCHEMA, "type": "function"},
    ],
}


@pytest.fixture
def uploading(capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Capture:
    """LiteLLM, instrumented by somebody who has what is said uploaded."""
    monkeypatch.setenv(VARIABLE, "upload")
    monkeypatch.setenv(PATH, tmp_path.as_uri())
    return lambda mode, **environment: capture(mode, **{VARIABLE: "upload", **environment})


def uploaded(references: dict[str, Any]) -> dict[str, Any]:
    """What is there, where the references say."""
    assert TRACING.telemetry is not None
    hook = TRACING.telemetry._hook
    assert hook is not None
    (upload,) = (vars(hook._hook)["_wrapped"],)
    assert isinstance(upload, UploadCompletionHook)
    upload.shutdown()
    return {
        name: json.loads(Path(str(references[name]).removeprefix("file://")).read_text("utf-8"))
        for name in REFERENCES
        if name in references
    }


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("mode", ["", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"])
def test_what_is_said_is_uploaded_redacted(app: App, uploading: Capture, mode: str, *, streamed: bool) -> None:
    """Wherever else it is told; the span and the event, where there is one, say where it is."""
    recorder = uploading(mode)
    app.provider.script(ANSWER)
    (app.read if streamed else app.ask)("completion", **ASKED)
    attributes = recorder.attributes()
    assert uploaded(attributes) == UPLOADED
    assert bool(captured_content(recorder)) == mode.startswith("SPAN")
    (*events,) = event_attributes(recorder)
    assert [{name: each[name] for name in REFERENCES & each.keys()} for each in events] == [
        {name: attributes[name] for name in REFERENCES & attributes.keys()}
    ] * mode.endswith("EVENT" if mode.startswith("SPAN") else "EVENT_ONLY")
    assert SECRET not in recorder.everything()


@pytest.mark.parametrize("app", ["sync"], indirect=True)
def test_a_failed_call_uploads_what_was_asked(app: App, uploading: Capture) -> None:
    """And an event that is asked for tells where."""
    recorder = uploading("", OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT="true")
    app.provider.script(Script(status=400))
    with pytest.raises(Exception, match="error"):
        app.ask("completion", messages=ASKED["messages"])
    attributes = recorder.attributes()
    assert uploaded(attributes).keys() == {"gen_ai.input.messages_ref"}
    records = [log.log_record for log in recorder.logs()]
    (event,) = (each for each in records if each.event_name == "gen_ai.client.inference.operation.details")
    assert (event.attributes or {})["gen_ai.input.messages_ref"] == attributes["gen_ai.input.messages_ref"]


class Own:
    """A hook of the user's."""

    calls: list[dict[str, Any]]

    def __init__(self) -> None:
        type(self).calls = []

    def on_completion(
        self, *, span: Span | None = None, log_record: LogRecord | None = None, **captured_content: object
    ) -> None:
        assert span is not None
        assert span.is_recording()
        span.set_attribute("llm.own", value=True)
        self.calls.append({**captured_content, "log_record": log_record})


class Failing(Own):
    def on_completion(self, **_given: object) -> None:
        raise RuntimeError("of the user's")


def installed(monkeypatch: pytest.MonkeyPatch, hook: type) -> None:
    """A package that brings the hook `own`."""
    monkeypatch.setattr(sys.modules[__name__], "hook", hook, raising=False)
    entry = metadata.EntryPoint("own", f"{__name__}:hook", "opentelemetry_genai_completion_hook")
    for module in (upstream, telemetry_module):
        monkeypatch.setattr(module, "entry_points", lambda group: [entry] if group == entry.group else [])
    monkeypatch.setenv(VARIABLE, "own")


def test_a_hook_of_the_users_is_called(app: App, capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its entry point, with OpenTelemetry's types, once for each call, before the span ends."""
    installed(monkeypatch, Own)
    recorder = capture("", **{VARIABLE: "own"})
    app.ask("completion", messages=ASKED["messages"])
    (call,) = Own.calls
    assert call["inputs"][1] == InputMessage(role="user", parts=[TextPart(content="My key is [key].")])
    assert call["outputs"][0].parts == [TextPart(content="Hello, world!")]
    assert (call["system_instruction"], call["tool_definitions"], call["log_record"]) == ([], None, None)
    attributes = recorder.attributes()
    assert attributes["llm.own"] is True
    assert not CONTENT & attributes.keys()


def test_a_hook_that_fails_costs_nothing_else(
    app: App, capture: Capture, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    """The app has its answer, and the span what it has without."""
    installed(monkeypatch, Failing)
    recorder = capture("", **{VARIABLE: "own"})
    assert app.ask("completion").choices[0].message.content == "Hello, world!"
    assert "gen_ai.usage.input_tokens" in recorder.attributes()
    (line,) = logged.take()
    assert line.startswith("CompletionHook ")


@pytest.mark.parametrize("app", ["sync"], indirect=True)
def test_without_its_package_a_hook_is_told_of(
    app: App, capture: Capture, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    """What to install, in a line; nothing of what is said is read."""
    monkeypatch.delitem(sys.modules, "agentops_otel_litellm.exporters.completion_hook", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.util.genai", None)
    recorder = capture("", **{VARIABLE: "upload"})
    assert TRACING.telemetry is not None
    assert not TRACING.telemetry.records_content
    app.ask("completion")
    assert "gen_ai.usage.input_tokens" in recorder.attributes()
    (line,) = logged.take()
    assert "pip install 'agentops-otel-litellm[upload]'" in line


def test_nothing_is_given_where_a_redactor_fails(
    app: App, capture: Capture, monkeypatch: pytest.MonkeyPatch, logged: LoggedWarnings
) -> None:
    """A hook is no way around redaction."""
    installed(monkeypatch, Own)
    recorder = capture("", **{VARIABLE: "own", "AGENTOPS_REDACTOR": "no_such_module:redact"})
    app.ask("completion")
    assert Own.calls == []
    assert isinstance(recorder, Recorder)
    assert "No content is recorded." in logged.take()[0]


def test_an_unknown_hook_is_not_used(app: App, capture: Capture, logged: LoggedWarnings) -> None:
    """A warning names the installed hooks, without the secrets in the value. Content is not read."""
    recorder = capture("", **{VARIABLE: "https://me:canary@host.example/x"})
    app.ask("completion")
    (warning,) = logged.take()
    assert warning.startswith(f"Invalid value for {VARIABLE}: 'https://***@host.example/x' (expected one of: ")
    assert "gen_ai.input.messages" not in recorder.attributes()
