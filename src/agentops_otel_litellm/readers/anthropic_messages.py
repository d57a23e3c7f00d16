"""Anthropic's Messages API. Messages are lists of blocks, responses are dicts, and streams consist of bytes.

LiteLLM returns Anthropic's own response. For other providers, it sends a chat, and translates the response to this
format. Format: https://docs.anthropic.com/en/api/messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from agentops_otel_litellm.call import Cost, Failure, Request, Response, Usage
from agentops_otel_litellm.readers.api_format import (
    ApiFormat,
    ContentReaders,
    conversation_fields,
    output_type,
    reasoning_level,
    reported_usage,
    streamed,
)
from agentops_otel_litellm.readers.exceptions import STREAM_ERROR_STATUSES
from agentops_otel_litellm.readers.parts import (
    ONLY_CHOICE,
    Draft,
    blob,
    media,
    stored_file,
    tool_call,
    tool_result,
)
from agentops_otel_litellm.readers.streams import EventChunks, ServerSentEvents, copy_attributes, translated_chat
from agentops_otel_litellm.readers.usage_and_cost import price_messages
from agentops_otel_litellm.readers.values import (
    Parameters,
    characters,
    count,
    elements,
    field,
    fields_of,
    has_value,
    identifier,
    integer,
    is_collection,
    keyword,
    model_name,
    number,
    only_tool_results,
    plain,
    read_fields,
    read_items,
    read_messages,
    rows_for,
    text,
    texts,
    tokens,
)
from agentops_otel_litellm.records import Content, Message, Modality, Part, Tool

_TOOL_CHOICES = {"auto": "auto", "any": "any", "none": "none", "tool": "function"}
_REQUEST = rows_for(
    Request,
    {
        "max_tokens": ("max_tokens", integer),
        "temperature": ("temperature", number),
        "top_p": ("top_p", number),
        "top_k": ("top_k", integer),
        "stop_sequences": ("stop_sequences", texts),
        "tools": ("tools_count", count),
        "tool_choice": ("tool_choice", lambda choice: _TOOL_CHOICES.get(text(field(choice, "type")) or "")),
        "output_config": ("reasoning_level", lambda config: reasoning_level(field(config, "effort"))),
        "output_format": ("output_type", output_type),
    },
)


def messages_request(parameters: Parameters) -> Request:
    """Read a request. The parameter `system` is counted as a message, as in a chat."""
    input_messages, system = parameters.get("messages"), parameters.get("system")
    messages = [_message(message) for message in elements(input_messages)]
    if has_value(system):
        messages.insert(0, {"role": "system", "content": system})
    known = read_fields(parameters, _REQUEST)
    if "output_type" not in known:
        configured = output_type(field(parameters.get("output_config"), "format"))
        if configured is not None:
            known["output_type"] = configured
    return Request(
        model=model_name(parameters.get("model")),
        stream=streamed(parameters),
        **conversation_fields(messages, input_messages),
        **known,
    )


def _message(item: Any) -> Mapping[str, Any]:
    """Return the message with the blocks that are within its tool results as further blocks of the message, so that
    `measure` includes them.
    """
    message = fields_of(item)
    content = message.get("content")
    if not is_collection(content):
        return message
    return {**message, "content": [block for each in content for block in _blocks(each)]}


def _blocks(block: Any) -> Iterator[Any]:
    """Yield a block, and then the blocks within it if it is a tool result."""
    yield block
    if field(block, "type") == "tool_result":
        content = field(block, "content")
        if isinstance(content, str):
            yield {"type": "text", "text": content}
        else:
            yield from elements(content)


# --- response -------------------------------------------------------------------------------------------------


_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Anthropic's `stop_reason` → the finish reason that a chat would have. Reasons without a row are recorded as sent."""
_COUNTS = rows_for(
    Usage,
    {
        "input_tokens": ("input", tokens),
        "cache_read_input_tokens": ("cache_read", tokens),
        "cache_creation_input_tokens": ("cache_write", tokens),
        "output_tokens": ("output", tokens),
    },
)
_WRITTEN = rows_for(Usage, {"thinking_tokens": ("reasoning", tokens)})


def messages_response(result: Any) -> Response:
    """Read a complete response."""
    response = fields_of(result)
    length = tool_call_count = 0
    for block in map(fields_of, elements(response.get("content"))):
        length += characters(block.get("text"))
        tool_call_count += block.get("type") == "tool_use"
    return Response(
        id=identifier(response.get("id")),
        model=model_name(response.get("model")),
        finish_reasons=_finish_reasons(response.get("stop_reason")),
        content_length=length,
        tool_calls_count=tool_call_count,
    )


def _finish_reasons(reason: Any) -> tuple[str] | None:
    known = text(reason)
    return None if known is None else (_FINISH_REASONS.get(known, known),)


def messages_usage(result: Any) -> Usage | None:
    """Read the usage of a complete response."""
    return _usage(_counted(field(result, "usage")))


def _counted(usage: Any) -> Mapping[str, Any]:
    """The fields of Anthropic's `usage`. Empty if all counts are 0: LiteLLM begins a translated stream with zeros."""
    known = fields_of(usage)
    return known if any(known.get(name) for name in _COUNTS) else {}


def _usage(counted: Mapping[str, Any]) -> Usage | None:
    """Convert Anthropic's `usage`. Its `input_tokens` exclude cached tokens, which `Usage.input` includes."""
    known = read_fields(counted, _COUNTS)
    if not known:
        return None
    known |= read_fields(fields_of(counted.get("output_tokens_details")), _WRITTEN)
    if "input" in known:
        known["input"] += known.get("cache_read", 0) + known.get("cache_write", 0)
        if "output" in known:
            known["total"] = known["input"] + known["output"]
    return Usage(**known)


# --- stream ---------------------------------------------------------------------------------------------------


class MessagesChunks(EventChunks):
    """Accumulates a stream of bytes. A chunk may contain several events, or only a piece of one."""

    __slots__ = (
        "_chat",
        "_events",
        "_id",
        "_length",
        "_model",
        "_reason",
        "_tool_call_count",
        "counted",
    )

    _reads_content = True

    def __init__(self, stream: Any, *, captures_content: bool = False) -> None:
        super().__init__(stream, captures_content=captures_content)
        self._chat = translated_chat(stream)
        self._events = ServerSentEvents()
        self._id: str | None = None
        self._model: str | None = None
        self._reason: Any = None
        self._length = 0
        self._tool_call_count = 0
        self.counted: dict[str, Any] = {}
        """Anthropic's `usage`, merged from the events of the stream: the latest value of each field."""

    def _events_of(self, chunk: Any) -> Iterable[Mapping[str, Any]]:
        return self._events.messages(chunk)

    def _count(self, event: Mapping[str, Any], received_at: float) -> None:
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = fields_of(event.get("delta"))
            content = delta.get("text")
            if content:
                self._length += characters(content)
            if self.first_token is None and (content or delta.get("thinking") or delta.get("partial_json")):
                self.first_token = received_at
        elif kind == "content_block_start":
            self._tool_call_count += field(event.get("content_block"), "type") == "tool_use"
        elif kind == "message_start":
            message = fields_of(event.get("message"))
            self._id, self._model = identifier(message.get("id")), model_name(message.get("model"))
            self.counted.update(_counted(message.get("usage")))
        elif kind == "message_delta":
            self._reason = field(event.get("delta"), "stop_reason")
            self.counted.update(_counted(event.get("usage")))
        elif kind == "error":
            self.failure = _failure(event)

    def _add_content(self, event: Mapping[str, Any], draft: Draft) -> None:
        kind = event.get("type")
        if kind == "content_block_delta":
            _add_delta(draft, event.get("index"), fields_of(event.get("delta")))
        elif kind == "content_block_start":
            _begin_block(draft, event.get("index"), fields_of(event.get("content_block")))
        elif kind == "message_start":
            draft.add_choice(ONLY_CHOICE)
        elif kind == "message_delta":
            reason = field(event.get("delta"), "stop_reason")
            draft.add_choice(ONLY_CHOICE, finish_reason=_content_finish_reason(reason))

    def response(self) -> Response:
        """The response as far as it was received."""
        return Response(
            id=self._id,
            model=self._model,
            finish_reasons=_finish_reasons(self._reason),
            content_length=self._length,
            tool_calls_count=self._tool_call_count,
        )

    def usage(self) -> Usage | None:
        """The usage, without output tokens if the stream has not ended, because that count is then incomplete."""
        if self._chat is not None:
            return reported_usage(self._chat)
        is_complete = self._reason is not None
        return _usage(self.counted if is_complete else {**self.counted, "output_tokens": None})

    def release(self) -> None:
        self._chat = copy_attributes(self._chat, "chunks")


def _failure(event: Mapping[str, Any]) -> Failure:
    """Read the type of an error event. The error's text is not read, because it may quote the request."""
    kind = text(field(event.get("error"), "type"))
    known = kind if kind in STREAM_ERROR_STATUSES else "api_error"
    # LiteLLM also sends `api_error` if a stream that it translates was interrupted, so it does not show a status.
    return Failure(
        type=known, ancestry=(known,), status_code=None if known == "api_error" else STREAM_ERROR_STATUSES[known]
    )


def _price(result: Any, logging: Any) -> Cost | None:
    usage = result.counted if isinstance(result, MessagesChunks) else field(result, "usage")
    return price_messages(usage, logging)


# --- content --------------------------------------------------------------------------------------------------


def _request_content(parameters: Parameters) -> Content:
    messages = parameters.get("messages")
    return Content(
        instructions=_block_parts(parameters.get("system")) or None,
        input=read_messages(_content_message, messages) if is_collection(messages) else None,
        tools=read_items(Tool, _tool, elements(parameters.get("tools"))) or None,
    )


def _response_content(result: Any) -> tuple[Message, ...]:
    response = fields_of(result)
    return (
        Message(
            role=text(response.get("role")) or "assistant",
            parts=_block_parts(response.get("content")),
            finish_reason=_content_finish_reason(response.get("stop_reason")),
        ),
    )


def _content_finish_reason(reason: Any) -> str | None:
    known = keyword(reason)
    return None if known is None else _FINISH_REASONS.get(known, known)


def _content_message(item: Any) -> Message:
    """Read a message. Anthropic's tool results are blocks of a user's message. A message that has only such blocks is
    recorded with the role `tool`.
    """
    message = fields_of(item)
    parts = _block_parts(message.get("content"))
    return Message(role="tool" if only_tool_results(parts) else text(message.get("role")) or "user", parts=parts)


def _block_parts(content: Any) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Part(type="text", content=content),) if content else ()
    return read_items(Part, _block_part, elements(content))


def _block_part(item: Any) -> Part:
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
    """Read a reasoning block. Its text is empty if it is of the type `redacted_thinking`, which is encrypted."""
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
    """Convert a block within a tool's result to a dict, without the base64 of media."""
    part = _block_part(block)
    return {name: known for name, known in vars(part).items() if part.type != "blob" or name != "content"}


def _medium(modality: Modality) -> Callable[[Mapping[str, Any]], Part]:
    """Return a reader of blocks that are images or documents."""

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
    """Read a tool. Tools of the application are recorded with the type `function`, Anthropic's with their own type."""
    known = fields_of(item)
    kind = keyword(known.get("type")) or "custom"
    return Tool(
        type="function" if kind == "custom" else kind,
        name=text(known.get("name")) or kind,
        description=text(known.get("description")),
        parameters=plain(known.get("input_schema")),
    )


def _begin_block(draft: Draft, index: Any, block: Mapping[str, Any]) -> None:
    """Add the block of a `content_block_start` event. Later events add the rest of a text or a tool call."""
    kind = text(block.get("type"))
    if kind in {"tool_use", "server_tool_use"}:
        draft.add_tool_call(ONLY_CHOICE, key=index, call_id=block.get("id"), name=block.get("name"))
    elif kind in {"text", "thinking"}:
        _add_delta(draft, index, block)
    else:
        draft.add(ONLY_CHOICE, _block_part(block))


def _add_delta(draft: Draft, index: Any, delta: Mapping[str, Any]) -> None:
    """Add a fragment of text, of reasoning, or of the JSON of a tool's input, to the block that has this index."""
    draft.add_fragment(ONLY_CHOICE, "text", delta.get("text"), key=index)
    draft.add_fragment(ONLY_CHOICE, "reasoning", delta.get("thinking"), key=index)
    if "partial_json" in delta:
        draft.add_tool_call(ONLY_CHOICE, key=index, arguments=delta["partial_json"])


MESSAGES = ApiFormat(
    request=messages_request,
    response=messages_response,
    usage=messages_usage,
    chunks=MessagesChunks,
    price=_price,
    content=ContentReaders(request=_request_content, response=_response_content),
)
