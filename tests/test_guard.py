"""The guard: faults of ours are told once and go no further, what is the app's passes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import NoReturn

import pytest

from agentops_otel_litellm.guard import guard, tell
from conftest import Told

CANARY = "sk-canary"


def fail(error: BaseException) -> NoReturn:
    """One place in the source, whatever is raised there."""
    raise error


@pytest.mark.parametrize("kind", [ValueError, RecursionError, StopIteration, MemoryError, UnicodeError, Exception])
def test_exceptions_are_swallowed(kind: type[Exception], told: Told) -> None:
    """Any `Exception` ends the block and no more, and the log names its kind and place."""
    with guard("reading a request"):
        fail(kind(CANARY))
    (line,) = told.take()
    assert line.startswith(f"Reading a request failed ({kind.__name__} at test_guard.py:")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, BaseException])
def test_what_is_not_an_exception_passes(kind: type[BaseException], told: Told) -> None:
    """Interrupts, exits and cancellations leave as they came."""
    error = kind(CANARY)
    with pytest.raises(kind) as raised, guard("reading a request"):
        fail(error)
    assert raised.value is error
    assert told.take() == []


def test_a_block_that_goes_well_is_silent(told: Told) -> None:
    """Nothing is said where nothing failed."""
    done: list[str] = []
    with guard("reading a request"):
        done.append("read")
    assert (done, told.take()) == (["read"], [])


def test_a_fault_is_told_once(told: Told) -> None:
    """The same kind at the same place is one fault, however often and wherever it is met."""
    reading = guard("reading a request")
    for _ in range(3):
        with reading:
            fail(ValueError(CANARY))
    with guard("reading a response"):
        fail(ValueError("another text"))
    assert len(told.take()) == 1


def test_another_kind_or_place_is_another_fault(told: Told) -> None:
    """Two kinds at one place are two faults, and so is one kind at two places."""
    for kind in (ValueError, TypeError):
        with guard("reading a request"):
            fail(kind(CANARY))
    with guard("reading a request"):
        raise ValueError(CANARY)
    assert len(told.take()) == 3


def from_another(error: Exception) -> NoReturn:
    raise error from ValueError(CANARY)


def with_notes(error: Exception) -> NoReturn:
    error.__notes__ = [CANARY]  # as `add_note` does from Python 3.11 on
    raise error


@pytest.mark.parametrize("failing", [fail, from_another, with_notes])
def test_the_text_of_a_fault_is_not_told(failing: Callable[[Exception], NoReturn], told: Told) -> None:
    """What an exception says could be a prompt or a key: neither its text, its cause nor its notes are logged."""
    with guard("reading a request"):
        failing(ValueError(CANARY, {"messages": CANARY}))
    (line,) = told.take()
    assert "canary" not in line


def test_the_place_is_the_innermost(told: Told) -> None:
    """A fault inside a library is told with the library's file, by its bare name."""
    with guard("reading a request"):
        json.loads(CANARY)
    (line,) = told.take()
    assert "failed (JSONDecodeError at decoder.py:" in line
    assert "canary" not in line


def test_an_error_that_was_never_raised_can_be_told(told: Told) -> None:
    """Then its place is not known."""
    tell("exporting", OSError(CANARY))
    (line,) = told.take()
    assert line.startswith("Exporting failed (OSError at an unknown place): ")
