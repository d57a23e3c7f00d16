"""No content is recorded by default, of any API."""

from __future__ import annotations

import json
from typing import Any

import litellm
import pytest

from support.api_caller import ApiCaller
from support.recorder import Recorder
from support.servers.wire import Reply, WireProvider
from support.wire_formats import (
    CALL_ITEM,
    MESSAGE_ITEM,
    PATHS,
    PIECES,
    TEXT,
    TEXT_BLOCK,
    TOOL_BLOCK,
    Body,
    chat,
    chat_events,
    content,
    content_events,
    message,
    message_events,
    response,
    response_events,
)

SAID = "confidential"
"""In everything the app sends that is not a choice of its own."""
FUNCTION = {"name": SAID, "description": SAID, "parameters": {"type": "object", "properties": {}}}
PICTURE = f"data:image/png;base64,{SAID}"

# Function → how it is called, with the provider's own model and with one for which LiteLLM translates.
CALLS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "responses": (
        {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": SAID}, {"type": "input_image", "image_url": PICTURE}],
                },
                {**CALL_ITEM, "name": SAID, "arguments": json.dumps({"city": SAID})},
                {"type": "function_call_output", "call_id": "call_1", "output": SAID},
            ],
            "instructions": SAID,
            "tools": [{"type": "function", **FUNCTION}],
            "tool_choice": {"type": "function", "name": SAID},
            "metadata": {"note": SAID},
        },
        ("openai/gpt-4o", "groq/a-model"),
    ),
    "messages": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": SAID}]},
                {"role": "assistant", "content": [TEXT_BLOCK, {**TOOL_BLOCK, "input": {"city": SAID}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": SAID}]},
            ],
            "system": SAID,
            "max_tokens": 64,
            "tools": [{"name": SAID, "description": SAID, "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "tool", "name": SAID},
            "metadata": {"note": SAID},
        },
        ("anthropic/claude-sonnet-4-6", "openai/gpt-4o", "groq/a-model"),
    ),
    "generate_content": (
        {
            "contents": [
                {"role": "user", "parts": [{"text": SAID}, {"inlineData": {"mimeType": "image/png", "data": SAID}}]}
            ],
            "systemInstruction": {"parts": [{"text": SAID}]},
            "tools": [{"functionDeclarations": [FUNCTION]}],
        },
        ("gemini/gemini-2.5-flash", "openai/gpt-4o"),
    ),
}


def answer(wire: WireProvider, *, streamed: bool) -> None:
    """With a text and a call of a tool."""
    call: Body = {"functionCall": {"name": SAID, "args": {"city": SAID}}}
    for path, body, pieces in (
        ("responses", response(output=[MESSAGE_ITEM, {**CALL_ITEM, "arguments": SAID}]), response_events()),
        ("chat", chat(), chat_events()),
        ("messages", message(content=[TEXT_BLOCK, {**TOOL_BLOCK, "input": {"city": SAID}}]), message_events()),
        ("content", content({"text": TEXT}, call), content_events()),
    ):
        wire.reply(PATHS[path], Reply(body=body, pieces=pieces if streamed else None))


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("function", "model"), [(each, model) for each in CALLS for model in CALLS[each][1]])
def test_nothing_that_is_said_is_told(
    wire: WireProvider, telemetry: Recorder, function: str, model: str, *, streamed: bool
) -> None:
    """Prompts, answers, tools and keys are in none of the signals, whether the call is answered or refused."""
    asked: dict[str, Any] = {**CALLS[function][0], "model": model}
    called = function
    if streamed and function == "generate_content":
        called = "generate_content_stream"
    elif streamed:
        asked["stream"] = True
    api = ApiCaller(wire=wire, asynchronous=True)
    answer(wire, streamed=streamed)
    api.call(called, **asked)
    wire.reset()
    for path in PATHS.values():
        wire.reply(path, Reply(status=400, body={"error": {"message": f"{SAID} sk-test {TEXT}", "type": "x"}}))
    with pytest.raises(litellm.exceptions.openai.APIError):
        api.call(called, **asked)
    assert len(telemetry.spans()) == 2
    everything = telemetry.everything()
    assert [each for each in (SAID, "sk-test", TEXT, PIECES[0], "weather", "Rome") if each in everything] == []
