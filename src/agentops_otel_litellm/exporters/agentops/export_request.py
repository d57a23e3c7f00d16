"""Requests that deliver spans: OpenTelemetry's OTLP exporter, with a session that adds the token, sends a rejected
request a second time, and reports the result.
"""

from __future__ import annotations

import netrc  # noqa: F401 - requests imports it lazily, and a fork could interrupt that
import os
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

import requests
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types of its own
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from agentops_otel_litellm.exporters.agentops.auth import AgentOpsAuth, timeouts, with_response
from agentops_otel_litellm.exporters.agentops.delivery_errors import (
    LATE,
    NO_COLLECTOR,
    SOME_REJECTED,
    UNSENDABLE,
    DeliveryError,
    Undelivered,
    error_of_status,
)
from agentops_otel_litellm.settings import Settings

PROTOBUF = "application/x-protobuf"
# The only headers that are sent. All others are from OTEL_EXPORTER_OTLP_HEADERS, which often has a different backend's
# key.
OWN_HEADERS = ("accept", "connection", "content-", "user-agent")


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
