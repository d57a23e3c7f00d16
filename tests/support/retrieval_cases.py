"""Documents, queries and results of rerankers, searches and OCR."""

from __future__ import annotations

QUERY = "Which city is it?"


DOCUMENTS = ["Rome is old.", "Paris is large.", "Oslo is cold."]


RERANK_RESPONSE = {
    "id": "rerank-1",
    "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}],
}


SEARCH_RESPONSE = {
    "object": "vector_store.search_results.page",
    "search_query": [QUERY],
    "data": [
        {
            "file_id": "f",
            "filename": "n.txt",
            "score": 0.9,
            "attributes": {},
            "content": [{"type": "text", "text": "t"}],
        }
    ],
}
