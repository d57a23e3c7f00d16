"""The guard: an exception in this package's code is logged once and never reaches the application.

Exceptions of the application's signal handlers are different. Python runs a signal handler between two instructions of
the main thread, also within this package's code. The handler may raise an exception: Celery's soft time limit and rq's
job timeout do. Such an exception is meant for the application, so a guard does not swallow it.

A guard recognises such an exception by its traceback. Python calls a signal handler with two arguments: the signal's
number, and the frame that it interrupted. So in the traceback, there is a frame that has these two as neighbouring
arguments, and the second is the frame before it. Other functions that receive their caller's frame, such as those of
`inspect`, do not receive a number before it.

- This works for functions, methods, partials, lambdas, callable objects and decorated handlers. It also works if the
  exception is raised by a function that the handler calls, or if the handler unregisters itself first.
- The class of the exception is not checked, because handlers also raise ordinary exceptions, such as `TimeoutError`.
- A handler that rebinds or deletes its `frame` argument before it raises is recognised only while it is registered.
- An exception that `PyThreadState_SetAsyncExc` raises in a thread is not recognised, because it has no such frame.

The check runs only after an exception was raised.
"""

from __future__ import annotations

import logging
import signal
from inspect import CO_VARARGS
from itertools import pairwise
from pathlib import Path
from traceback import walk_tb
from types import CodeType, FrameType, TracebackType

logger = logging.getLogger("agentops_otel_litellm")

_logged: set[tuple[str, str]] = set()
"""Place and class of each exception that was logged."""
_MAX_CAUSES = 16
"""How many exceptions of a chain of causes are checked."""


class ignored_faults:  # noqa: N801 - lower case as other context managers
    """A block whose exceptions are swallowed and not logged. Passed on are exceptions of the application's signal
    handlers, and any `BaseException` that is not an `Exception`.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        self._handle(error)
        return True

    def _handle(self, error: Exception) -> None:
        _raise_if_from_signal_handler(error)


class guard(ignored_faults):  # noqa: N801 - lower case as other context managers: `with guard("reading a response"):`
    """A block whose exceptions are swallowed and logged, each once: `with guard("reading a response"):`.

    Passed on are exceptions of the application's signal handlers, and any `BaseException` that is not an `Exception`,
    such as cancellation. `activity` describes the block in the log message.
    """

    __slots__ = ("_activity",)

    def __init__(self, activity: str) -> None:
        self._activity = activity

    def _handle(self, error: Exception) -> None:
        log_fault(self._activity, error)


def log_fault(activity: str, error: Exception) -> None:
    """Log that `activity` failed with `error`: a warning, and the traceback at DEBUG. Each is logged only once for the
    same line and class of exception.

    The messages have the exception's class, files, lines and functions. They do not have the exception's text or any
    values, because these may contain message content or keys.

    Raises: `error`, if it is from a signal handler of the application.
    """
    _raise_if_from_signal_handler(error)
    place = place_of(error)
    kind = type(error).__name__
    if (place, kind) in _logged:
        return
    _logged.add((place, kind))
    with ignored_faults():  # a logging handler of the application may raise
        logger.warning(
            "%s failed (%s at %s). Some telemetry is missing; the call itself is not affected. This is logged once. "
            "Please report it to the maintainers of agentops-otel-litellm.",
            activity[:1].upper() + activity[1:],
            kind,
            place,
        )
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("Traceback of %s at %s, outermost frame first:\n%s", kind, place, _frame_lines(error))


def _frame_lines(error: BaseException) -> str:
    """File, line and function of each frame of the traceback, without source lines and values."""
    return "\n".join(
        f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
        for frame, line in walk_tb(error.__traceback__)
    )


def _raise_if_from_signal_handler(error: BaseException) -> None:
    """Raise the exception, or the first of its explicit causes (`raise … from cause`), that is from a signal handler.
    Return if none is.
    """
    raised: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if raised is None:
            return
        if is_from_signal_handler(raised):
            raise raised
        raised = raised.__cause__


def is_from_signal_handler(error: BaseException) -> bool:
    """Whether a signal handler raised the exception, recognised as the module's docstring describes."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    registered = _registered_handlers() if len(frames) > 1 else set()
    return any(frame.f_code in registered or _is_signal_handler(frame, before) for before, frame in pairwise(frames))


def _is_signal_handler(frame: FrameType, interrupted: FrameType) -> bool:
    """Whether `frame` is of a signal handler: its arguments include a number, followed by the frame before it."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount]
    values = frame.f_locals
    arguments = [values.get(name) for name in names]
    if code.co_flags & CO_VARARGS:
        rest = values.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        arguments.extend(rest if isinstance(rest, tuple) else ())
    return any(after is interrupted and isinstance(number, int) for number, after in pairwise(arguments))


def _registered_handlers() -> set[CodeType]:
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    return {code for handler in handlers if isinstance(code := getattr(handler, "__code__", None), CodeType)}


def place_of(error: Exception) -> str:
    """The file and line that raised the exception."""
    steps = [*walk_tb(error.__traceback__)]
    if not steps:
        return "an unknown place"
    frame, line = steps[-1]
    return f"{Path(frame.f_code.co_filename).name}:{line}"
