"""AgentOps' names: the attributes that its backend reads to display a model call, as of its SDK 0.4.21.

Many of the names are former names of OpenTelemetry's conventions; the backend does not read the current names.

Message content is recorded as numbered prompts and completions, as many as fit the span's limits. `content` is always
set, because AgentOps displays a prompt only if it has `content`. It is the first attribute of a completion, because
AgentOps displays the value of a completion's first attribute.

If the spans are sent by the exporter of this package, `exporters/agentops_copies.py` adds
the content to AgentOps' copy of a span, where the SDK's maximum number of attributes does not apply.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call import Call, Cost, Response, Target, Usage
from agentops_otel_litellm.operations import BILLED, names_of
from agentops_otel_litellm.records import Content, Document, Message, Part
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary
from agentops_otel_litellm.semconv.gen_ai import FINISH_REASONS, provider_name
from agentops_otel_litellm.semconv.numbered_content import (
    TEXT_TYPES,
    Group,
    Turn,
    as_text,
    fit_input,
    fit_items,
    number_items,
    placeholder,
    turns,
    url,
    with_texts,
)

Attributes = Mapping[str, AttributeValue]

LLM_CALLS = names_of(*BILLED)
"""Operations that are recorded as model calls: all that providers bill, including searches. AgentOps sums only the cost
of model calls. The other operations are free or have their cost on nested calls: moderation, files, batches, routing.
"""

# --- content ----------------------------------------------------------------------------------------------


def prompts(content: Content, max_attributes: int) -> Attributes:
    """The input as numbered prompts: the turns of a conversation, or texts and queries, with the role `user`."""
    if content.input is not None or content.instructions is not None:
        return fit_input(content, _prompt, max_attributes, _mark)
    texts = (*(content.texts or ()), *(content.query or ()))
    return number_items(fit_items(([{"role": "user", "content": text}] for text in texts), max_attributes))


def completions(content: Content, max_attributes: int) -> Attributes:
    """The output as numbered completions, one for each choice. A ranking or the results of a search are one."""
    return number_items(fit_items(_completion_groups(content), max_attributes))


def _prompt(turn: Turn) -> Sequence[Group]:
    calls = "\n".join(map(_call_as_text, turn.calls))
    text = "\n\n".join(filter(None, (_text(turn), calls)))
    attributes: dict[str, AttributeValue] = {"role": turn.role, "content": text}
    if turn.result is not None and turn.result.id is not None:
        attributes["tool_call_id"] = turn.result.id
    return [attributes]


def _mark(left_out: int) -> Sequence[Group]:
    """The prompt that replaces prompts for which the span has no room."""
    return [{"role": "omitted", "content": f"… [{left_out} messages left out]"}]


def _completion_groups(content: Content) -> Iterator[Sequence[Group]]:
    for message in content.output or ():
        for turn in turns(message):
            attributes: dict[str, AttributeValue] = {"content": _text(turn), "role": turn.role}
            if message.finish_reason is not None and turn.result is None:
                attributes["finish_reason"] = message.finish_reason
            yield [attributes, *_calls(turn)]
    if content.results:
        lines = (f"{number}. {_result(document)}" for number, document in enumerate(with_texts(content), 1))
        yield [{"content": "\n".join(lines), "role": "assistant"}]


def _text(turn: Turn) -> str:
    """The content of a turn as text: images as Markdown, other media as placeholders. Reasoning is left out."""
    if turn.result is not None:
        return turn.text or ""
    return "\n\n".join(_part_as_text(part) for part in turn.parts if part.type != "reasoning")


def _part_as_text(part: Part) -> str:
    if part.type in TEXT_TYPES:
        return part.content or ""
    location = url(part)
    if location is None:
        return placeholder(part)
    link = f"[{part.modality or 'file'}]({location})"
    return f"!{link}" if part.modality == "image" else link


def _call_as_text(call: Part) -> str:
    """A tool call as text: `get_weather({"city": "Oslo"})`."""
    arguments = call.arguments
    if arguments is None or isinstance(arguments, str):
        return f"{call.name}({arguments or ''})"
    return f"{call.name}({json.dumps(arguments, ensure_ascii=False)})"


def _result(document: Document) -> str:
    """A ranked document or a result of a search as one line of Markdown: `[Rome](https://…): the text (score 0.98)`."""
    title = document.title or document.uri or document.id
    head = f"[{title}]({document.uri})" if document.uri else title
    text = None if document.content is None else as_text(document.content)
    known = ": ".join(filter(None, (head, text))) or ("" if document.index is None else f"document {document.index}")
    return known if document.score is None else f"{known} (score {document.score:g})"


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


# --- the vocabulary ---------------------------------------------------------------------------------------


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


KIND = "agentops.span.kind"
AGENTOPS_WITHOUT_CONTENT = Vocabulary(
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
            KIND: ("name", lambda name: "llm" if name in LLM_CALLS else "operation"),
        },
    ),
    records_success=True,
)
"""The vocabulary for spans that this package's exporter sends to AgentOps. It adds the content to its copies of spans
(`exporters/agentops_copies.py`).
"""
AGENTOPS = Vocabulary(
    Table(
        Content,
        {
            "gen_ai.prompt": Several(prompts),
            "gen_ai.completion": Several(completions),
        },
        of=LLM_CALLS,
    ),
    *AGENTOPS_WITHOUT_CONTENT.tables,
    records_success=True,
)

# --- content in the attributes of spans of any library ----------------------------------------------------

_TEXTS = "llm.request.inputs"
_QUERY = "gen_ai.retrieval.query.text"
CONTENT_SOURCES = {
    "instructions": "gen_ai.system_instructions",
    "input": "gen_ai.input.messages",
    "output": "gen_ai.output.messages",
    "documents": "llm.request.documents",
    "results": "gen_ai.retrieval.documents",
}
"""Field of `Content` → the attribute with its records as JSON."""
CONTENT_ATTRIBUTES = frozenset({*CONTENT_SOURCES.values(), _TEXTS, _QUERY, "gen_ai.prompt", "gen_ai.completion"})
"""Attributes that are removed when their content is numbered, so that a span has its content once."""
_PART_FIELDS = frozenset(field.name for field in fields(Part))
_DOCUMENT_FIELDS = frozenset(field.name for field in fields(Document))
_ORIGINAL_REASONS = {reason: original for original, reason in reversed(FINISH_REASONS.items())}


def read_content(attributes: Mapping[str, Any]) -> Content:
    """Read the content in a span's attributes into records, as far as it can be read."""
    messages = {field: read_messages(attributes.get(CONTENT_SOURCES[field])) for field in ("input", "output")}
    texts, query = attributes.get(_TEXTS), attributes.get(_QUERY)
    known = {
        "instructions": _parts(_items(attributes.get(CONTENT_SOURCES["instructions"]))),
        "input": messages["input"] or _message_in_text(attributes, "user", "gen_ai.prompt", "input.value"),
        "output": messages["output"] or _message_in_text(attributes, "assistant", "gen_ai.completion", "output.value"),
        "texts": tuple(map(str, texts)) if isinstance(texts, tuple | list) else None,
        "query": (query,) if isinstance(query, str) else None,
        "documents": tuple(map(_document, _items(attributes.get(CONTENT_SOURCES["documents"])))),
        "results": tuple(map(_document, _items(attributes.get(CONTENT_SOURCES["results"])))),
    }
    return Content(**{field: value or None for field, value in known.items()})  # type: ignore[arg-type]  # as declared


def read_messages(value: object) -> tuple[Message, ...]:
    return tuple(map(_message, _items(value)))


def _message_in_text(attributes: Mapping[str, Any], role: str, *names: str) -> tuple[Message, ...]:
    """A message with the content of an attribute that has it as one text."""
    text = next((attributes[name] for name in names if attributes.get(name) is not None), None)
    return (Message(role=role, parts=(Part(type="text", content=text),)),) if isinstance(text, str) and text else ()


def _items(value: object) -> list[Any]:
    """The items of a list, or of the JSON text of one. Of a text that the SDK has cut at its maximum length, those that
    are complete, then a mark.
    """
    if not isinstance(value, str):
        return list(value) if isinstance(value, tuple | list) else []
    try:
        parsed = json.loads(value)
    except ValueError:
        return [*_complete_items(value), "… [the rest is left out: it exceeds the maximum length of an attribute]"]
    return parsed if isinstance(parsed, list) else [parsed]


def _complete_items(text: str) -> Iterator[Any]:
    decoder, position = json.JSONDecoder(), text.find("[") + 1
    while position:
        try:
            item, end = decoder.raw_decode(text, position)
        except ValueError:
            return
        yield item
        position = text.find(",", end) + 1


def _message(item: object) -> Message:
    """Read a message in the form of OpenTelemetry's conventions, or of OpenAI's API, which some libraries record."""
    if not isinstance(item, Mapping):
        return Message(role="omitted", parts=(Part(type="text", content=str(item)),))
    parts = item.get("parts")
    reason = item.get("finish_reason")
    return Message(
        role=str(item.get("role") or "user"),
        parts=_parts(_items(item.get("content") if parts is None else parts) or [item.get("content") or ""]),
        finish_reason=_ORIGINAL_REASONS.get(reason, reason) if isinstance(reason, str) else None,
    )


def _parts(items: Iterable[Any]) -> tuple[Part, ...]:
    return tuple(_part(item) for item in items if item not in (None, ""))


def _part(item: object) -> Part:
    if not isinstance(item, Mapping):
        return Part(type="text", content=str(item))
    known = {name: value for name, value in item.items() if name in _PART_FIELDS}
    content = known.get("content", item.get("text"))
    if content is not None:
        known["content"] = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    if "response" not in known and "result" in item:
        known["response"] = item["result"]
    return Part(**{"type": "text", **known})


def _document(item: object) -> Document:
    if not isinstance(item, Mapping):
        return Document(content=str(item))
    return Document(**{name: value for name, value in item.items() if name in _DOCUMENT_FIELDS})
