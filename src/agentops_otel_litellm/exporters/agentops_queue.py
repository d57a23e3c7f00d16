"""The queue of the spans that AgentOps has not accepted yet, and the thread that sends them.

`SpanQueue` is the queue. `Sender` decides when the next spans are sent, whether they are sent again after a failure,
and when they are dropped. The spans of one request are called a part. Other threads wait for the sending thread for a
limited time only, because a request can take long, and the application must be able to end.
"""

from __future__ import annotations

import math
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from time import monotonic

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan

# --- delivery errors --------------------------------------------------------------------------------------


MAX_PAUSE = 3_600.0
"""Maximum pause, in seconds, that a server can request."""
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
    """Seconds until the next request; `None` if the pause is to grow with each failure in a row."""
    pause_is_requested: bool = False
    """Whether the server requested the pause (Retry-After). Then no request is made before the end of the pause."""
    status: int | None = None
    """The HTTP status; `None` if there was no response."""
    was_sent: bool = False
    """Whether the request was sent but got no response, so that the collector may have accepted the spans."""
    rejected: int = 0
    """Number of rejected spans, if the collector accepted the others."""
    cause: str = ""
    """The cause, such as `status 503` or `ConnectTimeout`, for the message."""

    def __str__(self) -> str:
        of = f" ({self.cause})" if self.cause else ""
        if self.consequence is Consequence.QUEUED:
            return f"Spans are queued for AgentOps{of}: {self.advice}"
        return f"Spans are not delivered to AgentOps{of}: {self.advice}"


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
    advice="The server does not accept spans at this URL. Check AGENTOPS_EXPORTER_ENDPOINT: it must be the full URL.",
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
    """The delivery error for a collector's response that has a status other than 2xx."""
    if status < HTTPStatus.BAD_REQUEST:
        return NO_ROUTE  # a redirect; it is not followed, because the token must not be sent to a different server
    by_default = NO_COLLECTOR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else SPANS_REJECTED
    return _BY_STATUS.get(status, by_default)


# --- the queue and its sender -------------------------------------------------------------------------------


MAX_REQUEST_SPANS = 512
"""Maximum number of spans in one request, the same as in a batch of the SDK."""

MAX_UNANSWERED = 12
"""Maximum number of requests with the same part if the collector responds to none of them, although it may have
accepted the spans. All of them together take more than two minutes, so a shorter outage loses no spans.
"""

MAX_BACKOFF = 8.0  # maximum pause after a failure, in seconds; the first pause is 1 second, the second one 2, and so on
MIN_PAUSE = 0.5  # minimum pause, in seconds, even if the server requests a shorter one
MAX_PAUSE_AT_EXIT = 2.0  # maximum pause, in seconds, that a server requested and for which a flush or an exit waits
MAX_REJECTED_PARTS = 3  # number of parts that are rejected and dropped in a row before sending is paused
RECENT_SECONDS = 1.0  # seconds after a failure in which a flush does not send again, because that would fail, too

_PAUSING = {Consequence.QUEUED, Consequence.STOPPED}
"""Consequences of an error after which sending is paused, because the next request would fail, too."""

Send = Callable[[Sequence[ReadableSpan]], DeliveryError | None]
"""Function that sends spans, and returns the error if they were not delivered."""


class Sender:
    """Sends the queued spans on its own thread, one request at a time, and pauses after a failure.

    `limit` is the maximum number of queued spans during a pause. No method takes longer than `time_limit` seconds.
    """

    def __init__(self, send: Send, *, limit: int, time_limit: float) -> None:
        self._send = send
        self._time_limit = time_limit
        self._queue = SpanQueue(limit)
        self._changed = threading.Condition()  # re-entrant: a garbage collection in this code can end a span
        self._error: DeliveryError | None = None
        self._failures = 0  # in a row
        self._failed_at = -RECENT_SECONDS
        self._paused_until = 0.0
        self._in_flight: Sequence[ReadableSpan] = ()
        self._sending_since = 0.0
        self._closed = False
        self._reported_drops = 0
        self._delivered = 0
        self._ends_at = math.inf
        self._thread = threading.Thread(target=self._run, name="AgentOpsSender", daemon=True)
        self._thread.start()

    @property
    def error(self) -> DeliveryError | None:
        """The error of the latest request; `None` if that was delivered, or if there was no request yet."""
        return self._error

    @property
    def is_stopped(self) -> bool:
        """Whether no spans can be delivered until the user changes a setting."""
        return self._error is not None and self._error.consequence is Consequence.STOPPED

    @property
    def has_overflowed(self) -> bool:
        """Whether spans were dropped because the queue was full."""
        return self._queue.overflow > 0

    def put(self, spans: Sequence[ReadableSpan]) -> bool:
        """Queue spans, and wait until they are sent, unless sending is paused. Returns whether all were delivered.

        If nothing can be delivered until the user changes a setting, the spans are dropped instead.
        """
        with self._changed:
            if self._closed or (self.is_stopped and self._is_paused):
                self._queue.dropped += len(spans)
                return False
            self._queue.add(spans)
            self._changed.notify_all()
            # On the sending thread, this is a garbage collection that ends a span, perhaps while the queue is read.
            if not self.is_running_here():
                self._settle()
                self._queue.cut()
            return self._error is None and not self._in_flight and not self._queue

    def flush(self, timeout: float) -> bool:
        """Send the queued spans, even during a pause, unless a request has failed within the last second. Returns
        whether the queue is empty.
        """
        with self._changed:
            resumed_at = self._resume()
            self._settle(resumed_at, timeout)
            return not self._in_flight and not self._queue

    def new_drops(self) -> int:
        """Return the number of spans that were dropped since the last call."""
        with self._changed:
            new, self._reported_drops = self._queue.dropped - self._reported_drops, self._queue.dropped
            return new

    @property
    def outcomes(self) -> Mapping[str | None, int]:
        """Numbers of spans, by the metric's attribute `error.type`: the dropped ones by reason; `None` → the delivered
        ones.
        """
        overflow = self._queue.overflow
        return {None: self._delivered, "queue_full": overflow, "rejected": max(self._queue.dropped - overflow, 0)}

    def limit_waiting(self) -> None:
        """Limit the total time for which all further calls of the other methods wait to `time_limit` seconds."""
        with self._changed:
            self._ends_at = min(self._ends_at, monotonic() + self._time_limit)

    def close(self) -> int:
        """Send the queued spans as `flush` does, and end the thread. Returns the number of spans that were not
        delivered.
        """
        with self._changed:
            if not self._closed:
                resumed_at = self._resume()
                self._settle(resumed_at)
                self._closed = True
                self._changed.notify_all()
            return self._queue.dropped + len(self._queue) + len(self._in_flight)

    def is_running_here(self) -> bool:
        """Whether the current thread is the one that sends."""
        return threading.current_thread() is self._thread

    # The callers of the methods below must hold the lock of `_changed`.

    @property
    def _is_paused(self) -> bool:
        return monotonic() < self._paused_until

    def _resume(self) -> float:
        """End the pause early, if that is allowed. Returns the time at which it ends; 0 if a caller must not wait.

        A pause that the server requested is not shortened. No other pause ends early within `RECENT_SECONDS`.
        """
        now = monotonic()
        if self._error is None or self.is_stopped or not self._is_paused:
            return 0.0
        if self._error.pause_is_requested:
            return self._paused_until if self._paused_until < now + min(MAX_PAUSE_AT_EXIT, self._time_limit) else 0.0
        if now - self._failed_at < RECENT_SECONDS:
            return 0.0
        self._paused_until = now
        self._changed.notify_all()
        return now

    def _settle(self, resumed_at: float = 0.0, timeout: float | None = None) -> None:
        """Wait until the queue is empty, or until sending is paused by a failure after `resumed_at`."""
        if self.is_running_here():
            return  # a garbage collection on the sending thread ended a span: the thread would wait for itself
        began = self._sending_since if self._in_flight else monotonic()
        until = min(began + min(self._time_limit, self._time_limit if timeout is None else timeout), self._ends_at)
        while not self._is_settled(resumed_at) and (left := until - monotonic()) > 0:
            self._changed.wait(left)

    def _is_settled(self, resumed_at: float) -> bool:
        if self._in_flight:
            return False
        return not self._queue or self._paused_until > max(resumed_at, monotonic())

    def _apply(self, part: Sequence[ReadableSpan], error: DeliveryError | None) -> None:
        """Update the queue, the counts and the pause with the result of the request that sent `part`."""
        self._error = error
        if error is None:
            self._delivered += len(part)
            self._queue.accepted()
            self._failures = 0
            return
        match error.consequence:
            case Consequence.SPLIT:
                self._queue.split(part)
            case Consequence.PARTLY_REJECTED:
                self._queue.accepted()
                rejected = min(error.rejected, len(part))
                self._queue.dropped += rejected
                self._delivered += len(part) - rejected
                self._failures = 0
            case Consequence.DROPPED:
                self._queue.drop(part)
            case Consequence.QUEUED:
                (self._queue.unanswered if error.was_sent else self._queue.put_back)(part)
                self._queue.cut()
            case Consequence.STOPPED:
                self._queue.drop(part)
                self._queue.clear()
        if error.consequence in _PAUSING or self._queue.rejected_parts >= MAX_REJECTED_PARTS:
            self._failed_at = monotonic()
            self._paused_until = self._failed_at + self._pause(error)
            self._failures += 1

    def _pause(self, error: DeliveryError) -> float:
        if error.pause is not None:
            return max(error.pause, MIN_PAUSE)
        backoff: float = min(2.0**self._failures, MAX_BACKOFF)
        return backoff * random.uniform(0.8, 1.2)  # noqa: S311 - so that many processes do not send at the same time

    # The methods below run on the sending thread.

    def _run(self) -> None:
        """Send one part after the other, until the sender is closed."""
        with suppress_instrumentation():
            while part := self._next():
                error = self._try_to_send(part)
                with self._changed:
                    self._in_flight = ()
                    self._apply(part, error)
                    self._changed.notify_all()

    def _try_to_send(self, part: Sequence[ReadableSpan]) -> DeliveryError | None:
        try:
            return self._send(part)
        except BaseException:  # noqa: BLE001 - the thread must not end
            return BROKEN

    def _next(self) -> Sequence[ReadableSpan]:
        """Wait for the next part and return it; an empty one when the sender is closed."""
        with self._changed:
            while not self._closed:
                pause = self._paused_until - monotonic()
                if self._queue and pause <= 0:
                    self._sending_since = monotonic()
                    self._in_flight = self._queue.part()
                    return self._in_flight
                self._changed.wait(pause if self._queue else None)
            return ()


class SpanQueue:
    """A queue of spans, from which each request takes a part. Parts that were not delivered are put back.

    The queue may exceed its limit as long as spans can be sent. Otherwise `cut` drops the oldest spans.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spans: deque[ReadableSpan] = deque()
        self._part_size = MAX_REQUEST_SPANS
        self.dropped = 0
        """Number of spans that were dropped, for any reason."""
        self.overflow = 0
        """Number of spans that were dropped because the queue was full."""
        self.rejected_parts = 0
        """Number of parts that were dropped since a part was last accepted."""
        self._unanswered: Sequence[ReadableSpan] = ()
        """The part to which the collector sent no response. It is at the beginning of the queue again."""
        self._times = 0
        """Number of requests with that part."""

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, spans: Iterable[ReadableSpan]) -> None:
        self._spans.extend(spans)

    def part(self) -> Sequence[ReadableSpan]:
        """Remove and return the spans of the next request."""
        size = len(self._unanswered) or self._part_size
        return [self._spans.popleft() for _ in range(min(size, len(self._spans)))]

    def accepted(self) -> None:
        """Record that a part was accepted, so that the next parts can be larger again."""
        self._part_size = min(self._part_size * 2, MAX_REQUEST_SPANS)
        self.rejected_parts = 0
        self._unanswered = ()

    def put_back(self, part: Sequence[ReadableSpan]) -> None:
        self._spans.extendleft(reversed(part))

    def unanswered(self, part: Sequence[ReadableSpan]) -> None:
        """Put back a part to which the collector sent no response, so that the next request sends it again unchanged.
        After `MAX_UNANSWERED` requests the part is dropped, because the collector may have stored it each time.
        """
        is_again = bool(self._unanswered) and self._unanswered[0] is part[0]
        self._times = self._times + 1 if is_again else 1
        if self._times < MAX_UNANSWERED:
            self._unanswered = part
            self.put_back(part)
        else:
            self.drop(part)

    def split(self, part: Sequence[ReadableSpan]) -> None:
        """Put back a part that was too large, so that the next requests send it in halves. If the part is a single
        span, that is dropped, and the following spans are sent one by one until one of them is accepted.
        """
        self._unanswered = ()  # the collector has responded, so the part need not be sent unchanged
        if len(part) > 1:
            self._part_size = len(part) // 2
            self.put_back(part)
        else:
            self._part_size = 1
            self.drop(part)

    def drop(self, part: Sequence[ReadableSpan]) -> None:
        self._unanswered = ()
        self.dropped += len(part)
        self.rejected_parts += 1

    def cut(self) -> None:
        """Drop the oldest spans until the queue is within its limit."""
        while len(self._spans) > self._limit:
            self._spans.popleft()
            self.dropped += 1
            self.overflow += 1

    def clear(self) -> None:
        """Drop all spans."""
        self.dropped += len(self._spans)
        self._spans.clear()
