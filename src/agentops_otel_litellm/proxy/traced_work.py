"""The mechanism that records work around calls: a function of LiteLLM is wrapped, and each of its calls is a span.

A kind of work is a `WorkPoint`: a function that reads LiteLLM's arguments when the work starts, and one that reads its
outcome when the work ends. Its wrapper is the entry point of rows in `patching/patch_points.py`:

    trace_lookup = traced_work("recording a cache look-up", start_lookup, end_lookup)

The span begins when LiteLLM's function is called, and ends when it returns or raises. Meanwhile it is the current span.
Nothing that LiteLLM's function receives, returns or raises is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING

from opentelemetry.context import Context, create_key
from opentelemetry.trace import get_current_span, set_span_in_context

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import log_fault
from agentops_otel_litellm.invocation.context import attach, detach, get_current, is_suppressed
from agentops_otel_litellm.operations import by_name, parameter_names
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.patching.wrapping import wrapped_around
from agentops_otel_litellm.processors.errors import categorise
from agentops_otel_litellm.work import Work

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.trace import Span

    from agentops_otel_litellm.call import Failure
    from agentops_otel_litellm.patching.wrapping import Function, Outcome, Wrapper
    from agentops_otel_litellm.telemetry import Telemetry

Arguments = Mapping[str, object]
"""The arguments of LiteLLM's function by the names of its parameters, without those that were not passed."""
Start = Callable[[Arguments], "Work | None"]
"""Reads the work that starts. It returns `None` if there is nothing to record."""
End = Callable[[Work, object, "BaseException | None"], Work]
"""Reads the outcome of the work: its result, or its exception. It returns the work with the facts that it has read."""
Subject = Callable[[Arguments], object]

_WORK = create_key("agentops_otel_litellm.work")


def unchanged(work: Work, _result: object, _error: BaseException | None) -> Work:
    """Return the work as it was: its outcome has no facts of its own."""
    return work


def no_subject(_arguments: Arguments) -> object:
    """Return `None`: the work has no object of LiteLLM by which other hooks find it."""
    return None


class WorkInProgress:
    """Work whose span is open. Hooks within it may add facts, by setting `work`."""

    __slots__ = ("_context", "_end", "_outer", "_span", "_started", "_telemetry", "_token", "subject", "work")

    def __init__(self, telemetry: Telemetry, work: Work, end: End, subject: object, *, is_current: bool) -> None:
        outer = get_current()
        self.work, self.subject = work, subject
        self._telemetry, self._end = telemetry, end
        self._started = perf_counter_ns()
        self._outer = outer
        self._span: Span = telemetry.start_work(work, outer)
        self._context: Context | None = None
        self._token: Token[Context] | None = None
        if is_current:
            self._context = Context({**set_span_in_context(self._span, outer), _WORK: self})
            self._token = attach(self._context)

    def end(self, outcome: Outcome) -> None:
        """Restore the context, read the outcome, and end the span."""
        result, error = outcome
        try:
            if self._token is not None:
                self._restore_context()
            work = self.work
            try:
                if self._span.is_recording():
                    if error is not None:
                        work = replace(work, failure=failure_of(error))
                    work = self._end(work, result, error)
            except Exception as fault:  # noqa: BLE001 - must not reach the application
                log_fault("reading the outcome of work around a call", fault)
            ended_at = work.started_at + perf_counter_ns() - self._started
            self._telemetry.finish_work(self._span, replace(work, ended_at=ended_at))
        except Exception as fault:  # noqa: BLE001 - must not reach the application
            log_fault("recording work around a call", fault)
        finally:
            self._context, self._token, self.subject = None, None, None  # a reference cycle otherwise

    def _restore_context(self) -> None:
        """Make the outer span the current one again. Entries that LiteLLM has added to the context are kept."""
        current = get_current()
        if current is self._context and self._token is not None:
            detach(self._token)
        elif current.get(_WORK) is self:
            entries = {**set_span_in_context(get_current_span(self._outer), current), _WORK: self._outer.get(_WORK)}
            attach(Context(entries))


def current_work() -> WorkInProgress | None:
    """The innermost work of which a function of LiteLLM is running; `None` if there is none."""
    work = get_current().get(_WORK)
    return work if isinstance(work, WorkInProgress) and work.subject is not None else None


def failure_of(error: BaseException) -> Failure:
    """The failure of an exception, with its category. The exception's text is not read."""
    return categorise(readers.read_failure(error))


def recording_telemetry() -> Telemetry | None:
    """The telemetry that records, unless instrumentation is suppressed in the current context."""
    telemetry = TRACING.telemetry
    return None if telemetry is None or is_suppressed(get_current()) else telemetry


class _WorkPoint:
    """Wraps functions of LiteLLM for one kind of work. The arguments are those of `traced_work`."""

    def __init__(self, activity: str, start: Start, end: End, subject: Subject, *, is_current: bool) -> None:
        self._activity, self._start, self._end = activity, start, end
        self._subject, self._is_current = subject, is_current

    def wrap(self, function: Function) -> Function:
        """Return the replacement of the function, which is asynchronous if the function is."""
        return wrapped_around(function, partial(self._begin, parameter_names(function)), WorkInProgress.end)

    def _begin(
        self, names: tuple[str, ...], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> WorkInProgress | None:
        """Start the span. Return `None` if the work must not be recorded."""
        try:
            telemetry = recording_telemetry()
            if telemetry is None:
                return None
            arguments = by_name(names, args, kwargs)
            work = self._start(arguments)
            if work is None:
                return None
            return WorkInProgress(telemetry, work, self._end, self._subject(arguments), is_current=self._is_current)
        except Exception as fault:  # noqa: BLE001 - must not reach the application
            log_fault(self._activity, fault)
        return None


def traced_work(
    activity: str,
    start: Start,
    end: End = unchanged,
    *,
    subject: Subject = no_subject,
    is_current: bool = True,
) -> Wrapper:
    """Return a wrapper that records each call of a function as a span.

    `activity` describes the work in the log message if a reader raises. `subject` returns the object of LiteLLM by
    which hooks within the work find it. With `is_current=False`, the span is not the current one while LiteLLM's
    function runs, which is necessary if LiteLLM keeps the current span for later.
    """
    return _WorkPoint(activity, start, end, subject, is_current=is_current).wrap
