"""Anthropic's Messages API → records. Its responses are dicts, its streams consist of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentops_otel_litellm.call import Cost, Failure, Request, Response, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.content.messages import MESSAGES_CONTENT
from agentops_otel_litellm.readers.finish_reasons import ANTHROPIC
from agentops_otel_litellm.readers.prices import price_messages
from agentops_otel_litellm.readers.requests import (
    Parameters,
    conversation_fields,
    output_type,
    reasoning_level,
    streamed,
)
from agentops_otel_litellm.readers.sse import ServerSentEvents
from agentops_otel_litellm.readers.streams import copy_attributes, reported_usage, translated_chat
from agentops_otel_litellm.readers.values import (
    characters,
    count,
    elements,
    field,
    fields_of,
    has_value,
    identifier,
    integer,
    is_collection,
    model_name,
    number,
    read_fields,
    rows_for,
    text,
    texts,
    tokens,
)

_TOOL_CHOICES = {"auto": "auto", "any": "any", "none": "none", "tool": "function"}
# Type of an error in a stream, which has no HTTP status → the status of a rejected request with this error type.
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

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


def messages_request(parameters: Parameters) -> Request:
    """Read a request. The system prompt counts as a system message, as in a chat."""
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
    """The message, with the blocks within its tool results as further blocks, so that they are measured as well."""
    message = fields_of(item)
    content = message.get("content")
    if not is_collection(content):
        return message
    return {**message, "content": [block for each in content for block in _blocks(each)]}


def _blocks(block: Any) -> Iterator[Any]:
    """A block, followed by the blocks within it if it is a tool result."""
    yield block
    if field(block, "type") == "tool_result":
        content = field(block, "content")
        if isinstance(content, str):
            yield {"type": "text", "text": content}
        else:
            yield from elements(content)


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
    return None if known is None else (ANTHROPIC.get(known, known),)


def messages_usage(result: Any) -> Usage | None:
    return _usage(_counted(field(result, "usage")))


def _counted(usage: Any) -> Mapping[str, Any]:
    """The counts of Anthropic's usage. A stream that LiteLLM translates begins with zeros, which are not counts."""
    known = fields_of(usage)
    return known if any(known.get(name) for name in _COUNTS) else {}


def _usage(counted: Mapping[str, Any]) -> Usage | None:
    """Convert Anthropic's counts. Anthropic's input excludes cached tokens; `Usage.input` includes them."""
    known = read_fields(counted, _COUNTS)
    if not known:
        return None
    known |= read_fields(fields_of(counted.get("output_tokens_details")), _WRITTEN)
    if "input" in known:
        known["input"] += known.get("cache_read", 0) + known.get("cache_write", 0)
        if "output" in known:
            known["total"] = known["input"] + known["output"]
    return Usage(**known)


class MessagesChunks:
    """Reads the chunks of a stream: bytes that may contain a part of an event, or several events."""

    __slots__ = (
        "_chat",
        "_events",
        "_id",
        "_length",
        "_model",
        "_reason",
        "_tool_call_count",
        "counted",
        "failure",
        "first_token",
    )

    def __init__(self, stream: Any) -> None:
        self._chat = translated_chat(stream)
        self._events = ServerSentEvents()
        self._id: str | None = None
        self._model: str | None = None
        self._reason: Any = None
        self._length = 0
        self._tool_call_count = 0
        self.counted: dict[str, Any] = {}
        """Anthropic's `usage`, whose values later events of the stream update."""
        self.failure: Failure | None = None
        self.first_token: float | None = None

    def add(self, chunk: Any, at: float, /) -> None:
        for event in self._events.messages(chunk):
            kind = event.get("type")
            if kind == "content_block_delta":
                self._add_delta(fields_of(event.get("delta")), at)
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

    def _add_delta(self, delta: Mapping[str, Any], at: float) -> None:
        content = delta.get("text")
        if content:
            self._length += characters(content)
        if self.first_token is None and (content or delta.get("thinking") or delta.get("partial_json")):
            self.first_token = at

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
        """The usage. The count of output tokens is complete only at the end, and absent before."""
        if self._chat is not None:
            return reported_usage(self._chat)
        is_complete = self._reason is not None
        return _usage(self.counted if is_complete else {**self.counted, "output_tokens": None})

    def release(self) -> None:
        self._chat = copy_attributes(self._chat, "chunks")


def _failure(event: Mapping[str, Any]) -> Failure:
    """Read the type of an error event. Its text, which may quote the request, is not read."""
    kind = text(field(event.get("error"), "type"))
    known = kind if kind in _STATUSES else "api_error"
    return Failure(type=known, ancestry=(known,), status_code=_STATUSES[known])


def _price(result: Any, logging: Any) -> Cost | None:
    usage = result.counted if isinstance(result, MessagesChunks) else field(result, "usage")
    return price_messages(usage, logging)


MESSAGES = ApiFormat(
    request=messages_request,
    response=messages_response,
    usage=messages_usage,
    chunks=MessagesChunks,
    price=_price,
    content=MESSAGES_CONTENT,
)
