"""The Responses API → records. Its input and output are lists of items, its streams consist of named events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.call import Failure, Request, Response, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.content.responses import RESPONSES_CONTENT, STORED_RESPONSE_CONTENT
from agentops_otel_litellm.readers.estimated_usage import read_counted_after_translation
from agentops_otel_litellm.readers.finish_reasons import INCOMPLETE_RESPONSE
from agentops_otel_litellm.readers.prices import price_response
from agentops_otel_litellm.readers.requests import (
    Parameters,
    conversation_fields,
    output_type,
    reasoning_level,
    streamed,
    tool_choice,
)
from agentops_otel_litellm.readers.responses import cache_hit, no_cost, no_usage
from agentops_otel_litellm.readers.streams import copy_attributes, reported_usage
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import (
    boolean,
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
    read_fields,
    rows_for,
    text,
)

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
_STORED = rows_for(Request, {"response_id": ("response_id", identifier)})
_RESPONSE = rows_for(
    Response,
    {
        "id": ("id", identifier),
        "model": ("model", model_name),
        "status": ("status", keyword),
        "service_tier": ("service_tier", keyword),
    },
)
_STORED_RESULT = rows_for(
    Response,
    {
        **_RESPONSE,
        "data": ("results_count", count),
        "has_more": ("has_more", boolean),
        "deleted": ("deleted", boolean),
    },
)
# Output items by which the model calls a tool of the application. The provider runs the other tools itself.
_CALLS = frozenset({"function_call", "custom_tool_call"})


def responses_request(parameters: Parameters) -> Request:
    """Read a request. The instructions count as a system message, as in a chat."""
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
    """The item as a message of a chat: the output of a tool as a message of the tool, a message as it is."""
    if isinstance(item, str):
        return {"role": "user", "content": item}
    known = fields_of(item)
    kind = known.get("type")
    if isinstance(kind, str) and kind.endswith("_call_output"):
        return {"role": "tool", "content": known.get("output")}
    return known


def stored_request(parameters: Parameters) -> Request:
    """Read a request that concerns a response which the provider has stored."""
    return Request(**read_fields(parameters, _STORED))


def responses_response(result: Any) -> Response:
    """Read a complete response."""
    response = fields_of(result)
    length, tool_call_count = _output(response.get("output"))
    return Response(
        **read_fields(response, _RESPONSE),
        finish_reasons=_finish_reasons(response, tool_call_count),
        content_length=length,
        tool_calls_count=tool_call_count,
        cache_hit=cache_hit(result),
    )


def stored_response(result: Any) -> Response:
    """Read the result of such a request: a response, a list of its input items, or the confirmation of a deletion."""
    known = fields_of(result)
    return responses_response(result) if "output" in known else Response(**read_fields(known, _STORED_RESULT))


def _output(items: Any) -> tuple[int | None, int | None]:
    """The number of characters of text, and of calls of the application's tools."""
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
    """The finish reason in a chat's terms; `None` if the response has not ended."""
    status = text(response.get("status"))
    if status == "completed":
        return ("tool_calls",) if tool_call_count else ("stop",)
    if status == "incomplete":
        reason = text(field(response.get("incomplete_details"), "reason"))
        return None if reason is None else (INCOMPLETE_RESPONSE.get(reason, reason),)
    return None


class ResponsesChunks:
    """Reads the events of a stream. The last one has the whole response; before it is received, deltas are counted."""

    __slots__ = ("_first_response", "_last_response", "_length", "_tool_call_count", "_usage", "first_token", "stream")

    failure: Failure | None = None
    _TEXT_DELTA = "response.output_text.delta"
    _ITEM_DONE = "response.output_item.done"
    _FIRST_EVENT = "response.created"
    _LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._first_response = Response()
        self._last_response: Response | None = None
        self._usage: Usage | None = None
        self._length = 0
        self._tool_call_count = 0
        self.first_token: float | None = None

    def add(self, chunk: Any, at: float, /) -> None:
        event = fields_of(chunk)
        kind = text(event.get("type")) or ""
        if kind.endswith(".delta"):  # nearly every event: text, reasoning, or a tool call
            if self.first_token is None and event.get("delta"):
                self.first_token = at
            if kind == self._TEXT_DELTA:
                self._length += characters(event.get("delta"))
        elif kind == self._ITEM_DONE:
            self._tool_call_count += text(field(event.get("item"), "type")) in _CALLS
        elif kind == self._FIRST_EVENT:
            self._first_response = Response(**read_fields(fields_of(event.get("response")), _RESPONSE))
        elif kind in self._LAST_EVENTS:
            self._read_response_of(event)

    def _read_response_of(self, event: Mapping[str, Any]) -> None:
        response = event.get("response")
        self._last_response, self._usage = responses_response(response), read_usage(response)

    def response(self) -> Response:
        """The response: from the last event if it was received, otherwise from the events before."""
        if self._last_response is None:
            self._read_last_event()
        if self._last_response is not None:
            hit = getattr(self.stream, "_completed_response_cache_hit", None)
            return (
                self._last_response if hit is not True else Response(**{**vars(self._last_response), "cache_hit": True})
            )
        return Response(
            **{**vars(self._first_response), "content_length": self._length, "tool_calls_count": self._tool_call_count}
        )

    def _read_last_event(self) -> None:
        """Read the last event, which LiteLLM keeps, if the application did not receive it.

        The application may not have received it: for a failed response, LiteLLM raises an exception instead, and if
        LiteLLM continues a response by a further request, it may omit the last event of the first response.
        """
        last = fields_of(getattr(self.stream, "completed_response", None))
        if text(last.get("type")) in self._LAST_EVENTS:
            self._read_response_of(last)

    def usage(self) -> Usage | None:
        """The provider's usage. If LiteLLM has translated a chat stream, the last event may have an estimate."""
        if self._last_response is None:
            self._read_last_event()
        chat = getattr(self.stream, "litellm_custom_stream_wrapper", None)
        return self._usage if chat is None or self._usage is None else reported_usage(chat)

    def release(self) -> None:
        chat = copy_attributes(getattr(self.stream, "litellm_custom_stream_wrapper", None), "chunks")
        self.stream = copy_attributes(self.stream, "completed_response", "_completed_response_cache_hit")
        self.stream.litellm_custom_stream_wrapper = chat


RESPONSES = ApiFormat(
    request=responses_request,
    response=responses_response,
    counted=read_counted_after_translation,
    chunks=ResponsesChunks,
    price=price_response,
    content=RESPONSES_CONTENT,
)
STORED_RESPONSE = ApiFormat(
    request=stored_request,
    response=stored_response,
    usage=no_usage,
    cost=no_cost,
    content=STORED_RESPONSE_CONTENT,
)
"""Usage and cost of a stored response were recorded when it was created."""
