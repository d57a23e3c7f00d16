"""Time limits that a signal handler raises while our code runs, at any line of it."""

from __future__ import annotations

import gc
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import litellm
import pytest
from opentelemetry.context import attach, get_current

import agentops_otel_litellm
from agentops_otel_litellm.invocation.invocation import Invocation
from support.apps import MESSAGES
from support.recorder import Recorder

OURS = str(Path(agentops_otel_litellm.__file__).parent)
LITELLMS = str(Path(litellm.__file__).parent)
PASSING_ON = {"traced", "start_call", "begin"}
"""Functions of ours of which one line hands on what records the call."""
FINALIZERS = {"__del__", "drop_stream", "_release_stream"}
"""Functions of ours that run when an object is collected: Python prints what is raised there, and goes on."""
LEAVING = {"_next", "leave"}
"""Functions of ours that restore the context while another exception is handled, such as the end of a stream. A limit
in one of their few lines before that leaves the context as it is; there is nobody left to restore it.
"""
EVERY = 11
"""Each so-many-th line of ours is interrupted."""
pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows lacks the signal"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # of finalizers
]


class TimeLimit(Exception):  # noqa: N818 - as Celery's `SoftTimeLimitExceeded`
    """What the application's signal handler raises."""


def time_is_up(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise TimeLimit


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    before, tracing = signal.signal(signal.SIGUSR1, time_is_up), sys.gettrace()
    yield
    sys.settrace(tracing)
    signal.signal(signal.SIGUSR1, before)


class Interruption:
    """Sends the signal when so many lines of ours have run."""

    def __init__(self, after: int | None = None) -> None:
        self.lines = 0
        self.place = self.function = ""
        self.beneath_litellm = False
        """Whether LiteLLM's code is what gets the exception, which it may swallow or make another of."""
        self.has_begun = False
        """Whether a call has begun to be recorded; before, the limit is one that is up before the call."""
        self._after = after

    def __call__(self, frame: FrameType, _event: str, _arg: object) -> Any:  # noqa: ANN401 - a trace function's
        return self._line if frame.f_code.co_filename.startswith(OURS) else None

    def _line(self, frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 - (the same)
        if event == "line":
            self.lines += 1
            self.has_begun |= frame.f_code is Invocation.__init__.__code__
            if self.lines == self._after:
                sys.settrace(None)
                self.function = frame.f_code.co_name
                self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
                self.beneath_litellm = self._is_beneath_litellm(frame)
                signal.raise_signal(signal.SIGUSR1)
        return self._line

    @staticmethod
    def _is_beneath_litellm(frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code.co_filename.startswith(LITELLMS):
                return True
            frame = frame.f_back
        return False


def plain() -> object:
    return litellm.completion("openai/gpt-4o", MESSAGES, mock_response="hello")


def streamed() -> object:
    return list(litellm.completion("openai/gpt-4o", MESSAGES, mock_response="hello there", stream=True))


def traced(call: Callable[[], object], after: int | None) -> tuple[Interruption, str]:
    """Run the call; what interrupted it, and the exception that the application got."""
    interruption = Interruption(after)
    sys.settrace(interruption)
    try:
        call()
    except Exception as error:  # noqa: BLE001 - LiteLLM may make any of it
        return interruption, type(error).__name__
    finally:
        sys.settrace(None)
    return interruption, ""


@pytest.mark.parametrize("call", [plain, streamed])
def test_a_time_limit_reaches_the_application(call: Callable[[], object], telemetry: Recorder) -> None:
    """It is never lost to us, the call is recorded once, and the application is left in its own context."""
    for _ in range(3):
        call()
    lines = traced(call, None)[0].lines
    lost, unrecorded, strayed, outcomes = [], [], [], Counter[str]()
    for after in range(1, lines, EVERY):
        telemetry.forget()
        before = get_current()
        interruption, raised = traced(call, after)
        outcomes[raised] += 1
        if (
            raised != "TimeLimit"
            and interruption.place
            and not interruption.beneath_litellm
            and interruption.function not in FINALIZERS
        ):
            lost.append((interruption.place, raised))
        if get_current() != before:
            attach(before)
            if interruption.function not in LEAVING:
                strayed.append(interruption.place)
        if not telemetry.spans():
            gc.collect()  # the exception's traceback can be in a cycle with the stream, which ends when it is collected
        spans = telemetry.spans()
        if len(spans) != 1 and interruption.has_begun and interruption.function not in PASSING_ON:
            unrecorded.append((interruption.place, len(spans)))
    assert outcomes["TimeLimit"] > lines / EVERY / 4
    assert lost == []
    assert Counter(strayed) == Counter()
    assert Counter(unrecorded) == Counter()
