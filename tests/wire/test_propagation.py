"""The trace context is sent to LiteLLM proxies and to the gateways in AGENTOPS_PROPAGATE_TO, and to nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach
from websockets.asyncio.server import ServerConnection

from agentops_otel_litellm.patching.propagation import PROPAGATION
from support.api_caller import ApiCaller
from support.apps import App
from support.realtime import CREATED, ClientSocket, run_session
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider

PROXY = {"model": "litellm_proxy/fast"}
CHAT = {"messages": [{"role": "user", "content": "Hi."}]}
Propagate = Callable[..., None]


@pytest.fixture
def propagate_to() -> Iterator[Propagate]:
    """Sets AGENTOPS_PROPAGATE_TO."""

    def start(*servers: str, baggage: bool = False) -> None:
        PROPAGATION.start(servers, sends_baggage=baggage)

    yield start
    PROPAGATION.start((), sends_baggage=False)


def parents(telemetry: Recorder) -> list[str]:
    """The value of `traceparent` for each span of a call of a model, in the order in which they ended."""
    return [
        f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"
        for span in telemetry.spans()
        if span.kind is trace.SpanKind.CLIENT
    ]


def received(server: OpenAIProvider | WireProvider) -> list[str | None]:
    """The header `traceparent` of each request."""
    return [exchange.headers.get("traceparent") for exchange in server.ledger]


@pytest.mark.parametrize("operation", ["completion", "text_completion", "embedding"])
def test_a_proxy_gets_the_context_of_the_call(app: App, telemetry: Recorder, operation: str) -> None:
    app.ask(operation, **PROXY)
    assert received(app.provider) == parents(telemetry)
    assert len(received(app.provider)) == 1


def test_streams(app: App, telemetry: Recorder) -> None:
    app.read(**PROXY)
    assert received(app.provider) == parents(telemetry)


def test_retries_of_litellm_and_of_openais_client(app: App, telemetry: Recorder) -> None:
    """Each request has the context of the same call."""
    app.provider.scripts([Script(status=500)] * 2)
    app.ask(**PROXY, num_retries=1, max_retries=1)
    (parent,) = parents(telemetry)
    assert received(app.provider) == [parent] * len(app.provider.ledger)
    assert len(app.provider.ledger) == 3


def test_the_deployments_of_a_router(app: App, telemetry: Recorder) -> None:
    """The parent is the call of the deployment, not the route."""
    router = litellm.Router([{"model_name": "group", "litellm_params": {**PROXY, **app.connection}}])
    if app.style == "async":
        app.run(router.acompletion("group", CHAT["messages"]))
    else:
        router.completion("group", CHAT["messages"])
    assert received(app.provider) == parents(telemetry)
    assert [span.name for span in telemetry.spans()] == ["chat fast", "route group"]


@pytest.mark.parametrize(
    ("function", "path", "parameters"),
    [
        ("responses", "/responses", {**PROXY, "input": "Hi."}),
        ("rerank", "/rerank", {**PROXY, "query": "Hi.", "documents": ["one"]}),
        ("messages", "/messages", {"model": "anthropic/claude", **CHAT, "max_tokens": 9}),
        ("completion", "/messages", {"model": "anthropic/claude", **CHAT}),
        ("completion", "/chat/completions", {"model": "hosted_vllm/llama", **CHAT}),
    ],
)
def test_other_apis(  # noqa: PLR0913, PLR0917 - fixtures and cases
    api: ApiCaller,
    telemetry: Recorder,
    propagate_to: Propagate,
    function: str,
    path: str,
    parameters: dict[str, Any],
) -> None:
    """What LiteLLM's own HTTP handlers send."""
    if function == "messages" and not api.asynchronous:
        pytest.skip("LiteLLM has no synchronous messages")
    propagate_to(api.wire.url)
    api.wire.reply(path, Reply(status=400, body={"error": {"message": "No.", "type": "invalid_request_error"}}))
    with pytest.raises(Exception, match=r"No\.|400"):
        api.call(function, **parameters)
    assert received(api.wire) == parents(telemetry)
    assert api.wire.ledger


def test_realtime_sessions(telemetry: Recorder, propagate_to: Propagate) -> None:
    propagate_to("localhost", "127.0.0.1")
    headers: list[str | None] = []

    async def answering(connection: ServerConnection) -> None:
        assert connection.request is not None
        headers.append(connection.request.headers.get("traceparent"))
        await connection.send(json.dumps(CREATED))

    run_session(lambda: ClientSocket(leaves_after=0), answering)
    assert headers == parents(telemetry)


def test_requests_over_aiohttp_without_httpx(
    provider: OpenAIProvider, telemetry: Recorder, propagate_to: Propagate
) -> None:
    propagate_to("127.0.0.1")
    asyncio.run(
        litellm.acompletion(
            "aiohttp_openai/gpt-4o",
            **CHAT,
            api_base=f"{provider.base_url}/chat/completions",
            api_key="sk-test",
        )
    )
    assert received(provider) == parents(telemetry)


def test_requests_of_the_rust_core(api: ApiCaller, telemetry: Recorder, propagate_to: Propagate) -> None:
    pytest.importorskip("litellm.rust_bridge.dispatch", reason="this LiteLLM has no Rust")
    propagate_to(api.wire.url)
    api.wire.reply("/ocr", Reply(body={"pages": [], "model": "ocr", "usage_info": {"pages_processed": 1}}))
    document = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
    headers = {"x-own": "1"}
    api.call("ocr", model="mistral/ocr", document=document, extra_headers=headers)
    assert received(api.wire) == parents(telemetry)
    assert api.wire.ledger[0].headers["x-own"] == "1"
    assert headers == {"x-own": "1"}


@pytest.mark.parametrize(
    ("server", "is_listed"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:{port}", True),
        ("http://127.0.0.1:{port}", True),
        ("http://127.0.0.1:{port}/", True),
        ("http://127.0.0.1:{port}/v1", True),
        ("http://127.0.0.1:{port}/v", False),
        ("http://127.0.0.1:{port}/other", False),
        ("https://127.0.0.1:{port}", False),
        ("http://127.0.0.1", False),
        ("127.0.0.1:1", False),
        ("127.0.0", False),
    ],
)
def test_listed_servers(
    provider: OpenAIProvider, telemetry: Recorder, propagate_to: Propagate, server: str, *, is_listed: bool
) -> None:
    propagate_to("gateway.example.com", server.format(port=provider.port))
    litellm.completion("openai/gpt-4o", CHAT["messages"], api_base=provider.base_url, api_key="k")
    assert received(provider) == (parents(telemetry) if is_listed else [None])


def test_providers_get_nothing(app: App) -> None:
    app.ask()
    app.ask("embedding")
    app.read()
    names = {"traceparent", "tracestate", "baggage"}
    assert [names & exchange.headers.keys() for exchange in app.provider.ledger] == [set()] * 3


@pytest.mark.usefixtures("restored_callbacks")
def test_requests_of_callbacks_get_nothing(app: App, wire: WireProvider) -> None:
    """They go to a different server, although LiteLLM makes them inside the call."""
    wire.reply("/hook", Reply(body={}))

    class Posting(CustomLogger):
        def log_pre_api_call(self, *_of_the_call: object, **_more: object) -> None:
            httpx.post(f"{wire.url}/hook", json={})

    litellm.callbacks.append(Posting())
    app.ask(**PROXY)
    assert received(wire) == [None]
    assert received(app.provider) != [None]


def test_headers_of_the_application_are_kept(app: App) -> None:
    own = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
    before = dict(own)
    app.ask(**PROXY, extra_headers=own)
    assert received(app.provider) == [own["traceparent"]]
    assert own == before


@pytest.mark.parametrize("is_sent", [False, True])
def test_baggage_is_sent_only_if_wanted(app: App, propagate_to: Propagate, *, is_sent: bool) -> None:
    propagate_to(baggage=is_sent)
    token = attach(baggage.set_baggage("tenant", "acme"))
    try:
        app.ask(**PROXY)
    finally:
        detach(token)
    assert [exchange.headers.get("baggage") for exchange in app.provider.ledger] == ["tenant=acme" if is_sent else None]


def test_an_instrumentation_of_the_http_client_is_the_parent(app: App, telemetry: Recorder) -> None:
    """Its span is a child of the call's span, and there is one `traceparent`."""
    reason = "instrumentations of HTTP clients: `tox -e nested`"
    of_httpx = pytest.importorskip("opentelemetry.instrumentation.httpx", reason=reason).HTTPXClientInstrumentor()
    of_aiohttp = pytest.importorskip("opentelemetry.instrumentation.aiohttp_client").AioHttpClientInstrumentor()
    instrumentors = (of_httpx, of_aiohttp)
    litellm.in_memory_llm_clients_cache.flush_cache()
    for each in instrumentors:
        each.instrument(tracer_provider=telemetry.providers["tracer_provider"])
    try:
        app.ask(**PROXY)
    finally:
        for each in instrumentors:
            each.uninstrument()
        litellm.in_memory_llm_clients_cache.flush_cache()
    request, call = telemetry.spans()
    assert request.parent == call.context
    (header,) = received(app.provider)
    assert header is not None
    assert header.split("-")[2] == f"{request.context.span_id:016x}"
    assert "," not in header


def test_nothing_is_sent_after_uninstrumenting(app: App) -> None:
    PROPAGATION.stop()
    app.ask(**PROXY)
    assert received(app.provider) == [None]
    PROPAGATION.start((), sends_baggage=False)
