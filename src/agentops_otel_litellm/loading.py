"""Importing on a thread of ours, in a process that may fork: what a thread is importing then, a child never can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock


class Loading:
    """Forks wait for what is loaded, for `LIMIT` seconds."""

    LIMIT = 5.0

    def __init__(self) -> None:
        self.after_fork()

    @contextmanager
    def here(self) -> Iterator[None]:
        with self._lock:
            yield

    def before_fork(self) -> None:
        self._lock.acquire(timeout=self.LIMIT)

    def after_fork_in_parent(self) -> None:
        with suppress(RuntimeError):  # it was not to be had in time
            self._lock.release()

    def after_fork(self) -> None:
        """In the child, whatever thread of the parent's has the lock there."""
        self._lock = RLock()  # an import may fork


LOADING = Loading()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOADING.before_fork,
        after_in_parent=LOADING.after_fork_in_parent,
        after_in_child=LOADING.after_fork,
    )
