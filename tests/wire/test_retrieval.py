"""Reranking, searching the web and vector stores, held against what the provider received and sent."""

from __future__ import annotations

from importlib import import_module

import litellm
import litellm.vector_stores
import pytest
from litellm.types.rerank import RerankResponse
from opentelemetry.trace import SpanKind, StatusCode

from support.apps import CALL_ID, Caller
from support.expected import cost_attributes, cost_shares, target_attributes
from support.recorder import Attributes, Recorder
from support.retrieval_cases import DOCUMENTS, QUERY, RERANK_RESPONSE, SEARCH_RESPONSE
from support.servers.wire import Reply, WireProvider

# What a provider counts, in its own words → what the span says of it, and whether LiteLLM's price of it is one.
COUNTED: dict[str, tuple[str, dict[str, object], Attributes, bool]] = {
    "search units": (
        "cohere/rerank-english-v3.0",
        {"meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 2}}},
        {"llm.response.search_units": 2.0},
        True,
    ),
    "nothing": ("cohere/rerank-english-v3.0", {}, {}, False),
    "tokens": (
        "jina_ai/jina-reranker-v2-base-multilingual",
        {"usage": {"total_tokens": 33, "prompt_tokens": 33}},
        {"gen_ai.usage.input_tokens": 33, "llm.usage.prompt_tokens": 33, "llm.usage.total_tokens": 33},
        True,
    ),
    "tokens of a model without a price": (
        "hosted_vllm/mine",
        {"usage": {"total_tokens": 33}},
        {"gen_ai.usage.input_tokens": 33, "llm.usage.prompt_tokens": 33, "llm.usage.total_tokens": 33},
        False,
    ),
    "nothing, of which LiteLLM makes zeros": ("hosted_vllm/mine", {}, {}, False),
}


@pytest.mark.parametrize("case", COUNTED)
def test_a_reranking_is_described_in_full(caller: Caller, wire: WireProvider, telemetry: Recorder, case: str) -> None:
    """A reranking has what was asked and answered, what the provider counted, and the price of what it counted."""
    model, counted, told, priced = COUNTED[case]
    provider, _, name = model.partition("/")
    wire.reply("/rerank", Reply(body={**RERANK_RESPONSE, **counted}))
    result = caller.call(
        litellm,
        "rerank",
        model=model,
        query=QUERY,
        documents=DOCUMENTS,
        top_n=2,
        api_key="sk-test",
        api_base=f"{wire.url}/v1/rerank",
        litellm_call_id=CALL_ID,
    )
    assert isinstance(result, RerankResponse)
    (exchange,) = wire.ledger
    assert exchange.body["top_n"] == 2
    assert telemetry.attributes() == {
        **target_attributes("rerank", provider, wire, model=name, call_type=caller.name("rerank")),
        "llm.request.queries_count": 1,
        "llm.request.query_length": len(QUERY),
        "llm.request.documents_count": len(DOCUMENTS),
        "llm.request.max_results": 2,
        "gen_ai.retrieval.top_k": 2,
        "gen_ai.response.id": "rerank-1",
        "llm.response.id": "rerank-1",
        "llm.response.results_count": 2,
        **told,
        **(cost_attributes(result._hidden_params["response_cost"]) if priced else {}),
        **(
            cost_shares(input=result._hidden_params["response_cost"])
            if priced and "llm.usage.prompt_tokens" in told
            else {}
        ),
    }
    (span,) = telemetry.spans()
    assert (span.name, span.kind) == (f"rerank {name}", SpanKind.CLIENT)
    assert [event.name for event in span.events] == ["litellm.attempt"]


@pytest.mark.parametrize("queries", ["Rome", ["Rome", "Oslo"]], ids=["one", "two"])
def test_a_search_is_described_in_full(
    caller: Caller, wire: WireProvider, telemetry: Recorder, queries: str | list[str]
) -> None:
    """A search has its queries, its results and its price, which is one a search; and no model, for it asks none."""
    found = {"title": "a title", "url": "https://example.com", "content": "a text", "score": 1}
    wire.reply("/search", Reply(body={"results": [found, found, found]}))
    result = caller.call(
        litellm,
        "search",
        query=queries,
        search_provider="tavily",
        max_results=3,
        api_key="sk-test",
        api_base=wire.url,
        litellm_call_id=CALL_ID,
    )
    assert type(result).__name__ == "SearchResponse"
    assert telemetry.attributes() == {
        **target_attributes("search", "tavily", wire, call_type=caller.name("search")),
        "llm.request.queries_count": 1 if isinstance(queries, str) else 2,
        "llm.request.query_length": len("".join(queries)),
        "llm.request.max_results": 3,
        "gen_ai.retrieval.top_k": 3,
        "llm.response.results_count": 3,
        **cost_attributes(litellm.get_model_info("tavily/search")["input_cost_per_query"] or 0.0),
    }
    (span,) = telemetry.spans()
    assert span.name == "search"


# Function of a package → its parameters, the end of the path it asks, the answer, and what the span says of them.
STORE: dict[str, object] = {"vector_store_id": "vs_1"}
STORE_ASKED: Attributes = {"llm.request.data_source_id": "vs_1", "gen_ai.data_source.id": "vs_1"}
STORED = {
    "id": "vs_1",
    "object": "vector_store",
    "created_at": 1,
    "name": "the name",
    "bytes": 12,
    "status": "completed",
    "file_counts": {"in_progress": 0, "completed": 2, "failed": 1, "cancelled": 0, "total": 3},
}
STORED_TOLD: Attributes = {
    "gen_ai.response.id": "vs_1",
    "llm.response.id": "vs_1",
    "llm.response.size": 12,
    "llm.job.status": "completed",
    "llm.response.files_count": 3,
    "llm.response.files_completed": 2,
    "llm.response.files_failed": 1,
}
KEPT = {
    "id": "file-1",
    "object": "vector_store.file",
    "created_at": 1,
    "usage_bytes": 7,
    "vector_store_id": "vs_1",
    "status": "in_progress",
}
KEPT_TOLD: Attributes = {
    "gen_ai.response.id": "file-1",
    "llm.response.id": "file-1",
    "llm.response.size": 7,
    "llm.job.status": "in_progress",
}
PARTS = {"file_id": "file-1", "filename": "n.txt", "attributes": {}, "content": [{"type": "text", "text": "t"}]}
STORES: dict[str, tuple[dict[str, object], str, object, Attributes]] = {
    "vector_stores.create": (
        {"name": "the name", "file_ids": ["a", "b"]},
        "/vector_stores",
        STORED,
        {"llm.request.files_count": 2, **STORED_TOLD},
    ),
    "vector_stores.search": (
        {**STORE, "query": QUERY, "max_num_results": 4},
        "/vs_1/search",
        SEARCH_RESPONSE,
        {
            **STORE_ASKED,
            "llm.request.queries_count": 1,
            "llm.request.query_length": len(QUERY),
            "llm.request.max_results": 4,
            "gen_ai.retrieval.top_k": 4,
            "llm.response.results_count": 1,
        },
    ),
    "vector_stores.retrieve": (STORE, "/vs_1", STORED, {**STORE_ASKED, **STORED_TOLD}),
    "vector_stores.list": (
        {"limit": 5},
        "/vector_stores",
        {"object": "list", "data": [STORED], "has_more": True},
        {"llm.request.page_size": 5, "llm.response.results_count": 1, "llm.response.has_more": True},
    ),
    "vector_stores.update": ({**STORE, "name": "other"}, "/vs_1", STORED, {**STORE_ASKED, **STORED_TOLD}),
    "vector_stores.delete": (
        STORE,
        "/vs_1",
        {"id": "vs_1", "object": "vector_store.deleted", "deleted": True},
        {
            **STORE_ASKED,
            "gen_ai.response.id": "vs_1",
            "llm.response.id": "vs_1",
            "llm.response.deleted": True,
        },
    ),
    "vector_store_files.create": (
        {**STORE, "file_id": "file-1"},
        "/vs_1/files",
        KEPT,
        {**STORE_ASKED, "llm.request.resource_id": "file-1", **KEPT_TOLD},
    ),
    "vector_store_files.list": (
        STORE,
        "/vs_1/files",
        {"object": "list", "data": [KEPT, KEPT], "has_more": False},
        {**STORE_ASKED, "llm.response.results_count": 2, "llm.response.has_more": False},
    ),
    "vector_store_files.retrieve": (
        {**STORE, "file_id": "file-1"},
        "/files/file-1",
        KEPT,
        {**STORE_ASKED, "llm.request.resource_id": "file-1", **KEPT_TOLD},
    ),
    "vector_store_files.retrieve_content": (
        {**STORE, "file_id": "file-1"},
        "/file-1/content",
        PARTS,
        {
            **STORE_ASKED,
            "llm.request.resource_id": "file-1",
            "llm.response.results_count": 1,
            "llm.response.content_length": len("t"),
        },
    ),
    "vector_store_files.update": (
        {**STORE, "file_id": "file-1", "attributes": {"a": "b"}},
        "/files/file-1",
        KEPT,
        {**STORE_ASKED, "llm.request.resource_id": "file-1", **KEPT_TOLD},
    ),
    "vector_store_files.delete": (
        {**STORE, "file_id": "file-1"},
        "/files/file-1",
        {"id": "file-1", "object": "vector_store.file.deleted", "deleted": True},
        {
            **STORE_ASKED,
            "llm.request.resource_id": "file-1",
            "gen_ai.response.id": "file-1",
            "llm.response.id": "file-1",
            "llm.response.deleted": True,
        },
    ),
}


RENAMED = {"vector_stores.search": "retrieval"}
"""What the conventions have an operation for."""


@pytest.mark.parametrize("operation", STORES)
def test_what_is_done_with_a_vector_store_is_described_in_full(
    caller: Caller, wire: WireProvider, telemetry: Recorder, operation: str
) -> None:
    """Whatever is done with a vector store or a file in one has its own name, ids, counts and state."""
    parameters, path_end, answer, told = STORES[operation]
    package, _, function = operation.partition(".")
    wire.reply(path_end, Reply(body=answer))
    caller.call(
        import_module(f"litellm.{package}.main"),
        function,
        **parameters,
        custom_llm_provider="openai",
        api_key="sk-test",
        api_base=f"{wire.url}/v1",
        litellm_call_id=CALL_ID,
    )
    assert len(wire.ledger) == 1
    (span,) = telemetry.spans()
    name = RENAMED.get(operation, operation)
    assert span.name == (f"{name} vs_1" if operation in RENAMED else name)
    assert telemetry.attributes() == {
        **target_attributes(name, "openai", wire, call_type=caller.name(function)),
        **told,
    }


FAILING: dict[str, tuple[str, dict[str, object], str]] = {
    "rerank": ("rerank", {"model": "cohere/rerank-x", "query": QUERY, "documents": DOCUMENTS}, "/rerank"),
    "search": ("search", {"query": QUERY, "search_provider": "tavily"}, "/search"),
    "vector_stores": ("search", {**STORE, "query": QUERY, "custom_llm_provider": "openai"}, "/search"),
}


@pytest.mark.parametrize("family", FAILING)
def test_a_refusal_is_told(caller: Caller, wire: WireProvider, telemetry: Recorder, family: str) -> None:
    """Where the provider refuses, the call's one span has failed and says why; the queries are in none of it."""
    function, parameters, path_end = FAILING[family]
    wire.reply(path_end, Reply(status=401, body={"message": f"no key for {QUERY}", "error": {"message": QUERY}}))
    module = litellm.vector_stores if family == "vector_stores" else litellm
    base = f"{wire.url}/rerank" if family == "rerank" else wire.url
    with pytest.raises(Exception, match=QUERY.replace("?", r"\?")) as raised:
        caller.call(module, function, **parameters, api_key="sk-test", api_base=base)
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert len(telemetry.spans()) == 1
    attributes = telemetry.attributes()
    assert attributes["error.type"] == type(raised.value).__name__
    assert attributes["llm.error.status_code"] == 401
    assert attributes["llm.error.category"] == "auth"
    assert QUERY not in telemetry.everything()
