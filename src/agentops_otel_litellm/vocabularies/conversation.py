"""Conversations as most readers want them: messages that are one thing each, numbered, as many as there is room for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call.content import Content, Json, Message, Part, Tool, opening_and_rest

Group = Mapping[str, AttributeValue]
"""Attributes that say something together only."""

SAID = frozenset({"text", "refusal"})
"""Types of parts that are text to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a side said and which tools it called, or what one tool gave back."""

    role: str
    name: str | None = None
    said: tuple[Part, ...] = ()
    calls: tuple[Part, ...] = ()
    result: Part | None = None

    @property
    def text(self) -> str | None:
        """All of it, where it is but text."""
        if self.result is not None:
            return None if self.result.response is None else as_text(self.result.response)
        return self.said[0].content if len(self.said) == 1 and self.said[0].type == "text" else None


def turns(message: Message) -> Iterator[Turn]:
    """A message may have the results of several tools, which are told one by one, before what else it says."""
    rest = [part for part in message.parts if part.type != "tool_call_response"]
    for part in message.parts:
        if part.type == "tool_call_response":
            yield Turn(role="tool", name=part.name or message.name, result=part)
    if rest or not message.parts:
        yield Turn(
            role=message.role,
            name=message.name,
            said=tuple(part for part in rest if part.type != "tool_call"),
            calls=tuple(part for part in rest if part.type == "tool_call"),
        )


def asked(content: Content) -> list[Turn]:
    """All that was sent to the model, in order."""
    return [*_instructions(content), *(turn for message in content.input or () for turn in turns(message))]


def answered(content: Content) -> list[Turn]:
    """All that came from it."""
    return [turn for message in content.output or () for turn in turns(message)]


def opening_and_latest(content: Content) -> tuple[list[Turn], Iterator[Turn]]:
    """The same as `asked` where there may be no room for all: what the model is told to be, and the others from the
    last to the first.
    """
    messages = content.input or ()
    opening = _instructions(content)
    if not opening:
        first, messages = opening_and_rest(messages)
        opening = [turn for message in first for turn in turns(message)]
    return opening, (turn for message in reversed(messages) for turn in reversed(tuple(turns(message))))


def asked_as_fits(content: Content, tell: Callable[[Turn], Sequence[Group]], room: int) -> dict[str, AttributeValue]:
    """All that was sent to the model, or what it is told to be and the end of the conversation."""
    opening, latest = opening_and_latest(content)
    begun = fitting(map(tell, opening), room // 2)
    rest = fitting(map(tell, latest), room - len(numbered(begun)))
    return numbered([*begun, *reversed(rest)])


def _instructions(content: Content) -> list[Turn]:
    return [Turn(role="system", said=content.instructions)] if content.instructions else []


def fitting(said: Iterable[Sequence[Group]], room: int) -> list[Sequence[Group]]:
    """As many of them, from the first on, as have no more than `room` attributes; at least the beginning of the first,
    where not all of that has room.
    """
    fit: list[Sequence[Group]] = []
    for groups in said:
        size = sum(map(len, groups))
        if size > room:
            return fit or [_beginning(groups, room)]
        fit.append(groups)
        room -= size
    return fit


def _beginning(groups: Sequence[Group], room: int) -> Sequence[Group]:
    fit: list[Group] = []
    for group in groups:
        room -= len(group)
        if room < 0:
            break
        fit.append(group)
    return fit


def numbered(said: Iterable[Sequence[Group]]) -> dict[str, AttributeValue]:
    """`{"0.message.role": "user", …}`, as readers want them: from 0 on, without a gap."""
    known = (groups for groups in said if groups)
    return {
        f"{index}.{name}": value
        for index, groups in enumerate(known)
        for group in groups
        for name, value in group.items()
    }


def as_text(value: Json) -> str:
    """A string as it is, what else JSON may be as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:  # noqa: ANN401 - JSON is anything
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def placeholder(part: Part) -> str:
    """What is told of what cannot be shown: `[image/png, 12 characters of base64]`."""
    if part.file_id is not None:
        return f"[{part.modality or 'file'} {part.file_id}]"
    kind = part.mime_type or part.modality or part.name or part.type
    return f"[{kind}]" if part.size is None else f"[{kind}, {part.size} characters of base64]"


def url(part: Part) -> str | None:
    """Where a medium is, or the whole of it."""
    if part.uri is not None:
        return part.uri
    return f"data:{part.mime_type or ''};base64,{part.content}" if part.type == "blob" and part.content else None


def openai_message(turn: Turn) -> dict[str, Any]:
    """As OpenAI's chats have it, which is what most readers know how to show."""
    message: dict[str, Any] = {"role": turn.role}
    if turn.name is not None:
        message["name"] = turn.name
    if turn.result is not None and turn.result.id is not None:
        message["tool_call_id"] = turn.result.id
    reasoning = "".join(part.content or "" for part in turn.said if part.type == "reasoning")
    if reasoning:
        message["reasoning_content"] = reasoning
    said = [part for part in turn.said if part.type != "reasoning"]
    only = Turn(role=turn.role, said=tuple(said), result=turn.result).text
    message["content"] = only if only is not None or not said else [_openai_part(part) for part in said]
    if turn.calls:
        message["tool_calls"] = [_openai_call(call) for call in turn.calls]
    return message


def _openai_part(part: Part) -> dict[str, Any]:
    where = url(part)
    if where is not None and part.modality == "image":
        return {"type": "image_url", "image_url": {"url": where}}
    return {"type": "text", "text": part.content or "" if part.type in SAID else where or placeholder(part)}


def _openai_call(call: Part) -> dict[str, Any]:
    arguments = "" if call.arguments is None else as_text(call.arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def openai_tool(tool: Tool) -> dict[str, Any]:
    """A function that the app offers, or a tool of the provider's."""
    known = {name: value for name, value in vars(tool).items() if name != "type"}
    return {"type": "function", "function": known} if tool.type == "function" else {"type": tool.type, **known}
