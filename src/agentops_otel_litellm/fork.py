"""Renews, in the child of a fork, the state of this package that the fork has left unusable.

The child has a copy of the parent's memory, but of its threads only the one that forked. So three kinds of state are
unusable: a lock that a different thread owned stays locked forever; a thread that was running does not exist; queued
data would be sent by both processes.

Each part of this package with such state registers a method with `FORK`, which is called in the child before the
application's code runs. This is the only module that calls `os.register_at_fork`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import RLock
from types import MappingProxyType
from weakref import WeakMethod

from agentops_otel_litellm.guard import guard

Renew = Callable[[], object]

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "imports": "the lock for which a fork waits while a thread of this package imports modules",
        "background": "the background thread and its jobs",
        "open streams": "streams that the parent reads and ends",
        "metrics": "calls whose values the parent records, and the lock of a recording",
        "prices": "the thread that imports genai-prices and the one that fetches prices",
        "export errors": "whether an export of the parent failed",
        "dropped spans": "how many spans the parent's queue dropped",
        "console": "spans that the parent prints, the lock of the printing, and the totals",
        "agentops exporter": "spans that the parent sends, its connections and its thread",
        "delivery": "the lock of the thread that adds the AgentOps exporter to a provider",
        "init": "the lock of `init()`",
        "session": "the span of the run, which the parent ends",
        "flush": "flushes of the parent that are in progress",
        "exit": "the threads that shut down providers at exit",
    }
)
"""Part → its state that the child must not use.

The parts are renewed in this order. If a part starts a thread in the child, the parts before it are renewed already.
"""


class Fork:
    """Renews the parts of this package in the child of a fork. Its references to the parts are weak."""

    def __init__(self) -> None:
        self._renew: dict[str, list[WeakMethod[Renew]]] = {part: [] for part in PARTS}

    def register(self, part: str, renew: Renew) -> None:
        """Call `renew`, a bound method, in the child of each later fork, as long as its object exists.

        `part` is one of `PARTS`.
        """
        existing = [each for each in self._renew[part] if each() is not None]
        self._renew[part] = [*existing, WeakMethod(renew)]

    def in_child(self) -> None:
        """Renew all parts. If renewing one of them raises, the others are still renewed."""
        for part, methods in self._renew.items():
            for method in methods:
                renew = method()
                if renew is not None:
                    with guard(f"renewing {part} after a fork"):
                        renew()


class Imports:
    """Makes a fork wait until threads of this package have finished their imports.

    Python has a lock for each module that is being imported. If the process forks meanwhile, the child can never import
    that module: the thread that would release the lock does not exist in the child.
    """

    LIMIT = 5.0
    """Maximum number of seconds for which a fork waits."""

    def __init__(self) -> None:
        self.renew()

    @contextmanager
    def delay_forks(self) -> Iterator[None]:
        """A block in which this thread imports modules. A fork on a different thread waits until the block ends."""
        with self._lock:
            yield

    def before_fork(self) -> None:
        self._lock.acquire(timeout=self.LIMIT)

    def after_fork_in_parent(self) -> None:
        with suppress(RuntimeError):  # raised if `before_fork` has reached its time limit without acquiring the lock
            self._lock.release()

    def renew(self) -> None:
        self._lock = RLock()  # re-entrant, because code of an imported module may fork on the same thread


FORK = Fork()
IMPORTS = Imports()
FORK.register("imports", IMPORTS.renew)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=IMPORTS.before_fork,
        after_in_parent=IMPORTS.after_fork_in_parent,
        after_in_child=FORK.in_child,
    )
