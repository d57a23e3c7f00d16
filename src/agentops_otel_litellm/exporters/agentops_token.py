"""Requests to AgentOps: for a token, and for the export of spans with that token.

`AgentOpsAuth` obtains the token with the API key when it is first needed, and renews it before it expires (usually
after 30 days) and when the collector rejects it. `ExportRequests` sends spans with OpenTelemetry's OTLP exporter. The
exporter's HTTP session adds the token, and repeats a request once if its token was rejected. All of this happens on the
thread that sends the spans, within the time limit of an export. That thread also imports this module, which takes long.

Meanwhile, spans wait in the `SpanQueue` of `agentops_queue.py`, which also has what happens to them if a request
fails: `DeliveryError`.
"""

from __future__ import annotations

import json
import netrc  # noqa: F401 - requests would import it in its first call, and a fork could interrupt that
import os
import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import requests
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types of its own
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

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

if TYPE_CHECKING:
    import socket

TOKEN = re.compile(r"[\w.~+/=-]+", re.ASCII)  # a token with other characters would be quoted in an error of http.client
CONNECT_TIMEOUT = 3.0  # seconds
MARGIN = 60.0  # a token is renewed this many seconds before it expires, but at most a tenth of its lifetime
PROTOBUF = "application/x-protobuf"
MAX_BODY = 65_536
"""Maximum number of bytes that are read of a response. The responses of AgentOps have about 1,000."""
OWN_HEADERS = ("accept", "connection", "content-", "user-agent")
"""Beginnings of the names of the headers that are sent. Other headers are removed: they are from
OTEL_EXPORTER_OTLP_HEADERS, which often has the key of a different backend.
"""


class Undelivered(BaseException):
    """Passes a delivery error through OpenTelemetry's exporter to `ExportRequests`. It is not an `Exception`, because
    the exporter would log that and send the spans again.
    """

    def __init__(self, error: DeliveryError) -> None:
        super().__init__(str(error))
        self.error = error


class ExportRequests:
    """Sends spans, and returns the error if they were not delivered. Not thread-safe.

    The variables OTEL_EXPORTER_OTLP_* have no effect: their headers and certificates are for a different backend.
    """

    def __init__(self, settings: Settings) -> None:
        self._connection = _Connection(AgentOpsAuth(settings))
        session = requests.Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, self._connection)
        self._otlp = OTLPSpanExporter(
            # `http://localhost` is a placeholder: without an endpoint, `authorize` raises before anything is sent.
            endpoint=settings.exporter_endpoint or "http://localhost",
            timeout=settings.max_wait_time / 1_000,
            compression=Compression.Gzip,
            session=session,
        )

    def send(self, spans: Sequence[ReadableSpan], deadline: float) -> DeliveryError | None:
        """Send spans by the deadline (a time of the monotonic clock). Returns `None` if they were accepted."""
        self._connection.deadline = deadline
        try:
            result = self._otlp.export(spans)
        except Undelivered as undelivered:
            return undelivered.error
        except Exception as error:  # noqa: BLE001 - OpenTelemetry 1.39 raises if it cannot encode the spans
            return replace(UNSENDABLE, cause=type(error).__name__)
        # Later releases of OpenTelemetry return FAILURE if they cannot encode the spans, and log why. A request that
        # fails raises `Undelivered`.
        return None if result is SpanExportResult.SUCCESS else UNSENDABLE

    def close(self) -> None:
        """Close idle connections. It can be called on any thread."""
        self._otlp.shutdown()  # type: ignore[no-untyped-call]  # untyped upstream


class _TimedReader(RawIOBase):
    """Reads from a socket until a deadline, however often the server sends a byte. (The timeout of a socket begins anew
    with each read, so a server could extend it without limit.)
    """

    def __init__(self, socket: socket.socket, deadline: float) -> None:
        self._socket = socket
        self._deadline = deadline
        self._stream = socket.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writeable buffer
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the export has passed")
        self._socket.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class TimedAdapter(HTTPAdapter):
    """An adapter for HTTP sessions whose requests end at a deadline, headers and body of the response included."""

    deadline = 0.0
    """The time of the monotonic clock by which requests must be finished, those for a token included."""

    def __init__(self) -> None:
        def create_response(socket: socket.socket, *arguments: Any, **options: Any) -> HTTPResponse:  # noqa: ANN401
            response = HTTPResponse(socket, *arguments, **options)
            response.fp.close()
            response.fp = BufferedReader(_TimedReader(socket, self.deadline))
            return response

        class Plain(HTTPConnection):
            response_class = staticmethod(create_response)  # type: ignore[assignment]  # http.client only calls it

        class Encrypted(HTTPSConnection):
            response_class = staticmethod(create_response)  # type: ignore[assignment]

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self._pools = {"http": PlainPool, "https": EncryptedPool}
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - requests'
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - requests'
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _Connection(TimedAdapter):
    """The HTTP session's adapter. It adds the token, and raises `Undelivered` unless the request was accepted."""

    def __init__(self, auth: AgentOpsAuth) -> None:
        super().__init__()
        self._auth = auth

    def send(  # noqa: PLR0913, PLR0917 - requests'
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002
        timeout: object = None,  # noqa: ARG002 - `deadline` is for the requests of token and spans together
        verify: object = True,  # noqa: ARG002, FBT002 - `_send_once` chooses the certificates
        cert: object = None,  # noqa: ARG002
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower().startswith(OWN_HEADERS)}
        headers["Accept-Encoding"] = "identity"  # a small compressed body can have any size
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
        response.close()  # the body is not read, because it can quote the token
        raise Undelivered(with_response(error_of_status(response.status_code), response))

    def _send_authorized(self, request: requests.PreparedRequest, proxies: dict[str, str] | None) -> requests.Response:
        """Send a request with the token. If the server has closed the connection, send the request a second time, on a
        new connection. A timeout is raised.
        """
        self._auth.authorize(request, self.deadline)
        try:
            return self._send_once(request, proxies)
        except (
            requests.Timeout
        ):  # a `ConnectTimeout` is a `ConnectionError`, too, but a second attempt has no time left
            raise
        except requests.ConnectionError:  # the server may have closed an idle connection
            return self._send_once(request, proxies)

    def _send_once(self, request: requests.PreparedRequest, proxies: dict[str, str] | None) -> requests.Response:
        return super().send(
            request,
            stream=True,
            timeout=timeouts(self.deadline),
            # The same certificates that `requests` uses for the request of a token.
            verify=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True,
            proxies=proxies,
        )


class AgentOpsAuth:
    """Adds the token to requests, and obtains or renews it when that is necessary. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.api_key
        self._adapter = TimedAdapter()
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, self._adapter)
        base = settings.api_endpoint and settings.exporter_endpoint and settings.api_endpoint.rstrip("/")
        self._url = base and f"{base}/v3/auth/token"
        self._token: str | None = None
        self._replace_at: float | None = None
        """When the token must be replaced, on the monotonic clock; `None` if the expiry of the token is unknown."""

    def authorize(self, request: requests.PreparedRequest, deadline: float) -> None:
        """Add a token to the request. Raises: `Undelivered` if no token is received by the deadline (a time of the
        monotonic clock).
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
        """Request a token with the API key. Raises: `Undelivered` if none is received."""
        if not self._url:
            raise Undelivered(NO_URL)
        if self._key is None:
            raise Undelivered(NO_KEY)
        self._adapter.deadline = deadline
        try:
            response = self._session.post(
                self._url,
                json={"api_key": self._key},
                headers={"Accept-Encoding": "identity"},
                timeout=timeouts(deadline),
                allow_redirects=False,
                stream=True,
                auth=_without_password,
            )
            content = _read_json(response)
            found = TOKEN.fullmatch(content["token"]) if response.status_code == HTTPStatus.OK else None
        # An error of the network, or a response without a token.
        except (OSError, HTTPError, ValueError, LookupError, TypeError) as error:
            raise Undelivered(replace(NO_TOKEN, cause=type(error).__name__)) from None
        if found is None:
            # The token server describes errors in JSON. Another response is from a proxy in between, which may reject
            # requests only for a while.
            is_from_token_server = isinstance(content, dict) and "error" in content
            rejected = KEY_REJECTED.get(response.status_code) if is_from_token_server else None
            raise Undelivered(with_response(rejected or NO_TOKEN, response))
        return found[0]


def _without_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The authentication of a token request: none. Without one, `requests` would send a password of `.netrc`."""
    return request


def _read(response: requests.Response) -> bytes:
    """Read the body of a response, and release its connection. Raises: a ValueError if the body is encoded or larger
    than `MAX_BODY`; an OSError or HTTPError if it cannot be read by the deadline.
    """
    try:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError("encoded")
        content: bytes = response.raw.read(MAX_BODY + 1, decode_content=False)
        if len(content) > MAX_BODY:
            raise ValueError("too large")
        return content
    finally:
        response.close()


def _read_json(response: requests.Response) -> Any:  # noqa: ANN401 - a server may send anything
    """Read the JSON body of a response; `None` if the response is an error without one. Raises: as `_read`."""
    try:
        return _parse_json(_read(response))
    except ValueError:
        if response.status_code == HTTPStatus.OK:
            raise
        return None


def _parse_json(text: bytes) -> Any:  # noqa: ANN401
    """Parse JSON. Raises: a ValueError, also if the JSON is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _accepted(response: requests.Response) -> requests.Response:
    """The response to an accepted request, without its body. Raises: `Undelivered` if some of its spans were rejected.

    If the body cannot be read, it is ignored: the accepted spans must not be sent again.
    """
    rejected = 0
    with suppress(OSError, HTTPError, ValueError):
        if response.headers.get("Content-Type", "").startswith(PROTOBUF):
            rejected = _rejected_spans(_read(response))
    response.close()
    if rejected > 0:
        raise Undelivered(replace(with_response(SOME_REJECTED, response), rejected=rejected))
    bare = requests.Response()
    bare.status_code = response.status_code
    return bare


def _rejected_spans(content: bytes) -> int:
    """The number of rejected spans that the body of a response with status 200 states; 0 if it is unreadable."""
    try:
        return int(ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans)
    except DecodeError:
        return 0


def timeouts(deadline: float) -> tuple[float, float]:
    """The timeouts until the deadline, in seconds: to connect, and to wait for a response."""
    left = max(deadline - monotonic(), 0.001)  # above 0, which would mean no limit
    return min(CONNECT_TIMEOUT, left), left


def with_response(error: DeliveryError, response: requests.Response) -> DeliveryError:
    """Add the status of the server's response to a delivery error, and the pause that it requests, if any."""
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


def _lifetime(token: str) -> float | None:
    """The lifetime of a JWT in seconds, from its claims `exp` and `iat`; `None` if it is unknown or implausible.

    Both times are of the server's clock. The clock of this process, which can be wrong, replaces a missing `iat`.
    """
    try:
        payload = token.split(".")[1]
        claims = _parse_json(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        lifetime = float(claims["exp"]) - float(claims.get("iat", time()))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return lifetime if lifetime > 0 else None


def retry_after_seconds(retry_after: str | None) -> float | None:
    """The seconds that a header Retry-After requests, as a number or as a date; `None` if it is missing or invalid."""
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
