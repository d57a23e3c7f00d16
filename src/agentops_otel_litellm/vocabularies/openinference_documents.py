"""Texts that are embedded, and documents that are ranked or found, in OpenInference's names: one by one, as many as
there is room for, and as one value. Vectors are never told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call.content import Content, Document
from agentops_otel_litellm.vocabularies.conversation import as_json, as_text, fitting, numbered
from agentops_otel_litellm.vocabularies.openinference_content import value

Attributes = Mapping[str, AttributeValue]

# Of a document, what has no name in the conventions → what its metadata calls it.
_METADATA = {"index": "index", "title": "title", "uri": "url"}


def embeddings(content: Content, room: int) -> Attributes:
    return numbered(fitting(([{"embedding.text": text}] for text in content.texts or ()), room))


def given_documents(content: Content, room: int) -> Attributes:
    return _documents(content.documents or (), room)


def ranked_documents(content: Content, room: int) -> Attributes:
    """The best first, with their texts; no more than leave those that were given their half."""
    return _documents(_with_texts(content), room // 2 if content.documents else room)


def found_documents(content: Content, room: int) -> Attributes:
    return _documents(content.results or (), room)


def _documents(documents: Iterable[Document], room: int) -> Attributes:
    return numbered(fitting(([told] for document in documents if (told := _document(document))), room))


def _document(document: Document) -> dict[str, AttributeValue]:
    told: dict[str, AttributeValue] = {}
    if document.id is not None:
        told["document.id"] = document.id
    if document.content is not None:
        told["document.content"] = as_text(document.content)
    if document.score is not None:
        told["document.score"] = document.score
    known = vars(document)
    metadata = {name: known[field] for field, name in _METADATA.items() if field in known}
    if metadata:
        told["document.metadata"] = as_json(metadata)
    return told


def _with_texts(content: Content) -> Iterator[Document]:
    """Most providers say of a result only which of the documents it is."""
    given = content.documents or ()
    for result in content.results or ():
        index = result.index
        if result.content is None and index is not None and 0 <= index < len(given):
            yield replace(result, content=given[index].content)
        else:
            yield result


def embedded_value(content: Content, room: int) -> Attributes:
    """The text, or all of them as a list."""
    texts = content.texts
    if not texts:
        return {}
    return value(texts[0] if len(texts) == 1 else list(texts), room)


def ranking_value(content: Content, room: int) -> Attributes:
    """What is asked, and of which documents."""
    asked = {name: known for name, known in (("query", query(content)), ("documents", _given(content))) if known}
    return value(asked, room) if asked else {}


def query_value(content: Content, room: int) -> Attributes:
    asked = query(content)
    return {} if asked is None else value(asked, room)


def results_value(content: Content, room: int) -> Attributes:
    """All results, as far as the provider said anything of them."""
    return {} if content.results is None else value({"results": list(map(vars, content.results))}, room)


def query(content: Content) -> str | None:
    return None if content.query is None else "\n".join(content.query)


def _given(content: Content) -> list[object]:
    return [document.content for document in content.documents or ()]
