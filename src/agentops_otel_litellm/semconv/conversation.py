"""Converts conversations to the form that most backends read: numbered turns, as many as fit the span's limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.content_records import Content, Json, Message, Part, Tool, opening_and_rest

Group = Mapping[str, AttributeValue]
"""Attributes that only make sense together: all of them are written, or none."""

TEXT_TYPES = frozenset({"text", "refusal"})
"""Types of parts whose content is displayed as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The content and tool calls of one message, or the result of one tool."""

    role: str
    name: str | None = None
    parts: tuple[Part, ...] = ()
    calls: tuple[Part, ...] = ()
    result: Part | None = None

    @property
    def text(self) -> str | None:
        """The content as text, if it is a single text or the result of a tool; otherwise `None`."""
        if self.result is not None:
            return None if self.result.response is None else as_text(self.result.response)
        return self.parts[0].content if len(self.parts) == 1 and self.parts[0].type == "text" else None


def turns(message: Message) -> Iterator[Turn]:
    """Split a message: the results of tools first, one turn each, then the rest."""
    rest = [part for part in message.parts if part.type != "tool_call_response"]
    for part in message.parts:
        if part.type == "tool_call_response":
            yield Turn(role="tool", name=part.name or message.name, result=part)
    if rest or not message.parts:
        yield Turn(
            role=message.role,
            name=message.name,
            parts=tuple(part for part in rest if part.type != "tool_call"),
            calls=tuple(part for part in rest if part.type == "tool_call"),
        )


def input_turns(content: Content) -> list[Turn]:
    """All input of the model, in order."""
    return [*_instructions(content), *(turn for message in content.input or () for turn in turns(message))]


def output_turns(content: Content) -> list[Turn]:
    """All output of the model."""
    return [turn for message in content.output or () for turn in turns(message)]


def opening_and_latest(content: Content) -> tuple[list[Turn], Iterator[Turn]]:
    """The turns of `input_turns` by priority: the instructions, and the other turns from the last to the first."""
    messages = content.input or ()
    opening = _instructions(content)
    if not opening:
        first, messages = opening_and_rest(messages)
        opening = [turn for message in first for turn in turns(message)]
    return opening, (turn for message in reversed(messages) for turn in reversed(tuple(turns(message))))


def fit_input(
    content: Content, convert: Callable[[Turn], Sequence[Group]], max_attributes: int
) -> dict[str, AttributeValue]:
    """All input of the model. If it has more than `max_attributes`, the instructions and the end of the
    conversation.
    """
    opening, latest = opening_and_latest(content)
    first = fit_items(map(convert, opening), max_attributes // 2)
    rest = fit_items(map(convert, latest), max_attributes - len(number_items(first)))
    return number_items([*first, *reversed(rest)])


def _instructions(content: Content) -> list[Turn]:
    return [Turn(role="system", parts=content.instructions)] if content.instructions else []


def fit_items(items: Iterable[Sequence[Group]], max_attributes: int) -> list[Sequence[Group]]:
    """The longest beginning of `items` that has at most `max_attributes` attributes in total. If the first item alone
    has more, the beginning of its groups.
    """
    fit: list[Sequence[Group]] = []
    for groups in items:
        size = sum(map(len, groups))
        if size > max_attributes:
            return fit or [_beginning(groups, max_attributes)]
        fit.append(groups)
        max_attributes -= size
    return fit


def _beginning(groups: Sequence[Group], max_attributes: int) -> Sequence[Group]:
    """The first groups that have at most `max_attributes` attributes in total."""
    fit: list[Group] = []
    for group in groups:
        max_attributes -= len(group)
        if max_attributes < 0:
            break
        fit.append(group)
    return fit


def number_items(items: Iterable[Sequence[Group]]) -> dict[str, AttributeValue]:
    """`{"0.message.role": "user", …}`: numbered from 0, without a gap."""
    present = (groups for groups in items if groups)
    return {
        f"{index}.{name}": value
        for index, groups in enumerate(present)
        for group in groups
        for name, value in group.items()
    }


def as_text(value: Json) -> str:
    """A string unchanged, any other value as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def placeholder(part: Part) -> str:
    """The description of content that is not text or was left out: `[image/png, 12 characters of base64]`."""
    if part.file_id is not None:
        return f"[{part.modality or 'file'} {part.file_id}]"
    kind = part.mime_type or part.modality or part.name or part.type
    return f"[{kind}]" if part.size is None else f"[{kind}, {part.size} characters of base64]"


def url(part: Part) -> str | None:
    """The URL of an image or other media, or a `data:` URL with its bytes."""
    if part.uri is not None:
        return part.uri
    return f"data:{part.mime_type or ''};base64,{part.content}" if part.type == "blob" and part.content else None


def openai_message(turn: Turn) -> dict[str, Any]:
    """The message in the format of OpenAI's chat API, which most backends can display."""
    message: dict[str, Any] = {"role": turn.role}
    if turn.name is not None:
        message["name"] = turn.name
    if turn.result is not None and turn.result.id is not None:
        message["tool_call_id"] = turn.result.id
    reasoning = "".join(part.content or "" for part in turn.parts if part.type == "reasoning")
    if reasoning:
        message["reasoning_content"] = reasoning
    parts = [part for part in turn.parts if part.type != "reasoning"]
    only = Turn(role=turn.role, parts=tuple(parts), result=turn.result).text
    message["content"] = only if only is not None or not parts else [_openai_part(part) for part in parts]
    if turn.calls:
        message["tool_calls"] = [_openai_call(call) for call in turn.calls]
    return message


def _openai_part(part: Part) -> dict[str, Any]:
    location = url(part)
    if location is not None and part.modality == "image":
        return {"type": "image_url", "image_url": {"url": location}}
    return {"type": "text", "text": part.content or "" if part.type in TEXT_TYPES else location or placeholder(part)}


def _openai_call(call: Part) -> dict[str, Any]:
    arguments = "" if call.arguments is None else as_text(call.arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def openai_tool(tool: Tool) -> dict[str, Any]:
    """The tool in OpenAI's format: a function of the application, or a built-in tool of the provider."""
    known = {name: value for name, value in vars(tool).items() if name != "type"}
    return {"type": "function", "function": known} if tool.type == "function" else {"type": tool.type, **known}
