"""Calls with secrets in their content."""

from __future__ import annotations

TOOL = {
    "type": "function",
    "function": {
        "name": "canary_tool_name",
        "description": "canary tool description",
        "parameters": {"type": "object", "properties": {"canary_parameter": {"type": "string"}}},
    },
}


TOOL_CALL = {
    "id": "call-canary",
    "type": "function",
    "function": {"name": "canary_tool_name", "arguments": '{"canary": 1}'},
}


CHAT = {
    "messages": [
        {"role": "system", "content": "canary-system"},
        {"role": "user", "name": "canary-name", "content": "canary-prompt"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "canary-part"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,canary+image"}},
            ],
        },
        {"role": "assistant", "content": "canary-assistant", "tool_calls": [TOOL_CALL]},
        {"role": "tool", "tool_call_id": "call-canary", "content": "canary-tool-result"},
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "canary_tool_name"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "canary_schema", "schema": {}}},
    "logit_bias": {"canary": 1},
}


CALL_PARAMETERS: dict[str, dict[str, object]] = {
    "completion": CHAT,
    "text_completion": {"prompt": "canary-prompt", "suffix": "canary-suffix"},
    "embedding": {"input": ["canary-input", "canary-second"]},
}
