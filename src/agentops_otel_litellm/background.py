"""A background thread for finalizers and signal handlers, and weak sets: open streams and LiteLLM's logging objects.

A finalizer runs on any thread on which the garbage collector runs. A signal handler runs between any two steps of the
main thread. The code that they interrupt may own any lock, so they must not wait for a lock. They can have the
background thread do such work: `submit` and `start_thread` never wait for a lock that Python code can own.
"""

from __future__ import annotations

import _thread
import atexit
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from threading import Thread
from time import perf_counter, sleep
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
        self._queue.put(None)  # the event stays set, for other threads that wait
        return True


class Background:
    """A thread that runs the submitted jobs in order. It is started for the first job."""

    def __init__(self) -> None:
        self.renew()
        FORK.register("background", self.renew)

    def renew(self) -> None:
        """Set the initial state: no jobs and no thread. Called for a new object, and in the child of a fork."""
        self._jobs: deque[Job] = deque()
        self._wakes: dict[str, Wake] = {}

    @property
    def is_running(self) -> bool:
        return bool(self._wakes)

    def start(self) -> None:
        """Start the thread, if it is not running.

        If no thread can be started, because the interpreter exits or the system's limit is reached, the jobs stay
        queued. The next call of this method or of `submit` tries again.
        """
        # Created here and not at import, because gevent may replace the class after the import. The original class
        # would block all greenlets.
        wake: Wake = queue.SimpleQueue()
        if self._wakes.setdefault(THREAD_NAME, wake) is wake:  # atomic, so that only one thread is started
            try:
                start_thread(partial(self._run, self._jobs, wake), THREAD_NAME)
            except RuntimeError:
                self._wakes.pop(THREAD_NAME, None)

    def submit(self, job: Job) -> None:
        """Queue a job for the background thread. Finalizers and signal handlers may call this."""
        self._jobs.append(job)
        if not self._wakes:
            self.start()
        for wake in tuple(self._wakes.values()):
            wake.put(None)

    def settle(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until all jobs that are queued now are done. Return whether they are done."""
        if not self._wakes:  # without a thread, no job is running, and waiting jobs stay in the queue
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
    """Start a daemon thread. Finalizers and signal handlers may call this.

    They must not call `Thread.start`: it takes a lock, which the code that they have interrupted may own. So a thread
    of the low-level module `_thread` is started, which calls `Thread.start`.

    Raises: `RuntimeError` if no thread can be started.
    """
    _thread.start_new_thread(_begin, (Thread(target=run, name=name, daemon=True),))


def _begin(thread: Thread) -> None:
    try:
        thread.start()
    except RuntimeError:  # the system's limit of threads is reached: run the function on this thread
        thread.run()


BACKGROUND = Background()


# --- long work in steps -----------------------------------------------------------------------------------


STEP = 0.002
"""Seconds after which a thread with long work lets other threads run."""

Item = TypeVar("Item")


def in_steps(items: Iterable[Item]) -> Iterator[Item]:
    """Return the items, and let other threads run about every 2 ms.

    Otherwise, the thread that works on the items would own the global interpreter lock until Python takes it away,
    after 5 ms. An event loop that wakes up meanwhile would wait as long, each time. More frequent changes of the thread
    would cost CPU, because each one empties caches.
    """
    until = perf_counter() + STEP
    for item in items:
        if perf_counter() > until:
            sleep(0)
            until = perf_counter() + STEP
        yield item


# --- objects that are tracked by weak references ----------------------------------------------------------


Object = TypeVar("Object", bound=object)


class WeakObjects(Generic[Object]):
    """A set of weak references, like `weakref.WeakSet`, except that no Python code runs when an object is collected.

    A callback in Python would run wherever the last reference to an object is dropped. If a signal handler of the
    application raised an exception, such as a time limit, during the callback, Python would only print the exception,
    and the application would never receive it.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: dict[ref[Object], None] = {}

    def add(self, thing: Object) -> Callable[[], object]:
        """Add an object, and return the function that removes it. Raises: `TypeError` if it cannot be referenced
        weakly.
        """
        # This reference equals the stored one while the object exists. It has no callback, which would fail after the
        # removal. Looking it up stores its hash, which cannot be computed after the object was collected.
        reference = ref(thing)
        if reference not in self._references:
            self._references[ref(thing, self._references.__delitem__)] = None
        return partial(self._references.pop, reference, None)

    def __contains__(self, thing: Object) -> bool:
        try:
            return ref(thing) in self._references
        except TypeError:  # it cannot be referenced weakly
            return False

    def __len__(self) -> int:
        return len(self._references)

    def __iter__(self) -> Iterator[Object]:
        """Iterate over the objects that exist. Objects may be added and collected meanwhile."""
        return (thing for reference in list(self._references) if (thing := reference()) is not None)


KNOWN: WeakObjects[object] = WeakObjects()
"""LiteLLM's logging objects of calls that the backstop must not record: the wrapped functions have traced the call, or
instrumentation is suppressed for it.

LiteLLM creates at least one logging object for each call. The backstop (`patching/callbacks.py`) records a call when
LiteLLM logs it, if the call's logging object is not in this set.
"""


def mark_as_known(logging: object) -> None:
    """Add a logging object to `KNOWN`, so that the backstop does not record its call. An object that the application
    has passed in its place is ignored if it cannot be referenced weakly.
    """
    with suppress(TypeError):
        KNOWN.add(logging)


class OpenStream(Protocol):
    """The methods of an invocation with a stream that are used here."""

    def abandon(self) -> None:
        """End the call, because nobody can read its stream any more."""

    def disown(self) -> None:
        """In the child of a fork: do not record the call, because the parent process records it."""

    def open_stream_call(self) -> Call | None:
        """The record of the call so far; `None` if it has no open stream, or if it is not a call of a model."""


class OpenStreams:
    """The calls of this process with an open stream. If the application drops a stream, the background thread ends its
    call.

    The thread on which a dropped stream is collected may own any lock, so it must not end the call, which takes locks.
    """

    SETTLING_LIMIT = 5.0
    """Default time limit of `settle`, in seconds."""

    def __init__(self) -> None:
        self._streams: WeakObjects[OpenStream] = WeakObjects()
        self._closes_at_exit = False
        FORK.register("open streams", self.renew)

    def add(self, stream: OpenStream) -> Callable[[], object]:
        """Add a stream, and return the function that removes it."""
        if not BACKGROUND.is_running:
            BACKGROUND.start()
        if not self._closes_at_exit:  # this runs before exit handlers that were registered earlier, such as the SDK's
            self._closes_at_exit = True
            atexit.register(self.close)
        return self._streams.add(stream)

    def end_dropped(self, stream: OpenStream) -> None:
        """End the call of a stream that the application has dropped, on the background thread. A finalizer may call
        this.
        """
        BACKGROUND.submit(stream.abandon)

    def settle(self, timeout: float = SETTLING_LIMIT) -> None:
        """Wait at most `timeout` seconds until the calls of all streams that were dropped before have ended."""
        BACKGROUND.settle(timeout)

    def close(self) -> None:
        """End the calls with open streams when the interpreter exits, while their spans can still be exported."""
        self.settle()
        for stream in self._open():
            stream.abandon()

    def calls(self) -> Iterator[Call]:
        """The current records of all calls of models with an open stream."""
        for stream in self._open():
            call = stream.open_stream_call()
            if call is not None:
                yield call

    def _open(self) -> list[OpenStream]:
        return list(self._streams)

    def renew(self) -> None:
        """In the child of a fork: do not record calls with open streams, because the parent process records them."""
        for stream in list(self._streams):
            stream.disown()
        self._streams = WeakObjects()


OPEN_STREAMS = OpenStreams()
