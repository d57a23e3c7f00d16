"""OpenStreams: the streams that the application has not finished reading.

The application may drop a stream, exit while streams are open, or fork.
"""

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
    """The methods of an invocation with a stream that are used here."""

    def abandon(self) -> None:
        """End the stream, because nobody can read it any more."""

    def disown(self) -> None:
        """In a forked child: do not record the stream, because the parent process records it."""

    def open_stream_call(self) -> Call | None:
        """The call as known now; `None` if its stream has ended, or if it does not call a model."""


class OpenStreams:
    """The open streams of this process. The background thread ends streams that the application has dropped.

    The garbage collector may find a dropped stream on any thread, which may own any lock. Ending a span takes locks.
    """

    SETTLING_LIMIT = 5.0
    """The default of `settle`'s time limit, in seconds."""

    def __init__(self) -> None:
        self._streams: WeakObjects[OpenStream] = WeakObjects()
        self._closes_at_exit = False
        FORK.register("open streams", self.renew)

    def add(self, stream: OpenStream) -> None:
        if not BACKGROUND.is_running:
            BACKGROUND.start()
        if not self._closes_at_exit:  # handlers registered before this one, as the SDK's, run after it
            self._closes_at_exit = True
            atexit.register(self.close)
        self._streams.add(stream)

    def discard(self, stream: OpenStream) -> None:
        self._streams.discard(stream)

    def end_dropped(self, stream: OpenStream) -> None:
        """End a stream that the application has dropped, on the background thread. A finalizer may call this."""
        BACKGROUND.submit(stream.abandon)

    def settle(self, timeout: float = SETTLING_LIMIT) -> None:
        """Wait until every stream dropped before has been ended, for at most `timeout` seconds."""
        BACKGROUND.settle(timeout)

    def close(self) -> None:
        """End the open streams when the interpreter exits, while their spans can still be exported."""
        self.settle()
        for stream in self._open():
            stream.abandon()

    def calls(self) -> Iterator[Call]:
        """The calls of models whose streams are open, with the facts that are known now."""
        for stream in self._open():
            call = stream.open_stream_call()
            if call is not None:
                yield call

    def _open(self) -> list[OpenStream]:
        return list(self._streams)

    def renew(self) -> None:
        """Disown the streams after a fork: the parent ends them."""
        for stream in list(self._streams):
            stream.disown()
        self._streams = WeakObjects()


OPEN_STREAMS = OpenStreams()
