"""AgentOps' names: the attributes that its backend reads to display a model call, as of its SDK 0.4.21.

Many of the names are former names of OpenTelemetry's conventions; the backend does not read the current names.

Message content is recorded as numbered prompts and completions, as many as fit the span's limits. `content` is always
set, because AgentOps displays a prompt only if it has `content`. It is the first attribute of a completion, because
AgentOps displays the value of a completion's first attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call import Call, Cost, Response, Target, Usage
from agentops_otel_litellm.operations import BILLED, names_of
from agentops_otel_litellm.records import Content
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary
from agentops_otel_litellm.semconv.gen_ai import provider_name
from agentops_otel_litellm.semconv.numbered_content import (
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

LLM_CALLS = names_of(*BILLED)
"""Operations that are recorded as model calls: all that providers bill, including searches. AgentOps sums only the cost
of model calls. The other operations are free or have their cost on nested calls: moderation, files, batches, routing.
"""


def _prompts(content: Content, max_attributes: int) -> Attributes:
    """The input as numbered prompts: the turns of a conversation, or texts and queries, with the role `user`."""
    if content.input is not None or content.instructions is not None:
        return fit_input(content, _prompt, max_attributes)
    texts = (*(content.texts or ()), *(content.query or ()))
    return number_items(fit_items(([{"role": "user", "content": text}] for text in texts), max_attributes))


def _completions(content: Content, max_attributes: int) -> Attributes:
    """The output as numbered completions, one for each choice."""
    return number_items(fit_items(_completion_groups(content), max_attributes))


def _prompt(turn: Turn) -> Sequence[Group]:
    attributes: dict[str, AttributeValue] = {"role": turn.role, "content": _text(turn) or _calls_as_content(turn)}
    if turn.result is not None and turn.result.id is not None:
        attributes["tool_call_id"] = turn.result.id
    return [attributes, *_calls(turn)]


def _completion_groups(content: Content) -> Iterator[Sequence[Group]]:
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
    """The tool calls as JSON, for a message that has no content, because AgentOps displays only `content`."""
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


def _total(usage: Usage) -> int | None:
    """The total number of tokens. If the provider did not report it, it is computed from input and output."""
    if usage.total is not None or usage.input is None or usage.output is None:
        return usage.total
    return usage.input + usage.output


def _cache_read(usage: Usage) -> int | None:
    """The cached tokens; `None` if the total is unknown. Without a total, AgentOps would add them to the input,
    although the input includes them.
    """
    return None if _total(usage) is None else usage.cache_read


def _reasoning(usage: Usage) -> int | None:
    """The reasoning tokens; `None` if the total is unknown. Without a total, AgentOps would add them to the output,
    although the output includes them.
    """
    return None if _total(usage) is None else usage.reasoning


AGENTOPS = Vocabulary(
    Table(
        Content,
        {
            "gen_ai.prompt": Several(_prompts),
            "gen_ai.completion": Several(_completions),
        },
        of=LLM_CALLS,
    ),
    Table(
        Response,
        {
            "gen_ai.response.model": "model",
        },
        of=LLM_CALLS,
    ),
    Table(
        Cost,
        {
            "gen_ai.usage.prompt_cost": "input",
            "gen_ai.usage.completion_cost": "output",
            "gen_ai.usage.total_cost": "total",
        },
    ),
    Table(
        Usage,
        {
            "gen_ai.usage.prompt_tokens": "input",
            "gen_ai.usage.completion_tokens": "output",
        },
    ),
    Table(
        Target,
        {
            "gen_ai.system": ("provider", provider_name),
            "gen_ai.request.model": "model",
        },
        of=LLM_CALLS,
    ),
    Table(
        Call,
        {
            "gen_ai.usage.cache_read_input_tokens": ("usage", _cache_read),
            "gen_ai.usage.reasoning_tokens": ("usage", _reasoning),
            "gen_ai.usage.total_tokens": ("usage", _total),
            "agentops.span.kind": ("name", lambda name: "llm" if name in LLM_CALLS else "operation"),
        },
    ),
    records_success=True,
)
