"""MLflow shows what an agent did: run as `docs/mlflow.md` says, and read back through its API: `tox -e mlflow`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentops_otel_litellm.cli.configuration_checks import check_delivery, check_destinations
from agentops_otel_litellm.cli.report import Examined, State
from support.backends import PRICE, fetch_json, free_port, run_agent, serving, shell_blocks, wait_until
from support.launching import environment

TRACES = 5
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true"}
"""Seven processes fewer, and none that tells others of its use."""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an MLflow, which runs as the page says."""
    serve, _ = shell_blocks("mlflow.md")
    port = free_port()
    directory: Path = tmp_path_factory.mktemp("mlflow")
    with serving(serve, directory, {"5000": port}, "http://127.0.0.1:5000/health", **LEAN):
        yield port


@pytest.fixture(scope="module")
def traces(port: int) -> Any:  # noqa: ANN401 - a generator
    """What an MLflow that has been told all has, in the order in which the traces began."""
    _, run = shell_blocks("mlflow.md")
    ports = {"5000": port}
    url = f"http://127.0.0.1:{port}"
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}

    def all_of_them() -> list[dict[str, Any]]:
        found = fetch_json(f"{url}/api/3.0/mlflow/traces/search", {"locations": [place]}).get("traces", [])
        return found if len(found) >= TRACES else []

    run_agent(run, ports)
    infos = sorted(wait_until(all_of_them, "take the traces in"), key=lambda trace: str(trace["request_time"]))
    got = [fetch_json(f"{url}/api/3.0/mlflow/traces/get?trace_id={info['trace_id']}")["trace"] for info in infos]
    return [
        {**info, "spans": [plain_span(span) for span in trace["spans"]]} for info, trace in zip(infos, got, strict=True)
    ]


def plain_span(span: dict[str, Any]) -> dict[str, Any]:
    attributes = {each["key"]: plain(each["value"]) for each in span["attributes"]}
    return {"name": span["name"], **{name.removeprefix("mlflow."): value for name, value in attributes.items()}}


def plain(value: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON is anything
    """OTLP's way to write a value, undone."""
    ((kind, inner),) = value.items()
    if kind == "kvlist_value":
        return {each["key"]: plain(each["value"]) for each in inner.get("values", ())}
    if kind == "array_value":
        return [plain(each) for each in inner.get("values", ())]
    return int(inner) if kind == "int_value" else inner


def test_every_root_is_a_trace(traces: list[dict[str, Any]]) -> None:
    """With its calls, each of its kind; and what failed is marked."""
    assert [trace["state"] for trace in traces] == ["OK", "OK", "OK", "OK", "ERROR"]
    assert [[(span["name"], span.get("spanType")) for span in trace["spans"]] for trace in traces] == [
        [("answer", None), *[("chat gpt-4o", "LLM")] * 3],
        [("embeddings text-embedding-3-small", "EMBEDDING")],
        [("retrieval vs_1", "RETRIEVER")],
        [("rerank rerank-english-v3.0", "RERANKER")],
        [("chat gpt-4o-mini", "LLM")],
    ]


def test_tokens_and_costs_are_the_providers(traces: list[dict[str, Any]]) -> None:
    """Of each call; MLflow's own figure of the cost is LiteLLM's."""
    _, first, second, third = traces[0]["spans"]
    usage = {"input_tokens": 40, "output_tokens": 12, "total_tokens": 52, "cache_read_input_tokens": 8}
    assert [span.get("chat.tokenUsage") for span in (first, second, third)] == [usage, usage, None]
    costs = [span["llm.cost"]["total_cost"] if "llm.cost" in span else None for span in (first, second, third)]
    assert costs == pytest.approx([PRICE, PRICE, None])
    assert [span.get("llm.cost.total") for span in (first, second, third)] == pytest.approx([PRICE, PRICE, None])


def test_the_conversation_is_there_in_order(traces: list[dict[str, Any]]) -> None:
    """As messages that MLflow shows as a chat."""
    _, first, second, third = traces[0]["spans"]
    assert [message["role"] for message in second["spanInputs"]["messages"]] == ["system", "user", "assistant", "tool"]
    assert second["spanInputs"]["messages"][1]["content"] == [
        {"type": "text", "text": "What is the weather here?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/rome.png"}},
    ]
    (answer,) = first["spanOutputs"]["messages"]
    assert (answer["content"], answer["reasoning_content"]) == ("Let me look.", "The picture shows Rome.")
    assert answer["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Rome"}'}
    assert (second["spanOutputs"], third["spanOutputs"]) == ("It is sunny.", "It is ")
    assert [tool["name"] for tool in first["chat.tools"]] == ["weather"]


def test_texts_and_documents_are_there(traces: list[dict[str, Any]]) -> None:
    """What was embedded, found, and ranked."""
    embedding, search, ranking = (trace["spans"][0] for trace in traces[1:4])
    assert embedding["spanInputs"] == ["one", "two"]
    assert (search["spanInputs"], ranking["spanInputs"]) == (
        "Where is it sunny?",
        {"query": "Where is it sunny?", "documents": ["Oslo is cold.", "Rome is sunny.", "Paris is large."]},
    )
    assert search["spanOutputs"]["results"] == [{"id": "file-1", "score": 0.75, "content": "Rome is sunny."}]
    assert ranking["spanOutputs"]["results"] == [{"index": 1, "score": 0.9}, {"index": 2, "score": 0.2}]


def test_whose_the_calls_are(traces: list[dict[str, Any]]) -> None:
    """The trace is of their session and user; tags and what is to be told of metadata are each call's."""
    told = traces[0]["trace_metadata"]
    assert (told["mlflow.trace.session"], told["mlflow.trace.user"]) == ("session-1", "ann")
    for span in traces[0]["spans"][1:]:
        assert (span["tag.tags"], span["metadata"]) == (["forecasts", "demo"], {"feature": "forecast"})


def test_doctor_sends_a_span_and_reads_it_back(traces: list[dict[str, Any]], port: int) -> None:
    """After the agent's traces, so that they are the only ones that the other tests read."""
    assert traces
    variables = {"AGENTOPS_BACKEND": "mlflow", "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    examined = Examined(variables=environment(**variables, OTEL_EXPORTER_OTLP_TIMEOUT="60"), sends=True)
    (sent,) = check_delivery(examined)
    assert (sent.state, sent.name, sent.text) == (State.OK, "mlflow", "delivered, and read back")
    (shown,) = (each for each in check_destinations(examined) if each.name == "backend mlflow")
    assert "does not show LiteLLM's cost" in shown.text
