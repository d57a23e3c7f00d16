"""Reranking, searching and reading documents: queries, documents and results are counted and measured, never copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Request, Response, Target, Usage
from agentops_otel_litellm.readers.content.retrieval import OCR_CONTENT, RERANK_CONTENT, SEARCH_CONTENT
from agentops_otel_litellm.readers.requests import default_request
from agentops_otel_litellm.readers.responses import cache_hit, no_cost, no_response, no_usage, read_unit_cost
from agentops_otel_litellm.readers.shapes import Shape
from agentops_otel_litellm.readers.target import read_target
from agentops_otel_litellm.readers.values import (
    count,
    field,
    identifier,
    integer,
    keyword,
    members,
    model_name,
    number,
    rows_for,
    taken,
    texts,
)

Parameters = Mapping[str, Any]

_DOCUMENT_KINDS = frozenset({"document_url", "image_url", "file"})
_RERANKED = rows_for(
    Request,
    {
        "documents": ("documents_count", count),
        "top_n": ("max_results", integer),
    },
)
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


def _queries(given: Any) -> dict[str, Any]:
    """How many, and their characters."""
    queries = texts(given)
    return {} if queries is None else {"queries_count": len(queries), "query_length": sum(map(len, queries))}


def rerank_request(parameters: Parameters) -> Request:
    return Request(
        model=model_name(parameters.get("model")),
        **_queries(parameters.get("query")),
        **taken(parameters, _RERANKED),
    )


def search_request(parameters: Parameters) -> Request:
    """Of the web, or of a vector store."""
    return Request(**_queries(parameters.get("query")), **taken(parameters, _SEARCHED))


def ocr_request(parameters: Parameters) -> Request:
    kind = field(parameters.get("document"), "type")
    return Request(
        model=model_name(parameters.get("model")),
        document_kind=kind if kind in _DOCUMENT_KINDS else None,
        pages_count=count(parameters.get("pages")),
    )


def rerank_response(result: Any) -> Response:
    response = members(result)
    billed = members(field(response.get("meta"), "billed_units"))
    return Response(
        id=identifier(response.get("id")),
        results_count=count(response.get("results")),
        search_units=number(billed.get("search_units")),
        cache_hit=cache_hit(result),
    )


def search_response(result: Any) -> Response:
    return Response(**taken(members(result), _RESULTS), cache_hit=cache_hit(result))


def ocr_response(result: Any) -> Response:
    response = members(result)
    used = members(response.get("usage_info"))
    return Response(
        model=model_name(response.get("model")),
        results_count=count(response.get("pages")),
        pages_count=integer(used.get("pages_processed")),
        size=integer(used.get("doc_size_bytes")),
        cache_hit=cache_hit(result),
    )


def rerank_usage(result: Any) -> Usage | None:
    """What the provider counted: some say only how many tokens there were, which all went in."""
    meta = members(field(result, "meta"))
    tokens, billed = members(meta.get("tokens")), members(meta.get("billed_units"))
    total = integer(billed.get("total_tokens"))
    read = integer(tokens.get("input_tokens")) or total
    written = integer(tokens.get("output_tokens"))
    return Usage(input=read, output=written, total=total or None) if read else None


RERANK = Shape(request=rerank_request, response=rerank_response, usage=rerank_usage, content=RERANK_CONTENT)


def search_target(parameters: Parameters, logging: Any) -> Target:
    """A search asks no model: what LiteLLM calls one is where it looks for the price."""
    target = read_target(parameters, logging)
    return replace(target, provider=target.provider or keyword(parameters.get("search_provider")), model=None)


SEARCH = Shape(
    target=search_target,
    request=search_request,
    response=search_response,
    usage=no_usage,
    cost=read_unit_cost,
    content=SEARCH_CONTENT,
)
RAG_QUERY = Shape(request=default_request, response=no_response, usage=no_usage, cost=no_cost, stream_cost=no_cost)
"""Its search, its reranking and its chat are calls of their own, and theirs is what they used."""
OCR = Shape(request=ocr_request, response=ocr_response, usage=no_usage, content=OCR_CONTENT)
