"""Reranking, searching, reading documents (OCR), and adding documents to vector stores.

The numbers and lengths of queries, documents and results are read. Their texts are copied only if content is captured.
Responses are LiteLLM's `RerankResponse`, `SearchResponse`, `VectorStoreSearchResponse` and `OCRResponse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Target, Usage
from agentops_otel_litellm.readers.api_format import (
    ApiFormat,
    ContentReaders,
    cache_hit,
    default_request,
    measure,
    no_cost,
    no_response,
    no_usage,
    read_unit_cost,
)
from agentops_otel_litellm.readers.jobs import job_request, job_response
from agentops_otel_litellm.readers.parameters import read_target
from agentops_otel_litellm.readers.parts import blob, media, stored_file, text_parts
from agentops_otel_litellm.readers.values import (
    NO_FIELDS,
    Parameters,
    count,
    elements,
    field,
    fields_of,
    identifier,
    integer,
    is_collection,
    keyword,
    model_name,
    number,
    plain,
    read_fields,
    read_items,
    rows_for,
    text,
    texts,
    tokens,
)
from agentops_otel_litellm.records import Content, Document, Json, Message

# --- reranking ------------------------------------------------------------------------------------------------


_RERANKED = rows_for(
    Request,
    {
        "documents": ("documents_count", count),
        "top_n": ("max_results", integer),
    },
)


def rerank_request(parameters: Parameters) -> Request:
    return Request(
        model=model_name(parameters.get("model")),
        **_query_fields(parameters.get("query")),
        **read_fields(parameters, _RERANKED),
    )


def _query_fields(parameter: Any) -> dict[str, Any]:
    """The fields of a `Request` that describe the query or queries: their number, and their number of characters."""
    queries = texts(parameter)
    return {} if queries is None else {"queries_count": len(queries), "query_length": sum(map(len, queries))}


def rerank_response(result: Any) -> Response:
    """Read the response of a reranking."""
    response = fields_of(result)
    billed = fields_of(_meta(result).get("billed_units"))
    return Response(
        id=identifier(response.get("id")),
        results_count=count(response.get("results")),
        search_units=number(billed.get("search_units")),
        cache_hit=cache_hit(result),
    )


def rerank_usage(result: Any) -> Usage | None:
    """Read the usage of a reranking. If the provider sends only a total, that is the input."""
    meta = _meta(result)
    counted, billed = fields_of(meta.get("tokens")), fields_of(meta.get("billed_units"))
    total = tokens(billed.get("total_tokens"))
    input_tokens = tokens(counted.get("input_tokens")) or total
    output_tokens = tokens(counted.get("output_tokens"))
    return Usage(input=input_tokens, output=output_tokens, total=total or None) if input_tokens else None


def _meta(result: Any) -> Mapping[str, Any]:
    """The response's `meta`, which has the provider's counts. Empty for Hugging Face: there, LiteLLM estimates them."""
    model = text(field(getattr(result, "_hidden_params", None), "litellm_model_name")) or ""
    return NO_FIELDS if model.startswith("huggingface/") else fields_of(field(result, "meta"))


def _rerank_content(parameters: Parameters) -> Content:
    return Content(
        query=texts(parameters.get("query")),
        documents=read_items(Document, _input_document, elements(parameters.get("documents"))) or None,
    )


def _input_document(value: Any) -> Document:
    return Document(content=_document(value))


def _document(value: Any) -> Json:
    """The content of a document that is a text, or an object: the object's field `text`, or else the object as JSON."""
    if isinstance(value, str):
        return text(value)
    return text(field(value, "text")) or plain(value)


def _ranked_documents(result: Any) -> tuple[Document, ...]:
    """Read the ranked documents in the response of a reranking."""
    return read_items(Document, _ranked_document, elements(field(result, "results")))


def _ranked_document(value: Any) -> Document:
    ranked = fields_of(value)
    return Document(
        index=integer(ranked.get("index")),
        score=number(ranked.get("relevance_score")),
        content=_document(ranked["document"]) if ranked.get("document") else None,
    )


RERANK = ApiFormat(
    request=rerank_request,
    response=rerank_response,
    usage=rerank_usage,
    content=ContentReaders(request=_rerank_content, documents=_ranked_documents),
)


# --- searching the web or a vector store ----------------------------------------------------------------------


_SEARCHED = rows_for(
    Request,
    {
        "max_results": ("max_results", integer),
        "max_num_results": ("max_results", integer),
        "vector_store_id": ("data_source_id", identifier),
    },
)
_RESULTS = rows_for(
    Response,
    {
        "results": ("results_count", count),
        "data": ("results_count", count),
    },
)


def search_target(parameters: Parameters, logging: Any) -> Target:
    """Read the target without its model, because that is a name that LiteLLM uses to look up the price of a search."""
    target = read_target(parameters, logging)
    return replace(target, provider=target.provider or keyword(parameters.get("search_provider")), model=None)


def search_request(parameters: Parameters) -> Request:
    """Read a request to search the web or a vector store."""
    return Request(**_query_fields(parameters.get("query")), **read_fields(parameters, _SEARCHED))


def search_response(result: Any) -> Response:
    return Response(**read_fields(fields_of(result), _RESULTS), cache_hit=cache_hit(result))


def _search_content(parameters: Parameters) -> Content:
    return Content(query=texts(parameters.get("query")))


def _search_results(result: Any) -> tuple[Document, ...]:
    """Read the results of a search of the web (`results`) or of a vector store (`data`)."""
    return read_items(Document, _search_result, elements(field(result, "results")) or elements(field(result, "data")))


def _search_result(value: Any) -> Document:
    """Read one result of a search. Its text is `snippet` for the web, and the pieces in `content` for a store."""
    found = fields_of(value)
    pieces = found.get("content")
    stored = "".join(text(field(piece, "text")) or "" for piece in pieces) if is_collection(pieces) else None
    return Document(
        id=text(found.get("file_id")),
        score=number(found.get("score")),
        title=text(found.get("title")),
        uri=text(found.get("url")),
        content=stored or text(found.get("snippet")),
    )


SEARCH = ApiFormat(
    target=search_target,
    request=search_request,
    response=search_response,
    usage=no_usage,
    cost=read_unit_cost,
    content=ContentReaders(request=_search_content, documents=_search_results),
)


# --- reading documents ----------------------------------------------------------------------------------------


_DOCUMENT_KINDS = frozenset({"document_url", "image_url", "file"})


def ocr_request(parameters: Parameters) -> Request:
    """Read the request of an OCR: the kind of the document, and the number of pages that are requested."""
    kind = text(field(parameters.get("document"), "type"))
    return Request(
        model=model_name(parameters.get("model")),
        document_kind=kind if kind in _DOCUMENT_KINDS else None,
        pages_count=count(parameters.get("pages")),
    )


def ocr_response(result: Any) -> Response:
    """Read the response of an OCR."""
    response = fields_of(result)
    used = fields_of(response.get("usage_info"))
    return Response(
        model=model_name(response.get("model")),
        results_count=count(response.get("pages")),
        pages_count=integer(used.get("pages_processed")),
        size=integer(used.get("doc_size_bytes")),
        cache_hit=cache_hit(result),
    )


def _ocr_content(parameters: Parameters) -> Content:
    """Read the document whose text is to be recognised, as a message of the user."""
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


def _ocr_messages(result: Any) -> tuple[Message, ...]:
    """Read the recognised text as one message, with a part for each page."""
    pages = elements(field(result, "pages"))
    return (
        Message(role="assistant", parts=tuple(part for page in pages for part in text_parts(field(page, "markdown")))),
    )


OCR = ApiFormat(
    request=ocr_request,
    response=ocr_response,
    usage=no_usage,
    content=ContentReaders(request=_ocr_content, response=_ocr_messages),
)


# --- files in vector stores, and RAG --------------------------------------------------------------------------


def stored_content_response(result: Any) -> Response:
    """Read the number and length of the parts into which a vector store has split a file."""
    parts = field(result, "content")
    return Response(results_count=count(parts), content_length=None if parts is None else measure([parts])[0])


def _store(parameters: Parameters) -> Mapping[str, Any]:
    """The parameters of the vector store to which an ingestion adds documents."""
    return fields_of(field(parameters.get("ingest_options"), "vector_store"))


def ingestion_target(parameters: Parameters, logging: Any) -> Target:
    """Read the target of an ingestion. If the request names no provider, it is OpenAI, LiteLLM's default."""
    target, store = read_target(parameters, logging), _store(parameters)
    return replace(target, provider=target.provider or keyword(store.get("custom_llm_provider", "openai")))


def ingestion_request(parameters: Parameters) -> Request:
    return replace(job_request(parameters), data_source_id=identifier(_store(parameters).get("vector_store_id")))


STORED_CONTENT = ApiFormat(request=job_request, response=stored_content_response, usage=no_usage, cost=no_cost)
RAG_QUERY = ApiFormat(request=default_request, response=no_response, usage=no_usage, cost=no_cost, stream_cost=no_cost)
"""A RAG query. Its search, reranking and chat are calls with their own spans, which have the usage."""
INGESTION = ApiFormat(
    target=ingestion_target, request=ingestion_request, response=job_response, usage=no_usage, cost=no_cost
)
"""An ingestion of documents for RAG. Its OCR, embeddings and uploads are calls with their own spans."""
