"""The Responses API → records. Its input and output are lists of items, its streams consist of named events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.call import Failure, Request, Response, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.content.responses import RESPONSES_CONTENT, STORED_RESPONSE_CONTENT
from agentops_otel_litellm.readers.estimated_usage import read_counted_anew
from agentops_otel_litellm.readers.finish_reasons import INCOMPLETE_RESPONSE
from agentops_otel_litellm.readers.prices import price_response
from agentops_otel_litellm.readers.requests import (
    Parameters,
    conversation,
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
    identifier,
    integer,
    is_collection,
    is_given,
    keyword,
    members,
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
_KEPT = rows_for(
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
    messages: list[Mapping[str, Any]] = [{"role": "system", "content": instructions}] if is_given(instructions) else []
    if isinstance(items, str):
        messages.append({"role": "user", "content": items})
    else:
        messages += map(_message, elements(items))
    return Request(
        model=model_name(parameters.get("model")),
        stream=streamed(parameters),
        **conversation(messages, None if isinstance(items, str) else items),
        **read_fields(parameters, _REQUEST),
    )


def _message(item: Any) -> Mapping[str, Any]:
    """The item as a message of a chat: the output of a tool as a message of the tool, a message as it is."""
    if isinstance(item, str):
        return {"role": "user", "content": item}
    known = members(item)
    kind = known.get("type")
    if isinstance(kind, str) and kind.endswith("_call_output"):
        return {"role": "tool", "content": known.get("output")}
    return known


def stored_request(parameters: Parameters) -> Request:
    """Read a request that concerns a response which the provider has stored."""
    return Request(**read_fields(parameters, _STORED))


def responses_response(result: Any) -> Response:
    response = members(result)
    length, calls = _output(response.get("output"))
    return Response(
        **read_fields(response, _RESPONSE),
        finish_reasons=_finish_reasons(response, calls),
        content_length=length,
        tool_calls_count=calls,
        cache_hit=cache_hit(result),
    )


def stored_response(result: Any) -> Response:
    """Read the result of such a request: a response, a list of its input items, or the confirmation of a deletion."""
    known = members(result)
    return responses_response(result) if "output" in known else Response(**read_fields(known, _KEPT))


def _output(items: Any) -> tuple[int | None, int | None]:
    """The number of characters of text, and of calls of the application's tools."""
    if not is_collection(items):
        return None, None
    length = calls = 0
    for item in map(members, items):
        kind = text(item.get("type"))
        if kind == "message":
            for part in map(members, elements(item.get("content"))):
                length += characters(part.get("text"))
        elif kind in _CALLS:
            calls += 1
    return length, calls


def _finish_reasons(response: Mapping[str, Any], calls: int | None) -> tuple[str] | None:
    """The finish reason in a chat's terms; `None` if the response has not ended."""
    status = text(response.get("status"))
    if status == "completed":
        return ("tool_calls",) if calls else ("stop",)
    if status == "incomplete":
        reason = text(field(response.get("incomplete_details"), "reason"))
        return None if reason is None else (INCOMPLETE_RESPONSE.get(reason, reason),)
    return None


class ResponsesChunks:
    """Reads the events of a stream. The last one has the whole response; before it is received, deltas are counted."""

    __slots__ = ("_began", "_calls", "_ended", "_length", "_usage", "first_token", "stream")

    failure: Failure | None = None
    _TEXT = "response.output_text.delta"
    _ITEM = "response.output_item.done"
    _BEGIN = "response.created"
    _ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._began = Response()
        self._ended: Response | None = None
        self._usage: Usage | None = None
        self._length = 0
        self._calls = 0
        self.first_token: float | None = None

    def add(self, chunk: Any, at: float, /) -> None:
        event = members(chunk)
        kind = text(event.get("type")) or ""
        if kind.endswith(".delta"):  # nearly every event: text, reasoning, or a tool call
            if self.first_token is None and event.get("delta"):
                self.first_token = at
            if kind == self._TEXT:
                self._length += characters(event.get("delta"))
        elif kind == self._ITEM:
            self._calls += text(field(event.get("item"), "type")) in _CALLS
        elif kind == self._BEGIN:
            self._began = Response(**read_fields(members(event.get("response")), _RESPONSE))
        elif kind in self._ENDS:
            self._end(event)

    def _end(self, event: Mapping[str, Any]) -> None:
        response = event.get("response")
        self._ended, self._usage = responses_response(response), read_usage(response)

    def response(self) -> Response:
        if self._ended is None:
            self._read_last_event()
        if self._ended is not None:
            hit = getattr(self.stream, "_completed_response_cache_hit", None)
            return self._ended if hit is not True else Response(**{**vars(self._ended), "cache_hit": True})
        return Response(**{**vars(self._began), "content_length": self._length, "tool_calls_count": self._calls})

    def _read_last_event(self) -> None:
        """Read the last event, which LiteLLM keeps, if the application did not receive it.

        LiteLLM raises an exception for the event of a failed response, and may not pass on the event of a response that
        it continues.
        """
        last = members(getattr(self.stream, "completed_response", None))
        if text(last.get("type")) in self._ENDS:
            self._end(last)

    def usage(self) -> Usage | None:
        """The provider's usage. If LiteLLM has translated a chat stream, the last event may have an estimate."""
        if self._ended is None:
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
    counted=read_counted_anew,
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
