"""Work for finalizers and signal handlers, and the objects whose end is noticed: open streams and LiteLLM's loggings.

A finalizer runs wherever the garbage collector does, and a signal handler between any two steps of the main thread. The
code that they interrupt may own any lock, so they must not wait for one. They can submit work here: `submit` and
`start_thread` never wait for a lock that Python code can own.
"""

from __future__ import annotations

import _thread
import atexit
import queue
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Generic, Protocol, TypeVar
from weakref import ref

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard

# --- a thread for finalizers and signal handlers ----------------------------------------------------------


Job = Callable[[], object]
Wake = queue.SimpleQueue[None]

THREAD_NAME = "agentops-background"


class ReentrantEvent:
    """An event that all code may set and wait for, including finalizers and signal handlers.

    `threading.Event` is unsuitable, because its lock is not re-entrant: a finalizer that sets the event may have
    interrupted the code that owns the lock.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        self._queue.put(None)

    def wait(self, timeout: float) -> bool:
        """Wait for at most `timeout` seconds; return whether the event is set."""
        try:
            self._queue.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return False
        self._queue.put(None)  # for other waiting threads
        return True


class Background:
    """A thread that runs the submitted jobs in order. It is started for the first job."""

    def __init__(self) -> None:
        self.renew()
        FORK.register("background", self.renew)

    def renew(self) -> None:
        """Set the initial state, without jobs and without a thread: when the object is created, and in the child of a
        fork.
        """
        self._jobs: deque[Job] = deque()
        self._wakes: dict[str, Wake] = {}

    @property
    def is_running(self) -> bool:
        return bool(self._wakes)

    def start(self) -> None:
        """Start the thread, if it is not running.

        If no thread can be started (the interpreter exits, or the system has no more), the jobs wait, and the next call
        of this method or of `submit` tries again.
        """
        # Not created at import: gevent may replace the class later, and the original would block its whole hub.
        wake: Wake = queue.SimpleQueue()
        if self._wakes.setdefault(THREAD_NAME, wake) is wake:  # atomic: one thread only
            try:
                start_thread(partial(self._run, self._jobs, wake), THREAD_NAME)
            except RuntimeError:
                self._wakes.pop(THREAD_NAME, None)

    def submit(self, job: Job) -> None:
        """Run a job soon, on the background thread. Finalizers and signal handlers may call this."""
        self._jobs.append(job)
        if not self._wakes:
            self.start()
        for wake in tuple(self._wakes.values()):
            wake.put(None)

    def settle(self, timeout: float) -> bool:
        """Wait until all jobs submitted before are done, for at most `timeout` seconds; return whether they are."""
        if not self._wakes:
            return not self._jobs
        reached = ReentrantEvent()
        self.submit(reached.set)
        return reached.wait(timeout)

    @staticmethod
    def _run(jobs: deque[Job], wake: Wake) -> None:
        while True:
            while jobs:
                with guard("working in the background"):
                    jobs.popleft()()
            wake.get()


def start_thread(run: Callable[[], object], name: str) -> None:
    """Start a daemon thread.

    `Thread.start` takes a lock that the code which a signal handler or a finalizer has interrupted may own. So it is
    called on a bare thread.

    Raises: `RuntimeError` if no thread can be started.
    """
    _thread.start_new_thread(_begin, (Thread(target=run, name=name, daemon=True),))


def _begin(thread: Thread) -> None:
    try:
        thread.start()
    except RuntimeError:  # the system has no second thread
        thread.run()


BACKGROUND = Background()


# --- objects that are tracked by weak references ----------------------------------------------------------


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

    def add(self, thing: Object) -> Callable[[], object]:
        """Add an object, and return the function that removes it. Raises: `TypeError` if it cannot be referenced
        weakly.

        Drop the function after calling it, because it keeps the reference, whose callback expects to be stored.
        """
        reference = ref(thing, self._references.__delitem__)
        if reference not in self._references:
            self._references[reference] = None
        return partial(self._references.pop, reference, None)

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

    def add(self, stream: OpenStream) -> Callable[[], object]:
        """Add a stream, and return the function that removes it."""
        if not BACKGROUND.is_running:
            BACKGROUND.start()
        if not self._closes_at_exit:  # handlers registered before this one, as the SDK's, run after it
            self._closes_at_exit = True
            atexit.register(self.close)
        return self._streams.add(stream)

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
