"""The queue of spans that wait to be delivered, the oldest first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from opentelemetry.sdk.trace import ReadableSpan

MAX_REQUEST_SPANS = 512
"""Spans in one request, as in OpenTelemetry's batches."""

MAX_UNANSWERED = 12
"""Maximum number of requests for a part that the collector may have accepted without a response. They take more than
two minutes, so that no spans are lost in a shorter outage.
"""


class SpanQueue:
    """A queue that is read in parts, one for each request. Parts that were not delivered are put back.

    The queue may exceed its limit while spans can be sent. When they cannot, the oldest spans above the limit are
    dropped.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spans: deque[ReadableSpan] = deque()
        self._part_size = MAX_REQUEST_SPANS
        self.dropped = 0
        """Number of spans that were dropped."""
        self.overflow = 0
        """Number of spans that were dropped because the queue was full."""
        self.rejected_parts = 0
        """Number of consecutive parts that were dropped, since the last accepted part."""
        self._unanswered: Sequence[ReadableSpan] = ()
        self._times = 0

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
        """Put back a part to which the collector sent no response, to be sent again unchanged. If that happens too
        often, the part is dropped, because the collector may have stored it each time.
        """
        is_again = bool(self._unanswered) and self._unanswered[0] is part[0]
        self._times = self._times + 1 if is_again else 1
        if self._times < MAX_UNANSWERED:
            self._unanswered = part
            self.put_back(part)
        else:
            self.drop(part)

    def split(self, part: Sequence[ReadableSpan]) -> None:
        """Put back a part that was too large, to be sent in halves. A part that is a single span is dropped; then the
        following spans are sent one by one, until one of them is accepted.
        """
        self._unanswered = ()  # the collector responded, so it need not be sent unchanged
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
