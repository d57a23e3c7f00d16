"""Content of Anthropic's Messages API, whose messages are lists of blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentops_otel_litellm.content_records import Content, Message, Modality, Part, Tool
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.draft import Draft
from agentops_otel_litellm.readers.content.parts import blob, media, plain, stored_file, tool_call, tool_result
from agentops_otel_litellm.readers.finish_reasons import ANTHROPIC
from agentops_otel_litellm.readers.sse import ServerSentEvents
from agentops_otel_litellm.readers.values import elements, field, fields_of, is_collection, keyword, text


def _request(parameters: Parameters) -> Content:
    messages = parameters.get("messages")
    return Content(
        instructions=_blocks(parameters.get("system")) or None,
        input=tuple(map(_message, messages)) if is_collection(messages) else None,
        tools=tuple(map(_tool, elements(parameters.get("tools")))) or None,
    )


def _response(result: Any) -> tuple[Message, ...]:
    response = fields_of(result)
    return (
        Message(
            role=text(response.get("role")) or "assistant",
            parts=_blocks(response.get("content")),
            finish_reason=_finish_reason(response.get("stop_reason")),
        ),
    )


def _finish_reason(reason: Any) -> str | None:
    known = keyword(reason)
    return None if known is None else ANTHROPIC.get(known, known)


def _message(item: Any) -> Message:
    """Read a message. Tool results are blocks of a user's message; a message with no other blocks gets the role
    `tool`.
    """
    message = fields_of(item)
    parts = _blocks(message.get("content"))
    has_only_results = bool(parts) and all(part.type == "tool_call_response" for part in parts)
    return Message(role="tool" if has_only_results else text(message.get("role")) or "user", parts=parts)


def _blocks(content: Any) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Part(type="text", content=content),) if content else ()
    return tuple(map(block_part, elements(content)))


def block_part(item: Any) -> Part:
    """Read one content block of a message."""
    block = fields_of(item)
    kind = text(block.get("type")) or ""
    read = _BLOCKS.get(kind)
    if read is not None:
        return read(block)
    if kind.endswith("_tool_result"):  # of a tool that the provider runs
        return tool_result(block.get("tool_use_id"), block.get("content"))
    return Part(type="unknown", name=keyword(kind))


def _text(block: Mapping[str, Any]) -> Part:
    return Part(type="text", content=text(block.get("text")) or "")


def _thinking(block: Mapping[str, Any]) -> Part:
    """Redacted thinking is encrypted, so its part is empty."""
    return Part(type="reasoning", content=text(block.get("thinking")) or "")


def _tool_use(block: Mapping[str, Any]) -> Part:
    return tool_call(block.get("id"), block.get("name"), block.get("input"))


def _tool_result(block: Mapping[str, Any]) -> Part:
    content = block.get("content")
    if is_collection(content):
        texts = [text(field(each, "text")) for each in content if field(each, "type") == "text"]
        content = "".join(filter(None, texts)) if len(texts) == len(content) else list(map(_within, content))
    return tool_result(block.get("tool_use_id"), content)


def _within(block: Any) -> dict[str, Any]:
    """A part of a tool's result, without the base64 of media."""
    part = block_part(block)
    return {name: known for name, known in vars(part).items() if part.type != "blob" or name != "content"}


def _medium(modality: Modality) -> Callable[[Mapping[str, Any]], Part]:
    """Return a reader of the blocks that are images or documents."""

    def read(block: Mapping[str, Any]) -> Part:
        source = fields_of(block.get("source"))
        kind = source.get("type")
        mime_type = text(source.get("media_type"))
        if kind == "url":
            return media(modality, source.get("url"), mime_type)
        if kind == "file":
            return stored_file(modality, source.get("file_id"), mime_type)
        if kind == "text":
            return Part(type="text", content=text(source.get("data")) or "")
        return blob(modality, source.get("data"), mime_type)

    return read


_BLOCKS: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _thinking,
    "tool_use": _tool_use,
    "server_tool_use": _tool_use,
    "tool_result": _tool_result,
    "image": _medium("image"),
    "document": _medium("document"),
}


def _tool(item: Any) -> Tool:
    """Read a tool. A tool of the application has the type `function`; Anthropic's own tools keep their types."""
    known = fields_of(item)
    kind = keyword(known.get("type")) or "custom"
    return Tool(
        type="function" if kind == "custom" else kind,
        name=text(known.get("name")) or kind,
        description=text(known.get("description")),
        parameters=plain(known.get("input_schema")),
    )


_ONLY_CHOICE = 0
"""The index of the choice: this API has one choice in each response."""


class _Transcript:
    """Reads the content of a stream. Each block has an index; the input of a tool is sent as fragments of JSON."""

    __slots__ = ("_draft", "_events")

    def __init__(self) -> None:
        self._draft = Draft()
        self._events = ServerSentEvents()

    def add(self, chunk: Any) -> None:
        for event in self._events.messages(chunk):
            kind = event.get("type")
            if kind == "content_block_delta":
                self._add_delta(event.get("index"), fields_of(event.get("delta")))
            elif kind == "content_block_start":
                self._begin_block(event.get("index"), fields_of(event.get("content_block")))
            elif kind == "message_start":
                self._draft.add_choice(_ONLY_CHOICE)
            elif kind == "message_delta":
                self._draft.add_choice(
                    _ONLY_CHOICE, finish_reason=_finish_reason(field(event.get("delta"), "stop_reason"))
                )

    def _begin_block(self, index: Any, block: Mapping[str, Any]) -> None:
        """Add a block that has begun. The fragments of texts and tool calls follow in further events."""
        kind = text(block.get("type"))
        if kind in {"tool_use", "server_tool_use"}:
            self._draft.add_tool_call(_ONLY_CHOICE, key=index, call_id=block.get("id"), name=block.get("name"))
        elif kind in {"text", "thinking"}:
            self._add_delta(index, block)
        else:
            self._draft.add(_ONLY_CHOICE, block_part(block))

    def _add_delta(self, index: Any, delta: Mapping[str, Any]) -> None:
        self._draft.add_fragment(_ONLY_CHOICE, "text", delta.get("text"), key=index)
        self._draft.add_fragment(_ONLY_CHOICE, "reasoning", delta.get("thinking"), key=index)
        if "partial_json" in delta:
            self._draft.add_tool_call(_ONLY_CHOICE, key=index, arguments=delta["partial_json"])

    def messages(self) -> tuple[Message, ...]:
        return self._draft.messages()


MESSAGES_CONTENT = ContentReaders(request=_request, response=_response, transcript=_Transcript)
