"""The sender: holds spans until they are delivered, on a thread of its own.

Waiting for that thread is bounded whatever happens on it: a resolver, a connection and a server may each take their
time, and the app must end.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan

from agentops_otel_litellm.exporters.agentops.held import Held
from agentops_otel_litellm.exporters.agentops.trouble import BROKEN, Fate, Trouble

LONGEST_BACKOFF = 8.0  # seconds; the first is one second, and each in a row twice as long
SHORTEST_PAUSE = 0.5  # seconds, though a server may ask for none
SHORT = 2.0  # seconds for which the end of an app waits where a server has asked for time
MOST_REFUSED = 3  # parts that are dropped in a row, before there is a pause
JUST = 1.0  # seconds after a failure in which another attempt would be in vain

_IN_VAIN = {Fate.KEPT, Fate.HOPELESS}  # fates by which the next attempt would have no other

Attempt = Callable[[Sequence[ReadableSpan]], Trouble | None]
"""Sends spans; why they were not taken, or `None`."""


class Sender:
    """One attempt at a time; after one that failed, a pause. No method takes longer than `patience`, in seconds."""

    def __init__(self, attempt: Attempt, *, limit: int, patience: float) -> None:
        self._attempt = attempt
        self._patience = patience
        self._held = Held(limit)
        self._changed = threading.Condition()  # entered again where a garbage collection ends a span
        self._trouble: Trouble | None = None
        self._failures = 0  # in a row
        self._failed_at = -JUST
        self._paused_until = 0.0
        self._in_flight: Sequence[ReadableSpan] = ()
        self._sending_since = 0.0
        self._closed = False
        self._loss_told = 0
        self._delivered = 0
        self._ends_at = math.inf
        self._thread = threading.Thread(target=self._run, name="AgentOpsSender", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> Trouble | None:
        """That of the last attempt; `None` where it delivered, or before there was any."""
        return self._trouble

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing can be delivered until the user changes a setting."""
        return self._trouble is not None and self._trouble.fate is Fate.HOPELESS

    @property
    def has_overflowed(self) -> bool:
        """Whether spans were dropped because too many had to wait."""
        return self._held.overflow > 0

    def put(self, spans: Sequence[ReadableSpan]) -> bool:
        """Hold spans, and wait for them to be sent, unless that has failed lately. Whether nothing is left."""
        with self._changed:
            if self._closed or (self.is_hopeless and self._is_paused):
                self._held.lost += len(spans)
                return False
            self._held.add(spans)
            self._changed.notify_all()
            if not self.is_running_here():  # else a garbage collection has ended a span while a part is taken out
                self._settle()
                self._held.cut()
            return self._trouble is None and not self._in_flight and not self._held

    def flush(self, timeout: float) -> bool:
        """Make an attempt even during a pause, unless one has just failed. Whether nothing is left."""
        with self._changed:
            resumed_at = self._resume()
            self._settle(resumed_at, timeout)
            return not self._in_flight and not self._held

    def take_loss(self) -> int:
        """How many spans were dropped since that was last asked."""
        with self._changed:
            loss, self._loss_told = self._held.lost - self._loss_told, self._held.lost
            return loss

    @property
    def outcomes(self) -> Mapping[str | None, int]:
        """How many spans were exported (`None`), and how many were not, by `error.type`."""
        overflow = self._held.overflow
        return {None: self._delivered, "queue_full": overflow, "rejected": max(self._held.lost - overflow, 0)}

    def begin_end(self) -> None:
        """From now on nobody waits longer than `patience`, all waiting taken together."""
        with self._changed:
            self._ends_at = min(self._ends_at, monotonic() + self._patience)

    def close(self) -> int:
        """Make a last attempt, unless one has just failed; how many spans were lost in all."""
        with self._changed:
            if not self._closed:
                resumed_at = self._resume()
                self._settle(resumed_at)
                self._closed = True
                self._changed.notify_all()
            return self._held.lost + len(self._held) + len(self._in_flight)

    def is_running_here(self) -> bool:
        """Whether this thread is the one that sends."""
        return threading.current_thread() is self._thread

    # What follows, until the thread's own, is done while holding `_changed`.

    @property
    def _is_paused(self) -> bool:
        return monotonic() < self._paused_until

    def _resume(self) -> float:
        """End a pause now; one that the server has asked for ends in its time. When; 0 where that is too late."""
        now = monotonic()
        if self._trouble is None or self.is_hopeless or not self._is_paused:
            return 0.0
        if self._trouble.pause_was_asked:
            return self._paused_until if self._paused_until < now + min(SHORT, self._patience) else 0.0
        if now - self._failed_at < JUST:
            return 0.0
        self._paused_until = now
        self._changed.notify_all()
        return now

    def _settle(self, resumed_at: float = 0.0, timeout: float | None = None) -> None:
        """Wait until all is sent, or until an attempt after `resumed_at` has failed."""
        if self.is_running_here():
            return  # where a garbage collection has ended a span: it would wait for itself
        began = self._sending_since if self._in_flight else monotonic()
        until = min(began + min(self._patience, self._patience if timeout is None else timeout), self._ends_at)
        while not self._is_settled(resumed_at) and (left := until - monotonic()) > 0:
            self._changed.wait(left)

    def _is_settled(self, resumed_at: float) -> bool:
        if self._in_flight:
            return False
        return not self._held or self._paused_until > max(resumed_at, monotonic())

    def _took(self, part: Sequence[ReadableSpan], trouble: Trouble | None) -> None:
        """Draw the conclusions from an attempt."""
        self._trouble = trouble
        if trouble is None:
            self._delivered += len(part)
            self._held.sent()
            self._failures = 0
            return
        match trouble.fate:
            case Fate.SPLIT:
                self._held.split(part)
            case Fate.PARTED:
                self._held.sent()
                rejected = min(trouble.refused, len(part))
                self._held.lost += rejected
                self._delivered += len(part) - rejected
                self._failures = 0
            case Fate.DROPPED:
                self._held.drop(part)
            case Fate.KEPT:
                (self._held.unanswered if trouble.was_sent else self._held.put_back)(part)
                self._held.cut()
            case Fate.HOPELESS:
                self._held.drop(part)
                self._held.clear()
        if trouble.fate in _IN_VAIN or self._held.refused >= MOST_REFUSED:
            self._failed_at = monotonic()
            self._paused_until = self._failed_at + self._pause(trouble)
            self._failures += 1

    def _pause(self, trouble: Trouble) -> float:
        if trouble.pause is not None:
            return max(trouble.pause, SHORTEST_PAUSE)
        backoff: float = min(2.0**self._failures, LONGEST_BACKOFF)
        return backoff * random.uniform(0.8, 1.2)  # noqa: S311 - so that many processes do not come back at once

    # The thread's own.

    def _run(self) -> None:
        with suppress_instrumentation():
            while part := self._next():
                trouble = self._tried(part)
                with self._changed:
                    self._in_flight = ()
                    self._took(part, trouble)
                    self._changed.notify_all()

    def _tried(self, part: Sequence[ReadableSpan]) -> Trouble | None:
        try:
            return self._attempt(part)
        except BaseException:  # noqa: BLE001 - it is nobody's but this thread's, and the thread goes on
            return BROKEN

    def _next(self) -> Sequence[ReadableSpan]:
        """Wait for what is to be sent; nothing more, at the end."""
        with self._changed:
            while not self._closed:
                pause = self._paused_until - monotonic()
                if self._held and pause <= 0:
                    self._sending_since = monotonic()
                    self._in_flight = self._held.part()
                    return self._in_flight
                self._changed.wait(pause if self._held else None)
            return ()
