"""What a fork leaves unusable in the child, and what renews it: the only module that registers with `os`.

The child of a fork has a copy of the parent's memory and only the thread that forked. A lock that another thread held
stays locked for ever there, a thread that was running is gone, and what waits to be sent would be sent twice. Each part
of this package that has such state registers one method, which Python calls in the child before the application's code
runs there.
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
        "imports": "the lock that a fork waits for while a thread of ours imports",
        "background": "the background thread, and what it had still to do",
        "open streams": "streams that the parent reads, and ends",
        "metrics": "calls whose values the parent records, and the lock of a recording",
        "prices": "the thread that imports genai-prices, and the one that fetches prices",
        "export errors": "whether an export of the parent's failed",
        "dropped spans": "how many spans the parent's queue dropped",
        "console": "spans that the parent prints, the lock of the printing, and the totals",
        "agentops exporter": "spans that the parent sends, its connections and its thread",
        "delivery": "the lock of whoever adds the AgentOps exporter to a provider",
        "init": "the lock of `init()`",
        "flush": "flushes of the parent's that go on",
    }
)
"""Part → what of it the child must not use. They are renewed in this order: threads that a later part starts in the
child find the earlier parts renewed.
"""


class Fork:
    """Renews the parts in the child. It keeps none of them alive."""

    def __init__(self) -> None:
        self._renew: dict[str, list[WeakMethod[Renew]]] = {part: [] for part in PARTS}

    def renews(self, part: str, renew: Renew) -> None:
        """Have `renew`, a bound method, called in the child of each fork from now on, for as long as its object lives.

        `part` is one of `PARTS`.
        """
        kept = [each for each in self._renew[part] if each() is not None]
        self._renew[part] = [*kept, WeakMethod(renew)]

    def in_child(self) -> None:
        """Renew all parts. One that fails does not keep the others from being renewed."""
        for part, methods in self._renew.items():
            for method in methods:
                renew = method()
                if renew is not None:
                    with guard(f"renewing {part} after a fork"):
                        renew()


class Imports:
    """Imports on threads of ours, which a fork waits for.

    Python has a lock for each module that is being imported. If the process forks meanwhile, the child can never import
    that module: the thread that holds the lock is not there.
    """

    LIMIT = 5.0
    """Seconds that a fork waits for an import at most."""

    def __init__(self) -> None:
        self.renew()

    @contextmanager
    def here(self) -> Iterator[None]:
        """Import in this block."""
        with self._lock:
            yield

    def before_fork(self) -> None:
        self._lock.acquire(timeout=self.LIMIT)

    def after_fork_in_parent(self) -> None:
        with suppress(RuntimeError):  # the import took longer, so the lock is not held
            self._lock.release()

    def renew(self) -> None:
        self._lock = RLock()  # an import may fork


FORK = Fork()
IMPORTS = Imports()
FORK.renews("imports", IMPORTS.renew)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=IMPORTS.before_fork,
        after_in_parent=IMPORTS.after_fork_in_parent,
        after_in_child=FORK.in_child,
    )
