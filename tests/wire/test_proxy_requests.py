"""The span of a request to LiteLLM's proxy, which this package creates if no instrumentation of FastAPI does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from inspect import signature
from typing import Any

import httpx
import litellm
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel_litellm.proxy.request import Receive, Scope, Send, trace_requests
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


@pytest.fixture
def app(provider: OpenAIProvider) -> FastAPI:
    """An application in place of the proxy's, in which FastAPI itself creates no spans."""
    has_telemetry = "telemetry" in signature(FastAPI.__init__).parameters  # recent releases
    options: dict[str, Any] = {"telemetry": {"tracing": False}} if has_telemetry else {}
    app = FastAPI(**options)

    @app.post("/v1/{operation}")
    async def complete(operation: str) -> str:
        messages = [{"role": "user", "content": "Hi."}]
        result = await litellm.acompletion("openai/gpt-4o", messages, api_base=provider.base_url, api_key="k")
        return f"{operation}: {result.choices[0].message.content}"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        def chunks() -> Iterator[str]:
            yield "one"
            yield "two"

        return StreamingResponse(chunks())

    @app.get("/broken")
    async def fail() -> str:
        raise ZeroDivisionError

    @app.get("/health/liveliness")
    async def is_alive() -> str:
        return "alive"

    return app


def request(app: FastAPI, method: str, path: str, **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://proxy") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


def the_request(telemetry: Recorder) -> ReadableSpan:
    (span,) = (span for span in telemetry.spans() if span.kind is SpanKind.SERVER)
    return span


def test_a_request_is_the_parent_of_its_call(app: FastAPI, telemetry: Recorder) -> None:
    """The client's span is the parent of the request."""
    trace_requests(app)
    response = request(app, "POST", "/v1/chat?key=canary", traceparent=PARENT)
    assert response.text == '"chat: Hello, world!"'
    call, server = telemetry.spans()
    assert (server.name, server.kind, server.status.status_code) == (
        "POST /v1/{operation}",
        SpanKind.SERVER,
        StatusCode.UNSET,
    )
    assert call.parent == server.context
    assert server.parent is not None
    assert f"{server.context.trace_id:032x}" == TRACE_ID
    assert attributes_of(server) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "url.path": "/v1/chat",
        "server.address": "proxy",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
        "http.route": "/v1/{operation}",
    }


def test_a_stream_ends_with_its_last_chunk(app: FastAPI, telemetry: Recorder) -> None:
    trace_requests(app)
    assert request(app, "GET", "/stream").text == "onetwo"
    assert the_request(telemetry).name == "GET /stream"


def test_a_failed_request(app: FastAPI, telemetry: Recorder) -> None:
    trace_requests(app)
    assert request(app, "GET", "/broken").status_code == 500
    span = the_request(telemetry)
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)["error.type"] == "ZeroDivisionError"


def test_an_unknown_path_is_no_error_of_the_proxy(app: FastAPI, telemetry: Recorder) -> None:
    trace_requests(app)
    assert request(app, "GET", "/other").status_code == 404
    span = the_request(telemetry)
    assert (span.name, span.status.status_code) == ("GET", StatusCode.UNSET)


def test_probes_have_no_span(app: FastAPI, telemetry: Recorder) -> None:
    trace_requests(app)
    assert request(app, "GET", "/health/liveliness").text == '"alive"'
    assert telemetry.spans() == []


def test_an_instrumentation_of_fastapi_has_priority(app: FastAPI, telemetry: Recorder) -> None:
    """Its span is the current one before the middleware runs."""
    trace_requests(app)
    tracer = telemetry.providers["tracer_provider"].get_tracer("fastapi")

    async def instrumented(scope: Scope, receive: Receive, send: Send) -> None:
        attributes = {"http.request.method": "POST", "url.scheme": "http", "url.path": "/", "http.route": "/its/own"}
        with tracer.start_as_current_span("POST /its/own", kind=SpanKind.SERVER, attributes=attributes):
            await app(scope, receive, send)

    request(instrumented, "POST", "/v1/chat")  # type: ignore[arg-type]  # any ASGI application
    assert the_request(telemetry).name == "POST /its/own"


def test_the_middleware_is_added_once_and_not_to_a_running_application(app: FastAPI) -> None:
    for _ in range(2):
        assert trace_requests(app) is app
    assert [getattr(each.cls, "__name__", "") for each in app.user_middleware] == ["RequestTracing"]
    running = FastAPI()
    request(running, "GET", "/")
    assert trace_requests(running) is running
    assert running.user_middleware == []
