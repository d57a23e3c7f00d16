"""Background: a thread for the work of finalizers and signal handlers, which must not wait for a lock.

A finalizer runs wherever the garbage collector does, and a signal handler between any two steps of the main thread. The
code that they interrupt may own any lock, so they must not wait for one. They can submit work here: `submit` and
`start_thread` never wait for a lock that Python code can own.
"""

from __future__ import annotations

import _thread
import queue
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Thread

from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard

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
