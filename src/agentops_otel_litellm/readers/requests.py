"""What requests of several API formats have in common: counts of their messages, and choices of known keywords.

Counts and choices are read, content is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentops_otel_litellm.call import Request
from agentops_otel_litellm.readers.values import (
    COLLECTIONS,
    Parameters,
    Rows,
    characters,
    field,
    fields_of,
    integer,
    keyword,
    model_name,
    number,
    text,
    texts,
)

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


def streamed(parameters: Parameters) -> bool:
    return parameters.get("stream") is True


def default_request(parameters: Parameters) -> Request:
    return Request(model=model_name(parameters.get("model")), stream=streamed(parameters) or None)


def conversation_fields(messages: Iterable[Any] | None, parameter: Any = None) -> dict[str, Any]:
    """The fields of a `Request` that describe its messages: their number by role, their length and their modalities.

    `parameter` is the object that the application passed, from which `messages` were read. If it is an iterator, its
    messages could not be read, and the result is empty.
    """
    if parameter is not None and not isinstance(parameter, COLLECTIONS):
        return {}
    contents: list[Any] = []
    role_counts: dict[str, Any] = {}
    for each in messages or ():
        message = each if type(each) is dict else fields_of(each)
        contents.append(message.get("content"))
        role = message.get("role")
        if isinstance(role, str) and role in _ROLE_COUNTS:
            name = _ROLE_COUNTS[role]
            role_counts[name] = role_counts.get(name, 0) + 1
    length, modalities = measure(contents)
    return {"messages_count": len(contents), "content_length": length, "modalities": modalities, **role_counts}


def measure(contents: Iterable[Any]) -> tuple[int | None, tuple[str, ...] | None]:
    """Measure the contents of messages: the number of characters of text, and the modalities of all parts, sorted.

    The number is `None` if one of the contents cannot be read. Only the lengths of texts are read, so the time depends
    on the number of messages, not on their length.
    """
    length, is_known = 0, True
    kinds: set[str] = set()
    for content in contents:
        if isinstance(content, str):
            length += len(content)
            kinds.add("text")
        elif isinstance(content, COLLECTIONS):
            for part in content:
                kind = _PART_MODALITIES.get(text(field(part, "type")) or "")
                if kind is not None:
                    kinds.add(kind)
                if kind == "text":
                    length += characters(field(part, "text"))
        elif content is not None and not isinstance(content, dict):
            is_known = False  # for instance an iterator
    return length if is_known else None, tuple(sorted(kinds)) or None


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


SAMPLING: Rows = {
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
"""Parameters of chats and text completions."""
