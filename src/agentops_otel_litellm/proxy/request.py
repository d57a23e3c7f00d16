"""The span of a request to LiteLLM's proxy, if no instrumentation of FastAPI creates one.

Recent releases of FastAPI create it themselves, and so does `opentelemetry-instrumentation-fastapi`. With neither, the
proxy's spans would have no common parent, and the trace context that the client has sent would be lost. So the proxy's
application gets a middleware that creates the span. Instrumentations create theirs before it runs, and then it does
nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.context import attach, detach, get_current, is_suppressed
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.proxy.rejections import REQUEST_SPAN

Scope = MutableMapping[str, Any]
"""What an ASGI server states about a request: https://asgi.readthedocs.io/en/latest/specs/www.html"""
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_STARTING = guard("starting the span of a request to the proxy")
_ENDING = guard("ending the span of a request to the proxy")
_PROBES = "/health"
"""The beginning of the paths that are only called to see whether the proxy runs. They have no span."""


def trace_requests(app: Any) -> object:  # noqa: ANN401 - FastAPI's application
    """Add the middleware to the proxy's application, unless it has it or is running already. Return the application."""
    is_traced = any(each.cls is RequestTracing for each in app.user_middleware)
    if not is_traced and app.middleware_stack is None:
        app.add_middleware(RequestTracing)
    return app


class RequestTracing:
    """An ASGI middleware that creates a span for each HTTP request, if there is no current span."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a WebSocket, or the lifespan of the application
            await self._app(scope, receive, send)
            return
        span = _start(scope)
        if span is None:
            token = attach(_with_request_span(get_current()))
            try:
                await self._app(scope, receive, send)
            finally:
                detach(token)
            return

        async def traced_send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                _record_status(span, message["status"])
            await send(message)

        with _recording(span, scope):
            await self._app(scope, receive, traced_send)


def _start(scope: Scope) -> Span | None:
    """Start the span of a request; `None` if there is a span already, or if the request must not be recorded."""
    with _STARTING:
        telemetry, context = TRACING.telemetry, get_current()
        if telemetry is None or is_suppressed(context) or scope["path"].startswith(_PROBES):
            return None
        if get_current_span(context).get_span_context().is_valid:
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        address, port = scope.get("server") or (None, None)
        facts = {
            "http.request.method": scope["method"],
            "url.scheme": scope.get("scheme", "http"),
            "url.path": scope["path"],
            "server.address": address,
            "server.port": port,
            "network.protocol.version": scope.get("http_version"),
        }
        return telemetry.tracer.start_span(
            scope["method"],
            context=propagate.extract(headers, context),
            kind=SpanKind.SERVER,
            attributes={name: value for name, value in facts.items() if value is not None},
        )
    return None


def _with_request_span(context: Context) -> Context:
    """The context with its current span as the request's span, on which `rejections.py` records a rejection. FastAPI
    may make spans within it, such as one for the dependencies of the endpoint.
    """
    return Context({**context, REQUEST_SPAN: get_current_span(context)})


@contextmanager
def _recording(span: Span, scope: Scope) -> Iterator[None]:
    """Make the span the current one while the proxy handles the request and sends its response, then end it."""
    token = attach(_with_request_span(set_span_in_context(span, get_current())))
    try:
        yield
    except BaseException as error:
        _end(span, scope, error)
        raise
    else:
        _end(span, scope, None)
    finally:
        detach(token)


def _record_status(span: Span, status: int) -> None:
    with _ENDING:
        span.set_attribute("http.response.status_code", status)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_attribute("error.type", str(status))
            span.set_status(Status(StatusCode.ERROR))


def _end(span: Span, scope: Scope, error: BaseException | None) -> None:
    """End the span. Only now is the route known, because the router has found it."""
    with _ENDING:
        route = getattr(scope.get("route"), "path", None)
        if isinstance(route, str):
            span.set_attribute("http.route", route)
            span.update_name(f"{scope['method']} {route}")
        if isinstance(error, Exception):
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR))
    span.end()
