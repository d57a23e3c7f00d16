"""The stock OTLP exporter with AgentOps' credentials: the API key buys a token, the token opens the collector.

A token lives for 30 days. One is asked for when the first spans are exported, on the thread that exports them (where
OpenTelemetry suppresses instrumentation), and another when the collector answers 401.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from threading import Lock
from time import monotonic
from typing import NamedTuple

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from agentops_otel_litellm.settings import Settings

logger = logging.getLogger(__name__)

TOKEN_TIMEOUT = 3.0  # seconds, as the distro gives an export
TOKEN = re.compile(r"[\w.~+/=-]+", re.ASCII)  # with anything else in it, http.client's error would quote it
# What an export says of itself. Others come from OTEL_EXPORTER_OTLP_HEADERS: another backend's, often its key.
OWN_HEADERS = ("accept", "connection", "content-", "user-agent")


class Trouble(NamedTuple):
    """Why no spans are sent: what to do about it, and for how many seconds to ask for no token."""

    advice: str
    pause: float = 60


COPY = "Copy the key of your project from https://app.agentops.ai/settings/projects."
NO_KEY = Trouble(f"AGENTOPS_API_KEY is not set. {COPY}")
REFUSED_KEY: Mapping[int, Trouble] = {
    HTTPStatus.BAD_REQUEST: Trouble(f"AGENTOPS_API_KEY is not a UUID. {COPY}"),
    HTTPStatus.FORBIDDEN: Trouble(f"AGENTOPS_API_KEY is not a key that AgentOps knows. {COPY}"),
}
NO_TOKEN = Trouble("The token server does not work. Check the network and AGENTOPS_API_ENDPOINT.", pause=10)
REFUSED_TOKEN = Trouble("A new token is refused. AGENTOPS_API_ENDPOINT and AGENTOPS_EXPORTER_ENDPOINT must be a pair.")


class AgentOpsAuth(AuthBase):
    """Signs requests with a token; one that is answered with 401 is sent again, once, with a new token.

    Each trouble is told once; the key and the tokens never are.
    """

    def __init__(self, settings: Settings) -> None:
        self._key = settings.api_key
        base = settings.api_endpoint and settings.exporter_endpoint and settings.api_endpoint.rstrip("/")
        self._url = base and f"{base}/v3/auth/token"
        self._lock = Lock()
        self._token: str | None = None
        self._paused_until = 0.0
        self._told: set[Trouble] = set()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        headers = {name: value for name, value in request.headers.items() if name.lower().startswith(OWN_HEADERS)}
        request.headers = CaseInsensitiveDict(headers)
        if (token := self.token()) is not None:
            request.headers["Authorization"] = f"Bearer {token}"
            request.register_hook("response", partial(self._resend, token))
        return request

    def token(self, *, refused: str | None = None) -> str | None:
        """The token, or a new one if it is the `refused` one; `None` if none is to be had for now."""
        with self._lock:
            if self._token == refused:  # `None` at first; another, where another thread was faster
                self._token = self._mint() if monotonic() >= self._paused_until else None
            return self._token

    def _mint(self) -> str | None:
        if self._url is None:
            return None  # it was told that this cannot be used
        if self._key is None:
            self._pause(NO_KEY)
            return None
        try:
            answer = requests.post(self._url, json={"api_key": self._key}, timeout=TOKEN_TIMEOUT, allow_redirects=False)
            found = TOKEN.fullmatch(answer.json()["token"]) if answer.status_code == HTTPStatus.OK else None
        except (OSError, ValueError, LookupError, TypeError) as error:  # of the network, or of an answer without token
            self._pause(NO_TOKEN, type(error).__name__)
            return None
        if found is None:
            self._pause(REFUSED_KEY.get(answer.status_code, NO_TOKEN), f"status {answer.status_code}")
        return found and found[0]

    def _resend(self, token: str, response: requests.Response, **options: object) -> requests.Response:
        signed = "Authorization" in response.request.headers  # not where a redirect led to another host
        if response.status_code == HTTPStatus.UNAUTHORIZED and signed and (new := self.token(refused=token)):
            response.close()
            request = response.request.copy()
            request.headers["Authorization"] = f"Bearer {new}"
            response = response.connection.send(request, **options)  # type: ignore[arg-type]  # as it was sent before
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                with self._lock:
                    self._token = None
                    self._pause(REFUSED_TOKEN)
        if not response.ok:
            response.close()  # unread: OpenTelemetry 1.39 logs what it reads, and that may quote the token
        return response

    def _pause(self, trouble: Trouble, cause: str = "") -> None:
        self._paused_until = monotonic() + trouble.pause
        if trouble not in self._told:
            self._told.add(trouble)
            logger.warning("Spans are not sent to AgentOps%s: %s", f" ({cause})" if cause else "", trouble.advice)


class AgentOpsSpanExporter(SpanExporter):
    """Sends spans to AgentOps. OTEL_EXPORTER_OTLP_* set timeout and compression, but no endpoint and no headers."""

    def __init__(self) -> None:
        settings = Settings.from_environment()
        self._auth = AgentOpsAuth(settings)
        session = requests.Session()
        session.auth = self._auth
        self._otlp = OTLPSpanExporter(endpoint=settings.exporter_endpoint, session=session)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._auth.token() is None:  # why, was told; the stock exporter would tell it again for each batch
            return SpanExportResult.FAILURE
        try:
            return self._otlp.export(spans)
        except OSError as error:  # OpenTelemetry 1.39 lets the network's pass
            logger.warning(
                "Spans are not sent to AgentOps (%s): Check the network and AGENTOPS_EXPORTER_ENDPOINT.",
                type(error).__name__,
            )
            return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._otlp.shutdown()  # type: ignore[no-untyped-call]  # untyped upstream

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._otlp.force_flush(timeout_millis)
