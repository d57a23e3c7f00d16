"""Message content in OpenInference's names: one by one, as many as fit the span's limits, and as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call.content import Content, Part, Tool
from agentops_otel_litellm.semconv.conversation import (
    TEXT_TYPES,
    Group,
    Turn,
    as_json,
    as_text,
    fit_input,
    fit_items,
    input_turns,
    number_items,
    openai_message,
    openai_tool,
    output_turns,
    placeholder,
    url,
)

Attributes = Mapping[str, AttributeValue]


def input_messages(content: Content, max_attributes: int) -> Attributes:
    return fit_input(content, _message, max_attributes)


def output_messages(content: Content, max_attributes: int) -> Attributes:
    return number_items(fit_items(map(_message, output_turns(content)), max_attributes))


def tools(content: Content, max_attributes: int) -> Attributes:
    """The tools, with at most half of the attributes, so that the other half is for the conversation."""
    return number_items(fit_items(map(_tool, content.tools or ()), max_attributes // 2))


def prompts(content: Content, max_attributes: int) -> Attributes:
    return number_items(fit_items(([{"prompt.text": _only(turn)}] for turn in input_turns(content)), max_attributes))


def choices(content: Content, max_attributes: int) -> Attributes:
    return number_items(
        fit_items(([{"completion.text": _only(turn)}] for turn in output_turns(content)), max_attributes)
    )


def _tool(tool: Tool) -> Sequence[Group]:
    return [{"tool.json_schema": as_json(openai_tool(tool))}]


def _only(turn: Turn) -> str:
    return turn.text or ""


def _message(turn: Turn) -> Sequence[Group]:
    """The role and ids, then each part of the content, then each tool call."""
    head: dict[str, AttributeValue] = {"message.role": turn.role}
    if turn.name is not None:
        head["message.name"] = turn.name
    if turn.result is not None and turn.result.id is not None:
        head["message.tool_call_id"] = turn.result.id
    if turn.text is not None:
        return [head | ({"message.content": turn.text} if turn.text else {}), *_calls(turn)]
    return [head, *(_part(part, f"message.contents.{index}") for index, part in enumerate(turn.parts)), *_calls(turn)]


def _part(part: Part, prefix: str) -> Group:
    """A part of the content: a text, the URL of media, or a description of content that was left out."""
    location, kind = url(part), part.modality
    content = f"{prefix}.message_content"
    if kind is not None and location is not None:
        mime_type = {f"{content}.{kind}.{kind}.mime_type": part.mime_type} if part.mime_type is not None else {}
        extra = mime_type if kind in {"audio", "document"} else {}
        return {f"{content}.type": kind, f"{content}.{kind}.{kind}.url": location, **extra}
    if part.type == "reasoning":
        return {f"{content}.type": "reasoning", f"{content}.text": part.content or ""}
    text = (part.content or "") if part.type in TEXT_TYPES else location or placeholder(part)
    return {f"{content}.type": "text", f"{content}.text": text}


def _calls(turn: Turn) -> list[Group]:
    """The attributes of each tool call of a turn."""
    found: list[Group] = []
    for index, call in enumerate(turn.calls):
        prefix = f"message.tool_calls.{index}.tool_call"
        attributes: dict[str, AttributeValue] = {} if call.id is None else {f"{prefix}.id": call.id}
        if call.name:
            attributes[f"{prefix}.function.name"] = call.name
        if call.arguments not in (None, ""):
            attributes[f"{prefix}.function.arguments"] = as_text(call.arguments)
        found.append(attributes)
    return found


def input_value(content: Content, max_attributes: int) -> Attributes:
    """The whole conversation, as one value."""
    return (
        value({"messages": list(map(openai_message, input_turns(content)))}, max_attributes)
        if content.input is not None
        else {}
    )


def output_value(content: Content, max_attributes: int) -> Attributes:
    """The response as one value: its text if it has nothing else, or else JSON."""
    turns = output_turns(content)
    if not turns:
        return {}
    if len(turns) == 1 and not turns[0].calls and turns[0].text is not None:
        return value(turns[0].text, max_attributes)
    return value({"messages": list(map(openai_message, turns))}, max_attributes)


def value(content: object, max_attributes: int) -> Attributes:
    """The attributes after `input.` or `output.`: a text unchanged, any other value as JSON."""
    if max_attributes < 2:  # noqa: PLR2004 - the value and its type
        return {}
    if isinstance(content, str):
        return {"value": content, "mime_type": "text/plain"}
    return {"value": as_json(content), "mime_type": "application/json"}
