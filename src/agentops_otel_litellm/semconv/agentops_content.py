"""Message content as AgentOps displays it: numbered prompts and completions, as many as fit the span's limits.

AgentOps displays a prompt only if the prompt has a `content`, and displays the value of the first key of a completion.
So `content` is always set, and is the first key of a completion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call.content import Content
from agentops_otel_litellm.semconv.conversation import (
    TEXT_TYPES,
    Group,
    Turn,
    as_json,
    as_text,
    fit_input,
    fit_items,
    number_items,
    openai_message,
    turns,
)

Attributes = Mapping[str, AttributeValue]


def prompts(content: Content, max_attributes: int) -> Attributes:
    """All input of the model: a conversation, or texts and queries that have no role."""
    if content.input is not None or content.instructions is not None:
        return fit_input(content, _prompt, max_attributes)
    texts = (*(content.texts or ()), *(content.query or ()))
    return number_items(fit_items(([{"role": "user", "content": text}] for text in texts), max_attributes))


def completions(content: Content, max_attributes: int) -> Attributes:
    """All output of the model: a completion for each choice."""
    return number_items(fit_items(_completions(content), max_attributes))


def _prompt(turn: Turn) -> Sequence[Group]:
    attributes: dict[str, AttributeValue] = {"role": turn.role, "content": _text(turn) or _calls_as_content(turn)}
    if turn.result is not None and turn.result.id is not None:
        attributes["tool_call_id"] = turn.result.id
    return [attributes, *_calls(turn)]


def _completions(content: Content) -> Iterator[Sequence[Group]]:
    for message in content.output or ():
        for turn in turns(message):
            attributes: dict[str, AttributeValue] = {"content": _text(turn), "role": turn.role}
            if message.finish_reason is not None and turn.result is None:
                attributes["finish_reason"] = message.finish_reason
            yield [attributes, *_calls(turn)]


def _text(turn: Turn) -> str:
    """The content of a turn: a single text unchanged, any other content as JSON in OpenAI's format."""
    parts = [part for part in turn.parts if part.type != "reasoning"]
    if len(parts) == 1 and parts[0].type in TEXT_TYPES:
        return parts[0].content or ""
    content = openai_message(turn)["content"]
    return "" if content is None else as_text(content)


def _calls_as_content(turn: Turn) -> str:
    """The tool calls of a message without content: AgentOps displays nothing but `content`."""
    return as_json(openai_message(turn)["tool_calls"]) if turn.calls else ""


def _calls(turn: Turn) -> Iterable[Group]:
    """The attributes of each tool call of a turn."""
    for index, call in enumerate(turn.calls):
        known = {
            "id": call.id,
            "type": "function",
            "name": call.name,
            "arguments": None if call.arguments is None else as_text(call.arguments),
        }
        yield {f"tool_calls.{index}.{name}": value for name, value in known.items() if value}
