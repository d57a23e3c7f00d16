"""What is said, in OpenInference's names: message by message, as many as there is room for, and as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call.content import Content, Part, Tool
from agentops_otel_litellm.vocabularies.conversation import (
    SAID,
    Group,
    Turn,
    answered,
    as_json,
    as_text,
    asked,
    asked_as_fits,
    fitting,
    numbered,
    openai_message,
    openai_tool,
    placeholder,
    url,
)

Attributes = Mapping[str, AttributeValue]


def input_messages(content: Content, room: int) -> Attributes:
    return asked_as_fits(content, _message, room)


def output_messages(content: Content, room: int) -> Attributes:
    return numbered(fitting(map(_message, answered(content)), room))


def tools(content: Content, room: int) -> Attributes:
    """No more than leave the conversation its half."""
    return numbered(fitting(map(_tool, content.tools or ()), room // 2))


def prompts(content: Content, room: int) -> Attributes:
    return numbered(fitting(([{"prompt.text": _only(turn)}] for turn in asked(content)), room))


def choices(content: Content, room: int) -> Attributes:
    return numbered(fitting(([{"completion.text": _only(turn)}] for turn in answered(content)), room))


def _tool(tool: Tool) -> Sequence[Group]:
    return [{"tool.json_schema": as_json(openai_tool(tool))}]


def _only(turn: Turn) -> str:
    return turn.text or ""


def _message(turn: Turn) -> Sequence[Group]:
    """What it is, then each thing that it says, then each tool that it calls."""
    head: dict[str, AttributeValue] = {"message.role": turn.role}
    if turn.name is not None:
        head["message.name"] = turn.name
    if turn.result is not None and turn.result.id is not None:
        head["message.tool_call_id"] = turn.result.id
    if turn.text is not None:
        return [head | ({"message.content": turn.text} if turn.text else {}), *_calls(turn)]
    return [head, *(_said(part, f"message.contents.{index}") for index, part in enumerate(turn.said)), *_calls(turn)]


def _said(part: Part, place: str) -> Group:
    """A thing that is said: a text, or where something is; of what was left out, what it was."""
    where, kind = url(part), part.modality
    content = f"{place}.message_content"
    if kind is not None and where is not None:
        mime_type = {f"{content}.{kind}.{kind}.mime_type": part.mime_type} if part.mime_type is not None else {}
        told = mime_type if kind in {"audio", "document"} else {}
        return {f"{content}.type": kind, f"{content}.{kind}.{kind}.url": where, **told}
    if part.type == "reasoning":
        return {f"{content}.type": "reasoning", f"{content}.text": part.content or ""}
    text = (part.content or "") if part.type in SAID else where or placeholder(part)
    return {f"{content}.type": "text", f"{content}.text": text}


def _calls(turn: Turn) -> list[Group]:
    found: list[Group] = []
    for index, call in enumerate(turn.calls):
        place = f"message.tool_calls.{index}.tool_call"
        told: dict[str, AttributeValue] = {} if call.id is None else {f"{place}.id": call.id}
        if call.name:
            told[f"{place}.function.name"] = call.name
        if call.arguments not in (None, ""):
            told[f"{place}.function.arguments"] = as_text(call.arguments)
        found.append(told)
    return found


def input_value(content: Content, room: int) -> Attributes:
    """The whole conversation, as one value."""
    return value({"messages": list(map(openai_message, asked(content)))}, room) if content.input is not None else {}


def output_value(content: Content, room: int) -> Attributes:
    """The answer: its text, where that is all there is."""
    said = answered(content)
    if not said:
        return {}
    if len(said) == 1 and not said[0].calls and said[0].text is not None:
        return value(said[0].text, room)
    return value({"messages": list(map(openai_message, said))}, room)


def value(said: object, room: int) -> Attributes:
    """What comes after `input.` and `output.`: a text as it is, else as JSON."""
    if room < 2:  # noqa: PLR2004 - the two of them
        return {}
    if isinstance(said, str):
        return {"value": said, "mime_type": "text/plain"}
    return {"value": as_json(said), "mime_type": "application/json"}
