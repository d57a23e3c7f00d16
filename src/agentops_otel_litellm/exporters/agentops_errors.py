"""Delivery errors: a row for each reason, with its consequence for the spans and the message for the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from time import time

MAX_PAUSE = 3_600.0
"""Longest pause in seconds that a server can request."""
COPY = "Copy the key of your project from https://app.agentops.ai/settings/projects."


class Consequence(Enum):
    """What happens to spans that were not delivered."""

    QUEUED = "The spans are sent later."
    SPLIT = "The spans are sent in smaller parts; a span that cannot be sent alone is dropped."
    DROPPED = "The spans are dropped, because they would be rejected again."
    PARTLY_REJECTED = "The collector rejected some of the spans, and accepted the others."
    STOPPED = "No spans can be delivered until the user changes a setting. New spans are dropped, not queued."


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryError:
    """Why a request did not deliver its spans, and what happens to them. It never contains a key or a token."""

    advice: str
    """The problem and what to do, in sentences."""
    consequence: Consequence = Consequence.QUEUED
    pause: float | None = None
    """Seconds until the next request; `None` if the pause grows with each failure."""
    pause_is_requested: bool = False
    """Whether the server requested the pause (Retry-After). Then no request is made before the end of the pause."""
    status: int | None = None
    """The HTTP status; `None` without a response."""
    was_sent: bool = False
    """Whether the request was sent without a response, so that the collector may have accepted the spans."""
    rejected: int = 0
    """Number of rejected spans, if others were accepted."""
    cause: str = ""
    """The cause, such as `status 503` or `ConnectTimeout`."""

    def __str__(self) -> str:
        of = f" ({self.cause})" if self.cause else ""
        if self.consequence is Consequence.QUEUED:
            return f"Spans are queued for AgentOps{of}: {self.advice}"
        return f"Spans are not delivered to AgentOps{of}: {self.advice}"


class Undelivered(BaseException):
    """Passes a delivery error through OpenTelemetry's exporter, which would log an `Exception` and try again."""

    def __init__(self, error: DeliveryError) -> None:
        super().__init__(str(error))
        self.error = error


NO_URL = DeliveryError(
    advice="AGENTOPS_API_ENDPOINT or AGENTOPS_EXPORTER_ENDPOINT is not a URL.",
    consequence=Consequence.STOPPED,
    pause=60,
)
NO_KEY = DeliveryError(advice=f"AGENTOPS_API_KEY is not set. {COPY}", consequence=Consequence.STOPPED, pause=60)
NO_TOKEN = DeliveryError(advice="AgentOps sends no token. Check the network and AGENTOPS_API_ENDPOINT.")
KEY_REJECTED: Mapping[int, DeliveryError] = {
    HTTPStatus.BAD_REQUEST: DeliveryError(
        advice=f"AGENTOPS_API_KEY is not a UUID. {COPY}", consequence=Consequence.STOPPED, pause=60
    ),
    HTTPStatus.FORBIDDEN: DeliveryError(
        advice=f"AGENTOPS_API_KEY is not a key that AgentOps knows. {COPY}", consequence=Consequence.STOPPED, pause=60
    ),
}

NO_COLLECTOR = DeliveryError(
    advice="AgentOps' collector cannot be reached, or cannot accept spans now. Check the network and "
    "AGENTOPS_EXPORTER_ENDPOINT."
)
LATE = DeliveryError(
    advice="The collector accepts requests but does not respond in time. Spans are dropped after several requests "
    "without a response. If it is not overloaded, increase AGENTOPS_MAX_WAIT_TIME.",
    was_sent=True,
)
TOKEN_REJECTED = DeliveryError(
    advice="The collector rejects a new token. AGENTOPS_API_ENDPOINT and AGENTOPS_EXPORTER_ENDPOINT must belong to "
    "one server.",
    pause=60,
)
NO_ROUTE = DeliveryError(
    advice="The server does not accept spans at this URL. Check AGENTOPS_EXPORTER_ENDPOINT, which is the full URL.",
    pause=60,
)
TOO_LARGE = DeliveryError(advice="The collector does not accept a request of that size.", consequence=Consequence.SPLIT)
BROKEN = DeliveryError(advice="The exporter failed.", pause=60)
UNSENDABLE = DeliveryError(advice="The spans cannot be encoded.", consequence=Consequence.SPLIT)
SPANS_REJECTED = DeliveryError(
    advice="The collector rejects these spans; other spans are sent.", consequence=Consequence.DROPPED
)
SOME_REJECTED = DeliveryError(
    advice="The collector rejects some spans and accepts the others.", consequence=Consequence.PARTLY_REJECTED
)
_BY_STATUS: Mapping[int, DeliveryError] = {
    HTTPStatus.UNAUTHORIZED: TOKEN_REJECTED,
    HTTPStatus.FORBIDDEN: NO_ROUTE,
    HTTPStatus.NOT_FOUND: NO_ROUTE,
    HTTPStatus.METHOD_NOT_ALLOWED: NO_ROUTE,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: NO_COLLECTOR,
    HTTPStatus.REQUEST_TIMEOUT: NO_COLLECTOR,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TOO_LARGE,
    HTTPStatus.TOO_EARLY: NO_COLLECTOR,
    HTTPStatus.TOO_MANY_REQUESTS: NO_COLLECTOR,
}


def error_of_status(status: int) -> DeliveryError:
    """The delivery error of a collector's response with a status other than 2xx."""
    if status < HTTPStatus.BAD_REQUEST:
        return NO_ROUTE  # a redirect is not followed, because the token must not be sent elsewhere
    by_default = NO_COLLECTOR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else SPANS_REJECTED
    return _BY_STATUS.get(status, by_default)


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
