"""Content of chats and text completions: OpenAI's messages, into which LiteLLM translates those of all providers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentops_otel_litellm.content_records import Content, Message, Modality, Part, Tool
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.draft import Draft
from agentops_otel_litellm.readers.content.parts import (
    blob,
    media,
    plain,
    reasoning_parts,
    stored_file,
    text_parts,
    tool_call,
    tool_result,
)
from agentops_otel_litellm.readers.values import elements, field, fields_of, index, is_collection, keyword, text


def _chat_request(parameters: Parameters) -> Content:
    """The messages, instructions included, and the tools."""
    messages = parameters.get("messages")
    tools = elements(parameters.get("tools")) or elements(parameters.get("functions"))
    return Content(
        input=tuple(map(_message, messages)) if is_collection(messages) else None,
        tools=tuple(map(tool, tools)) or None,
    )


def _text_request(parameters: Parameters) -> Content:
    """Each prompt of a text completion is a message of its own."""
    prompt = parameters.get("prompt")
    prompts = elements(prompt) if is_collection(prompt) else (prompt,)
    return Content(input=tuple(Message(role="user", parts=text_parts(each)) for each in prompts if text(each)) or None)


def _chat_response(result: Any) -> tuple[Message, ...]:
    return tuple(
        _output_message(fields_of(choice.get("message")), choice)
        for choice in map(fields_of, elements(field(result, "choices")))
    )


def _text_response(result: Any) -> tuple[Message, ...]:
    """Read a text completion: each choice is a message."""
    return tuple(
        Message(
            role="assistant",
            parts=text_parts(choice.get("text")),
            finish_reason=keyword(choice.get("finish_reason")),
        )
        for choice in map(fields_of, elements(field(result, "choices")))
    )


def _output_message(message: Mapping[str, Any], choice: Mapping[str, Any]) -> Message:
    return Message(
        role=text(message.get("role")) or "assistant",
        parts=_parts(message),
        finish_reason=keyword(choice.get("finish_reason")),
    )


def _message(item: Any) -> Message:
    """Read a message of the request. The content of a message with the role `tool` or `function` is a tool's result."""
    message = fields_of(item)
    role = text(message.get("role")) or "user"
    if role in {"tool", "function"}:
        result = message.get("content")
        called = message.get("tool_call_id") or message.get("name")
        return Message(role="tool", parts=(tool_result(called, _texts(result)),), name=text(message.get("name")))
    return Message(role=role, parts=_parts(message), name=text(message.get("name")))


def _texts(content: Any) -> Any:
    """The output of a tool; a list of parts as one text."""
    if not is_collection(content):
        return content
    return "".join(text(field(part, "text")) or "" for part in content)


def _parts(message: Mapping[str, Any]) -> tuple[Part, ...]:
    """Reasoning, content and tool calls, in the order in which models generate them."""
    content = message.get("content")
    content_parts = tuple(map(content_part, content)) if is_collection(content) else text_parts(content)
    return (
        *reasoning_parts(message.get("reasoning_content")),
        *content_parts,
        *((Part(type="refusal", content=text(message["refusal"])),) if text(message.get("refusal")) else ()),
        *((_audio(message["audio"]),) if message.get("audio") else ()),
        *(media("image", field(field(image, "image_url"), "url")) for image in elements(message.get("images"))),
        *map(_tool_call, elements(message.get("tool_calls"))),
        *((_tool_call({"function": message["function_call"]}),) if message.get("function_call") else ()),
    )


def _tool_call(call: Any) -> Part:
    function = fields_of(field(call, "function"))
    return tool_call(field(call, "id"), function.get("name"), function.get("arguments"))


def _audio(audio: Any) -> Part:
    """The transcript of audio output if there is one, else its data, else the id by which a request refers to it."""
    transcript = text(field(audio, "transcript"))
    if transcript is not None:
        return Part(type="text", content=transcript)
    known = field(audio, "data")
    return blob("audio", known) if known else stored_file("audio", field(audio, "id"))


def content_part(item: Any) -> Part:
    """Read one part of a message whose content is a list."""
    if isinstance(item, str):
        return Part(type="text", content=item)
    part = fields_of(item)
    read = _CONTENT_PARTS.get(text(part.get("type")) or "")
    return Part(type="unknown", name=keyword(part.get("type"))) if read is None else read(part)


def _text(part: Mapping[str, Any]) -> Part:
    return Part(type="text", content=text(part.get("text")) or "")


def _reasoning(part: Mapping[str, Any]) -> Part:
    return Part(type="reasoning", content=text(part.get("thinking") or part.get("text")) or "")


def _refusal(part: Mapping[str, Any]) -> Part:
    return Part(type="refusal", content=text(part.get("refusal")) or "")


def _sound(part: Mapping[str, Any]) -> Part:
    sound = fields_of(part.get("input_audio"))
    kind = keyword(sound.get("format"))
    return blob("audio", sound.get("data"), f"audio/{kind}" if kind else None)


def _file(part: Mapping[str, Any]) -> Part:
    file = fields_of(part.get("file"))
    if file.get("file_data"):
        return media("document", file["file_data"], text(file.get("format")))
    return stored_file("document", file.get("file_id"), text(file.get("format")))


def _url(name: str, modality: Modality) -> Callable[[Mapping[str, Any]], Part]:
    def read(part: Mapping[str, Any]) -> Part:
        value = part.get(name)
        return media(modality, value if isinstance(value, str) else field(value, "url"))

    return read


_CONTENT_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "thinking": _reasoning,
    "reasoning": _reasoning,
    "refusal": _refusal,
    "image_url": _url("image_url", "image"),
    "video_url": _url("video_url", "video"),
    "input_audio": _sound,
    "file": _file,
}


def tool(item: Any) -> Tool:
    """Read a tool, or an entry of the older parameter `functions`."""
    known = fields_of(item)
    function = fields_of(known.get("function") or (known if "name" in known and "type" not in known else None))
    kind = keyword(known.get("type")) or "function"
    return Tool(
        type=kind,
        name=text(function.get("name") or known.get("name")) or kind,
        description=text(function.get("description")),
        parameters=plain(function.get("parameters")),
    )


class _ChatTranscript:
    """Reads the content of a chat stream. Parallel choices and tool calls are distinguished by their indexes."""

    __slots__ = ("_draft",)

    def __init__(self) -> None:
        self._draft = Draft()

    def add(self, chunk: Any) -> None:
        for choice in map(fields_of, elements(field(chunk, "choices"))):
            number = index(choice.get("index"))
            self._draft.add_choice(number, finish_reason=keyword(choice.get("finish_reason")))
            self._add(number, choice)

    def _add(self, number: int, choice: Mapping[str, Any]) -> None:
        delta, draft = fields_of(choice.get("delta")), self._draft
        draft.add_fragment(number, "reasoning", delta.get("reasoning_content"))
        draft.add_fragment(number, "text", delta.get("content"))
        draft.add_fragment(number, "refusal", delta.get("refusal"))
        draft.add_fragment(number, "text", field(delta.get("audio"), "transcript"))
        for image in elements(delta.get("images")):
            draft.add(number, media("image", field(field(image, "image_url"), "url")))
        for call in map(fields_of, elements(delta.get("tool_calls"))):
            function = fields_of(call.get("function"))
            draft.add_tool_call(
                number,
                key=index(call.get("index")),
                call_id=call.get("id"),
                name=function.get("name"),
                arguments=function.get("arguments"),
            )
        if delta.get("function_call") is not None:
            function = fields_of(delta["function_call"])
            draft.add_tool_call(number, key=-1, name=function.get("name"), arguments=function.get("arguments"))

    def messages(self) -> tuple[Message, ...]:
        return self._draft.messages()


class _TextTranscript(_ChatTranscript):
    """Reads the content of a text completion stream. For a cached response, LiteLLM returns the chunks of a chat."""

    __slots__ = ()

    def _add(self, number: int, choice: Mapping[str, Any]) -> None:
        if "text" in choice:
            self._draft.add_fragment(number, "text", choice["text"])
        else:
            super()._add(number, choice)


CHAT_CONTENT = ContentReaders(request=_chat_request, response=_chat_response, transcript=_ChatTranscript)
TEXT_CONTENT = ContentReaders(request=_text_request, response=_text_response, transcript=_TextTranscript)
