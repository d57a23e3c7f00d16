"""The token: requested with the API key when it is first needed, before it expires, and when it is rejected.

A token is valid for 30 days. It is requested on the thread that sends the spans, within the time limit of an export.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import replace
from http import HTTPStatus
from time import monotonic, time

import requests

from agentops_otel_litellm.exporters.agentops.delivery_errors import (
    KEY_REJECTED,
    NO_KEY,
    NO_TOKEN,
    NO_URL,
    Consequence,
    DeliveryError,
    Undelivered,
    retry_after_seconds,
)
from agentops_otel_litellm.settings import Settings

TOKEN = re.compile(r"[\w.~+/=-]+", re.ASCII)  # http.client's error would quote any other character
CONNECT_TIMEOUT = 3.0  # seconds
MARGIN = 60.0  # seconds before its expiry in which a token is replaced, at most a tenth of its lifetime


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
