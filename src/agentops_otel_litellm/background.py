"""Work that must not be done where it arises: by a thread of its own.

A finalizer runs wherever the garbage collector does, and a signal handler between any two steps of the main thread. The
code that they interrupt may hold any lock, so they must not wait for one. They can leave work here: nothing in `submit`
and `start_thread` waits for a lock that Python code can hold.
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


class Reached:
    """An event that may be set and waited for anywhere. (`threading.Event` has a lock that is not re-entrant.)"""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        self._queue.put(None)

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds at most; whether it is set."""
        try:
            self._queue.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return False
        self._queue.put(None)  # for others that wait
        return True


class Background:
    """A thread that does what is submitted, in order. It is started for the first job."""

    def __init__(self) -> None:
        self.renew()
        FORK.renews("background", self.renew)

    def renew(self) -> None:
        """With no jobs and no thread."""
        self._jobs: deque[Job] = deque()
        self._wakes: dict[str, Wake] = {}

    @property
    def is_running(self) -> bool:
        return bool(self._wakes)

    def start(self) -> None:
        """Start the thread, if it is not running. Without one (the interpreter exits, or the system has no more) the
        jobs wait: the next call of this or of `submit` tries again.
        """
        # Not made at the import: gevent may replace the class afterwards, and this one would block its whole hub.
        wake: Wake = queue.SimpleQueue()
        if self._wakes.setdefault(THREAD_NAME, wake) is wake:  # atomic: one thread only
            try:
                start_thread(partial(self._run, self._jobs, wake), THREAD_NAME)
            except RuntimeError:
                self._wakes.pop(THREAD_NAME, None)

    def submit(self, job: Job) -> None:
        """Have a job done soon. May be called by finalizers and signal handlers."""
        self._jobs.append(job)
        if not self._wakes:
            self.start()
        for wake in tuple(self._wakes.values()):
            wake.put(None)

    def settle(self, timeout: float) -> bool:
        """Wait until everything submitted before is done, or for so many seconds."""
        if not self._wakes:
            return not self._jobs
        reached = Reached()
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
    """Start a daemon thread; RuntimeError if that is not possible.

    `Thread.start` takes a lock that the code may hold which a signal handler or a finalizer has interrupted, so a bare
    thread calls it.
    """
    _thread.start_new_thread(_begin, (Thread(target=run, name=name, daemon=True),))


def _begin(thread: Thread) -> None:
    try:
        thread.start()
    except RuntimeError:  # the system has no more threads than this one
        thread.run()


BACKGROUND = Background()
