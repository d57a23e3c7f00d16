"""Requests of Google's generateContent. Names are in camel case on the wire and in snake case in Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentops_otel_litellm.call import Request
from agentops_otel_litellm.readers.google import ROLES, camel, each_of, generate_config
from agentops_otel_litellm.readers.requests import Parameters, conversation_fields, reasoning_level
from agentops_otel_litellm.readers.values import (
    elements,
    integer,
    is_iterator,
    model_name,
    number,
    read_fields,
    rows_for,
    text,
    texts,
)

_PART_TYPES = {"image": "image", "audio": "input_audio", "video": "video_url"}
_OUTPUT_TYPES = {"application/json": "json", "text/x.enum": "json", "text/plain": "text"}
_MODALITIES = {"AUDIO": "speech", "IMAGE": "image"}
_TOOL_CHOICES = frozenset({"auto", "any", "none"})


def _part_type(data: Mapping[str, Any]) -> str:
    """`image/png` → the type of a chat part with an image."""
    return _PART_TYPES.get((text(data.get("mimeType")) or "").partition("/")[0], "file")


def _output_modality(modalities: Any) -> str | None:
    """The first of the requested modalities that is not text."""
    return next((_MODALITIES[each] for each in texts(modalities) or () if each in _MODALITIES), None)


_CONFIG = rows_for(
    Request,
    {
        "temperature": ("temperature", number),
        "topP": ("top_p", number),
        "topK": ("top_k", lambda value: integer(int(value)) if number(value) is not None else None),
        "maxOutputTokens": ("max_tokens", integer),
        "candidateCount": ("choice_count", integer),
        "stopSequences": ("stop_sequences", texts),
        "presencePenalty": ("presence_penalty", number),
        "frequencyPenalty": ("frequency_penalty", number),
        "seed": ("seed", integer),
        "responseMimeType": ("output_type", lambda kind: _OUTPUT_TYPES.get(text(kind) or "")),
        "responseModalities": ("output_type", _output_modality),
        "thinkingConfig": ("reasoning_level", lambda config: _thinking_level(camel(config).get("thinkingLevel"))),
    },
)


def _thinking_level(level: Any) -> str | None:
    return reasoning_level((text(level) or "").lower())


def generate_content_request(parameters: Parameters) -> Request:
    return _request(parameters, stream=False)


def generate_content_stream_request(parameters: Parameters) -> Request:
    """Read a request of the streaming function. Only the name of the function shows that it streams."""
    return _request(parameters, stream=True)


def _request(parameters: Parameters, *, stream: bool) -> Request:
    config = generate_config(parameters)
    instruction = config.get("systemInstruction")
    contents = parameters.get("contents")
    messages = [_message(content) for content in each_of(contents)]
    if instruction is not None:
        messages.insert(0, {**_message(instruction), "role": "system"})
    function_calling = camel(camel(config.get("toolConfig")).get("functionCallingConfig"))
    mode = (text(function_calling.get("mode")) or "").lower()
    return Request(
        model=model_name(parameters.get("model")),
        stream=stream,
        tools_count=_tools_count(config.get("tools")),
        tool_choice=mode if mode in _TOOL_CHOICES else None,
        **conversation_fields(messages, contents if is_iterator(contents) else None),
        **read_fields(config, _CONFIG),
    )


def _message(content: Any) -> Mapping[str, Any]:
    """One of `contents` as a chat message. Google also accepts a text, or parts, instead of an object with parts."""
    if isinstance(content, str):
        return {"role": "user", "content": content}
    known = camel(content)
    parts = known.get("parts", content)
    return {
        "role": ROLES.get(text(known.get("role")) or "user"),
        "content": parts if is_iterator(parts) else [part for each in each_of(parts) for part in _parts(each)],
    }


def _parts(part: Any) -> Iterator[Mapping[str, Any]]:
    """A part as parts of a chat message: its text, and the type of its media."""
    if isinstance(part, str):
        yield {"type": "text", "text": part}
        return
    known = camel(part)
    if "text" in known:
        yield {"type": "text", "text": known["text"]}
    for name in ("inlineData", "fileData"):
        if name in known:
            yield {"type": _part_type(camel(known[name]))}


def _tools_count(tools: Any) -> int | None:
    """The number of tools. Each function that an entry of `tools` declares counts as one."""
    if tools is None or is_iterator(tools):
        return None
    return sum(len(elements(camel(tool).get("functionDeclarations"))) or 1 for tool in each_of(tools))
