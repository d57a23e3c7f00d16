"""The token: bought with the API key when it is first needed, and again before it expires or when it is refused.

A token lives for 30 days. One is asked for on the thread that sends the spans, within the time that sending may take.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import replace
from http import HTTPStatus
from time import monotonic, time

import requests

from agentops_otel_litellm.exporters.agentops.trouble import (
    NO_KEY,
    NO_TOKEN,
    NO_URL,
    REFUSED_KEY,
    Fate,
    Trouble,
    Undelivered,
    seconds_of,
)
from agentops_otel_litellm.settings import Settings

TOKEN = re.compile(r"[\w.~+/=-]+", re.ASCII)  # with anything else in it, http.client's error would quote it
CONNECT_TIMEOUT = 3.0  # seconds
MARGIN = 60.0  # seconds before its end in which a token is replaced, at most a tenth of its life


class AgentOpsAuth:
    """Signs requests. Not for several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.api_key
        base = settings.api_endpoint and settings.exporter_endpoint and settings.api_endpoint.rstrip("/")
        self._url = base and f"{base}/v3/auth/token"
        self._token: str | None = None
        self._good_until: float | None = None

    def sign(self, request: requests.PreparedRequest, deadline: float) -> None:
        """Give the request a token, by the deadline (of the monotonic clock).

        `Undelivered` where none is to be had.
        """
        if self._token is None or (self._good_until is not None and monotonic() >= self._good_until):
            self._token = None
            self._token = self._mint(deadline)
            life = _lifetime(self._token)
            self._good_until = None if life is None else monotonic() + life - min(MARGIN, life / 10)
        request.headers["Authorization"] = f"Bearer {self._token}"

    def refused(self) -> None:
        """The collector refuses the token."""
        self._token = None

    def _mint(self, deadline: float) -> str:
        if not self._url:
            raise Undelivered(NO_URL)
        if self._key is None:
            raise Undelivered(NO_KEY)
        try:
            answer = requests.post(
                self._url, json={"api_key": self._key}, timeout=timeouts(deadline), allow_redirects=False
            )
            found = TOKEN.fullmatch(answer.json()["token"]) if answer.status_code == HTTPStatus.OK else None
        except (OSError, ValueError, LookupError, TypeError) as error:  # of the network, or of an answer without token
            raise Undelivered(replace(NO_TOKEN, cause=type(error).__name__)) from None
        if found is None:
            refused = REFUSED_KEY.get(answer.status_code) if _is_of_the_server(answer) else None
            raise Undelivered(answered(refused or NO_TOKEN, answer))
        return found[0]


def timeouts(deadline: float) -> tuple[float, float]:
    """Seconds to connect in, and to wait for an answer; never none at all, which would mean that there is no limit."""
    left = max(deadline - monotonic(), 0.001)
    return min(CONNECT_TIMEOUT, left), left


def answered(trouble: Trouble, answer: requests.Response) -> Trouble:
    """The trouble with what the server said about it."""
    asked = seconds_of(answer.headers.get("Retry-After")) if trouble.fate is Fate.KEPT else None
    return replace(
        trouble,
        status=answer.status_code,
        cause=f"status {answer.status_code}",
        pause=trouble.pause if asked is None else asked,
        pause_was_asked=asked is not None,
    )


def _is_of_the_server(refusal: requests.Response) -> bool:
    """Whether it is the token server that refuses a key, by the JSON that it says so in; what stands before it, such as
    a proxy, may do so for a while.
    """
    try:
        said = refusal.json()
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and "error" in said


def _lifetime(token: str) -> float | None:
    """Seconds that a JWT is good for, by its own words; `None` where it has none that make sense.

    The server's clock is compared with itself where the token says when it was issued: ours may be wrong.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        life = float(claims["exp"]) - float(claims.get("iat", time()))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return life if life > 0 else None
