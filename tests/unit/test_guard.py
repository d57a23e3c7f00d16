"""The guard: faults of ours are told once and go no further, what is the app's passes."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import signal
from collections.abc import Callable, Iterator
from functools import partial, wraps
from types import FrameType
from typing import Any, NoReturn

import pytest

from agentops_otel_litellm.guard import guard, ignored_faults, log_fault
from support.logged_warnings import LoggedWarnings

CANARY = "sk-canary"


def fail(error: BaseException) -> NoReturn:
    """One place in the source, whatever is raised there."""
    raise error


@pytest.mark.parametrize("kind", [ValueError, RecursionError, StopIteration, MemoryError, UnicodeError, Exception])
def test_exceptions_are_swallowed(kind: type[Exception], logged: LoggedWarnings) -> None:
    """Any `Exception` ends the block and no more, and the log names its kind and place."""
    with guard("reading a request"):
        fail(kind(CANARY))
    (line,) = logged.take()
    assert line.startswith(f"Reading a request failed ({kind.__name__} at test_guard.py:")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, BaseException])
def test_what_is_not_an_exception_passes(kind: type[BaseException], logged: LoggedWarnings) -> None:
    """Interrupts, exits and cancellations leave as they came."""
    error = kind(CANARY)
    with pytest.raises(kind) as raised, guard("reading a request"):
        fail(error)
    assert raised.value is error
    assert logged.take() == []


def test_a_block_that_goes_well_is_silent(logged: LoggedWarnings) -> None:
    """Nothing is said where nothing failed."""
    done: list[str] = []
    with guard("reading a request"):
        done.append("read")
    assert (done, logged.take()) == (["read"], [])


def test_a_fault_is_told_once(logged: LoggedWarnings) -> None:
    """The same kind at the same place is one fault, however often and wherever it is met."""
    reading = guard("reading a request")
    for _ in range(3):
        with reading:
            fail(ValueError(CANARY))
    with guard("reading a response"):
        fail(ValueError("another text"))
    assert len(logged.take()) == 1


def test_another_kind_or_place_is_another_fault(logged: LoggedWarnings) -> None:
    """Two kinds at one place are two faults, and so is one kind at two places."""
    for kind in (ValueError, TypeError):
        with guard("reading a request"):
            fail(kind(CANARY))
    with guard("reading a request"):
        raise ValueError(CANARY)
    assert len(logged.take()) == 3


def from_another(error: Exception) -> NoReturn:
    raise error from ValueError(CANARY)


def with_notes(error: Exception) -> NoReturn:
    error.__notes__ = [CANARY]  # as `add_note` does from Python 3.11 on
    raise error


@pytest.mark.parametrize("failing", [fail, from_another, with_notes])
def test_the_text_of_a_fault_is_not_told(failing: Callable[[Exception], NoReturn], logged: LoggedWarnings) -> None:
    """What an exception says could be a prompt or a key: neither its text, its cause nor its notes are logged."""
    with guard("reading a request"):
        failing(ValueError(CANARY, {"messages": CANARY}))
    (line,) = logged.take()
    assert "canary" not in line


def test_the_traceback_is_logged_at_debug(caplog: pytest.LogCaptureFixture, logged: LoggedWarnings) -> None:
    """Once for each fault: files, lines and functions, and neither the exception's text, source lines nor values."""
    secret = {"messages": CANARY}

    def inner(_content: object) -> NoReturn:
        raise ValueError(CANARY) from TypeError(CANARY)

    caplog.set_level(logging.DEBUG, "agentops_otel_litellm")
    for _ in range(2):
        with guard("reading a request"):
            inner(secret)
    assert len(logged.take()) == 1
    (record,) = [record for record in caplog.records if record.levelno == logging.DEBUG]
    head, *frames = record.getMessage().splitlines()
    assert head.startswith("Traceback of ValueError at test_guard.py:")
    code, function = inner.__code__, test_the_traceback_is_logged_at_debug.__name__
    outer, innermost = frames
    assert outer.startswith(f'  File "{code.co_filename}", line ')
    assert outer.endswith(f", in {function}")
    assert innermost == f'  File "{code.co_filename}", line {code.co_firstlineno + 1}, in inner'
    assert record.exc_info is None
    assert "canary" not in logging.Formatter().format(record)


def test_without_debug_no_traceback_is_made(caplog: pytest.LogCaptureFixture, logged: LoggedWarnings) -> None:
    caplog.set_level(logging.INFO, "agentops_otel_litellm")
    with guard("reading a request"):
        fail(ValueError(CANARY))
    assert len(logged.take()) == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_place_is_the_innermost(logged: LoggedWarnings) -> None:
    """A fault inside a library is told with the library's file, by its bare name."""
    with guard("reading a request"):
        json.loads(CANARY)
    (line,) = logged.take()
    assert "failed (JSONDecodeError at decoder.py:" in line
    assert "canary" not in line


def test_an_error_that_was_never_raised_can_be_told(logged: LoggedWarnings) -> None:
    """Then its place is not known."""
    log_fault("exporting", OSError(CANARY))
    (line,) = logged.take()
    assert line.startswith("Exporting failed (OSError at an unknown place). ")


# --- signal handlers ---------------------------------------------------------------------------------------


class TimeLimit(Exception):  # noqa: N818 - as Celery's `SoftTimeLimitExceeded`
    """What the application's signal handler raises."""


Handler = Callable[[int, FrameType | None], object]


def plain_handler(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise TimeLimit


def handler_that_calls_another(signum: int, frame: FrameType | None) -> None:
    plain_handler(signum + 1, None if frame is None else frame.f_back)


def handler_that_unregisters(signum: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signum, signal.SIG_DFL)
    raise TimeLimit


def handler_that_forgets_its_frame(_signum: int, frame: FrameType | None) -> NoReturn:
    del frame
    raise TimeLimit


def handler_that_raises_from(_signum: int, _frame: FrameType | None) -> None:
    try:
        fail(KeyError())
    except KeyError as error:
        raise TimeLimit from error


def decorated(handler: Handler) -> Handler:
    @wraps(handler)
    def decorating(*args: Any, **kwargs: Any) -> object:  # noqa: ANN401 - any arguments
        return handler(*args, **kwargs)

    return decorating


def bound_to_a_name(_name: str, _signum: int, _frame: FrameType | None) -> NoReturn:
    raise TimeLimit


class Limited:
    def handle(self, _signum: int, _frame: FrameType | None) -> NoReturn:
        raise TimeLimit

    def __call__(self, _signum: int, _frame: FrameType | None) -> NoReturn:
        raise TimeLimit


HANDLERS: dict[str, Handler] = {
    "a function": plain_handler,
    "one that calls another": handler_that_calls_another,
    "one that unregisters itself": handler_that_unregisters,
    "one that forgets its frame": handler_that_forgets_its_frame,
    "one that raises from another": handler_that_raises_from,
    "a lambda": lambda _signum, _frame: fail(TimeLimit()),
    "a method": Limited().handle,
    "a callable": Limited(),
    "a partial": partial(bound_to_a_name, "name"),
    "a decorated one": decorated(plain_handler),
    "a decorated method": decorated(Limited().handle),
}


@pytest.fixture
def handled() -> Iterator[Callable[[Handler], None]]:
    """Sets the handler of a signal, for the test."""
    before = signal.getsignal(signal.SIGUSR1)

    def handle(handler: Handler) -> None:
        signal.signal(signal.SIGUSR1, handler)

    yield handle
    signal.signal(signal.SIGUSR1, before)


def interrupted() -> int:
    """Code of ours during which the signal arrives."""
    signal.raise_signal(signal.SIGUSR1)
    return sum(number for number in range(3))


def interrupted_in_a_callee() -> int:
    return max([3, 1, 2], key=lambda number: number + interrupted())


def converted() -> int:
    """What we call may make its own exception of any."""
    try:
        return interrupted()
    except Exception as error:
        raise ValueError(CANARY) from error


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows lacks the signal")
@pytest.mark.parametrize("code", [interrupted, interrupted_in_a_callee, converted])
@pytest.mark.parametrize("handler", HANDLERS)
def test_what_a_signal_handler_raises_passes(
    handler: str, code: Callable[[], int], handled: Callable[[Handler], None], logged: LoggedWarnings
) -> None:
    """A time limit that is up while our code runs is the application's, in a guard and where `tell` is called."""
    handled(HANDLERS[handler])
    with pytest.raises(TimeLimit), guard("reading a request"):
        code()
    handled(HANDLERS[handler])
    with pytest.raises(TimeLimit), ignored_faults():
        code()
    handled(HANDLERS[handler])

    def telling() -> None:
        try:
            code()
        except Exception as fault:  # noqa: BLE001 - as in the code of ours
            log_fault("reading a chunk", fault)

    with pytest.raises(TimeLimit):
        telling()
    assert logged.take() == []


def given_a_frame(frame: FrameType | None) -> NoReturn:
    raise ValueError(CANARY, frame is None)


def given_a_frame_and_a_number(frame: FrameType | None, _context: int) -> NoReturn:
    raise ValueError(CANARY, frame is None)


@pytest.mark.parametrize("call", [given_a_frame, partial(given_a_frame_and_a_number, _context=1)])
def test_a_function_that_looks_at_frames_is_no_signal_handler(
    call: Callable[[FrameType | None], NoReturn], logged: LoggedWarnings
) -> None:
    """A fault of one that is given a frame, as those of `inspect` are, is a fault."""
    with guard("reading a request"):
        call(inspect.currentframe())
    assert len(logged.take()) == 1


def test_a_fault_while_an_exception_of_a_handler_is_handled(
    handled: Callable[[Handler], None], logged: LoggedWarnings
) -> None:
    """LiteLLM handles the time limit, and our code fails meanwhile: that is a fault, and LiteLLM goes on."""
    handled(plain_handler)
    try:
        interrupted()
    except TimeLimit:
        with guard("reading an exception"):
            fail(ValueError(CANARY))
    assert len(logged.take()) == 1
