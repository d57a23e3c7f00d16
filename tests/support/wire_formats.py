"""Responses of providers in four API formats, with the same text and the same usage."""

from __future__ import annotations

from collections.abc import Mapping

from support.recorder import Attributes
from support.servers.wire import Reply, WireProvider, events

PIECES = ("Hello", ", ", "world!")
TEXT = "".join(PIECES)
INPUT, CACHE_READ, CACHE_WRITE, OUTPUT, REASONING = 11, 4, 2, 7, 3
"""Tokens: the second and third are parts of the first, the last one is part of the fourth."""

Body = dict[str, object]

# --- OpenAI's Responses API -----------------------------------------------------------------------------------

RESPONSES_USAGE: Body = {
    "input_tokens": INPUT,
    "input_tokens_details": {"cached_tokens": CACHE_READ},
    "output_tokens": OUTPUT,
    "output_tokens_details": {"reasoning_tokens": REASONING},
    "total_tokens": INPUT + OUTPUT,
}
MESSAGE_ITEM: Body = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
}
CALL_ITEM: Body = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Rome"}',
    "status": "completed",
}


def response(**changes: object) -> Body:
    """A response of the Responses API."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "gpt-4o-2024-08-06",
        "output": [MESSAGE_ITEM],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": RESPONSES_USAGE,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "service_tier": "default",
        **changes,
    }


def response_events(end: str = "completed", **changes: object) -> list[bytes]:
    """The stream events of a response with these changes."""
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = {**MESSAGE_ITEM, "status": "in_progress", "content": []}
    early = response(status="in_progress", output=[], usage=None)
    messages: list[Body] = [
        {"type": "response.created", "response": early},
        {"type": "response.in_progress", "response": early},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {
            "type": "response.content_part.added",
            **place,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        *({"type": "response.output_text.delta", **place, "delta": piece} for piece in PIECES),
        {"type": "response.output_text.done", **place, "text": TEXT},
        {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE_ITEM},
        {"type": f"response.{end}", "response": response(status=end, **changes)},
    ]
    return events(*({**message, "sequence_number": n} for n, message in enumerate(messages)), names=True)


# --- OpenAI's chat completions --------------------------------------------------------------------------------

CHAT_USAGE: Body = {
    "prompt_tokens": INPUT,
    "completion_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "prompt_tokens_details": {"cached_tokens": CACHE_READ},
    "completion_tokens_details": {"reasoning_tokens": REASONING},
}


def chat() -> Body:
    message = {"role": "assistant", "content": TEXT}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": CHAT_USAGE,
        "service_tier": "default",  # required by LiteLLM's Responses API
    }


def chat_events(*, with_usage: bool = True) -> list[bytes]:
    shared: Body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
    }
    deltas: list[tuple[Body, str | None]] = [({"role": "assistant", "content": piece}, None) for piece in PIECES]
    deltas.append(({}, "stop"))
    chunks: list[object] = [
        {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas
    ]
    return events(*chunks, *([{**shared, "choices": [], "usage": CHAT_USAGE}] if with_usage else []), "[DONE]")


# --- Anthropic's Messages -------------------------------------------------------------------------------------

MESSAGES_USAGE: Body = {
    "input_tokens": INPUT - CACHE_READ - CACHE_WRITE,
    "cache_read_input_tokens": CACHE_READ,
    "cache_creation_input_tokens": CACHE_WRITE,
    "output_tokens": OUTPUT,
}
TEXT_BLOCK: Body = {"type": "text", "text": TEXT}
TOOL_BLOCK: Body = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}


def message(**changes: object) -> Body:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [TEXT_BLOCK],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
        **changes,
    }


def message_events(*, error: str | None = None) -> list[bytes]:
    """The stream events of a message. With `error`, the provider interrupts it with an error event."""
    started = message(content=[], stop_reason=None, usage={**MESSAGES_USAGE, "output_tokens": 1})
    delta = {"type": "content_block_delta", "index": 0}
    messages: list[Body] = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *({**delta, "delta": {"type": "text_delta", "text": piece}} for piece in PIECES),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT},
        },
        {"type": "message_stop"},
    ]
    if error is not None:
        messages[5:] = [{"type": "error", "error": {"type": error, "message": f"{TEXT} is what I cannot say."}}]
    return events(*messages, names=True)


# --- Google's generateContent ---------------------------------------------------------------------------------

CONTENT_USAGE: Body = {
    "promptTokenCount": INPUT,
    "candidatesTokenCount": OUTPUT - REASONING,
    "thoughtsTokenCount": REASONING,
    "cachedContentTokenCount": CACHE_READ,
    "totalTokenCount": INPUT + OUTPUT,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": INPUT}],
}


def content(*parts: Body, reason: str | None = "STOP", usage: Mapping[str, object] | None = CONTENT_USAGE) -> Body:
    body: Body = {
        "candidates": [candidate(*parts, reason=reason)],
        "modelVersion": "gemini-2.5-flash",
        "responseId": "answer",
    }
    return body if usage is None else {**body, "usageMetadata": usage}


def candidate(*parts: Body, reason: str | None = "STOP", index: int = 0) -> Body:
    written: Body = {"content": {"parts": list(parts) or [{"text": TEXT}], "role": "model"}, "index": index}
    return written if reason is None else {**written, "finishReason": reason}


def content_events() -> list[bytes]:
    parts: list[Body] = [{"text": piece} for piece in PIECES]
    first, second, last = parts
    early = {"promptTokenCount": INPUT, "totalTokenCount": INPUT}
    return events(
        content(first, reason=None, usage=early),
        content(second, reason=None, usage=None),
        content(last),
    )


# --- all formats ----------------------------------------------------------------------------------------------

PATHS = {
    "responses": "/responses",
    "chat": "/chat/completions",
    "messages": "/messages",
    "content": "enerateContent",
}


def respond_everywhere(wire: WireProvider) -> None:
    wire.reply(PATHS["responses"], Reply(body=response()))
    wire.reply(PATHS["chat"], Reply(body=chat()))
    wire.reply(PATHS["messages"], Reply(body=message()))
    wire.reply(PATHS["content"], Reply(body=content()))


def stream_everywhere(wire: WireProvider, *, delay: float = 0.0, cut_after: int | None = None) -> None:
    for path, pieces in (
        (PATHS["responses"], response_events()),
        (PATHS["chat"], chat_events()),
        (PATHS["messages"], message_events()),
        (PATHS["content"], content_events()),
    ):
        wire.reply(path, Reply(pieces=pieces, delay=delay, cut_after=cut_after))


def fail_everywhere(wire: WireProvider, status: int, **headers: str) -> None:
    for path in PATHS.values():
        wire.reply(path, Reply(status=status, headers=headers, body={"error": {"message": TEXT, "type": "refused"}}))


def usage_attributes(*, cache_write: bool = False, reasoning: bool = True) -> Attributes:
    """The attributes of the usage that LiteLLM passes on."""
    known: Attributes = {
        "gen_ai.usage.input_tokens": INPUT,
        "gen_ai.usage.output_tokens": OUTPUT,
        "gen_ai.usage.cache_read.input_tokens": CACHE_READ,
        "llm.usage.prompt_tokens": INPUT,
        "llm.usage.completion_tokens": OUTPUT,
        "llm.usage.total_tokens": INPUT + OUTPUT,
        "llm.usage.cached_tokens": CACHE_READ,
    }
    if cache_write:
        known["gen_ai.usage.cache_write.input_tokens"] = CACHE_WRITE
    if reasoning:
        known["gen_ai.usage.reasoning.output_tokens"] = known["llm.usage.reasoning_tokens"] = REASONING
    return known
