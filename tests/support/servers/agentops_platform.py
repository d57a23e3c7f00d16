"""A server with the contract of the AgentOps platform: tokens for API keys, and a collector that requires a token."""

from __future__ import annotations

import itertools
import json
import socket
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from time import time
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from support import conformance

from .otlp_receiver import OTLPHandler, OTLPReceiver, ReceivedRequest, ReceivedSpan

TOKEN_ROUTE = "/v3/auth/token"
TRACES_ROUTE = "/v1/traces"
MONTH = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """One request for a token. `token` is `None` if the request was rejected."""

    body: object
    status: int
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that the server injects into its responses."""

    delay: float = 0
    """Seconds before the response."""
    status: int | None = None
    """The status of the response, without reading the request. `None`: the normal response."""
    retry_after: str | None = None
    hangs_up: bool = False
    truncates_response: bool = False
    """Hang up in the middle of the normal response."""


DOWN = Fault(hangs_up=True)


class AgentOpsPlatform(OTLPReceiver):
    """The API and the collector at one address. Exports with an invalid token are kept only in `requests`."""

    KEY = "6f1d2c3b-4a59-4687-9b0a-c1d2e3f40516"

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.token_status: int | None = None
        """The status of responses to requests for a token, for any key. `None`: as in the contract."""
        self.token_reply: bytes | None = None
        """The body of successful responses to requests for a token, if it has no token."""
        self.token_lifetime = MONTH
        """Seconds until the expiry in new tokens."""
        self.accepts_tokens = True
        """False: the collector belongs to another API, and rejects every token."""
        self.faults: dict[str, Fault] = {}
        """Route → fault."""
        self.max_spans: int | None = None
        """The maximum number of spans in a request; others get the status 413."""
        self.rejected_spans = 0
        """The number of rejected spans in the partial success of each response."""
        self.faulted_routes: list[str] = []
        """Routes of the requests with a fault, in order."""
        self.token_requests: list[TokenRequest] = []
        self._valid: str | None = None
        self._valid_until = 0.0
        self._numbers = itertools.count(1)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which an application sends its spans here."""
        return {
            "AGENTOPS_API_KEY": self.KEY,
            "AGENTOPS_API_ENDPOINT": self.url,
            "AGENTOPS_EXPORTER_ENDPOINT": f"{self.url}{TRACES_ROUTE}",
        }

    @property
    def tokens(self) -> list[str]:
        """The issued tokens, in order."""
        return [request.token for request in self.token_requests if request.token is not None]

    @property
    def authorizations(self) -> list[str | None]:
        """The authorization header of each export, in order of arrival."""
        return [request.headers.get("authorization") for request in self.requests]

    def fail(self, fault: Fault, *routes: str) -> None:
        """Inject a fault, by default on both routes, until `recover`."""
        self.faults = dict.fromkeys(routes or (TOKEN_ROUTE, TRACES_ROUTE), fault)

    def recover(self) -> None:
        self.faults = {}

    def revoke(self) -> None:
        """Invalidate the current token."""
        self._valid = None

    def grant(self, body: object) -> tuple[int, bytes]:
        """The response to a request for a token. Only the newest token is valid."""
        status = self.token_status or _token_status(body)
        token = self._new_token() if status == 200 and self.token_reply is None else None
        self._valid = token
        self.token_requests.append(TokenRequest(body=body, status=status, token=token))
        if self.token_reply is not None:
            return status, self.token_reply
        response = {"token": token, "project_id": "a-project", "project_prem_status": "free"}
        # A failing API may quote the request.
        return status, json.dumps(response if token else {"error": f"not for {body}"}).encode()

    def accept(self, request: ReceivedRequest) -> int:
        good = self.accepts_tokens and self._valid is not None and time() < self._valid_until
        if not good or request.headers.get("authorization") != f"Bearer {self._valid}":
            self.requests.append(request)
            return 401
        if self.max_spans is not None and _count(request.body) > self.max_spans:
            self.requests.append(request)
            return 413
        return super().accept(request)

    def conformance_item(self, span: ReceivedSpan) -> conformance.Item:
        """The exporter's copy of a span, for the checks by the rules of AgentOps' pages."""
        return conformance.AgentOpsSpan(
            name=span.name,
            status=span.status,
            status_message=span.status_message,
            trace_id=span.trace_id,
            span_id=span.span_id,
            start_ns=span.start_ns,
            response_id=None,
            attributes=span.attributes,
        )

    def _new_token(self) -> str:
        self._valid_until = time() + self.token_lifetime
        claims = {"iat": time(), "exp": self._valid_until, "project_id": "a-project"}
        return f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}.canary-token-{next(self._numbers)}"


class _Handler(OTLPHandler):
    server: AgentOpsPlatform
    _body: bytes | None = None

    def respond(self) -> None:
        fault = self.server.faults.get(self.route)
        if fault is not None:
            self.server.faulted_routes.append(self.route)
            self._body = self.read_body()  # unread data would end the pause
            if fault.delay:
                self.pause(fault.delay)
            if fault.hangs_up:
                self.hang_up()
            if fault.status is not None:
                headers = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
                self._body = None
                return self.reply(fault.status, headers, b"")
        if self.route != TOKEN_ROUTE:
            return super().respond()
        status, body = self.server.grant(json.loads(self.read_body()))
        return self.reply(status, {"content-type": "application/json"}, body)

    def read_body(self) -> bytes:
        body, self._body = self._body, None
        return super().read_body() if body is None else body

    def reply(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
        fault = self.server.faults.get(self.route)
        if fault is not None and fault.truncates_response:
            super().reply(status, {**headers, "content-length": "9"}, b"half")
            self.hang_up()
        if status == 200 and self.route == TRACES_ROUTE and self.server.rejected_spans:
            # The error message may quote content, so it must not be logged.
            partial_success = ExportTracePartialSuccess(
                rejected_spans=self.server.rejected_spans, error_message="canary"
            )
            body = ExportTraceServiceResponse(partial_success=partial_success).SerializeToString()
        authorization = self.received_headers.get("authorization", "").encode()  # an error response may quote the token
        super().reply(status, headers, body or (b"" if status == 200 else authorization))


@contextmanager
def black_hole() -> Iterator[str]:
    """A URL whose connections time out, as if packets were dropped: its queue of connections is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.socket()))
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def without_suffix(span: ReceivedSpan) -> str:
    """The name of a span without the suffix for its kind, as AgentOps displays it."""
    return span.name.removesuffix(f".{span.attributes['agentops.span.kind']}")


def _count(body: bytes) -> int:
    of_resources = ExportTraceServiceRequest.FromString(body).resource_spans
    return sum(len(of_scope.spans) for of_resource in of_resources for of_scope in of_resource.scope_spans)


def _encoded(part: object) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _token_status(body: object) -> int:
    key = body.get("api_key") if isinstance(body, dict) else None
    try:
        UUID(key)
    except (AttributeError, TypeError, ValueError):
        return 400
    return 200 if key == AgentOpsPlatform.KEY else 403
