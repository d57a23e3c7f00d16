"""APIs whose content is captured: conversations, and expected content attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from support.api_caller import ApiCaller
from support.servers.wire import events
from support.wire_formats import CALL_ITEM, PATHS, Body, content, message, response

PNG = "iVBORw0KGgo="


SCHEMA: Body = {"type": "object", "properties": {"city": {"type": "string"}}}


TOOL_DEFINITION: Body = {"type": "function", "name": "weather", "description": "Tells it.", "parameters": SCHEMA}


TOOL_CALL: Body = {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Rome"}}
"""The definition of a tool and a call of it, in the format of the conventions."""


def text_part(text: str) -> Body:
    return {"type": "text", "content": text}


def reasoning_part(text: str) -> Body:
    return {"type": "reasoning", "content": text}


def tool_response(call: str, what: object) -> Body:
    return {"type": "tool_call_response", "id": call, "response": what}


def recorded_message(role: str, *parts: Body, **more: str) -> Body:
    return {"role": role, "parts": list(parts), **more}


PICTURE: Body = {"type": "blob", "modality": "image", "mime_type": "image/png", "size": len(PNG)}


OUTPUT_PARTS = (reasoning_part("So."), text_part("Rome."), TOOL_CALL)
"""The output of each API."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """An API: a conversation in its format, the response, and expected content."""

    function: str
    streaming: str = ""
    """The streaming function, if it has another name."""
    path: str
    parameters: dict[str, Any]
    input_messages: Sequence[Body]
    """The expected input messages."""
    response: Body
    stream: Sequence[bytes]
    finish_reason: str
    cut_after: int
    """The number of events after which the stream is interrupted, and …"""
    parts_before_cut: Sequence[Body]
    asynchronous_only: bool = False

    def stream_with(self, api: ApiCaller) -> None:
        """Call the API with streaming, and read the stream."""
        api.call(self.streaming or self.function, **self.parameters, **({} if self.streaming else {"stream": True}))

    def expected_attributes(self, *output_parts: Body, **more: str) -> dict[str, Any]:
        """The expected attributes; all APIs have the same instructions and tools."""
        return {
            "gen_ai.system_instructions": [text_part("Be brief.")],
            "gen_ai.input.messages": list(self.input_messages),
            "gen_ai.tool.definitions": [TOOL_DEFINITION],
            "gen_ai.output.messages": [recorded_message("assistant", *output_parts, **more)],
        }


def _blocks(*blocks: tuple[Body, Sequence[Body]]) -> list[Body]:
    """The stream events of a message's blocks, from the start of each and its deltas."""
    return [
        event
        for index, (begun, deltas) in enumerate(blocks)
        for event in (
            {"type": "content_block_start", "index": index, "content_block": begun},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        )
    ]


CLAUDE_PICTURE: Body = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


TOOL_USE: Body = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome"}}


CLAUDE = Api(
    function="messages",
    path=PATHS["messages"],
    asynchronous_only=True,
    parameters={
        "model": "anthropic/claude-sonnet-4-6",
        "max_tokens": 64,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where is this?"},
                    CLAUDE_PICTURE,
                    {"type": "document", "source": {"type": "url", "url": "https://example.com/map.pdf"}},
                ],
            },
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}, TOOL_USE]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_1",
                        "content": [CLAUDE_PICTURE],
                    }
                ],
            },
        ],
        "tools": [{"name": "weather", "description": "Tells it.", "input_schema": SCHEMA}],
    },
    input_messages=[
        recorded_message(
            "user",
            text_part("Where is this?"),
            PICTURE,
            {"type": "uri", "modality": "document", "uri": "https://example.com/map.pdf"},
        ),
        recorded_message("assistant", reasoning_part("Hm."), TOOL_CALL),
        recorded_message("tool", tool_response("call_1", [PICTURE])),
    ],
    response=message(
        content=[
            {"type": "thinking", "thinking": "So.", "signature": "s"},
            {"type": "text", "text": "Rome."},
            TOOL_USE,
        ],
        stop_reason="tool_use",
    ),
    stream=events(
        {"type": "message_start", "message": message(content=[], stop_reason=None)},
        *_blocks(
            (
                {"type": "thinking", "thinking": "", "signature": ""},
                [{"type": "thinking_delta", "thinking": "So"}, {"type": "thinking_delta", "thinking": "."}],
            ),
            (
                {"type": "text", "text": ""},
                [{"type": "text_delta", "text": "Ro"}, {"type": "text_delta", "text": "me."}],
            ),
            (
                {**TOOL_USE, "input": {}},
                [
                    {"type": "input_json_delta", "partial_json": '{"city": '},
                    {"type": "input_json_delta", "partial_json": '"Rome"}'},
                ],
            ),
        ),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
        names=True,
    ),
    finish_reason="tool_call",
    cut_after=11,
    parts_before_cut=[*OUTPUT_PARTS[:2], {**TOOL_CALL, "arguments": '{"city": '}],
)


REASONING_ITEM: Body = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "So."}]}


ROME_ITEM: Body = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Rome.", "annotations": []}],
}


RESPONSE = response(output=[REASONING_ITEM, ROME_ITEM, CALL_ITEM])


def _deltas(kind: str, place: Body, *pieces: str) -> list[Body]:
    return [{"type": f"response.{kind}.delta", **place, "delta": piece} for piece in pieces]


_OPENAI_EVENTS: list[Body] = [
    {"type": "response.created", "response": response(status="in_progress", output=[], usage=None)},
    *_deltas("reasoning_summary_text", {"item_id": "rs_1", "output_index": 0, "summary_index": 0}, "So."),
    *_deltas("output_text", {"item_id": "msg_1", "output_index": 1, "content_index": 0}, "Ro", "me."),
    {
        "type": "response.output_item.added",
        "output_index": 2,
        "item": {**CALL_ITEM, "arguments": "", "status": "in_progress"},
    },
    *_deltas("function_call_arguments", {"item_id": "fc_1", "output_index": 2}, '{"city": ', '"Rome"}'),
    {"type": "response.completed", "response": RESPONSE},
]


OPENAI = Api(
    function="responses",
    path=PATHS["responses"],
    parameters={
        "model": "openai/gpt-4o",
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Where is this?"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
                    {"type": "input_file", "file_id": "file-1"},
                ],
            },
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Rome"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        ],
        "tools": [TOOL_DEFINITION],
    },
    input_messages=[
        recorded_message(
            "user",
            text_part("Where is this?"),
            PICTURE,
            {"type": "file", "modality": "document", "file_id": "file-1"},
        ),
        recorded_message("assistant", TOOL_CALL),
        recorded_message("tool", tool_response("call_1", "sunny")),
    ],
    response=RESPONSE,
    stream=events(*({**event, "sequence_number": n} for n, event in enumerate(_OPENAI_EVENTS)), names=True),
    finish_reason="tool_call",
    cut_after=6,
    parts_before_cut=[*OUTPUT_PARTS[:2], {**TOOL_CALL, "arguments": '{"city": '}],
)


GOOGLE_TOOL_CALL: Body = {"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Rome"}}}


GOOGLE = Api(
    function="generate_content",
    streaming="generate_content_stream",
    path=PATHS["content"],
    parameters={
        "model": "gemini/gemini-2.5-flash",
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Where is this?"},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                    {"file_data": {"mime_type": "application/pdf", "file_uri": "https://example.com/map.pdf"}},
                ],
            },
            {"role": "model", "parts": [{"text": "Hm.", "thought": True}, GOOGLE_TOOL_CALL]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"id": "call_1", "name": "weather", "response": {"sky": "sunny"}}}],
            },
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {"functionDeclarations": [{"name": "weather", "description": "Tells it.", "parameters": SCHEMA}]},
        ],
    },
    input_messages=[
        recorded_message(
            "user",
            text_part("Where is this?"),
            PICTURE,
            {
                "type": "uri",
                "modality": "document",
                "mime_type": "application/pdf",
                "uri": "https://example.com/map.pdf",
            },
        ),
        recorded_message("assistant", reasoning_part("Hm."), TOOL_CALL),
        recorded_message("tool", tool_response("call_1", {"sky": "sunny"})),
    ],
    response=content({"text": "So.", "thought": True}, {"text": "Rome."}, GOOGLE_TOOL_CALL),
    stream=events(
        content({"text": "So.", "thought": True}, reason=None, usage=None),
        content({"text": "Ro"}, reason=None, usage=None),
        content({"text": "me."}, GOOGLE_TOOL_CALL),
    ),
    finish_reason="stop",
    cut_after=2,
    parts_before_cut=[reasoning_part("So."), text_part("Ro")],
)


APIS = {"messages": CLAUDE, "responses": OPENAI, "generate_content": GOOGLE}
