"""Content of Google's generateContent: `contents` that have parts, with names in camel case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentops_otel_litellm.content_records import Content, Message, Modality, Part, Tool
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.draft import Draft
from agentops_otel_litellm.readers.content.parts import blob, media, plain, tool_call, tool_result
from agentops_otel_litellm.readers.finish_reasons import GOOGLE
from agentops_otel_litellm.readers.google import ROLES, camel, each_of, generate_config
from agentops_otel_litellm.readers.sse import ServerSentEvents
from agentops_otel_litellm.readers.values import index, keyword, text

_MODALITIES: Mapping[str, Modality] = {"image": "image", "audio": "audio", "video": "video"}


def _request(parameters: Parameters) -> Content:
    config = generate_config(parameters)
    instruction = config.get("systemInstruction")
    return Content(
        instructions=_message(instruction).parts if instruction is not None else None,
        input=tuple(map(_message, each_of(parameters.get("contents")))) or None,
        tools=tuple(tool for value in each_of(config.get("tools")) for tool in _tools(value)) or None,
    )


def _response(result: Any) -> tuple[Message, ...]:
    return tuple(map(_candidate, each_of(camel(result).get("candidates"))))


def _candidate(value: Any) -> Message:
    candidate = camel(value)
    message = _message(candidate.get("content") or {"role": "model", "parts": ()})
    return Message(role="assistant", parts=message.parts, finish_reason=_finish_reason(candidate))


def _finish_reason(candidate: Mapping[str, Any]) -> str | None:
    reason = keyword(candidate.get("finishReason"))
    return None if reason is None else GOOGLE.get(reason, reason)


def _message(content: Any) -> Message:
    """Read one of `contents`. Instead of an object with parts, Google also accepts a single part or a text."""
    if isinstance(content, str):
        return Message(role="user", parts=(Part(type="text", content=content),))
    known = camel(content)
    parts = tuple(map(_part, each_of(known["parts"]) if "parts" in known else (content,)))
    role = ROLES.get(text(known.get("role")) or "user", "user")
    has_only_results = bool(parts) and all(part.type == "tool_call_response" for part in parts)
    return Message(role="tool" if has_only_results else role, parts=parts)


def _part(value: Any) -> Part:
    """Read one part of a content, which is a text or an object with a single field."""
    if isinstance(value, str):
        return Part(type="text", content=value)
    part = camel(value)
    if "text" in part:
        return Part(type="reasoning" if part.get("thought") else "text", content=text(part["text"]) or "")
    for name, read in _PARTS.items():
        if name in part:
            return read(camel(part[name]))
    return Part(type="unknown", name=keyword(next(iter(part), None)))


def _function_call(call: Mapping[str, Any]) -> Part:
    return tool_call(call.get("id"), call.get("name"), call.get("args"))


def _function_response(answer: Mapping[str, Any]) -> Part:
    return tool_result(answer.get("id") or answer.get("name"), answer.get("response"))


def _inline_data(data: Mapping[str, Any]) -> Part:
    return blob(_modality(data), data.get("data"), text(data.get("mimeType")))


def _file_data(data: Mapping[str, Any]) -> Part:
    return media(_modality(data), data.get("fileUri"), text(data.get("mimeType")))


def _modality(data: Mapping[str, Any]) -> Modality:
    return _MODALITIES.get((text(data.get("mimeType")) or "").partition("/")[0], "document")


_PARTS = {
    "functionCall": _function_call,
    "functionResponse": _function_response,
    "inlineData": _inline_data,
    "fileData": _file_data,
}


def _tools(value: Any) -> Iterator[Tool]:
    """The functions that an entry of `tools` declares, or the names of the tools of Google's that it enables."""
    known = camel(value)
    declared = each_of(known.get("functionDeclarations"))
    for function in map(camel, declared):
        yield Tool(
            type="function",
            name=text(function.get("name")) or "function",
            description=text(function.get("description")),
            parameters=plain(function.get("parameters", function.get("parametersJsonSchema"))),
        )
    if not declared:
        yield from (Tool(type=kind, name=kind) for kind in known if keyword(kind))


class _Transcript:
    """Reads the content of a stream. Each chunk has further parts of the candidates; a tool call is always in one
    part.
    """

    __slots__ = ("_draft", "_events")

    def __init__(self) -> None:
        self._draft = Draft()
        self._events = ServerSentEvents()

    def add(self, chunk: Any) -> None:
        for response in self._events.messages(chunk):
            for candidate in map(camel, each_of(camel(response).get("candidates"))):
                number = index(candidate.get("index"))
                self._draft.add_choice(number, finish_reason=_finish_reason(candidate))
                for part in _message(candidate.get("content") or {"parts": ()}).parts:
                    if part.type in {"text", "reasoning"}:
                        self._draft.add_fragment(number, part.type, part.content)
                    else:
                        self._draft.add(number, part)

    def messages(self) -> tuple[Message, ...]:
        return self._draft.messages()


GENERATE_CONTENT_CONTENT = ContentReaders(request=_request, response=_response, transcript=_Transcript)
