"""What is said in a call is told where the user asks for it, whole, in order, and as the conventions have it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from agentops_otel_litellm.semconv import VOCABULARIES
from support.apps import App
from support.captured import CONTENT, Capture, assistant_messages, captured_content, event_attributes, with_lists
from support.recorder import Recorder
from support.servers.openai_provider import Script

PICTURE = "data:image/png;base64,iVBORw0KGgo="
CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "name": "ada",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "cat.png"}'}},
            {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": '{"at": '}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
    {
        "role": "tool",
        "tool_call_id": "call_2",
        "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "dog"}],
    },
]
TOLD = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {
        "role": "user",
        "name": "ada",
        "parts": [
            {"type": "text", "content": "What is this?"},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "size": 12},
            {"type": "uri", "modality": "image", "uri": "https://example.com/cat.png"},
            {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "size": 8},
            {"type": "file", "modality": "document", "file_id": "file-1"},
        ],
    },
    {
        "role": "assistant",
        "parts": [
            {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": "cat.png"}},
            {"type": "tool_call", "id": "call_2", "name": "look", "arguments": '{"at": '},
        ],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_2", "response": "a dog"}]},
]
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}]
CALLS = (("call_1", "look", ('{"at": ', '"cat.png"}')), ("call_2", "look", ("{}",)))

SAID_AND_CALLED: tuple[dict[str, Any], ...] = (
    {"type": "text", "content": "Let me."},
    {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": "cat.png"}},
    {"type": "tool_call", "id": "call_2", "name": "look", "arguments": {}},
)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_conversation_is_told_whole(app: App, captured: Recorder, streamed: bool) -> None:  # noqa: FBT001 - a row
    """Every message, part and tool, in order; media by reference."""
    app.provider.script(Script(content=("Let ", "me."), tool_calls=CALLS))
    (app.read if streamed else app.ask)("completion", messages=CONVERSATION, tools=TOOLS)
    assert captured_content(captured) == {
        "gen_ai.input.messages": TOLD,
        "gen_ai.output.messages": assistant_messages(*SAID_AND_CALLED, finish_reason="tool_call"),
        "gen_ai.tool.definitions": [
            {"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA}
        ],
    }


@pytest.mark.parametrize("streamed", [False, True])
def test_each_choice_is_told(app: App, captured: Recorder, streamed: bool) -> None:  # noqa: FBT001 - a row
    """With all of its tool calls. (Of a stream LiteLLM gives the app but one of their finish reasons.)"""
    app.provider.script(Script(content=("Let ", "me."), tool_calls=CALLS))
    (app.read if streamed else app.ask)("completion", n=3)
    choices = captured_content(captured)["gen_ai.output.messages"]
    (parts,) = (each["parts"] for each in assistant_messages(*SAID_AND_CALLED))
    assert [choice["parts"] for choice in choices] == [parts] * 3
    assert {choice["finish_reason"] for choice in choices if not streamed or "finish_reason" in choice} == {"tool_call"}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_text_completion_is_told(app: App, captured: Recorder, streamed: bool) -> None:  # noqa: FBT001 - a row
    """Each prompt is a message."""
    (app.read if streamed else app.ask)("text_completion", prompt="Say hello.")
    assert captured_content(captured) == {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Say hello."}]}],
        "gen_ai.output.messages": assistant_messages({"type": "text", "content": "Hello, world!"}),
    }


def test_of_an_interrupted_stream_what_came_is_told(app: App, captured: Recorder) -> None:
    """It has no finish reason, and a tool call may end in the middle of its arguments."""
    app.provider.script(Script(content=("Let ",), tool_calls=CALLS, delay=0.01))

    async def scenario() -> None:
        stream = await app.stream(messages=CONVERSATION)
        while chunk := await app.next(stream):
            (call,) = chunk.choices[0].delta.tool_calls or (None,)
            if call is not None and getattr(call, "function").arguments:  # noqa: B009 - the other kind has none
                break

    app.run(scenario())
    assert captured_content(captured)["gen_ai.output.messages"] == assistant_messages(
        {"type": "text", "content": "Let "},
        {"type": "tool_call", "id": "call_1", "name": "look", "arguments": '{"at": '},
        finish_reason=None,
    )


def test_a_failed_call_has_what_was_asked(app: App, captured: Recorder) -> None:
    """And no answer."""
    app.provider.script(Script(status=500))
    with pytest.raises(Exception, match="error"):
        app.ask("completion", messages=CONVERSATION[:1])
    assert captured_content(captured) == {"gen_ai.input.messages": TOLD[:1]}


def test_what_was_said_is_told_as_it_was_when_the_call_began(app: App, captured: Recorder) -> None:
    """The app may change its messages while it reads the answer."""

    async def scenario() -> None:
        mine = [{"role": "user", "content": [{"type": "text", "text": "Before"}]}]
        stream = await app.stream(messages=mine)
        mine[0]["content"][0]["text"] = "After"  # type: ignore[index]  # it is a list
        mine.append({"role": "user", "content": "After"})
        await app.rest(stream)

    app.run(scenario())
    assert captured_content(captured)["gen_ai.input.messages"] == [
        {"role": "user", "parts": [{"type": "text", "content": "Before"}]}
    ]


@pytest.mark.parametrize(
    ("mode", "emit_event", "on_span", "events", "in_event"),
    [
        ("", "", False, 0, False),
        ("NO_CONTENT", "", False, 0, False),
        ("NO_CONTENT", "true", False, 1, False),
        ("SPAN_ONLY", "", True, 0, False),
        ("true", "", True, 0, False),
        ("SPAN_ONLY", "true", True, 1, False),
        ("EVENT_ONLY", "", False, 1, True),
        ("EVENT_ONLY", "false", False, 0, False),
        ("span_and_event", "", True, 1, True),
    ],
)
@pytest.mark.parametrize("app", ["sync"], indirect=True)
def test_what_is_said_is_told_where_it_is_asked_for(  # noqa: PLR0913 - a row
    app: App, capture: Capture, mode: str, emit_event: str, *, on_span: bool, events: int, in_event: bool
) -> None:
    """On spans as JSON, in events as a structure, and by default nowhere; an event says what its span says."""
    recorder = capture(mode, OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT=emit_event)
    app.ask("completion", messages=CONVERSATION[:1], tools=TOOLS)
    told = {
        "gen_ai.input.messages": TOLD[:1],
        "gen_ai.output.messages": assistant_messages({"type": "text", "content": "Hello, world!"}),
        "gen_ai.tool.definitions": [
            {"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA}
        ],
    }
    assert captured_content(recorder) == (told if on_span else {})
    (*found,) = event_attributes(recorder)
    facts = {
        name: value
        for name, value in recorder.attributes().items()
        if name in set(VOCABULARIES["gen_ai"]) and name not in CONTENT
    }
    assert found == [with_lists({**facts, **(told if in_event else {})})] * events


@pytest.mark.parametrize("app", ["sync"], indirect=True)
def test_odd_things_are_told_as_far_as_they_can_be(app: App, captured: Recorder) -> None:
    """Numbers that no exporter can write as such, base64 where a URL should be; the rest of the message is there."""
    arguments = json.dumps({"n": 2**70, "m": -1, "x": 1.5})
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": arguments}}
    picture = {"type": "image_url", "image_url": {"url": "iVBORw0KGgo="}}
    with contextlib.suppress(Exception):  # LiteLLM does not take all of it
        app.ask(
            messages=[
                {"role": "user", "content": [{"type": "text", "text": "Look."}, picture]},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
            ]
        )
    user, assistant, _tool = captured_content(captured)["gen_ai.input.messages"]
    assert user["parts"] == [
        {"type": "text", "content": "Look."},
        {"type": "blob", "modality": "image", "size": 12},
    ]
    assert assistant["parts"][0]["arguments"] == {"n": str(2**70), "m": -1, "x": 1.5}
