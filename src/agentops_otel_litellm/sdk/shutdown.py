"""Delivers telemetry before a process ends. A process can end in three ways, for each of which there is a class:

- `ProcessExit`: the interpreter exits and runs `atexit` handlers. The SDK's handlers shut the providers down one after
  the other. If a collector does not respond, each takes as long as an export may take. So this class shuts all
  providers down at the same time, and waits for a limited time only.
- `Termination`: the default action of a signal ends the process, and Python runs no `atexit` handler. Many servers end
  that way: uvicorn restores the previous handlers and raises the signal again, and gunicorn's workers reset the
  handlers. So this class installs a handler for each signal that has the default action. The handler delivers the
  finished telemetry, and then ends the process by the same signal. The application does not notice this handler:
  `signal.getsignal` and `signal.signal` return the default action. Handlers of the application are not replaced.
- `Child`: a child process that `multiprocessing` has forked ends with `os._exit`. It runs no `atexit` handlers, only
  finalizers of `multiprocessing`, and those that were registered in the parent are removed. So this class registers a
  finalizer in each child.
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
from agentops_otel_litellm.sdk.application import RUN_SESSION, flush_before_end

# --- the exit of the interpreter -------------------------------------------------------------------------------------

GRACE = 0.1
"""Seconds that are added to the time limit, so that an export that has just timed out can log that."""
STARTS_THREADS_AT_EXIT = sys.version_info[:2] != (3, 12)
"""Whether this Python can start threads after the main thread has ended and before it calls `atexit` handlers."""
SDK_HANDLERS = ("_atexit_handler", "_at_exit_handler")
"""Attributes in which providers of the SDK have their `atexit` handler. After a shutdown, the attribute is `None`."""


class _Shutdown:
    """The shutdown of one provider, on a thread that is started earlier and waits for `begin`. Since Python 3.12,
    `atexit` handlers cannot start threads.
    """

    def __init__(self, provider: Any) -> None:  # noqa: ANN401 - a provider of any signal
        self._provider = provider
        self._may_begin = ReentrantEvent()
        self._is_over = ReentrantEvent()
        start_thread(self._run, "agentops-shutdown")

    def _run(self) -> None:
        self._may_begin.wait(threading.TIMEOUT_MAX)
        try:
            with ignored_faults():  # metric readers raise if an export fails, which the exporter has logged
                self._provider.shutdown()
        finally:
            self._is_over.set()

    def begin(self) -> None:
        """Let the shutdown begin, unless the application has shut the provider down: the SDK warns of a second one."""
        if any(getattr(self._provider, name, self._provider) is None for name in SDK_HANDLERS):
            self._is_over.set()
        else:
            atexit.unregister(self._provider.shutdown)
            self._may_begin.set()

    def wait(self, timeout: float) -> None:
        self._is_over.wait(timeout)


class ProcessExit:
    """Shuts all providers down at exit, at the same time. If no threads can be started, the SDK's handlers do it."""

    def __init__(self) -> None:
        self._providers: Sequence[Any] = ()
        self._time_limit = 0.0
        self._shutdowns: Sequence[_Shutdown] = ()
        FORK.register("exit", self._renew)

    def arrange(self, providers: Sequence[object], time_limit: float) -> None:
        """Arrange that these providers are shut down at exit, in at most `time_limit` seconds.

        Handlers that the application registers with `atexit` after this call run earlier.
        """
        if self._providers or not providers:
            return
        self._providers = providers
        self._time_limit = time_limit
        if STARTS_THREADS_AT_EXIT:
            # Python calls this before the `atexit` handlers. concurrent.futures uses the same function.
            threading._register_atexit(self._prepare)  # type: ignore[attr-defined]  # noqa: SLF001
        else:
            self._prepare()
        atexit.register(self._shut_down)

    def _renew(self) -> None:
        """In a forked process, replace the threads, which exist in the parent only."""
        self._shutdowns = ()
        if not STARTS_THREADS_AT_EXIT:
            self._prepare()

    def _prepare(self) -> None:
        """Start the threads that will shut the providers down."""
        # A `RuntimeError` means that the system cannot start one more thread.
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
    """Delivers telemetry before the default action of a signal ends the process."""

    def __init__(self, set_signal: SetSignal, get_signal: GetSignal) -> None:
        self._set_signal = set_signal
        self._get_signal = get_signal
        self._numbers: frozenset[int] = frozenset()
        self._time_limit = 0.0

    def install(self, time_limit: float) -> None:
        """Replace the default action of the signals, now and whenever the application sets it. It must be called on the
        main thread.
        """
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
        """Deliver telemetry, and then end the process by the same signal. This is the installed handler."""
        self._set_signal(number, signal.SIG_DFL)  # so that a second signal ends the process at once
        try:
            with guard("flushing before a signal ends the process"):
                RUN_SESSION.fail(signal.Signals(number).name)
                flush_before_end(self._time_limit)
        finally:
            signal.raise_signal(number)

    def _replacing(self, set_signal: SetSignal) -> SetSignal:
        """Return a replacement for `signal.signal` that installs this package's handler for the default action."""

        @wraps(set_signal)
        def signal_(signalnum: int, handler: Any) -> Any:  # noqa: ANN401 - Python's
            chosen = self.deliver_and_end if signalnum in self._numbers and _is_default(handler) else handler
            return self._as_chosen(set_signal(signalnum, chosen))

        return signal_

    def _reading(self, get_signal: GetSignal) -> GetSignal:
        """Return a replacement for `signal.getsignal` that hides this package's handler."""

        @wraps(get_signal)
        def getsignal(signalnum: int) -> Any:  # noqa: ANN401 - Python's
            return self._as_chosen(get_signal(signalnum))

        return getsignal

    def _as_chosen(self, handler: object) -> object:
        """The handler that the application has set: the default action if this package's handler replaces that."""
        return signal.SIG_DFL if handler == self.deliver_and_end else handler


def _is_default(handler: object) -> bool:
    return isinstance(handler, int) and handler == signal.SIG_DFL


TERMINATION = Termination(signal.signal, signal.getsignal)


def flush_on_signals(time_limit: float) -> None:
    """Arrange that telemetry is delivered, in at most `time_limit` seconds, before a signal ends this process.

    It does nothing on Windows, where nothing sends these signals, and on other threads than the main thread, which may
    not set handlers.
    """
    if os.name == "posix" and threading.current_thread() is threading.main_thread():
        with suppress(ValueError):  # this is a subinterpreter, which may not set handlers either
            TERMINATION.install(time_limit)


# --- child processes -------------------------------------------------------------------------------------------------

LAST = -1_000_000
"""The priority of a finalizer that runs after those of the application, in which calls may end."""


class Child:
    """Delivers telemetry at the end of child processes. `multiprocessing` passes `CHILD` to `add_flush` in each forked
    child. It has only a weak reference to it, so the module keeps the instance.
    """

    def __init__(self) -> None:
        self.time_limit = 0.0
        self.installed_in: int | None = None
        """The id of the process in which `arrange` was called. In a forked child, it is the id of the parent."""

    def arrange(self, time_limit: float) -> None:
        """Arrange that telemetry is delivered, in at most `time_limit` seconds, at the end of child processes that the
        modules in `MODULES` start. These modules may be imported later.
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
    """Arrange a flush at the end of forked child processes. `module` is `multiprocessing.util`, which the processes of
    billiard use as well.
    """

    def add_flush(child: Child) -> None:
        # In a spawned child, `arrange` was called in the child itself, and `atexit` handlers run.
        if child.installed_in != os.getpid():
            module.Finalize(None, child.flush, exitpriority=LAST)

    module.register_after_fork(CHILD, add_flush)


def _flush_before_exit(module: ModuleType) -> None:
    """Arrange a flush when a worker of `billiard.pool`, the `module`, ends. These workers, such as Celery's, run no
    finalizers.
    """
    do_exit = module.Worker._do_exit  # noqa: SLF001 - billiard has no public method for this

    @wraps(do_exit)
    def flushing(worker: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - billiard's
        on_exit = worker.on_exit

        def flush_on_exit(*about: object) -> None:
            try:
                if on_exit is not None:  # Celery runs functions of the application here, so the flush follows
                    on_exit(*about)
            finally:
                CHILD.flush()

        worker.on_exit = flush_on_exit
        return do_exit(worker, *args, **kwargs)

    module.Worker._do_exit = flushing  # noqa: SLF001


def _guarded(arrange: Callable[[ModuleType], None], module: ModuleType) -> None:
    with guard("arranging that child processes deliver their telemetry before they end"):
        arrange(module)


MODULES: Mapping[str, Callable[[ModuleType], None]] = MappingProxyType(
    {
        "multiprocessing.util": _add_finalizer,
        "billiard.pool": _flush_before_exit,
    }
)
"""Module that starts child processes → the function that patches it, once it is imported."""

CHILD = Child()
