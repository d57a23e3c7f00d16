"""Texts of embeddings, and documents of rerankings and searches, in OpenInference's names: one by one, as many as fit
the span's limits, and as one value. Vectors are never recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call.content import Content, Document
from agentops_otel_litellm.semconv.conversation import as_json, as_text, fit_items, number_items
from agentops_otel_litellm.semconv.openinference_content import value

Attributes = Mapping[str, AttributeValue]

# Field of a document without a name in the conventions → its name in `document.metadata`.
_METADATA = {"index": "index", "title": "title", "uri": "url"}


def embeddings(content: Content, max_attributes: int) -> Attributes:
    return number_items(fit_items(([{"embedding.text": text}] for text in content.texts or ()), max_attributes))


def request_documents(content: Content, max_attributes: int) -> Attributes:
    return _documents(content.documents or (), max_attributes)


def ranked_documents(content: Content, max_attributes: int) -> Attributes:
    """The ranked documents with their texts, the best first. If the documents of the request are recorded as well, they
    have at most half of the attributes.
    """
    return _documents(_with_texts(content), max_attributes // 2 if content.documents else max_attributes)


def found_documents(content: Content, max_attributes: int) -> Attributes:
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
    text = query(content)
    return {} if text is None else value(text, max_attributes)


def results_value(content: Content, max_attributes: int) -> Attributes:
    """All results, with the fields that the provider returned."""
    return {} if content.results is None else value({"results": list(map(vars, content.results))}, max_attributes)


def query(content: Content) -> str | None:
    return None if content.query is None else "\n".join(content.query)


def _document_texts(content: Content) -> list[object]:
    return [document.content for document in content.documents or ()]
