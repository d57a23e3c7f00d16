"""Streams that the app was handed and may never finish: forgotten, still open at exit, or inherited by a fork."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from agentops_otel_litellm.background import BACKGROUND
from agentops_otel_litellm.fork import FORK
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
    """The streams that are open in this process. Those the app has forgotten are ended by the background thread.

    The garbage collector may find a forgotten stream at any point of any thread, with any lock held, and ending a
    span takes locks.
    """

    SETTLING_LIMIT = 5.0
    """Seconds that `settle` waits at most, unless told otherwise."""

    def __init__(self) -> None:
        self._streams: WeakObjects[OpenStream] = WeakObjects()
        self._closes_at_exit = False
        FORK.renews("open streams", self.renew)

    def add(self, stream: OpenStream) -> None:
        if not BACKGROUND.is_running:
            BACKGROUND.start()
        if not self._closes_at_exit:  # at the first stream: what the app set up before is shut down after
            self._closes_at_exit = True
            atexit.register(self.close)
        self._streams.add(stream)

    def discard(self, stream: OpenStream) -> None:
        self._streams.discard(stream)

    def forget(self, stream: OpenStream) -> None:
        """Have a stream ended that nobody holds any more. May be called by a finalizer."""
        BACKGROUND.submit(stream.abandoned)

    def settle(self, timeout: float = SETTLING_LIMIT) -> None:
        """Wait until every stream forgotten before has been ended, or for so many seconds."""
        BACKGROUND.settle(timeout)

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

    def renew(self) -> None:
        """After a fork: the parent ends the streams it has."""
        for stream in list(self._streams):
            stream.disowned()
        self._streams = WeakObjects()


OPEN_STREAMS = OpenStreams()
