"""Arize's Phoenix shows what an agent did: run as `docs/phoenix.md` says, and read back through its API.

Phoenix is a server with many dependencies, so it has an environment of its own: `tox -e phoenix`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.backends import PRICE, fetch_json, free_port, run_agent, serving, shell_blocks, wait_until

INSTRUCTED = {"0.message.role": "system", "0.message.content": "Be brief."}
SHOWN = {
    "1.message.role": "user",
    "1.message.contents.0.message_content.type": "text",
    "1.message.contents.0.message_content.text": "What is the weather here?",
    "1.message.contents.1.message_content.type": "image",
    "1.message.contents.1.message_content.image.image.url": "https://example.com/rome.png",
}
CHOSEN = {
    "message.role": "assistant",
    "message.contents.0.message_content.type": "reasoning",
    "message.contents.0.message_content.text": "The picture shows Rome.",
    "message.contents.1.message_content.type": "text",
    "message.contents.1.message_content.text": "Let me look.",
    "message.tool_calls.0.tool_call.id": "call_1",
    "message.tool_calls.0.tool_call.function.name": "weather",
    "message.tool_calls.0.tool_call.function.arguments": '{"city":"Rome"}',
}
RESULT = {
    "3.message.role": "tool",
    "3.message.name": "weather",
    "3.message.content": "sunny",
    "3.message.tool_call_id": "call_1",
}
ASKED_AGAIN = {**INSTRUCTED, **SHOWN, **{f"2.{name}": value for name, value in CHOSEN.items()}, **RESULT}
TOKENS = {
    "prompt": 40,
    "completion": 12,
    "total": 52,
    "prompt_details.cache_read": 8,
    "completion_details.reasoning": 5,
}
SPANS = 8


def under(span: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Its attributes that begin with that."""
    return {
        name.removeprefix(f"{prefix}."): value
        for name, value in span["attributes"].items()
        if name.startswith(f"{prefix}.")
    }


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 - a generator
    """A Phoenix that has been told all."""
    serve, run = shell_blocks("phoenix.md")
    ports = {"6006": free_port()}
    directory: Path = tmp_path_factory.mktemp("phoenix")
    variables = {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(ports["6006"]),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_WORKING_DIR": str(directory),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with serving(serve, directory, ports, "http://127.0.0.1:6006/healthz", **variables):
        run_agent(run, ports)
        yield f"http://127.0.0.1:{ports['6006']}"


@pytest.fixture(scope="module")
def spans(url: str) -> list[dict[str, Any]]:
    """In the order in which they began."""

    def all_of_them() -> list[dict[str, Any]]:
        projects = {project["name"] for project in fetch_json(f"{url}/v1/projects")["data"]}
        found = fetch_json(f"{url}/v1/projects/my-agent/spans?limit=100")["data"] if "my-agent" in projects else []
        return found if len(found) >= SPANS else []

    return sorted(wait_until(all_of_them, "take the spans in"), key=lambda span: str(span["start_time"]))


def test_every_call_is_a_span_of_its_kind(spans: list[dict[str, Any]]) -> None:
    """One trace per root, and what failed says why."""
    assert [(span["name"], span["span_kind"], span["status_code"]) for span in spans] == [
        ("answer", "UNKNOWN", "UNSET"),
        ("chat gpt-4o", "LLM", "UNSET"),
        ("chat gpt-4o", "LLM", "UNSET"),
        ("chat gpt-4o", "LLM", "UNSET"),
        ("embeddings text-embedding-3-small", "EMBEDDING", "UNSET"),
        ("retrieval vs_1", "RETRIEVER", "UNSET"),
        ("rerank rerank-english-v3.0", "RERANKER", "UNSET"),
        ("chat gpt-4o-mini", "LLM", "ERROR"),
    ]
    root, first, second, third, *others = spans
    assert {span["parent_id"] for span in (first, second, third)} == {root["context"]["span_id"]}
    assert [span["parent_id"] for span in (root, *others)] == [None] * 5
    assert len({span["context"]["trace_id"] for span in spans}) == 5
    assert others[-1]["status_message"] == "RateLimitError: the rate limit was reached (HTTP 429, openai)"


def test_the_conversation_is_there_in_order(spans: list[dict[str, Any]]) -> None:
    """With the picture, the reasoning, the tool's call and its result, and as much of the stream as came."""
    _, first, second, third, *_, failed = spans
    said = [(under(span, "llm.input_messages"), under(span, "llm.output_messages")) for span in (first, second)]
    assert said == [
        ({**INSTRUCTED, **SHOWN}, {f"0.{name}": value for name, value in CHOSEN.items()}),
        (ASKED_AGAIN, {"0.message.role": "assistant", "0.message.content": "It is sunny."}),
    ]
    assert under(third, "llm.output_messages") == {"0.message.role": "assistant", "0.message.content": "It is "}
    assert third["attributes"]["output.value"] == "It is "
    assert under(failed, "llm.input_messages") == {"0.message.role": "user", "0.message.content": "Again?"}
    assert under(failed, "llm.output_messages") == {}
    assert list(under(first, "llm.tools")) == ["0.tool.json_schema"]


def test_tokens_are_the_providers(spans: list[dict[str, Any]]) -> None:
    """And where it counted none, there are none."""
    _, first, second, third, embedding, search, ranking, failed = spans
    assert [under(span, "llm.token_count") for span in (first, second, third, embedding, search, ranking, failed)] == [
        TOKENS,
        TOKENS,
        {},
        {"prompt": 2, "total": 2},
        {},
        {},
        {},
    ]
    assert embedding["attributes"]["embedding.model_name"] == "text-embedding-3-small"
    assert first["attributes"]["llm.invocation_parameters"] == '{"stream":false,"temperature":0.5}'


def test_texts_and_documents_are_there_one_by_one(spans: list[dict[str, Any]]) -> None:
    """What was embedded, found, and ranked, with scores; a ranked document has the text of the one that was given."""
    embedding, search, ranking = spans[4:7]
    assert under(embedding, "embedding.embeddings") == {"0.embedding.text": "one", "1.embedding.text": "two"}
    assert under(search, "retrieval.documents") == {
        "0.document.id": "file-1",
        "0.document.score": 0.75,
        "0.document.content": "Rome is sunny.",
    }
    assert under(ranking, "reranker") == {
        "model_name": "rerank-english-v3.0",
        "query": "Where is it sunny?",
        "top_k": 2,
        "input_documents.0.document.content": "Oslo is cold.",
        "input_documents.1.document.content": "Rome is sunny.",
        "input_documents.2.document.content": "Paris is large.",
        "output_documents.0.document.content": "Rome is sunny.",
        "output_documents.0.document.score": 0.9,
        "output_documents.0.document.metadata.index": 1,
        "output_documents.1.document.content": "Paris is large.",
        "output_documents.1.document.score": 0.2,
        "output_documents.1.document.metadata.index": 2,
    }
    assert [span["attributes"].get("input.value") for span in (embedding, search)] == [
        '["one","two"]',
        "Where is it sunny?",
    ]


def test_whose_the_calls_are(url: str, spans: list[dict[str, Any]]) -> None:
    """Session, user and tags, and of metadata what is to be told; and Phoenix lists the session."""
    for span in spans[1:4]:
        assert {name: span["attributes"].get(name) for name in ("session.id", "user.id", "tag.tags")} == {
            "session.id": "session-1",
            "user.id": "ann",
            "tag.tags": ["forecasts", "demo"],
        }
        assert under(span, "metadata") == {"feature": "forecast"}
    assert "not told" not in str(spans)
    (session,) = fetch_json(f"{url}/v1/projects/my-agent/sessions")["data"]
    assert session["session_id"] == "session-1"
    assert [trace["trace_id"] for trace in session["traces"]] == [spans[0]["context"]["trace_id"]]


def test_costs_are_the_providers(url: str, spans: list[dict[str, Any]]) -> None:
    """Phoenix's own figure is LiteLLM's."""
    assert [span["attributes"].get("llm.cost.total") for span in spans[1:4]] == pytest.approx([PRICE, PRICE, None])
    projects = fetch_json(f"{url}/v1/projects")["data"]
    (project,) = (each["id"] for each in projects if each["name"] == "my-agent")
    query = "query ($id: ID!) { node(id: $id) { ... on Project { costSummary { total { cost tokens } } } } }"

    def total() -> Any:  # noqa: ANN401 - JSON is anything
        found = fetch_json(f"{url}/graphql", {"query": query, "variables": {"id": project}})
        summary = found["data"]["node"]["costSummary"]["total"]
        return summary if (summary["tokens"] or 0) >= 104 else None

    assert wait_until(total, "work the costs out") == {"cost": pytest.approx(2 * PRICE), "tokens": 104}
