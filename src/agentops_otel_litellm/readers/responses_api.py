"""The Responses API → records: its input is a list of items, its output another, its stream one of named events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.call import Failure, Request, Response, Usage
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
from agentops_otel_litellm.readers.shapes import Shape
from agentops_otel_litellm.readers.streams import kept_of, reported_usage
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
    rows_for,
    taken,
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
        "text": ("output_type", lambda asked: output_type(field(asked, "format"))),
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
# Items of the output that ask the app for something. (What other tools do, the provider does.)
_CALLS = frozenset({"function_call", "custom_tool_call"})


def responses_request(parameters: Parameters) -> Request:
    """The instructions count as the system message that they are in a chat."""
    given, instructions = parameters.get("input"), parameters.get("instructions")
    messages: list[Mapping[str, Any]] = [{"role": "system", "content": instructions}] if is_given(instructions) else []
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
    else:
        messages += map(_message, elements(given))
    return Request(
        model=model_name(parameters.get("model")),
        stream=streamed(parameters),
        **conversation(messages, None if isinstance(given, str) else given),
        **taken(parameters, _REQUEST),
    )


def _message(item: Any) -> Mapping[str, Any]:
    """What a tool of the app's put out is the message that it is in a chat; a message is one already."""
    if isinstance(item, str):
        return {"role": "user", "content": item}
    known = members(item)
    kind = known.get("type")
    if isinstance(kind, str) and kind.endswith("_call_output"):
        return {"role": "tool", "content": known.get("output")}
    return known


def stored_request(parameters: Parameters) -> Request:
    """A question about a response that the provider keeps."""
    return Request(**taken(parameters, _STORED))


def responses_response(result: Any) -> Response:
    response = members(result)
    length, calls = _output(response.get("output"))
    return Response(
        **taken(response, _RESPONSE),
        finish_reasons=_finish_reasons(response, calls),
        content_length=length,
        tool_calls_count=calls,
        cache_hit=cache_hit(result),
    )


def stored_response(result: Any) -> Response:
    """A response itself, a list of what was put in, or that there is neither any more."""
    known = members(result)
    return responses_response(result) if "output" in known else Response(**taken(known, _KEPT))


def _output(items: Any) -> tuple[int | None, int | None]:
    """Characters of the text, and the calls of the app's tools."""
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
    """In a chat's terms. A response that is not over has none yet."""
    status = text(response.get("status"))
    if status == "completed":
        return ("tool_calls",) if calls else ("stop",)
    if status == "incomplete":
        reason = text(field(response.get("incomplete_details"), "reason"))
        return None if reason is None else (INCOMPLETE_RESPONSE.get(reason, reason),)
    return None


class ResponsesChunks:
    """Events of a response's stream. The last has the whole response; until it has come, the deltas are counted."""

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
        if kind.endswith(".delta"):  # of text, reasoning, or a tool call: nearly every event is such a one
            if self.first_token is None and event.get("delta"):
                self.first_token = at
            if kind == self._TEXT:
                self._length += characters(event.get("delta"))
        elif kind == self._ITEM:
            self._calls += text(field(event.get("item"), "type")) in _CALLS
        elif kind == self._BEGIN:
            self._began = Response(**taken(members(event.get("response")), _RESPONSE))
        elif kind in self._ENDS:
            self._end(event)

    def _end(self, event: Mapping[str, Any]) -> None:
        response = event.get("response")
        self._ended, self._usage = responses_response(response), read_usage(response)

    def response(self) -> Response:
        if self._ended is None:
            self._end_as_kept()
        if self._ended is not None:
            hit = getattr(self.stream, "_completed_response_cache_hit", None)
            return self._ended if hit is not True else Response(**{**vars(self._ended), "cache_hit": True})
        return Response(**{**vars(self._began), "content_length": self._length, "tool_calls_count": self._calls})

    def _end_as_kept(self) -> None:
        """LiteLLM keeps the last event: of the one that is for a failure it makes an exception, and of a response that
        it goes on from the app may get none.
        """
        last = members(getattr(self.stream, "completed_response", None))
        if text(last.get("type")) in self._ENDS:
            self._end(last)

    def usage(self) -> Usage | None:
        """What LiteLLM made of a chat's stream ends with an estimate where the provider counted nothing."""
        if self._ended is None:
            self._end_as_kept()
        chat = getattr(self.stream, "litellm_custom_stream_wrapper", None)
        return self._usage if chat is None or self._usage is None else reported_usage(chat)

    def let_go(self) -> None:
        chat = kept_of(getattr(self.stream, "litellm_custom_stream_wrapper", None), "chunks")
        self.stream = kept_of(self.stream, "completed_response", "_completed_response_cache_hit")
        self.stream.litellm_custom_stream_wrapper = chat


RESPONSES = Shape(
    request=responses_request,
    response=responses_response,
    counted=read_counted_anew,
    chunks=ResponsesChunks,
    price=price_response,
    content=RESPONSES_CONTENT,
)
STORED_RESPONSE = Shape(
    request=stored_request,
    response=stored_response,
    usage=no_usage,
    cost=no_cost,
    content=STORED_RESPONSE_CONTENT,
)
"""What a stored response took was told when it was made."""
