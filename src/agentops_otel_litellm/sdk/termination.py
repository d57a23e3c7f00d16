"""Delivering telemetry before a signal ends the process.

Python runs no `atexit` handler if a process ends by a signal's default action, and many servers end that way: uvicorn
restores the previous handlers and raises the signal again, and gunicorn's workers reset the handlers. So this
package installs a handler for each signal that has the default action. The handler delivers the finished telemetry, and
then ends the process by the same signal. The application cannot find the handler: `signal.getsignal` and
`signal.signal` return the default action. Handlers of the application are not replaced.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from types import FrameType
from typing import Any

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.sdk.flush import flush_before_end, time_limit
from agentops_otel_litellm.settings import Settings, sdk_is_disabled

SIGNALS = ("SIGTERM", "SIGINT")
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
        self._numbers = frozenset(getattr(signal, name) for name in SIGNALS if hasattr(signal, name))
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


def flush_on_signals(environment: Mapping[str, str]) -> None:
    """Deliver telemetry before a signal ends this process, if the settings and the platform allow it.

    Only the main thread may set handlers, and on Windows nothing sends these signals.
    """
    if os.name != "posix" or sdk_is_disabled(environment) or not Settings.from_environment(environment).flush_on_signal:
        return
    if threading.current_thread() is threading.main_thread():
        with suppress(ValueError):  # a subinterpreter, which may not set handlers either
            TERMINATION.install(time_limit(environment))
