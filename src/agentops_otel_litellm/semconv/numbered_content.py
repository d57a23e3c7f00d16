"""Content as numbered attributes, such as `llm.input_messages.0.message.role`. If a span cannot have all of them, the
attributes of some items are left out.

The vocabularies `agentops` and `openinference` number the turns of a conversation. `openinference` also numbers the
texts of embeddings, and the documents of rerankings and searches. Embedding vectors are never recorded.

Most functions return the attributes as a mapping: the rest of the name after the row's prefix → the value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.records import Content, Document, Json, Message, Part, Tool, opening_and_rest

# --- conversations ----------------------------------------------------------------------------------------


Group = Mapping[str, AttributeValue]
"""Attributes that make sense only together, such as those of one tool call. All of them are written, or none. The
attributes of one item, such as a message, are a sequence of groups.
"""

TEXT_TYPES = frozenset({"text", "refusal"})
"""Types of parts whose content is displayed as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One numbered entry of a conversation: the content and tool calls of a message, or the result of one tool."""

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
    """Split a message into turns: first one for each tool result, then one for the other parts."""
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
    """The turns of the input: the system instructions, then the messages in their order."""
    return [*_instructions(content), *(turn for message in content.input or () for turn in turns(message))]


def output_turns(content: Content) -> list[Turn]:
    """The turns of the output."""
    return [turn for message in content.output or () for turn in turns(message)]


def opening_and_latest(content: Content) -> tuple[list[Turn], Iterator[Turn]]:
    """The turns of the input by priority: the instructions, which are recorded first, and all other turns from the last
    to the first.
    """
    messages = content.input or ()
    opening = _instructions(content)
    if not opening:
        first, messages = opening_and_rest(messages)
        opening = [turn for message in first for turn in turns(message)]
    return opening, (turn for message in reversed(messages) for turn in reversed(tuple(turns(message))))


def fit_input(
    content: Content,
    convert: Callable[[Turn], Sequence[Group]],
    max_attributes: int,
    mark: Callable[[int], Sequence[Group]] | None = None,
) -> dict[str, AttributeValue]:
    """The numbered turns of the input. If they have more than `max_attributes`, the turns between the instructions and
    the end of the conversation are left out.

    `convert` returns the attributes of a turn. The instructions get at most half of the attributes. `mark` returns the
    attributes of an item that states how many turns are left out, which is put in their place if it fits.
    """
    opening, latest = opening_and_latest(content)
    first = fit_items(map(convert, opening), max_attributes // 2)
    room = max_attributes - len(number_items(first))
    others = [convert(turn) for turn in latest]
    rest = fit_items(others, room)
    marked: list[Sequence[Group]] = []
    if mark is not None and len(rest) < len(others):
        room -= sum(map(len, mark(len(others))))
        if room > 0:
            rest = fit_items(others, room)
            marked = [mark(len(others) - len(rest))]
    return number_items([*first, *marked, *reversed(rest)])


def _instructions(content: Content) -> list[Turn]:
    return [Turn(role="system", parts=content.instructions)] if content.instructions else []


def fit_items(items: Iterable[Sequence[Group]], max_attributes: int) -> list[Sequence[Group]]:
    """The first items, as many as have at most `max_attributes` attributes in total. If the first item alone has more,
    only its first groups.
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
    """The first groups, as many as have at most `max_attributes` attributes in total."""
    fit: list[Group] = []
    for group in groups:
        max_attributes -= len(group)
        if max_attributes < 0:
            break
        fit.append(group)
    return fit


def number_items(items: Iterable[Sequence[Group]]) -> dict[str, AttributeValue]:
    """The attributes of the items, numbered from 0: `{"0.message.role": "user", …}`. Empty items are skipped."""
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
    """A text that is displayed instead of content that is no text: `[image/png, 12 characters of base64]`."""
    if part.file_id is not None:
        return f"[{part.modality or 'file'} {part.file_id}]"
    kind = part.mime_type or part.modality or part.name or part.type
    return f"[{kind}]" if part.size is None else f"[{kind}, {part.size} characters of base64]"


def url(part: Part) -> str | None:
    """The URL of an image or other media, or a `data:` URL with its bytes; `None` if the part has neither."""
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
    # A string if the content is a single text or the result of a tool, else a list of parts.
    text = Turn(role=turn.role, parts=tuple(parts), result=turn.result).text
    message["content"] = text if text is not None or not parts else [_openai_part(part) for part in parts]
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


# --- OpenInference ----------------------------------------------------------------------------------------


Attributes = Mapping[str, AttributeValue]

# Field of a document for which OpenInference has no attribute → its key in the JSON of `document.metadata`.
_METADATA = {"index": "index", "title": "title", "uri": "url"}


def input_messages(content: Content, max_attributes: int) -> Attributes:
    """The messages of the input. If they exceed the maximum, only the instructions and the last messages."""
    return fit_input(content, _message, max_attributes)


def output_messages(content: Content, max_attributes: int) -> Attributes:
    """The messages of the response, one for each choice."""
    return number_items(fit_items(map(_message, output_turns(content)), max_attributes))


def tools(content: Content, max_attributes: int) -> Attributes:
    """The tools. They get at most half of the attributes, so that the other half is left for the conversation."""
    return number_items(fit_items(map(_tool, content.tools or ()), max_attributes // 2))


def prompts(content: Content, max_attributes: int) -> Attributes:
    """The prompts of a text completion."""
    return number_items(fit_items(([{"prompt.text": _only(turn)}] for turn in input_turns(content)), max_attributes))


def choices(content: Content, max_attributes: int) -> Attributes:
    """The choices of a text completion."""
    return number_items(
        fit_items(([{"completion.text": _only(turn)}] for turn in output_turns(content)), max_attributes)
    )


def _tool(tool: Tool) -> Sequence[Group]:
    return [{"tool.json_schema": as_json(openai_tool(tool))}]


def _only(turn: Turn) -> str:
    return turn.text or ""


def _message(turn: Turn) -> Sequence[Group]:
    """The attributes of a message: the role and ids, then each part of the content, then each tool call."""
    head: dict[str, AttributeValue] = {"message.role": turn.role}
    if turn.name is not None:
        head["message.name"] = turn.name
    if turn.result is not None and turn.result.id is not None:
        head["message.tool_call_id"] = turn.result.id
    if turn.text is not None:
        return [head | ({"message.content": turn.text} if turn.text else {}), *_calls(turn)]
    return [head, *(_part(part, f"message.contents.{index}") for index, part in enumerate(turn.parts)), *_calls(turn)]


def _part(part: Part, prefix: str) -> Group:
    """The attributes of one part of the content: a text, the URL of media, or a placeholder."""
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
    if content.input is None:
        return {}
    return value({"messages": list(map(openai_message, input_turns(content)))}, max_attributes)


def output_value(content: Content, max_attributes: int) -> Attributes:
    """The response as one value: its text if it has nothing else, otherwise JSON of its messages."""
    turns = output_turns(content)
    if not turns:
        return {}
    if len(turns) == 1 and not turns[0].calls and turns[0].text is not None:
        return value(turns[0].text, max_attributes)
    return value({"messages": list(map(openai_message, turns))}, max_attributes)


def embeddings(content: Content, max_attributes: int) -> Attributes:
    """The texts of an embedding. Their vectors are not recorded."""
    return number_items(fit_items(([{"embedding.text": text}] for text in content.texts or ()), max_attributes))


def request_documents(content: Content, max_attributes: int) -> Attributes:
    """The documents that a reranking ranks."""
    return _documents(content.documents or (), max_attributes)


def ranked_documents(content: Content, max_attributes: int) -> Attributes:
    """The ranked documents with their texts, the best first. If the request's documents are known, the ranked documents
    get at most half of the attributes, so that the other half is left for those of the request.
    """
    return _documents(with_texts(content), max_attributes // 2 if content.documents else max_attributes)


def found_documents(content: Content, max_attributes: int) -> Attributes:
    """The results of a search."""
    return _documents(content.results or (), max_attributes)


def _documents(documents: Iterable[Document], max_attributes: int) -> Attributes:
    return number_items(
        fit_items(([attributes] for document in documents if (attributes := _document(document))), max_attributes)
    )


def _document(document: Document) -> dict[str, AttributeValue]:
    """The attributes of a document, as far as its fields are known."""
    attributes: dict[str, AttributeValue] = {}
    if document.id is not None:
        attributes["document.id"] = document.id
    if document.content is not None:
        attributes["document.content"] = as_text(document.content)
    if document.score is not None:
        attributes["document.score"] = document.score
    known = vars(document)
    metadata = {name: known[field] for field, name in _METADATA.items() if field in known}
    if metadata:
        attributes["document.metadata"] = as_json(metadata)
    return attributes


def with_texts(content: Content) -> Iterator[Document]:
    """The ranked documents with their texts. Most providers return only the index of a document, so the text is from
    the request.
    """
    documents = content.documents or ()
    for result in content.results or ():
        index = result.index
        if result.content is None and index is not None and 0 <= index < len(documents):
            yield replace(result, content=documents[index].content)
        else:
            yield result


def embedded_value(content: Content, max_attributes: int) -> Attributes:
    """The input of an embedding as one value: the text, or a JSON list of several texts."""
    texts = content.texts
    if not texts:
        return {}
    return value(texts[0] if len(texts) == 1 else list(texts), max_attributes)


def ranking_value(content: Content, max_attributes: int) -> Attributes:
    """The input of a reranking as one value: JSON of the query and the documents."""
    parts = {
        name: known for name, known in (("query", query(content)), ("documents", _document_texts(content))) if known
    }
    return value(parts, max_attributes) if parts else {}


def query_value(content: Content, max_attributes: int) -> Attributes:
    """The query of a search, as one value."""
    text = query(content)
    return {} if text is None else value(text, max_attributes)


def results_value(content: Content, max_attributes: int) -> Attributes:
    """The results of a reranking or a search as one value, with the fields that the provider returned."""
    return {} if content.results is None else value({"results": list(map(vars, content.results))}, max_attributes)


def query(content: Content) -> str | None:
    """All queries, one in each line."""
    return None if content.query is None else "\n".join(content.query)


def _document_texts(content: Content) -> list[object]:
    return [document.content for document in content.documents or ()]


def value(content: object, max_attributes: int) -> Attributes:
    """The attributes `value` and `mime_type`, which follow `input.` or `output.`. A text is unchanged; any other
    content is JSON.
    """
    if max_attributes < 2:  # noqa: PLR2004 - the value and its type
        return {}
    if isinstance(content, str):
        return {"value": content, "mime_type": "text/plain"}
    return {"value": as_json(content), "mime_type": "application/json"}
