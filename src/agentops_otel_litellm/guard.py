"""The one guard: a fault of ours is logged once and never reaches the application.

Not every `Exception` that leaves a block of ours is a fault of ours. Python runs signal handlers between two
instructions of the main thread, whichever code that is in, and a handler may raise: Celery's soft time limit, rq's job
timeout and `signal.alarm` do. Such an exception is meant for the application, and a guard lets it pass.

It is recognised by its traceback. Python calls a signal handler with the signal's number and the frame that it
interrupted, so the traceback has a frame whose arguments are a number and, next to it, the very frame that precedes it
in the traceback. Other functions that are given their caller's frame, such as those of `inspect`, are not given that.
This holds for functions, methods, partials, lambdas, callable objects and decorated handlers, for a handler that calls
another function to raise, and for one that unregisters itself first, whatever class the exception is of. (The class
says nothing: handlers raise `TimeoutError` too.)

Two things cannot be recognised: a handler that rebinds or deletes its `frame` argument before it raises, unless it is
registered still, and an exception that `PyThreadState_SetAsyncExc` puts into a thread, which leaves no trace.
All of this runs only when something has been raised.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from inspect import CO_VARARGS
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType, TracebackType

logger = logging.getLogger("agentops_otel_litellm")

_told: set[tuple[str, str]] = set()
_LONGEST_CHAIN = 16


class guard:  # noqa: N801 - it reads as the statement it is: `with guard("…"):`
    """Swallow any `Exception` of the block, and log each cause once.

    `BaseException` (cancellation, interrupts, exits) is the app's and passes, and so does what a signal handler of the
    app's raised. The log line names the place and the kind of fault, never its text, which could quote content.
    """

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        tell(self._doing, error)
        return True


class ignored_faults:  # noqa: N801 - it reads as the statement it is
    """Swallow any `Exception` of the block without a word, but for those of the application's signal handlers."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        _raise_if_from_signal_handler(error)
        return True


def tell(doing: str, error: Exception) -> None:
    """Log that `doing` failed, once for each place and kind of fault.

    Raises: the exception of a signal handler of the application's, if that is what made it fail.
    """
    _raise_if_from_signal_handler(error)
    place = place_of(error)
    kind = type(error).__name__
    if (place, kind) in _told:
        return
    _told.add((place, kind))
    with ignored_faults():  # a handler of the app's may raise
        logger.warning(
            "%s failed (%s at %s): some telemetry is missing, the call was not touched. Told once; please report it.",
            doing[:1].upper() + doing[1:],
            kind,
            place,
        )


def _raise_if_from_signal_handler(error: BaseException) -> None:
    """Raise the exception, or the one that it was raised for explicitly, if a signal handler raised that."""
    raised: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if raised is None:
            return
        if is_from_signal_handler(raised):
            raise raised
        raised = raised.__cause__


def is_from_signal_handler(error: BaseException) -> bool:
    """Whether a signal handler raised the exception; see above how that is known."""
    frames = list(_frames(error))
    registered = _registered_handlers() if len(frames) > 1 else set()
    return any(frame.f_code in registered or _is_signal_handler(frame, before) for before, frame in pairwise(frames))


def _frames(error: BaseException) -> Iterator[FrameType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _is_signal_handler(frame: FrameType, interrupted: FrameType) -> bool:
    """Whether the arguments are a number and, next to it, the frame that was interrupted."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount]
    known = frame.f_locals
    given = [known.get(name) for name in names]
    if code.co_flags & CO_VARARGS:
        rest = known.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        given.extend(rest if isinstance(rest, tuple) else ())
    return any(after is interrupted and isinstance(number, int) for number, after in pairwise(given))


def _registered_handlers() -> set[CodeType]:
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    return {code for handler in handlers if isinstance(code := getattr(handler, "__code__", None), CodeType)}


def place_of(error: Exception) -> str:
    """The innermost file and line."""
    traceback = error.__traceback__
    if traceback is None:
        return "an unknown place"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
