"""One attempt to deliver spans: the stock OTLP exporter over a session that signs, resends once, and says what came."""

from __future__ import annotations

import netrc  # noqa: F401 - requests imports it with its first request, where a fork would meet it half done
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

from agentops_otel_litellm.exporters.agentops.auth import AgentOpsAuth, answered, timeouts
from agentops_otel_litellm.exporters.agentops.trouble import (
    LATE,
    NO_COLLECTOR,
    REFUSED_SOME,
    UNSENDABLE,
    Trouble,
    Undelivered,
    of_collector,
)
from agentops_otel_litellm.settings import Settings

PROTOBUF = "application/x-protobuf"
# What an export says of itself. Others come from OTEL_EXPORTER_OTLP_HEADERS: another backend's, often its key.
OWN_HEADERS = ("accept", "connection", "content-", "user-agent")


class Attempts:
    """Sends spans, each time within a deadline, and says what came of it. Not for several threads at once.

    Of OTEL_EXPORTER_OTLP_* nothing is used: headers, certificates and the rest are for another backend.
    """

    def __init__(self, settings: Settings) -> None:
        self._connection = _Connection(AgentOpsAuth(settings))
        session = requests.Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, self._connection)
        self._otlp = OTLPSpanExporter(
            # Without one of ours, the stock one would be used: `sign` refuses first.
            endpoint=settings.exporter_endpoint or "http://localhost",
            timeout=settings.max_wait_time / 1_000,
            compression=Compression.Gzip,
            session=session,
        )

    def send(self, spans: Sequence[ReadableSpan], deadline: float) -> Trouble | None:
        """Send spans by the deadline (of the monotonic clock); `None` where they were taken."""
        self._connection.deadline = deadline
        try:
            result = self._otlp.export(spans)
        except Undelivered as undelivered:
            return undelivered.trouble
        except Exception as error:  # noqa: BLE001 - OpenTelemetry 1.39 lets pass what goes wrong with encoding
            return replace(UNSENDABLE, cause=type(error).__name__)
        # A failure that was not raised is of the stock exporter, which has sent nothing and has told why.
        return None if result is SpanExportResult.SUCCESS else UNSENDABLE

    def close(self) -> None:
        """Close what is idle; from any thread."""
        self._otlp.shutdown()  # type: ignore[no-untyped-call]  # untyped upstream


class _Connection(HTTPAdapter):
    """The session's only way out: a request comes back as taken, or `Undelivered` says why it was not."""

    deadline = 0.0

    def __init__(self, auth: AgentOpsAuth) -> None:
        super().__init__()
        self._auth = auth

    def send(  # noqa: PLR0913, PLR0917 - requests'
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002
        timeout: object = None,  # noqa: ARG002 - ours is one for token and spans together
        verify: object = True,  # noqa: ARG002, FBT002 - as below
        cert: object = None,  # noqa: ARG002
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower().startswith(OWN_HEADERS)}
        request.headers = CaseInsensitiveDict(headers)
        try:
            response = self._signed(request, proxies)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                response.close()
                self._auth.refused()
                response = self._signed(request, proxies)
                if response.status_code == HTTPStatus.UNAUTHORIZED:
                    self._auth.refused()
            if HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
                return _taken(response)
        except requests.ReadTimeout as error:
            raise Undelivered(replace(LATE, cause=type(error).__name__)) from None
        except (OSError, ValueError) as error:  # a ValueError is of a URL that only looks like one
            raise Undelivered(replace(NO_COLLECTOR, cause=type(error).__name__)) from None
        response.close()  # unread: it may quote the token
        raise Undelivered(answered(of_collector(response.status_code), response))

    def _signed(self, request: requests.PreparedRequest, proxies: dict[str, str] | None) -> requests.Response:
        self._auth.sign(request, self.deadline)
        try:
            return self._sent(request, proxies)
        except requests.Timeout:
            raise
        except requests.ConnectionError:  # the server may have closed a connection that was idle
            return self._sent(request, proxies)

    def _sent(self, request: requests.PreparedRequest, proxies: dict[str, str] | None) -> requests.Response:
        return super().send(
            request,
            timeout=timeouts(self.deadline),
            # As the request for a token has it.
            verify=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True,
            proxies=proxies,
        )


def _taken(response: requests.Response) -> requests.Response:
    """The response to spans that were taken, read; `Undelivered` where some of them were not.

    What cannot be read is left away: spans that are taken are not sent again.
    """
    try:
        content = response.content
    except OSError:  # requests'
        response.close()
        bare = requests.Response()
        bare.status_code = response.status_code
        return bare
    refused = _refused(content) if response.headers.get("Content-Type", "").startswith(PROTOBUF) else 0
    if refused > 0:
        raise Undelivered(replace(answered(REFUSED_SOME, response), refused=refused))
    return response


def _refused(content: bytes) -> int:
    """How many spans were not taken of those in a request that was."""
    try:
        return int(ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans)
    except DecodeError:
        return 0
