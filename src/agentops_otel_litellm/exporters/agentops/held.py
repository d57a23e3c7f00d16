"""Spans that wait to be delivered, the oldest first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from opentelemetry.sdk.trace import ReadableSpan

MOST = 512
"""Spans in one request, as OpenTelemetry's batches have it."""

MOST_UNANSWERED = 12
"""Times that a part is sent which may have been taken: over two minutes, so that a shorter outage loses nothing."""


class Held:
    """A queue that gives parts out to be sent, and takes them back where that did not work.

    It grows as needed while spans can be sent, and is cut to its limit when they cannot.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spans: deque[ReadableSpan] = deque()
        self._most = MOST
        self.lost = 0
        """How many spans were dropped."""
        self.overflow = 0
        """How many of them because there were too many."""
        self.refused = 0
        """How many parts in a row were dropped since one was taken."""
        self._unanswered: Sequence[ReadableSpan] = ()
        self._times = 0

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, spans: Iterable[ReadableSpan]) -> None:
        self._spans.extend(spans)

    def part(self) -> Sequence[ReadableSpan]:
        """Take out what goes into one request."""
        most = len(self._unanswered) or self._most
        return [self._spans.popleft() for _ in range(min(most, len(self._spans)))]

    def sent(self) -> None:
        """A part was taken: larger ones may be again."""
        self._most = min(self._most * 2, MOST)
        self.refused = 0
        self._unanswered = ()

    def put_back(self, part: Sequence[ReadableSpan]) -> None:
        self._spans.extendleft(reversed(part))

    def unanswered(self, part: Sequence[ReadableSpan]) -> None:
        """Take back a part that may have been taken, to be sent as it is; after some times it is dropped: it would
        arrive again and again.
        """
        is_again = bool(self._unanswered) and self._unanswered[0] is part[0]
        self._times = self._times + 1 if is_again else 1
        if self._times < MOST_UNANSWERED:
            self._unanswered = part
            self.put_back(part)
        else:
            self.drop(part)

    def split(self, part: Sequence[ReadableSpan]) -> None:
        """Take back a part that was too large. A single span is dropped; those after it go alone until one is taken."""
        self._unanswered = ()  # it was answered now, and is not to be sent as it is
        if len(part) > 1:
            self._most = len(part) // 2
            self.put_back(part)
        else:
            self._most = 1
            self.drop(part)

    def drop(self, part: Sequence[ReadableSpan]) -> None:
        self._unanswered = ()
        self.lost += len(part)
        self.refused += 1

    def cut(self) -> None:
        """Drop the oldest of what is too much."""
        while len(self._spans) > self._limit:
            self._spans.popleft()
            self.lost += 1
            self.overflow += 1

    def clear(self) -> None:
        """Drop all."""
        self.lost += len(self._spans)
        self._spans.clear()
