"""Parameters of LiteLLM's functions → Request. Counts and choices are read, content is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentops_otel_litellm.call import Request
from agentops_otel_litellm.readers.values import (
    Rows,
    characters,
    count,
    elements,
    field,
    fields_of,
    identifier,
    integer,
    is_collection,
    keyword,
    model_name,
    number,
    read_fields,
    rows_for,
    text,
    texts,
)

Parameters = Mapping[str, Any]

_REASONING_LEVELS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max", "default"})
_TOOL_CHOICES = frozenset({"auto", "none", "required", "any"})
_PART_MODALITIES = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "input_image": "image",
    "input_file": "file",
    "image_url": "image",
    "image": "image",
    "input_audio": "audio",
    "file": "file",
    "document": "file",
    "video_url": "video",
}
_ROLE_COUNTS = {role: f"{role}_count" for role in ("system", "developer", "user", "assistant", "tool", "function")}
_OUTPUT_TYPES = {"json_object": "json", "json_schema": "json", "text": "text"}


def tool_choice(value: Any) -> str | None:
    """A known keyword, or `function` if the request names a function or a tool, whose name is not read."""
    if isinstance(value, str):
        return value if value in _TOOL_CHOICES else None
    return "function" if isinstance(value, dict) else None


def reasoning_level(value: Any) -> str | None:
    return value if isinstance(value, str) and value in _REASONING_LEVELS else None


def output_type(value: Any) -> str | None:
    """The output type. It is JSON if `response_format` is a pydantic model."""
    return "json" if isinstance(value, type) else _OUTPUT_TYPES.get(text(field(value, "type")) or "")


def guardrail_id(value: Any) -> str | None:
    """The id in Bedrock's `guardrailConfig`, without the rest of an ARN, which has the id of the account."""
    name = field(value, "guardrailIdentifier")
    return identifier(name.rpartition("/")[2]) if isinstance(name, str) else None


_SAMPLING: Rows = {
    "max_tokens": ("max_tokens", integer),
    "max_completion_tokens": ("max_tokens", integer),
    "temperature": ("temperature", number),
    "top_p": ("top_p", number),
    "top_k": ("top_k", integer),
    "frequency_penalty": ("frequency_penalty", number),
    "presence_penalty": ("presence_penalty", number),
    "n": ("choice_count", integer),
    "seed": ("seed", integer),
    "stop": ("stop_sequences", texts),
    "service_tier": ("service_tier", keyword),
}
_TEXT = rows_for(Request, _SAMPLING)
_CHAT = rows_for(
    Request,
    {
        **_SAMPLING,
        "tools": ("tools_count", count),
        "functions": ("tools_count", count),
        "tool_choice": ("tool_choice", tool_choice),
        "reasoning_effort": ("reasoning_level", reasoning_level),
        "response_format": ("output_type", output_type),
        "guardrailConfig": ("guardrail_id", guardrail_id),
    },
)
_EMBEDDING = rows_for(
    Request,
    {
        "dimensions": ("dimensions", integer),
        "encoding_format": ("encoding_formats", texts),
    },
)


def streamed(parameters: Parameters) -> bool:
    return parameters.get("stream") is True


def chat_request(parameters: Parameters) -> Request:
    """Read the request of a chat."""
    parameter = parameters.get("messages")
    messages = [message if type(message) is dict else fields_of(message) for message in elements(parameter)]
    return Request(
        model=model_name(parameters.get("model")),
        stream=streamed(parameters),
        **conversation_fields(messages, parameter),
        **read_fields(parameters, _CHAT),
    )


def conversation_fields(messages: Sequence[Mapping[str, Any]], parameter: Any = None) -> dict[str, Any]:
    """The fields of a `Request` that describe its messages: their number by role, their length and their modalities.

    `parameter` is the object that the application passed, from which `messages` were read. If it is an iterator, its
    messages could not be read, and the result is empty.
    """
    if parameter is not None and not is_collection(parameter):
        return {}
    length, modalities = measure([message.get("content") for message in messages])
    return {
        "messages_count": len(messages),
        "content_length": length,
        "modalities": modalities,
        **_role_counts(messages),
    }


def _role_counts(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The number of messages of each role, by the fields of `Request`."""
    counts: dict[str, Any] = {}
    for message in messages:
        role = message.get("role")
        if isinstance(role, str) and role in _ROLE_COUNTS:
            name = _ROLE_COUNTS[role]
            counts[name] = counts.get(name, 0) + 1
    return counts


def measure(contents: Sequence[Any]) -> tuple[int | None, tuple[str, ...] | None]:
    """Measure the contents of messages: the number of characters of text, and the modalities of all parts, sorted.

    The number is `None` if one of the contents cannot be read. Only the lengths of texts are read, so the time depends
    on the number of messages, not on their length.
    """
    plain = [content for content in contents if isinstance(content, str)]
    length, is_known = sum(map(len, plain)), True
    kinds = {"text"} if plain else set()
    if len(plain) < len(contents):
        for part in (part for content in contents for part in elements(content)):
            kind = _PART_MODALITIES.get(text(field(part, "type")) or "")
            if kind is not None:
                kinds.add(kind)
            if kind == "text":
                length += characters(field(part, "text"))
        is_known = all(
            content is None or isinstance(content, str | dict) or is_collection(content) for content in contents
        )
    return length if is_known else None, tuple(sorted(kinds)) or None


def text_request(parameters: Parameters) -> Request:
    """Read the request of a text completion."""
    inputs, length = _prompts(parameters.get("prompt"))
    return Request(
        model=model_name(parameters.get("model")),
        stream=streamed(parameters),
        inputs_count=inputs,
        content_length=length,
        **read_fields(parameters, _TEXT),
    )


def embedding_request(parameters: Parameters) -> Request:
    """Read the request of an embedding."""
    inputs, length = _prompts(parameters.get("input"))
    return Request(
        model=model_name(parameters.get("model")),
        inputs_count=inputs,
        content_length=length,
        **read_fields(parameters, _EMBEDDING),
    )


def _prompts(parameter: Any) -> tuple[int | None, int | None]:
    """The number of prompts, and the number of their characters; `None` if it is unknown.

    The parameter is a string, a list of strings, a list of token ids, or a list of lists of token ids.
    """
    if isinstance(parameter, str):
        return 1, len(parameter)
    if not is_collection(parameter) or not parameter:
        return None, None
    if isinstance(next(iter(parameter)), int):
        return 1, None
    return len(parameter), sum(map(len, parameter)) if all(isinstance(item, str) for item in parameter) else None


def default_request(parameters: Parameters) -> Request:
    return Request(model=model_name(parameters.get("model")), stream=streamed(parameters) or None)


def batch_request(parameters: Parameters) -> Request:
    """Read the request of several calls of one model, or of one call of several models."""
    parameter = parameters.get("messages")
    conversations = elements(parameter)
    if parameter is not None and not is_collection(parameter):
        inputs_count = None
    elif conversations and is_collection(next(iter(conversations))):
        inputs_count = len(conversations)
    else:
        inputs_count = 1
    return Request(model=model_name(parameters.get("model")), inputs_count=inputs_count)


def no_request(_parameters: Parameters) -> Request:
    """An empty request: the calls that the operation makes record their own requests."""
    return Request()
