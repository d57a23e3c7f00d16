"""OpenAI's Responses API. Input and output are lists of items, and streams consist of events with names.

Responses are LiteLLM's `ResponsesAPIResponse`. If a provider has no Responses API, LiteLLM sends a chat, and translates
the response to this format. `realtime.py` reads the API's sessions over a WebSocket, which have several responses.
Format: https://platform.openai.com/docs/api-reference/responses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Usage
from agentops_otel_litellm.readers.api_format import (
    ApiFormat,
    ContentReaders,
    cache_hit,
    conversation_fields,
    output_type,
    reasoning_level,
    reported_usage,
    streamed,
    tool_choice,
)
from agentops_otel_litellm.readers.parts import (
    ONLY_CHOICE,
    Draft,
    content_part,
    media,
    text_parts,
    tool_call,
    tool_result,
)
from agentops_otel_litellm.readers.streams import EventChunks, copy_attributes
from agentops_otel_litellm.readers.usage_and_cost import price_response, read_counted_after_translation, read_usage
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
    plain,
    read_fields,
    read_items,
    read_messages,
    rows_for,
    text,
)
from agentops_otel_litellm.records import Content, Message, Part, PartType, Tool

_REQUEST = rows_for(
    Request,
    {
        "max_output_tokens": ("max_tokens", integer),
        "temperature": ("temperature", number),
        "top_p": ("top_p", number),
        "tools": ("tools_count", count),
        "tool_choice": ("tool_choice", tool_choice),
        "reasoning": ("reasoning_level", lambda reasoning: reasoning_level(field(reasoning, "effort"))),
        "reasoning_effort": ("reasoning_level", reasoning_level),
        "text": ("output_type", lambda config: output_type(field(config, "format"))),
        "text_format": ("output_type", output_type),
        "service_tier": ("service_tier", keyword),
        "previous_response_id": ("previous_response_id", identifier),
    },
)


def responses_request(parameters: Parameters) -> Request:
    """Read a request. The parameter `instructions` is counted as a system message, as in a chat."""
    items, instructions = parameters.get("input"), parameters.get("instructions")
    messages: list[Mapping[str, Any]] = [{"role": "system", "content": instructions}] if has_value(instructions) else []
    if isinstance(items, str):
        messages.append({"role": "user", "content": items})
    else:
        messages += map(_message, elements(items))
    return Request(
        model=model_name(parameters.get("model")),
        stream=streamed(parameters),
        **conversation_fields(messages, None if isinstance(items, str) else items),
        **read_fields(parameters, _REQUEST),
    )


def _message(item: Any) -> Mapping[str, Any]:
    """Convert an item of the input to a chat message. The output of a tool becomes a message with the role `tool`."""
    if isinstance(item, str):
        return {"role": "user", "content": item}
    known = fields_of(item)
    kind = known.get("type")
    if isinstance(kind, str) and kind.endswith("_call_output"):
        return {"role": "tool", "content": known.get("output")}
    return known


# --- response -------------------------------------------------------------------------------------------------


RESPONSE_FIELDS = rows_for(
    Response,
    {
        "id": ("id", identifier),
        "model": ("model", model_name),
        "status": ("status", keyword),
        "service_tier": ("service_tier", keyword),
    },
)
_INCOMPLETE_REASONS: Mapping[str, str] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
"""The reason of an incomplete response → the finish reason that a chat would have. Other responses have no reason."""
# Types of output items that call a tool of the application. The other tools are the provider's, which also runs them.
_CALLS = frozenset({"function_call", "custom_tool_call"})


def responses_response(result: Any) -> Response:
    """Read a complete response."""
    response = fields_of(result)
    length, tool_call_count = _output(response.get("output"))
    return Response(
        **read_fields(response, RESPONSE_FIELDS),
        finish_reasons=_finish_reasons(response, tool_call_count),
        content_length=length,
        tool_calls_count=tool_call_count,
        cache_hit=cache_hit(result),
    )


def _output(items: Any) -> tuple[int | None, int | None]:
    """The number of characters of text, and the number of calls of the application's tools, in the output."""
    if not is_collection(items):
        return None, None
    length = tool_call_count = 0
    for item in map(fields_of, items):
        kind = text(item.get("type"))
        if kind == "message":
            for part in map(fields_of, elements(item.get("content"))):
                length += characters(part.get("text"))
        elif kind in _CALLS:
            tool_call_count += 1
    return length, tool_call_count


def _finish_reasons(response: Mapping[str, Any], tool_call_count: int | None) -> tuple[str] | None:
    """The finish reason that a chat would have; `None` if the response has failed or not ended."""
    status = text(response.get("status"))
    if status == "completed":
        return ("tool_calls",) if tool_call_count else ("stop",)
    if status == "incomplete":
        reason = text(field(response.get("incomplete_details"), "reason"))
        return None if reason is None else (_INCOMPLETE_REASONS.get(reason, reason),)
    return None


# --- stream ---------------------------------------------------------------------------------------------------


LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Types of the event that ends a stream and has the complete response."""
_CONTENT_DELTAS: Mapping[str, PartType] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}
_TOOL_CALL_DELTAS = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})


class ResponsesChunks(EventChunks):
    """Accumulates the events of a stream. The last event has the complete response. If it was not received, or if some
    of the output is missing in it, the response is assembled from the other events.
    """

    __slots__ = (
        "_final_messages",
        "_first_response",
        "_items_count",
        "_last_response",
        "_length",
        "_tool_call_count",
        "_usage",
        "stream",
    )

    _reads_content = True

    def __init__(self, stream: Any, *, captures_content: bool = False) -> None:
        super().__init__(stream, captures_content=captures_content)
        self.stream = stream
        self._first_response = Response()
        self._last_response: Response | None = None
        self._usage: Usage | None = None
        self._length = 0
        self._tool_call_count = 0
        self._items_count = 0
        """The number of complete items of the output, received before the last event."""
        self._final_messages: tuple[Message, ...] | None = None
        """The messages in the last event; `None` until it is received."""

    def _count(self, event: Mapping[str, Any], received_at: float) -> None:
        kind = text(event.get("type")) or ""
        if kind.endswith(".delta"):  # nearly every event: text, reasoning, or a tool call
            if self.first_token is None and event.get("delta"):
                self.first_token = received_at
            if kind == "response.output_text.delta":
                self._length += characters(event.get("delta"))
        elif kind == "response.output_item.done":
            self._items_count += 1
            self._tool_call_count += text(field(event.get("item"), "type")) in _CALLS
        elif kind == "response.created":
            self._first_response = Response(**read_fields(fields_of(event.get("response")), RESPONSE_FIELDS))
        elif kind in LAST_EVENTS:
            self._read_response_of(event)

    def _add_content(self, event: Mapping[str, Any], draft: Draft) -> None:
        kind, key = text(event.get("type")) or "", event.get("output_index")
        if kind in _CONTENT_DELTAS:
            draft.add_fragment(ONLY_CHOICE, _CONTENT_DELTAS[kind], event.get("delta"), key=key)
        elif kind in _TOOL_CALL_DELTAS:
            draft.add_tool_call(ONLY_CHOICE, key=key, arguments=event.get("delta"))
        elif kind == "response.output_item.added":
            item = fields_of(event.get("item"))
            if text(item.get("type")) in _CALLS:
                draft.add_tool_call(ONLY_CHOICE, key=key, call_id=item.get("call_id"), name=item.get("name"))
        elif kind == "response.created":
            draft.add_choice(ONLY_CHOICE)
        elif kind in LAST_EVENTS:
            response = fields_of(event.get("response"))
            self._final_messages = response_content(response)
            if self._lacks_output(response):  # its finish reason is known, its parts are those of the draft
                self._final_messages = None
                draft.add_choice(ONLY_CHOICE, finish_reason=next(iter(self._finish_reasons(response) or ()), None))

    def _read_response_of(self, event: Mapping[str, Any]) -> None:
        """Read the complete response in the last event."""
        response = event.get("response")
        self._last_response, self._usage = responses_response(response), read_usage(response)
        if self._lacks_output(fields_of(response)):
            self._last_response = replace(
                self._last_response,
                finish_reasons=self._finish_reasons(fields_of(response)),
                content_length=self._length,
                tool_calls_count=self._tool_call_count,
            )

    def _lacks_output(self, response: Mapping[str, Any]) -> bool:
        """Whether the response in the last event has fewer items than the events before it: some servers send none."""
        count = len(elements(response.get("output")))
        return count < self._items_count or (count == 0 and self._length > 0)

    def _finish_reasons(self, response: Mapping[str, Any]) -> tuple[str] | None:
        return _finish_reasons(response, self._tool_call_count)

    def response(self) -> Response:
        """The response from the last event if it is known, otherwise from the events before it."""
        self._read_last_event()
        if self._last_response is None:
            return replace(self._first_response, content_length=self._length, tool_calls_count=self._tool_call_count)
        is_hit = getattr(self.stream, "_completed_response_cache_hit", None) is True
        return replace(self._last_response, cache_hit=True) if is_hit else self._last_response

    def _read_last_event(self) -> None:
        """Read the last event from LiteLLM's stream if the application has not received this event.

        LiteLLM keeps the event in `completed_response`. It does not pass it on if the response has failed: it raises an
        exception instead. It may also omit it if it continues the response with a further request.
        """
        if self._last_response is None:
            last = fields_of(getattr(self.stream, "completed_response", None))
            if text(last.get("type")) in LAST_EVENTS:
                self._read_response_of(last)

    def usage(self) -> Usage | None:
        """The usage that the provider counted; `None` if it is unknown."""
        # If LiteLLM translates a chat stream, the last event may have LiteLLM's estimate, so the chat's usage is read.
        self._read_last_event()
        chat = getattr(self.stream, "litellm_custom_stream_wrapper", None)
        return self._usage if chat is None or self._usage is None else reported_usage(chat)

    def messages(self) -> tuple[Message, ...] | None:
        return super().messages() if self._final_messages is None else self._final_messages

    def release(self) -> None:
        chat = copy_attributes(getattr(self.stream, "litellm_custom_stream_wrapper", None), "chunks")
        self.stream = copy_attributes(self.stream, "completed_response", "_completed_response_cache_hit")
        self.stream.litellm_custom_stream_wrapper = chat


# --- content --------------------------------------------------------------------------------------------------


def _request_content(parameters: Parameters) -> Content:
    value = parameters.get("input")
    items: Collection[Any] = value if is_collection(value) else (value,) if isinstance(value, str) else ()
    return Content(
        instructions=text_parts(parameters.get("instructions")) or None,
        input=read_messages(_item_message, items) or None,
        tools=read_items(Tool, _tool, elements(parameters.get("tools"))) or None,
    )


def _item_message(value: Any) -> Message:
    """Convert an item of the input to a message."""
    if isinstance(value, str):
        return Message(role="user", parts=text_parts(value))
    item = fields_of(value)
    kind = text(item.get("type")) or "message"
    if kind == "message":
        return Message(role=text(item.get("role")) or "user", parts=_content(item.get("content")))
    if kind.endswith("_output"):
        return Message(role="tool", parts=(tool_result(item.get("call_id"), _tool_output(item.get("output"))),))
    return Message(role="assistant", parts=_parts_of([item]))


def _content(content: Any) -> tuple[Part, ...]:
    return text_parts(content) if isinstance(content, str) else read_items(Part, _part, elements(content))


def _part(value: Any) -> Part:
    part = fields_of(value)
    if part.get("type") == "input_image":
        return media("image", part.get("image_url")) if part.get("image_url") else _file(part, "image")
    return _file(part, "document") if part.get("type") == "input_file" else content_part(part)


def _file(part: Mapping[str, Any], modality: Any) -> Part:
    """Read a file: by its data or URL if the part has one, otherwise by its id, if the provider has stored the file."""
    data = part.get("file_data") or part.get("file_url")
    known = text(part.get("file_id"))
    return media(modality, data) if data else Part(type="file", modality=modality, file_id=known or "")


def _tool_output(output: Any) -> Any:
    """The output of a tool. If it is a list that has only parts with text, the texts are joined."""
    if not is_collection(output):
        return output
    texts = [field(part, "text") for part in output]
    return "".join(texts) if all(isinstance(each, str) for each in texts) else output


def _tool(value: Any) -> Tool:
    """Read a tool."""
    known = fields_of(value)
    kind = keyword(known.get("type")) or "function"
    return Tool(
        type=kind,
        name=text(known.get("name") or known.get("server_label")) or kind,
        description=text(known.get("description")),
        parameters=plain(known.get("parameters")),
    )


def response_content(result: Any) -> tuple[Message, ...] | None:
    """Read all items of the output as one message; `None` for a result without output, such as of a deletion."""
    response = fields_of(result)
    if "output" not in response:
        return None
    items = list(map(fields_of, elements(response.get("output"))))
    return (Message(role="assistant", parts=_parts_of(items), finish_reason=_content_finish_reason(response, items)),)


def _content_finish_reason(response: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> str | None:
    """The finish reason of the message, as a chat would have it. Unlike in `_finish_reasons`, a response with a reason
    need not have the status `incomplete`.
    """
    status = text(response.get("status"))
    if status == "completed":
        calls = any(text(item.get("type")) in _CALLS for item in items)
        return "tool_calls" if calls else "stop"
    reason = keyword(field(response.get("incomplete_details"), "reason"))
    return None if reason is None else _INCOMPLETE_REASONS.get(reason, reason)


# Type of an item that calls a tool → the item's field that has the arguments.
_ARGUMENTS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
    "web_search_call": "action",
    "file_search_call": "queries",
    "code_interpreter_call": "code",
    "computer_call": "action",
    "local_shell_call": "action",
}


def _parts_of(items: Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    """Read items of the model's output as parts of one message."""
    unread = [each for item in items for each in _unread_parts(item)]
    return read_items(Part, lambda each: each[0](each[1]), unread)


def _unread_parts(item: Mapping[str, Any]) -> Iterator[tuple[Callable[[Any], Part], Any]]:
    """Yield a reader and a value for each part of an item: a message, reasoning, an image or a tool call."""
    kind = text(item.get("type")) or ""
    if kind == "message":
        content = item.get("content")
        if isinstance(content, str) and content:
            yield content_part, content
        yield from ((_part, each) for each in elements(content))
    elif kind == "reasoning":
        for name in ("summary", "content"):
            yield from ((_reasoning, each) for each in elements(item.get(name)))
    else:
        yield _item_part, item


def _reasoning(value: Any) -> Part:
    return Part(type="reasoning", content=text(field(value, "text")) or "")


def _item_part(item: Mapping[str, Any]) -> Part:
    """Read an image or a tool call."""
    kind = text(item.get("type")) or ""
    if kind == "image_generation_call":
        return Part(type="blob", modality="image", size=characters(item.get("result")))
    if kind not in _ARGUMENTS:
        return Part(type="unknown", name=keyword(kind))
    name = text(item.get("name")) or kind.removesuffix("_call")
    return tool_call(item.get("call_id") or item.get("id"), name, item.get(_ARGUMENTS[kind]))


RESPONSES = ApiFormat(
    request=responses_request,
    response=responses_response,
    counted=read_counted_after_translation,
    chunks=ResponsesChunks,
    price=price_response,
    content=ContentReaders(request=_request_content, response=response_content),
)
