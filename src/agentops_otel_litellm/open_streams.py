"""Streams that the app was handed and may never finish: forgotten, still open at exit, or inherited by a fork."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol

from agentops_otel_litellm.weak_references import WeakObjects

if TYPE_CHECKING:
    from agentops_otel_litellm.call import Call


class OpenStream(Protocol):
    """The part of an observation that matters here."""

    def abandoned(self) -> None:
        """Nobody will ask for another chunk."""

    def disowned(self) -> None:
        """It is another process's to end."""

    def so_far(self) -> Call | None:
        """The call as known, where it is one of a model and its stream has not ended."""


class OpenStreams:
    """The streams that are open in this process, and the thread that ends those the app has forgotten.

    The garbage collector may find a forgotten stream at any point of any thread, with any lock held, and ending a
    span takes locks. So a finalizer only leaves a note for the thread.
    """

    SETTLING_LIMIT = 5.0
    """Seconds that `settle` waits at most, unless told otherwise."""

    def __init__(self) -> None:
        self._streams: WeakObjects[OpenStream] = WeakObjects()
        self._notes: SimpleQueue[OpenStream | Event] = SimpleQueue()
        self._thread: Thread | None = None
        self._closes_at_exit = False

    def add(self, stream: OpenStream) -> None:
        if self._thread is None:
            self._start()
        if not self._closes_at_exit:  # at the first stream: what the app set up before is shut down after
            self._closes_at_exit = True
            atexit.register(self.close)
        self._streams.add(stream)

    def _start(self) -> None:
        self._thread = Thread(target=self._end_forgotten, name="agentops-streams", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter exits, or the system has no more: the next stream asks again
            self._thread = None

    def discard(self, stream: OpenStream) -> None:
        self._streams.discard(stream)

    def forget(self, stream: OpenStream) -> None:
        """Have a stream ended that nobody holds any more. May be called by a finalizer."""
        self._notes.put(stream)

    def settle(self, timeout: float = SETTLING_LIMIT) -> None:
        """Wait until every stream forgotten before has been ended, or for so many seconds."""
        if self._thread is not None:
            reached = Event()
            self._notes.put(reached)
            reached.wait(timeout)

    def close(self) -> None:
        """The interpreter exits: what is still open is over, and its spans can still be exported."""
        self.settle()
        for stream in self._open():
            stream.abandoned()

    def calls(self) -> Iterator[Call]:
        """Those, as far as they are known, of whose streams the app is reading."""
        for stream in self._open():
            call = stream.so_far()
            if call is not None:
                yield call

    def _open(self) -> list[OpenStream]:
        return list(self._streams)

    def after_fork(self) -> None:
        """In the child: the parent ends the streams it has, and its thread stayed there."""
        for stream in list(self._streams):
            stream.disowned()
        self._streams = WeakObjects()
        self._notes = SimpleQueue()
        self._thread = None

    def _end_forgotten(self) -> None:
        while True:
            note = self._notes.get()
            if isinstance(note, Event):
                note.set()
            else:
                note.abandoned()


OPEN_STREAMS = OpenStreams()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=OPEN_STREAMS.after_fork)
