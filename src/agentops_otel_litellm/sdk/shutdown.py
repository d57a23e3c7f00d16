"""Delivers telemetry before a process ends: at the interpreter's exit, by a signal, or at the end of a child process.

- `ProcessExit`: `atexit` handlers run. The SDK shuts its providers down one after the other. If a collector accepts
  connections and does not respond, each takes as long as an export may take, so an application with traces, metrics and
  events would exit that many times later. So all providers are shut down at the same time, for a limited time.
- `Termination`: a signal's default action ends the process, and Python runs no `atexit` handler. Many servers end that
  way: uvicorn restores the previous handlers and raises the signal again, and gunicorn's workers reset the handlers. So
  this package installs a handler for each signal that has the default action. The handler delivers the finished
  telemetry, and then ends the process by the same signal. The application cannot find the handler: `signal.getsignal`
  and `signal.signal` return the default action. Handlers of the application are not replaced.
- `Child`: a forked child of `multiprocessing` ends with `os._exit`, without `atexit` handlers: only the finalizers of
  `multiprocessing` run. The finalizers of the parent are removed in the child, so a finalizer is registered in each
  child.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial, wraps
from time import monotonic
from types import FrameType, MappingProxyType, ModuleType
from typing import Any

import wrapt

from agentops_otel_litellm.background import ReentrantEvent, start_thread
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard, ignored_faults
from agentops_otel_litellm.sdk.application import flush_before_end

# --- the exit of the interpreter -------------------------------------------------------------------------------------

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


# --- signals ---------------------------------------------------------------------------------------------------------

ENDING_SIGNALS = ("SIGTERM", "SIGINT")
"""The signals with which processes are stopped. Python's own handler of SIGINT raises KeyboardInterrupt, after which
`atexit` handlers run: it is not the default action."""

SetSignal = Callable[[int, Any], Any]
GetSignal = Callable[[int], Any]


class Termination:
    """Replaces the default action of signals in a process."""

    def __init__(self, set_signal: SetSignal, get_signal: GetSignal) -> None:
        self._set_signal = set_signal
        self._get_signal = get_signal
        self._numbers: frozenset[int] = frozenset()
        self._time_limit = 0.0

    def install(self, time_limit: float) -> None:
        """Replace the default action, now and whenever the application chooses it. Must run on the main thread."""
        self._time_limit = time_limit
        if self._numbers:
            return
        self._numbers = frozenset(getattr(signal, name) for name in ENDING_SIGNALS if hasattr(signal, name))
        for number in self._numbers:
            if self._get_signal(number) == signal.SIG_DFL:
                self._set_signal(number, self.deliver_and_end)
        signal.signal = self._replacing(self._set_signal)  # type: ignore[assignment]  # wrapped, so it looks alike
        signal.getsignal = self._reading(self._get_signal)  # type: ignore[assignment]  # wrapped, so it looks alike

    def deliver_and_end(self, number: int, _frame: FrameType | None) -> None:
        """Deliver telemetry, and then end the process by the same signal. This is the handler that is installed.

        It first restores the default action, so that a second signal ends the process at once.
        """
        self._set_signal(number, signal.SIG_DFL)
        try:
            with guard("flushing before a signal ends the process"):
                flush_before_end(self._time_limit)
        finally:
            signal.raise_signal(number)

    def _replacing(self, set_signal: SetSignal) -> SetSignal:
        @wraps(set_signal)
        def signal_(signalnum: int, handler: Any) -> Any:  # noqa: ANN401 - Python's
            chosen = self.deliver_and_end if signalnum in self._numbers and _is_default(handler) else handler
            return self._as_chosen(set_signal(signalnum, chosen))

        return signal_

    def _reading(self, get_signal: GetSignal) -> GetSignal:
        @wraps(get_signal)
        def getsignal(signalnum: int) -> Any:  # noqa: ANN401 - Python's
            return self._as_chosen(get_signal(signalnum))

        return getsignal

    def _as_chosen(self, handler: object) -> object:
        """The handler that the application has set: the default action instead of the handler of this package."""
        return signal.SIG_DFL if handler == self.deliver_and_end else handler


def _is_default(handler: object) -> bool:
    return isinstance(handler, int) and handler == signal.SIG_DFL


TERMINATION = Termination(signal.signal, signal.getsignal)


def flush_on_signals(time_limit: float) -> None:
    """Deliver telemetry for at most `time_limit` seconds before a signal ends this process, if the platform allows it.

    Only the main thread may set handlers, and on Windows nothing sends these signals.
    """
    if os.name == "posix" and threading.current_thread() is threading.main_thread():
        with suppress(ValueError):  # a subinterpreter, which may not set handlers either
            TERMINATION.install(time_limit)


# --- child processes -------------------------------------------------------------------------------------------------

LAST = -1_000_000
"""The priority of a finalizer that runs after the application's, which may make calls."""


class Child:
    """The object that `multiprocessing` passes to `add_flush` in each forked child. `multiprocessing` has only a weak
    reference to it.
    """

    def __init__(self) -> None:
        self.time_limit = 0.0
        self.installed_in: int | None = None
        """The process in which the launcher or `init()` called `arrange`."""

    def arrange(self, time_limit: float) -> None:
        """Deliver telemetry for at most `time_limit` seconds at the end of child processes that the modules in
        `MODULES` start, even if these modules are imported later.
        """
        self.time_limit = time_limit
        if self.installed_in is not None:
            return
        self.installed_in = os.getpid()
        for module, arrange in MODULES.items():
            wrapt.register_post_import_hook(partial(_guarded, arrange), module)

    def flush(self) -> None:
        """Deliver the finished telemetry of this process."""
        flush_before_end(self.time_limit)


def _add_finalizer(module: ModuleType) -> None:
    """Flush when a forked child process ends. `module` is `multiprocessing.util`, which billiard's processes use as
    well.
    """

    def add_flush(child: Child) -> None:
        if child.installed_in != os.getpid():  # else it was spawned, not forked, and `atexit` handlers run
            module.Finalize(None, child.flush, exitpriority=LAST)

    module.register_after_fork(CHILD, add_flush)


def _flush_before_exit(module: ModuleType) -> None:
    """Flush when a worker ends. `module` is `billiard.pool`, whose workers, such as Celery's, run no finalizers."""
    do_exit = module.Worker._do_exit  # noqa: SLF001 - billiard has no other way

    @wraps(do_exit)
    def flushing(worker: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - billiard's
        on_exit = worker.on_exit

        def flush_on_exit(*about: object) -> None:
            try:
                if on_exit is not None:  # Celery's: functions of the application run there
                    on_exit(*about)
            finally:
                CHILD.flush()

        worker.on_exit = flush_on_exit
        return do_exit(worker, *args, **kwargs)

    module.Worker._do_exit = flushing  # noqa: SLF001


def _guarded(arrange: Callable[[ModuleType], None], module: ModuleType) -> None:
    with guard("preparing the delivery at the end of child processes"):
        arrange(module)


MODULES: Mapping[str, Callable[[ModuleType], None]] = MappingProxyType(
    {
        "multiprocessing.util": _add_finalizer,
        "billiard.pool": _flush_before_exit,
    }
)
"""Module that starts child processes → the function that patches it, once it is imported."""

CHILD = Child()
