"""Shutting down the SDK's providers when the interpreter exits: all at the same time, for a limited time.

The SDK shuts them down one after the other. If a collector accepts connections and does not respond, each takes as long
as an export may take, so an application with traces, metrics and events would exit that many times later.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from agentops_otel_litellm.background import ReentrantEvent, start_thread
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard, ignored_faults

GRACE = 0.1
"""Seconds after the time limit in which an export that has just timed out can log it."""
STARTS_THREADS_AT_EXIT = sys.version_info[:2] != (3, 12)
"""Whether Python starts threads after the main thread has ended, before it calls `atexit` handlers."""
SDK_HANDLERS = ("_atexit_handler", "_at_exit_handler")
"""Attributes in which the SDK's providers have their `atexit` handler. `None` after a shutdown."""


class _Shutdown:
    """The shutdown of one provider, on a thread that waits until the shutdown may begin.

    The thread is started earlier, because `atexit` handlers cannot start threads since Python 3.12.
    """

    def __init__(self, provider: Any) -> None:  # noqa: ANN401 - a provider of any signal
        self._provider = provider
        self._may_begin = ReentrantEvent()
        self._is_over = ReentrantEvent()
        start_thread(self._run, "agentops-shutdown")

    def _run(self) -> None:
        self._may_begin.wait(threading.TIMEOUT_MAX)
        try:
            with ignored_faults():  # metric readers raise if an export fails; exporters have logged it
                self._provider.shutdown()
        finally:
            self._is_over.set()

    def begin(self) -> None:
        """Let the shutdown begin, unless the application has shut down the provider. The SDK logs a second shutdown."""
        if any(getattr(self._provider, name, self._provider) is None for name in SDK_HANDLERS):
            self._is_over.set()
        else:
            atexit.unregister(self._provider.shutdown)
            self._may_begin.set()

    def wait(self, timeout: float) -> None:
        self._is_over.wait(timeout)


class ProcessExit:
    """Shuts down providers at exit. If no threads can be started, the SDK shuts the providers down one by one."""

    def __init__(self) -> None:
        self._providers: Sequence[Any] = ()
        self._time_limit = 0.0
        self._shutdowns: Sequence[_Shutdown] = ()
        FORK.register("exit", self._renew)

    def arrange(self, providers: Sequence[object], time_limit: float) -> None:
        """Shut down these providers at exit, in at most `time_limit` seconds.

        Handlers that the application registers with `atexit` later run before that.
        """
        if self._providers or not providers:
            return
        self._providers = providers
        self._time_limit = time_limit
        if STARTS_THREADS_AT_EXIT:
            # concurrent.futures uses this function too. It has existed since Python 3.9.
            threading._register_atexit(self._prepare)  # type: ignore[attr-defined]  # noqa: SLF001
        else:
            self._prepare()
        atexit.register(self._shut_down)

    def _renew(self) -> None:
        """After a fork: threads of the parent do not exist in the child."""
        self._shutdowns = ()
        if not STARTS_THREADS_AT_EXIT:
            self._prepare()

    def _prepare(self) -> None:
        # `RuntimeError`: the system has no more threads.
        with guard("preparing the shutdown of providers at exit"), suppress(RuntimeError):
            self._shutdowns = [_Shutdown(provider) for provider in self._providers if hasattr(provider, "shutdown")]

    def _shut_down(self) -> None:
        with guard("shutting down at exit"):
            deadline = monotonic() + self._time_limit + GRACE
            for shutdown in self._shutdowns:
                shutdown.begin()
            for shutdown in self._shutdowns:
                shutdown.wait(deadline - monotonic())


PROCESS_EXIT = ProcessExit()
