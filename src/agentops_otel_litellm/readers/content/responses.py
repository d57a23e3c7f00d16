"""Content of the Responses API: a list of items, some of which are messages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from agentops_otel_litellm.content_records import Content, Message, Part, Tool
from agentops_otel_litellm.readers.content.chat import content_part
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.draft import Draft
from agentops_otel_litellm.readers.content.parts import media, plain, text_parts, tool_call, tool_result
from agentops_otel_litellm.readers.finish_reasons import INCOMPLETE_RESPONSE
from agentops_otel_litellm.readers.values import characters, elements, field, fields_of, is_collection, keyword, text

# Type of an item that calls a tool → its field with the arguments, which differs for the provider's own tools.
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


def _request(parameters: Parameters) -> Content:
    value = parameters.get("input")
    items: Collection[Any] = value if is_collection(value) else (value,) if isinstance(value, str) else ()
    return Content(
        instructions=text_parts(parameters.get("instructions")) or None,
        input=tuple(map(_message, items)) or None,
        tools=tuple(map(_tool, elements(parameters.get("tools")))) or None,
    )


def _stored(_parameters: Parameters) -> Content:
    """No content: the request only has the id of a stored response."""
    return Content()


def _message(value: Any) -> Message:
    """Read an item of the input as a message of a chat."""
    if isinstance(value, str):
        return Message(role="user", parts=text_parts(value))
    item = fields_of(value)
    kind = text(item.get("type")) or "message"
    if kind == "message":
        return Message(role=text(item.get("role")) or "user", parts=_content(item.get("content")))
    if kind.endswith("_output"):
        return Message(role="tool", parts=(tool_result(item.get("call_id"), _tool_output(item.get("output"))),))
    return Message(role="assistant", parts=tuple(_item_parts(item)))


def _content(content: Any) -> tuple[Part, ...]:
    return text_parts(content) if isinstance(content, str) else tuple(map(_part, elements(content)))


def _part(value: Any) -> Part:
    part = fields_of(value)
    if part.get("type") == "input_image":
        return media("image", part.get("image_url")) if part.get("image_url") else _file(part, "image")
    return _file(part, "document") if part.get("type") == "input_file" else content_part(part)


def _file(part: Mapping[str, Any], modality: Any) -> Part:
    data = part.get("file_data") or part.get("file_url")
    known = text(part.get("file_id"))
    return media(modality, data) if data else Part(type="file", modality=modality, file_id=known or "")


def _tool_output(output: Any) -> Any:
    """The output of a tool; a list of text parts as one text."""
    if not is_collection(output):
        return output
    texts = [field(part, "text") for part in output]
    return "".join(texts) if all(isinstance(each, str) for each in texts) else output


def _response(result: Any) -> tuple[Message, ...] | None:
    """All items of the output as one message; `None` for other results, such as the confirmation of a deletion."""
    response = fields_of(result)
    if "output" not in response:
        return None
    items = list(map(fields_of, elements(response.get("output"))))
    parts = tuple(part for item in items for part in _item_parts(item))
    return (Message(role="assistant", parts=parts, finish_reason=_finish_reason(response, items)),)


def _finish_reason(response: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> str | None:
    status = text(response.get("status"))
    if status == "completed":
        calls = any(text(item.get("type")) in {"function_call", "custom_tool_call"} for item in items)
        return "tool_calls" if calls else "stop"
    reason = keyword(field(response.get("incomplete_details"), "reason"))
    return None if reason is None else INCOMPLETE_RESPONSE.get(reason, reason)


def _item_parts(item: Mapping[str, Any]) -> Iterator[Part]:
    """The parts of an item of the model's output: text, reasoning, images and tool calls."""
    kind = text(item.get("type")) or ""
    if kind == "message":
        yield from _content(item.get("content"))
    elif kind == "reasoning":
        for each in (*elements(item.get("summary")), *elements(item.get("content"))):
            yield Part(type="reasoning", content=text(field(each, "text")) or "")
    elif kind == "image_generation_call":
        yield Part(type="blob", modality="image", size=characters(item.get("result")))
    elif kind in _ARGUMENTS:
        name = text(item.get("name")) or kind.removesuffix("_call")
        yield tool_call(item.get("call_id") or item.get("id"), name, item.get(_ARGUMENTS[kind]))
    else:
        yield Part(type="unknown", name=keyword(kind))


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


_ONLY_CHOICE = 0
"""The index of the choice: this API has one choice in each response."""


class _Transcript:
    """Reads the content of a stream. The last event contains the complete response. If it was not received, the
    messages are assembled from the fragments in the other events.
    """

    __slots__ = ("_draft", "_final_messages")

    _DELTAS: Mapping[str, Any] = {
        "response.output_text.delta": "text",
        "response.refusal.delta": "refusal",
        "response.reasoning_summary_text.delta": "reasoning",
        "response.reasoning_text.delta": "reasoning",
    }
    _TOOL_CALL_DELTAS = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
    _LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})

    def __init__(self) -> None:
        self._draft = Draft()
        self._final_messages: tuple[Message, ...] | None = None
        """The messages in the last event, if it was received."""

    def add(self, chunk: Any) -> None:
        event = fields_of(chunk)
        kind = text(event.get("type")) or ""
        if kind in self._DELTAS:
            self._draft.add_fragment(
                _ONLY_CHOICE, self._DELTAS[kind], event.get("delta"), key=event.get("output_index")
            )
        elif kind in self._TOOL_CALL_DELTAS:
            self._draft.add_tool_call(_ONLY_CHOICE, key=event.get("output_index"), arguments=event.get("delta"))
        elif kind == "response.output_item.added":
            item = fields_of(event.get("item"))
            if text(item.get("type")) in {"function_call", "custom_tool_call"}:
                self._draft.add_tool_call(
                    _ONLY_CHOICE, key=event.get("output_index"), call_id=item.get("call_id"), name=item.get("name")
                )
        elif kind == "response.created":
            self._draft.add_choice(_ONLY_CHOICE)
        elif kind in self._LAST_EVENTS:
            self._final_messages = _response(event.get("response"))

    def messages(self) -> tuple[Message, ...]:
        return self._draft.messages() if self._final_messages is None else self._final_messages


RESPONSES_CONTENT = ContentReaders(request=_request, response=_response, transcript=_Transcript)
STORED_RESPONSE_CONTENT = ContentReaders(request=_stored, response=_response)
