"""Why spans were not delivered, what that means for them, and what the user is told: a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from time import time

LONGEST_PAUSE = 3_600.0
"""Seconds: a server that asks for more is asked again after these."""
COPY = "Copy the key of your project from https://app.agentops.ai/settings/projects."


class Fate(Enum):
    """What becomes of spans that were not delivered."""

    KEPT = "They are sent later."
    SPLIT = "They are sent in smaller parts; one that cannot be sent alone is dropped."
    DROPPED = "They would never be taken."
    PARTED = "Some would never be taken; the others were."
    HOPELESS = "Nor would any others, until the user changes a setting: none are kept."


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What came of an attempt that did not deliver; it never holds a key or a token."""

    advice: str
    """What it is, and what to do about it, in sentences."""
    fate: Fate = Fate.KEPT
    pause: float | None = None
    """Seconds to wait before the next attempt; `None` where each failure in a row waits longer."""
    pause_was_asked: bool = False
    """Whether the server named that pause (Retry-After): then not even a last attempt is made before its end."""
    status: int | None = None
    """Of HTTP; `None` where nothing was answered."""
    was_sent: bool = False
    """Whether the spans were, all of them, and may have been taken: what came of it is not known."""
    refused: int = 0
    """How many spans were not taken, where others were."""
    cause: str = ""
    """Such as `status 503` or `ConnectTimeout`."""

    def __str__(self) -> str:
        of = f" ({self.cause})" if self.cause else ""
        if self.fate is Fate.KEPT:
            return f"Spans wait to be sent to AgentOps{of}: {self.advice}"
        return f"Spans are not sent to AgentOps{of}: {self.advice}"


class Undelivered(BaseException):
    """Carries a trouble through the stock exporter. As an `Exception` it would be logged there, and tried again."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


NO_URL = Trouble(advice="AGENTOPS_API_ENDPOINT or AGENTOPS_EXPORTER_ENDPOINT is no URL.", fate=Fate.HOPELESS, pause=60)
NO_KEY = Trouble(advice=f"AGENTOPS_API_KEY is not set. {COPY}", fate=Fate.HOPELESS, pause=60)
NO_TOKEN = Trouble(advice="The token server does not work. Check the network and AGENTOPS_API_ENDPOINT.")
REFUSED_KEY: Mapping[int, Trouble] = {
    HTTPStatus.BAD_REQUEST: Trouble(advice=f"AGENTOPS_API_KEY is not a UUID. {COPY}", fate=Fate.HOPELESS, pause=60),
    HTTPStatus.FORBIDDEN: Trouble(
        advice=f"AGENTOPS_API_KEY is not a key that AgentOps knows. {COPY}", fate=Fate.HOPELESS, pause=60
    ),
}

NO_COLLECTOR = Trouble(advice="The collector does not work. Check the network and AGENTOPS_EXPORTER_ENDPOINT.")
LATE = Trouble(
    advice="The collector takes requests and does not answer in time. Spans that it leaves without an answer again and "
    "again are dropped. It may be overloaded, or need a longer AGENTOPS_MAX_WAIT_TIME.",
    was_sent=True,
)
REFUSED_TOKEN = Trouble(
    advice="A new token is refused. AGENTOPS_API_ENDPOINT and AGENTOPS_EXPORTER_ENDPOINT must be a pair.", pause=60
)
NO_ROUTE = Trouble(
    advice="The collector takes no spans there. Check AGENTOPS_EXPORTER_ENDPOINT, the full URL.", pause=60
)
TOO_LARGE = Trouble(advice="The collector takes no request of that size.", fate=Fate.SPLIT)
BROKEN = Trouble(advice="The exporter does not work here.", pause=60)
UNSENDABLE = Trouble(advice="They cannot be put into a request.", fate=Fate.SPLIT)
REFUSED_SPANS = Trouble(advice="The collector refuses these; others are sent.", fate=Fate.DROPPED)
REFUSED_SOME = Trouble(advice="The collector refuses some; others are taken.", fate=Fate.PARTED)
_BY_STATUS: Mapping[int, Trouble] = {
    HTTPStatus.UNAUTHORIZED: REFUSED_TOKEN,
    HTTPStatus.FORBIDDEN: NO_ROUTE,
    HTTPStatus.NOT_FOUND: NO_ROUTE,
    HTTPStatus.METHOD_NOT_ALLOWED: NO_ROUTE,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: NO_COLLECTOR,
    HTTPStatus.REQUEST_TIMEOUT: NO_COLLECTOR,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TOO_LARGE,
    HTTPStatus.TOO_EARLY: NO_COLLECTOR,
    HTTPStatus.TOO_MANY_REQUESTS: NO_COLLECTOR,
}


def of_collector(status: int) -> Trouble:
    """What a collector means that answers with a status other than 2xx."""
    if status < HTTPStatus.BAD_REQUEST:
        return NO_ROUTE  # a redirect is not followed: the token is for nobody else
    by_default = NO_COLLECTOR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else REFUSED_SPANS
    return _BY_STATUS.get(status, by_default)


def seconds_of(retry_after: str | None) -> float | None:
    """What a header Retry-After asks for: seconds, or until a date; `None` where it says neither."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isdecimal():
        return min(float(text), LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    return min(max(at.timestamp() - time(), 0.0), LONGEST_PAUSE)
