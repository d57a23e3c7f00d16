"""The guard: faults of this package are logged once and suppressed; exceptions of the application pass."""

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
    """Raise an error, always at the same line."""
    raise error


@pytest.mark.parametrize("kind", [ValueError, RecursionError, StopIteration, MemoryError, UnicodeError, Exception])
def test_exceptions_are_swallowed(kind: type[Exception], logged: LoggedWarnings) -> None:
    """Any `Exception` ends only the block, and the log line has its type, file and line."""
    with guard("reading a request"):
        fail(kind(CANARY))
    (line,) = logged.take()
    assert line.startswith(f"Reading a request failed ({kind.__name__} at test_guard.py:")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, BaseException])
def test_other_base_exceptions_pass(kind: type[BaseException], logged: LoggedWarnings) -> None:
    """Interrupts, exits and cancellations reach the application unchanged."""
    error = kind(CANARY)
    with pytest.raises(kind) as raised, guard("reading a request"):
        fail(error)
    assert raised.value is error
    assert logged.take() == []


def test_a_block_without_fault_logs_nothing(logged: LoggedWarnings) -> None:
    done: list[str] = []
    with guard("reading a request"):
        done.append("read")
    assert (done, logged.take()) == (["read"], [])


def test_a_fault_is_logged_once(logged: LoggedWarnings) -> None:
    """The same type at the same line is one fault, for any guard and any number of times."""
    reading = guard("reading a request")
    for _ in range(3):
        with reading:
            fail(ValueError(CANARY))
    with guard("reading a response"):
        fail(ValueError("another text"))
    assert len(logged.take()) == 1


def test_faults_of_another_type_or_at_another_line_are_logged(logged: LoggedWarnings) -> None:
    """Two types at one line are two faults, and so is one type at two lines."""
    for kind in (ValueError, TypeError):
        with guard("reading a request"):
            fail(kind(CANARY))
    with guard("reading a request"):
        raise ValueError(CANARY)
    assert len(logged.take()) == 3


def raise_from_another(error: Exception) -> NoReturn:
    raise error from ValueError(CANARY)


def raise_with_notes(error: Exception) -> NoReturn:
    error.__notes__ = [CANARY]  # Python 3.10 has no `add_note`
    raise error


@pytest.mark.parametrize("failing", [fail, raise_from_another, raise_with_notes])
def test_the_text_of_a_fault_is_not_logged(failing: Callable[[Exception], NoReturn], logged: LoggedWarnings) -> None:
    """It could have a prompt or a key, so its text, cause and notes are all left out."""
    with guard("reading a request"):
        failing(ValueError(CANARY, {"messages": CANARY}))
    (line,) = logged.take()
    assert "canary" not in line


def test_the_traceback_is_logged_at_debug(caplog: pytest.LogCaptureFixture, logged: LoggedWarnings) -> None:
    """Once for each fault, with files, lines and functions, but without the text, source lines and values."""
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


def test_no_traceback_is_logged_above_debug(caplog: pytest.LogCaptureFixture, logged: LoggedWarnings) -> None:
    caplog.set_level(logging.INFO, "agentops_otel_litellm")
    with guard("reading a request"):
        fail(ValueError(CANARY))
    assert len(logged.take()) == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_log_line_names_the_innermost_file(logged: LoggedWarnings) -> None:
    """A fault inside a library is logged with the name of the library's file."""
    with guard("reading a request"):
        json.loads(CANARY)
    (line,) = logged.take()
    assert "failed (JSONDecodeError at decoder.py:" in line
    assert "canary" not in line


def test_an_error_that_was_never_raised_is_logged(logged: LoggedWarnings) -> None:
    """The log line states that its place is unknown."""
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
def set_handler() -> Iterator[Callable[[Handler], None]]:
    """A function that sets the handler of SIGUSR1 until the end of the test."""
    before = signal.getsignal(signal.SIGUSR1)

    def handle(handler: Handler) -> None:
        signal.signal(signal.SIGUSR1, handler)

    yield handle
    signal.signal(signal.SIGUSR1, before)


def interrupted() -> int:
    """Code of this package during which the signal arrives."""
    signal.raise_signal(signal.SIGUSR1)
    return sum(number for number in range(3))


def interrupted_in_a_callee() -> int:
    return max([3, 1, 2], key=lambda number: number + interrupted())


def converted() -> int:
    """A callee that converts any exception to its own."""
    try:
        return interrupted()
    except Exception as error:
        raise ValueError(CANARY) from error


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows lacks the signal")
@pytest.mark.parametrize("code", [interrupted, interrupted_in_a_callee, converted])
@pytest.mark.parametrize("handler", HANDLERS)
def test_an_exception_of_a_signal_handler_passes(
    handler: str, code: Callable[[], int], set_handler: Callable[[Handler], None], logged: LoggedWarnings
) -> None:
    """A time limit that expires while our code runs reaches the application, from a guard and from `log_fault`."""
    set_handler(HANDLERS[handler])
    with pytest.raises(TimeLimit), guard("reading a request"):
        code()
    set_handler(HANDLERS[handler])
    with pytest.raises(TimeLimit), ignored_faults():
        code()
    set_handler(HANDLERS[handler])

    def logging_a_fault() -> None:
        try:
            code()
        except Exception as fault:  # noqa: BLE001 - as in this package
            log_fault("reading a chunk", fault)

    with pytest.raises(TimeLimit):
        logging_a_fault()
    assert logged.take() == []


def takes_a_frame(frame: FrameType | None) -> NoReturn:
    raise ValueError(CANARY, frame is None)


def takes_a_frame_and_a_number(frame: FrameType | None, _context: int) -> NoReturn:
    raise ValueError(CANARY, frame is None)


@pytest.mark.parametrize("call", [takes_a_frame, partial(takes_a_frame_and_a_number, _context=1)])
def test_an_exception_of_a_function_with_a_frame_parameter_is_a_fault(
    call: Callable[[FrameType | None], NoReturn], logged: LoggedWarnings
) -> None:
    """Functions that take a frame, such as those of `inspect`, are not mistaken for signal handlers."""
    with guard("reading a request"):
        call(inspect.currentframe())
    assert len(logged.take()) == 1


def test_a_fault_during_handling_of_a_signal_exception_is_logged(
    set_handler: Callable[[Handler], None], logged: LoggedWarnings
) -> None:
    """LiteLLM handles the time limit while our code fails: the fault is suppressed, and LiteLLM continues."""
    set_handler(plain_handler)
    try:
        interrupted()
    except TimeLimit:
        with guard("reading an exception"):
            fail(ValueError(CANARY))
    assert len(logged.take()) == 1
