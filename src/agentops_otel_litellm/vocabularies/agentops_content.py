"""What is said, as AgentOps shows it: prompts and completions, numbered, as many as there is room for.

Its page shows a prompt that has a `content` and no other, and of a completion the value of the first key: a `content`
is always there, and of a completion it is the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call.content import Content
from agentops_otel_litellm.vocabularies.conversation import (
    SAID,
    Group,
    Turn,
    as_json,
    as_text,
    asked_as_fits,
    fitting,
    numbered,
    openai_message,
    turns,
)

Attributes = Mapping[str, AttributeValue]


def prompts(content: Content, room: int) -> Attributes:
    """All that was sent to the model: a conversation, or texts and queries that nobody says to anybody."""
    if content.input is not None or content.instructions is not None:
        return asked_as_fits(content, _prompt, room)
    texts = (*(content.texts or ()), *(content.query or ()))
    return numbered(fitting(([{"role": "user", "content": text}] for text in texts), room))


def completions(content: Content, room: int) -> Attributes:
    """All that came from it: one for each choice."""
    return numbered(fitting(_completions(content), room))


def _prompt(turn: Turn) -> Sequence[Group]:
    told: dict[str, AttributeValue] = {"role": turn.role, "content": _text(turn) or _calls_alone(turn)}
    if turn.result is not None and turn.result.id is not None:
        told["tool_call_id"] = turn.result.id
    return [told, *_calls(turn)]


def _completions(content: Content) -> Iterator[Sequence[Group]]:
    for message in content.output or ():
        for turn in turns(message):
            told: dict[str, AttributeValue] = {"content": _text(turn), "role": turn.role}
            if message.finish_reason is not None and turn.result is None:
                told["finish_reason"] = message.finish_reason
            yield [told, *_calls(turn)]


def _text(turn: Turn) -> str:
    """What is said: a text as it is, what is more than that as JSON, in OpenAI's words."""
    said = [part for part in turn.said if part.type != "reasoning"]
    if len(said) == 1 and said[0].type in SAID:
        return said[0].content or ""
    content = openai_message(turn)["content"]
    return "" if content is None else as_text(content)


def _calls_alone(turn: Turn) -> str:
    """Of a message that only calls tools, which: of what it has beside its `content` the page shows nothing."""
    return as_json(openai_message(turn)["tool_calls"]) if turn.calls else ""


def _calls(turn: Turn) -> Iterable[Group]:
    for index, call in enumerate(turn.calls):
        known = {
            "id": call.id,
            "type": "function",
            "name": call.name,
            "arguments": None if call.arguments is None else as_text(call.arguments),
        }
        yield {f"tool_calls.{index}.{name}": value for name, value in known.items() if value}
