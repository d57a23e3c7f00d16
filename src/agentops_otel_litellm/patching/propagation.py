"""Sends the trace context of a call to gateways: the headers `traceparent` and `tracestate` of its HTTP requests.

Many teams call models through a LiteLLM proxy, or through a different gateway that traces. With the trace context, the
gateway's spans are children of the span of the call. The context is sent only to

- the LiteLLM proxy of a call whose provider is `litellm_proxy`,
- the servers that `AGENTOPS_PROPAGATE_TO` lists.

Nearly all of LiteLLM's requests are sent by the method `send` of an httpx client, also those of OpenAI's client, and
those over aiohttp. So this method is wrapped. It is called again for each retry. The other ways in which LiteLLM sends
requests have wrappers of their own. If the HTTP client is instrumented, too, that instrumentation replaces the headers:
then the gateway's spans are children of its span, which is a child of the span of the call.

The application's own headers are never replaced.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from opentelemetry import propagate
from opentelemetry.baggage import clear

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Target
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.invocation.context import CURRENT, call_in, get_current
from agentops_otel_litellm.invocation.finished_call import read_target
from agentops_otel_litellm.patching.wrapping import Function

_PROPAGATING = "sending the trace context to a gateway"
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Server(NamedTuple):
    """A server, or a part of one, to which the trace context is sent. `None` stands for any scheme, or any port."""

    host: str
    port: int | None = None
    scheme: str | None = None
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Server:
        """Parse an entry of `AGENTOPS_PROPAGATE_TO`: a host, a host and port, or the beginning of a URL."""
        split = urlsplit(text if "://" in text else f"//{text}")
        port = split.port or _DEFAULT_PORTS.get(split.scheme)
        return cls((split.hostname or "").lower(), port, split.scheme or None, split.path.rstrip("/"))

    def has(self, url: SplitResult) -> bool:
        """Whether a URL, whose scheme and host are in lower case, is one of this server."""
        return (
            url.hostname == self.host
            and self.port in (None, url.port or _DEFAULT_PORTS.get(url.scheme))
            and self.scheme in (None, url.scheme)
            and (url.path == self.path or url.path.startswith(f"{self.path}/"))
        )


class Propagation:
    """The wrappers of the functions that send LiteLLM's requests. They add headers while `is_on` is true."""

    def __init__(self) -> None:
        self._servers: tuple[Server, ...] = ()
        self._sends_baggage = False
        self.is_on = False

    def start(self, servers: Iterable[str], *, sends_baggage: bool) -> None:
        """From now on, send the trace context to the proxy of a call, and to `servers`, entries of
        `AGENTOPS_PROPAGATE_TO`. With `sends_baggage`, also send OpenTelemetry's baggage.
        """
        self._servers, self._sends_baggage = tuple(map(Server.parse, servers)), sends_baggage
        self.is_on = True

    def stop(self) -> None:
        """Send no trace context any more."""
        self.is_on = False

    def headers_for(self, url: object, present: Collection[str]) -> Mapping[str, str]:
        """The headers that a request of the current call to this URL must have in addition. Empty if the server must
        not receive the trace context, or if the application has set one of these headers.

        `present` are the names of the request's headers, in lower case or as a collection that ignores case.
        """
        context = get_current()
        invocation = call_in(context)
        if invocation is None or not self.is_on:
            return {}
        is_call_of_proxy = readers.is_sent_to_proxy(invocation.logging)
        if not self._servers and not is_call_of_proxy:  # as nearly all calls
            return {}
        if not self._is_receiver(url, read_target(invocation) if is_call_of_proxy else None):
            return {}
        headers: dict[str, str] = {}
        propagate.inject(headers, context if self._sends_baggage else clear(context))
        return {} if any(name.lower() in present for name in headers) else headers

    def _is_receiver(self, url: object, proxy: Target | None) -> bool:
        """Whether the trace context of a call is sent to the server of a URL: one of the listed servers, or the
        `proxy` to which the call is sent. A callback in the call may send requests to others.
        """
        split = urlsplit(str(url))
        if any(server.has(split) for server in self._servers):
            return True
        return proxy is not None and proxy.address is not None and Server(proxy.address, proxy.port).has(split)

    def wrap_send(self, send: Function) -> Function:
        """Wrap the method with which an httpx client sends a request."""
        if inspect.iscoroutinefunction(send):

            @wraps(send)
            async def traced_send_async(client: object, request: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - httpx's
                self._add_to(request)
                return await send(client, request, *args, **kwargs)

            return traced_send_async

        @wraps(send)
        def traced_send(client: object, request: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - httpx's
            self._add_to(request)
            return send(client, request, *args, **kwargs)

        return traced_send

    def _add_to(self, request: Any) -> None:  # noqa: ANN401 - httpx's request
        """Add the headers to a request of httpx."""
        if CURRENT in get_current():
            try:  # not a guard, which costs two calls, because this runs for each request
                headers = self.headers_for(request.url, request.headers)
                if headers:
                    request.headers.update(headers)
            except Exception as fault:  # must not reach the application
                log_fault(_PROPAGATING, fault)

    def wrap_connect(self, init: Function) -> Function:
        """Wrap the constructor of a WebSocket connection (`websockets.connect`), as for a realtime session."""

        @wraps(init)
        def traced_init(connection: object, *args: object, **kwargs: object) -> None:
            with guard(_PROPAGATING):
                url = args[0] if args else kwargs.get("uri")
                kwargs = {**self._with_headers(url, kwargs, "additional_headers")}
            init(connection, *args, **kwargs)

        return traced_init

    def wrap_post(self, post: Function) -> Function:
        """Wrap LiteLLM's method that sends a request with aiohttp, without httpx."""

        @wraps(post)
        async def traced_post(*args: object, **kwargs: object) -> object:
            with guard(_PROPAGATING):
                kwargs = {**self._with_headers(kwargs.get("api_base"), kwargs, "headers")}
            return await post(*args, **kwargs)

        return traced_post

    def native_arguments(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments of a function of LiteLLM's Rust core with the headers in addition.

        They are LiteLLM's binding, the request, and the application's arguments, by position and by name. The request,
        a frozen dataclass, has the latter, too.
        """
        with guard(_PROPAGATING):
            binding, request, by_position, by_name = args
            parameters = self._with_headers(by_name.get("api_base"), by_name, "extra_headers")
            if parameters is not by_name:
                return binding, replace(request, kwargs=parameters), by_position, parameters
        return args

    def _with_headers(self, url: object, arguments: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """Return arguments in which the dictionary of headers, the argument `name`, has the headers in addition."""
        own = arguments.get(name) or {}
        if not isinstance(own, Mapping):
            return arguments
        headers = self.headers_for(url, {str(each).lower() for each in own})
        return {**arguments, name: {**own, **headers}} if headers else arguments


PROPAGATION = Propagation()
