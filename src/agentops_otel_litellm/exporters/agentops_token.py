"""Requests to AgentOps: for a token, and for the export of spans with that token. The token is renewed here.

`AgentOpsAuth` renews the token. Meanwhile, spans wait in the `SpanQueue` of `agentops_queue.py`.

A token is valid for 30 days. It is requested with the API key when it is first needed, before it expires, and when the
collector rejects it, on the thread that sends the spans, within the time limit of an export. Spans are sent by
OpenTelemetry's OTLP exporter, whose session adds the token, sends a request with a rejected token a second time, and
reports the result. This module is imported on the thread that sends, because its imports take long.
"""

from __future__ import annotations

import json
import netrc  # noqa: F401 - requests imports it lazily, and a fork could interrupt that
import os
import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import replace
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import monotonic, time

import requests
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types of its own
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from agentops_otel_litellm.exporters.agentops_queue import (
    KEY_REJECTED,
    LATE,
    MAX_PAUSE,
    NO_COLLECTOR,
    NO_KEY,
    NO_TOKEN,
    NO_URL,
    SOME_REJECTED,
    UNSENDABLE,
    Consequence,
    DeliveryError,
    error_of_status,
)
from agentops_otel_litellm.settings import Settings

TOKEN = re.compile(r"[\w.~+/=-]+", re.ASCII)  # http.client's error would quote any other character
CONNECT_TIMEOUT = 3.0  # seconds
MARGIN = 60.0  # seconds before its expiry in which a token is replaced, at most a tenth of its lifetime
PROTOBUF = "application/x-protobuf"
OWN_HEADERS = ("accept", "connection", "content-", "user-agent")
"""Beginnings of the only headers that are sent. All others are from OTEL_EXPORTER_OTLP_HEADERS, which often has a
different backend's key.
"""


class Undelivered(BaseException):
    """Passes a delivery error through OpenTelemetry's exporter, which would log an `Exception` and try again."""

    def __init__(self, error: DeliveryError) -> None:
        super().__init__(str(error))
        self.error = error


class ExportRequests:
    """Sends spans, each time within a deadline, and returns the result. Not thread-safe.

    The variables OTEL_EXPORTER_OTLP_* are ignored, because their headers and certificates are for a different backend.
    """

    def __init__(self, settings: Settings) -> None:
        self._connection = _Connection(AgentOpsAuth(settings))
        session = requests.Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, self._connection)
        self._otlp = OTLPSpanExporter(
            # Without an endpoint, OpenTelemetry's default would be used. `authorize` raises before that.
            endpoint=settings.exporter_endpoint or "http://localhost",
            timeout=settings.max_wait_time / 1_000,
            compression=Compression.Gzip,
            session=session,
        )

    def send(self, spans: Sequence[ReadableSpan], deadline: float) -> DeliveryError | None:
        """Send spans by the deadline (of the monotonic clock). Return `None` if they were accepted."""
        self._connection.deadline = deadline
        try:
            result = self._otlp.export(spans)
        except Undelivered as undelivered:
            return undelivered.error
        except Exception as error:  # noqa: BLE001 - OpenTelemetry 1.39 raises errors of encoding
            return replace(UNSENDABLE, cause=type(error).__name__)
        # OpenTelemetry's exporter has failed before it sent anything, and has logged why.
        return None if result is SpanExportResult.SUCCESS else UNSENDABLE

    def close(self) -> None:
        """Close idle connections. Can be called on any thread."""
        self._otlp.shutdown()  # type: ignore[no-untyped-call]  # untyped upstream


class _Connection(HTTPAdapter):
    """The session's transport: returns the response of an accepted request, or raises `Undelivered`."""

    deadline = 0.0

    def __init__(self, auth: AgentOpsAuth) -> None:
        super().__init__()
        self._auth = auth

    def send(  # noqa: PLR0913, PLR0917 - requests'
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002
        timeout: object = None,  # noqa: ARG002 - one deadline for token and spans together
        verify: object = True,  # noqa: ARG002, FBT002 - as below
        cert: object = None,  # noqa: ARG002
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower().startswith(OWN_HEADERS)}
        request.headers = CaseInsensitiveDict(headers)
        try:
            response = self._send_authorized(request, proxies)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                response.close()
                self._auth.reject_token()
                response = self._send_authorized(request, proxies)
                if response.status_code == HTTPStatus.UNAUTHORIZED:
                    self._auth.reject_token()
            if HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
                return _accepted(response)
        except requests.ReadTimeout as error:
            raise Undelivered(replace(LATE, cause=type(error).__name__)) from None
        except (OSError, ValueError) as error:  # a ValueError is raised for an invalid URL
            raise Undelivered(replace(NO_COLLECTOR, cause=type(error).__name__)) from None
        response.close()  # unread, because it can quote the token
        raise Undelivered(with_response(error_of_status(response.status_code), response))

    def _send_authorized(self, request: requests.PreparedRequest, proxies: dict[str, str] | None) -> requests.Response:
        """Send a request with the token. If the connection fails, send the request a second time, on a new
        connection.
        """
        self._auth.authorize(request, self.deadline)
        try:
            return self._send_once(request, proxies)
        except requests.Timeout:
            raise
        except requests.ConnectionError:  # the server may have closed an idle connection
            return self._send_once(request, proxies)

    def _send_once(self, request: requests.PreparedRequest, proxies: dict[str, str] | None) -> requests.Response:
        return super().send(
            request,
            timeout=timeouts(self.deadline),
            # The certificates that `requests` uses for the request of a token.
            verify=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True,
            proxies=proxies,
        )


class AgentOpsAuth:
    """Adds the token to requests. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.api_key
        base = settings.api_endpoint and settings.exporter_endpoint and settings.api_endpoint.rstrip("/")
        self._url = base and f"{base}/v3/auth/token"
        self._token: str | None = None
        self._replace_at: float | None = None
        """When the token must be replaced, on the monotonic clock; `None` if the expiry of the token is unknown."""

    def authorize(self, request: requests.PreparedRequest, deadline: float) -> None:
        """Add a token to the request. Raises `Undelivered` if there is none by the deadline (of the monotonic
        clock).
        """
        if self._token is None or (self._replace_at is not None and monotonic() >= self._replace_at):
            self._token = None
            self._token = self._request_token(deadline)
            lifetime = _lifetime(self._token)
            self._replace_at = None if lifetime is None else monotonic() + lifetime - min(MARGIN, lifetime / 10)
        request.headers["Authorization"] = f"Bearer {self._token}"

    def reject_token(self) -> None:
        """Discard the token, because the collector has rejected it. The next request obtains a new one."""
        self._token = None

    def _request_token(self, deadline: float) -> str:
        """Request a token with the API key. Raises `Undelivered` if none is received."""
        if not self._url:
            raise Undelivered(NO_URL)
        if self._key is None:
            raise Undelivered(NO_KEY)
        try:
            response = requests.post(
                self._url, json={"api_key": self._key}, timeout=timeouts(deadline), allow_redirects=False
            )
            found = TOKEN.fullmatch(response.json()["token"]) if response.status_code == HTTPStatus.OK else None
        # Errors of the network, or of a response without a token.
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise Undelivered(replace(NO_TOKEN, cause=type(error).__name__)) from None
        if found is None:
            rejected = KEY_REJECTED.get(response.status_code) if _is_from_token_server(response) else None
            raise Undelivered(with_response(rejected or NO_TOKEN, response))
        return found[0]


def _accepted(response: requests.Response) -> requests.Response:
    """Read and return the response to an accepted request. Raises `Undelivered` if some spans were rejected.

    If the body cannot be read, a response without a body is returned, because accepted spans must not be sent again.
    """
    try:
        content = response.content
    except OSError:  # requests'
        response.close()
        bare = requests.Response()
        bare.status_code = response.status_code
        return bare
    rejected = _rejected_spans(content) if response.headers.get("Content-Type", "").startswith(PROTOBUF) else 0
    if rejected > 0:
        raise Undelivered(replace(with_response(SOME_REJECTED, response), rejected=rejected))
    return response


def _rejected_spans(content: bytes) -> int:
    """The number of rejected spans in an accepted request."""
    try:
        return int(ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans)
    except DecodeError:
        return 0


def timeouts(deadline: float) -> tuple[float, float]:
    """Seconds to connect, and to wait for a response. Never 0, which would mean no limit."""
    left = max(deadline - monotonic(), 0.001)
    return min(CONNECT_TIMEOUT, left), left


def with_response(error: DeliveryError, response: requests.Response) -> DeliveryError:
    """The delivery error with the status and the pause of the server's response."""
    requested = (
        retry_after_seconds(response.headers.get("Retry-After")) if error.consequence is Consequence.QUEUED else None
    )
    return replace(
        error,
        status=response.status_code,
        cause=f"status {response.status_code}",
        pause=error.pause if requested is None else requested,
        pause_is_requested=requested is not None,
    )


def _is_from_token_server(response: requests.Response) -> bool:
    """Whether an error response is from the token server, which describes errors in JSON. A proxy in between does not,
    and may reject requests only for a while.
    """
    try:
        content = response.json()
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "error" in content


def _lifetime(token: str) -> float | None:
    """The lifetime of a JWT in seconds, from its claims; `None` if the claims are missing or implausible.

    If the token has the time at which it was issued, both times are from the server's clock. The clock of this process,
    which can be wrong, is used only if that time is missing.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        lifetime = float(claims["exp"]) - float(claims.get("iat", time()))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return lifetime if lifetime > 0 else None


def retry_after_seconds(retry_after: str | None) -> float | None:
    """The pause in seconds that a header Retry-After requests, in seconds or by a date; `None` if it has neither."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isdecimal():
        return min(float(text), MAX_PAUSE)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    return min(max(at.timestamp() - time(), 0.0), MAX_PAUSE)
