"""Content of searches, rerankings and OCR: queries, documents and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.content_records import Content, Document, Json, Message
from agentops_otel_litellm.readers.content.content_readers import ContentReaders, Parameters
from agentops_otel_litellm.readers.content.parts import blob, media, plain, stored_file, text_parts
from agentops_otel_litellm.readers.values import elements, field, fields_of, integer, is_collection, number, text, texts


def _rerank_request(parameters: Parameters) -> Content:
    return Content(
        query=texts(parameters.get("query")),
        documents=tuple(Document(content=_document(each)) for each in elements(parameters.get("documents"))) or None,
    )


def _document(value: Any) -> Json:
    """A document: a text, or an object, which may have the text as a field."""
    if isinstance(value, str):
        return text(value)
    return text(field(value, "text")) or plain(value)


def _ranked_documents(result: Any) -> tuple[Document, ...]:
    """The ranked documents of a reranking's response."""
    return tuple(
        Document(
            index=integer(each.get("index")),
            score=number(each.get("relevance_score")),
            content=_document(each["document"]) if each.get("document") else None,
        )
        for each in map(fields_of, elements(field(result, "results")))
    )


def _search_request(parameters: Parameters) -> Content:
    return Content(query=texts(parameters.get("query")))


def _search_results(result: Any) -> tuple[Document, ...]:
    """The results of a search, in the web or in a vector store."""
    return tuple(
        map(_search_result, map(fields_of, elements(field(result, "results")) or elements(field(result, "data"))))
    )


def _search_result(found: Mapping[str, Any]) -> Document:
    """Read one result of a search."""
    pieces = found.get("content")
    stored = "".join(text(field(piece, "text")) or "" for piece in pieces) if is_collection(pieces) else None
    return Document(
        id=text(found.get("file_id")),
        score=number(found.get("score")),
        title=text(found.get("title")),
        uri=text(found.get("url")),
        content=stored or text(found.get("snippet")),
    )


def _ocr_request(parameters: Parameters) -> Content:
    """The document whose text is to be recognised, as a message of the user."""
    document = fields_of(parameters.get("document"))
    kind = document.get("type")
    if kind == "file":
        known = text(document.get("file_id"))
        part = stored_file("document", known) if known else blob("document", None)
    else:
        value = document.get("image_url") or document.get("document_url")
        url = value if isinstance(value, str) else field(value, "url")
        part = media("image" if kind == "image_url" else "document", url)
    return Content(input=(Message(role="user", parts=(part,)),))


def _ocr_response(result: Any) -> tuple[Message, ...]:
    """One message, with a part for each page."""
    pages = elements(field(result, "pages"))
    return (
        Message(role="assistant", parts=tuple(part for page in pages for part in text_parts(field(page, "markdown")))),
    )


RERANK_CONTENT = ContentReaders(request=_rerank_request, documents=_ranked_documents)
SEARCH_CONTENT = ContentReaders(request=_search_request, documents=_search_results)
OCR_CONTENT = ContentReaders(request=_ocr_request, response=_ocr_response)
