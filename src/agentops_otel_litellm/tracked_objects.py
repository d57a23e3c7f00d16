"""The objects that are tracked by weak references: streams that the application has not finished reading, and LiteLLM's
logging objects of calls that a traced function records.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from weakref import ref

from agentops_otel_litellm.background import BACKGROUND
from agentops_otel_litellm.fork import FORK

if TYPE_CHECKING:
    from agentops_otel_litellm.call import Call

Object = TypeVar("Object", bound=object)


class WeakObjects(Generic[Object]):
    """A `weakref.WeakSet` that runs no Python code when an object is collected.

    An object is collected wherever its last reference is dropped. If Python code ran there, and a signal handler of the
    application raised an exception during that code, such as a time limit, Python would print the exception and drop
    it.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: dict[ref[Object], None] = {}

    def add(self, thing: Object) -> None:
        """Add an object. Raises: `TypeError` if it cannot be referenced weakly."""
        reference = ref(thing, self._references.__delitem__)
        if reference not in self._references:
            self._references[reference] = None

    def discard(self, thing: Object) -> None:
        self._references.pop(ref(thing), None)

    def __contains__(self, thing: Object) -> bool:
        try:
            return ref(thing) in self._references
        except TypeError:  # it cannot be referenced weakly
            return False

    def __len__(self) -> int:
        return len(self._references)

    def __iter__(self) -> Iterator[Object]:
        """Iterate over the present objects. Objects may be added and collected meanwhile."""
        return (thing for reference in list(self._references) if (thing := reference()) is not None)


KNOWN: WeakObjects[object] = WeakObjects()
"""The logging objects of calls that are traced, or deliberately not traced, by a wrapped function of LiteLLM.

LiteLLM makes one logging object for each call. The backstop records only calls whose object is not known here.
"""


def mark_as_known(logging: object) -> None:
    """Add a logging object. An object of the application's that cannot be referenced weakly is ignored."""
    with suppress(TypeError):
        KNOWN.add(logging)


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
