"""Content in OpenInference's names: messages, the texts of embeddings, and the documents of rerankings and searches.

Each has attributes of its own, as many as fit the span's limits, and all of them together are one value. Vectors are
never recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.content_records import Content, Document, Part, Tool
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

# Field of a document without a name in the conventions → its name in `document.metadata`.
_METADATA = {"index": "index", "title": "title", "uri": "url"}


def input_messages(content: Content, max_attributes: int) -> Attributes:
    """The messages of the input. If they exceed the maximum, the instructions and the last messages."""
    return fit_input(content, _message, max_attributes)


def output_messages(content: Content, max_attributes: int) -> Attributes:
    """The messages of the response, one for each choice."""
    return number_items(fit_items(map(_message, output_turns(content)), max_attributes))


def tools(content: Content, max_attributes: int) -> Attributes:
    """The tools, with at most half of the attributes, so that the other half is for the conversation."""
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
    if content.input is None:
        return {}
    return value({"messages": list(map(openai_message, input_turns(content)))}, max_attributes)


def output_value(content: Content, max_attributes: int) -> Attributes:
    """The response as one value: its text if it has nothing else, or else JSON."""
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
    """The ranked documents with their texts, the best first. If the documents of the request are recorded as well, they
    have at most half of the attributes.
    """
    return _documents(_with_texts(content), max_attributes // 2 if content.documents else max_attributes)


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


def _with_texts(content: Content) -> Iterator[Document]:
    """Add the texts of the request's documents: most providers return only a document's index."""
    documents = content.documents or ()
    for result in content.results or ():
        index = result.index
        if result.content is None and index is not None and 0 <= index < len(documents):
            yield replace(result, content=documents[index].content)
        else:
            yield result


def embedded_value(content: Content, max_attributes: int) -> Attributes:
    """The text, or several as a list."""
    texts = content.texts
    if not texts:
        return {}
    return value(texts[0] if len(texts) == 1 else list(texts), max_attributes)


def ranking_value(content: Content, max_attributes: int) -> Attributes:
    """The query and the documents."""
    parts = {
        name: known for name, known in (("query", query(content)), ("documents", _document_texts(content))) if known
    }
    return value(parts, max_attributes) if parts else {}


def query_value(content: Content, max_attributes: int) -> Attributes:
    """The query of a search, as one value."""
    text = query(content)
    return {} if text is None else value(text, max_attributes)


def results_value(content: Content, max_attributes: int) -> Attributes:
    """All results, with the fields that the provider returned."""
    return {} if content.results is None else value({"results": list(map(vars, content.results))}, max_attributes)


def query(content: Content) -> str | None:
    """All queries, one in each line."""
    return None if content.query is None else "\n".join(content.query)


def _document_texts(content: Content) -> list[object]:
    return [document.content for document in content.documents or ()]


def value(content: object, max_attributes: int) -> Attributes:
    """The attributes after `input.` or `output.`: a text unchanged, any other value as JSON."""
    if max_attributes < 2:  # noqa: PLR2004 - the value and its type
        return {}
    if isinstance(content, str):
        return {"value": content, "mime_type": "text/plain"}
    return {"value": as_json(content), "mime_type": "application/json"}
