"""`init()` and `flush()`, which applications call.

`init()` sets OpenTelemetry up in a running process, as the launcher `opentelemetry-instrument` does for a program.

`flush()` exports finished telemetry now, for processes that may be frozen or killed before the next periodic export. It
returns whether that succeeded. The SDK's batch processors discard the results of their exporters, so the configurator
replaces each exporter class by a subclass that records failures in `EXPORT_FAILURES`.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import update_wrapper, wraps
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import resolve_name
from threading import RLock, current_thread, main_thread
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import agentops_otel_litellm.settings.usable_environment  # noqa: F401 - OpenTelemetry reads variables on import

# isort: split
import wrapt
from opentelemetry.context import Context, attach
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Span,
    SpanContext,
    Status,
    StatusCode,
    get_tracer,
    set_span_in_context,
)

from agentops_otel_litellm.background import OPEN_STREAMS, ReentrantEvent, start_thread
from agentops_otel_litellm.exporters.delivery import DELIVERY, SIGNALS, TRACES, live_exporters
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.instrumentor import LiteLLMInstrumentor
from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.settings import Settings, sdk_is_disabled
from agentops_otel_litellm.settings.destinations import sends_to_agentops
from agentops_otel_litellm.settings.parsing import FIRST_PROCESS
from agentops_otel_litellm.version import SCOPE, __version__

if TYPE_CHECKING:
    from agentops_otel_litellm.sdk.distro import AgentOpsConfigurator, AgentOpsDistro

    _SpanProxy = wrapt.ObjectProxy[Span]
else:
    _SpanProxy = wrapt.ObjectProxy  # not generic before wrapt 2

# --- init() -----------------------------------------------------------------------------------------------


DISTRO = "OTEL_PYTHON_DISTRO"
NAME = "agentops"
"""The name of this package's distro."""
_DISTRO_MODULE = "agentops_otel_litellm.sdk.distro"


def init() -> None:
    """Set up OpenTelemetry and instrument the installed packages, as `opentelemetry-instrument` does for a program.

    Call it before or after `import litellm`, on any thread. Further calls have no effect, and neither has any call
    under the launcher `opentelemetry-instrument`. The settings are environment variables, which this call reads; it
    logs a warning for invalid values. Tracer, meter and logger providers that the application has already set are kept.
    """
    _LAUNCH.once()
    RUN_SESSION.start()


class _Launch:
    """Sets OpenTelemetry up, once in each process."""

    def __init__(self) -> None:
        self._done = False
        self.renew()
        FORK.register("init", self.renew)

    def renew(self) -> None:
        """In a forked process, keep a complete set-up, and forget an incomplete one on a thread of the parent."""
        self._lock = RLock()
        self._doing = False

    def once(self) -> None:
        """Set OpenTelemetry up, unless that was done before in this process."""
        # A second thread waits for the set-up. A call on this thread, by code that the set-up imports, returns at once.
        with self._lock:
            if self._done or self._doing or sdk_is_disabled() or _is_all_set_up():
                return
            self._doing = True
            try:
                with guard("setting up OpenTelemetry"), _restored_environment():
                    _initialize()
            finally:
                self._doing, self._done = False, True


_LAUNCH = _Launch()


def _is_all_set_up() -> bool:
    """Whether all providers are set and LiteLLM is instrumented, for example by the launcher."""
    has_providers = all(signal.provider is not None for signal in SIGNALS)
    return has_providers and LiteLLMInstrumentor().is_instrumented_by_opentelemetry


def _initialize() -> None:
    """Set OpenTelemetry up, as the launcher does. If the entry points of this package are missing, as in a frozen
    program without the metadata of packages, its distro, configurator and instrumentor are imported directly.
    """
    os.environ[DISTRO] = os.environ.get(DISTRO) or DEFAULTS[DISTRO].values[0]
    if os.environ[DISTRO] != NAME or entry_points(group="opentelemetry_distro", name=NAME):
        from opentelemetry.instrumentation.auto_instrumentation import initialize

        initialize()
        return
    # By name, because that module imports this one. Tools that freeze programs follow the import for type checkers.
    distro: type[AgentOpsDistro] = resolve_name(f"{_DISTRO_MODULE}:AgentOpsDistro")
    configurator: type[AgentOpsConfigurator] = resolve_name(f"{_DISTRO_MODULE}:AgentOpsConfigurator")
    distro().configure()
    configurator().configure()  # type: ignore[no-untyped-call]  # untyped upstream
    LiteLLMInstrumentor().instrument(skip_dep_check=True)


@contextmanager
def _restored_environment() -> Iterator[None]:
    """Remove the environment variables that the block adds. The distro sets defaults as environment variables, which
    programs that the application starts later must not inherit.
    """
    before = {name: value for name, value in os.environ.items() if _is_ours_to_set(name)}
    try:
        yield
    finally:
        for name in [name for name in os.environ if _is_ours_to_set(name) and not before.get(name)]:
            del os.environ[name]
            os.environ.update({name: before[name]} if name in before else {})


def _is_ours_to_set(name: str) -> bool:
    """Whether the distro may set the variable."""
    return name.startswith("OTEL_") or name == FIRST_PROCESS


# --- the run as one session -------------------------------------------------------------------------------


class _Current(_SpanProxy):
    """The session's span as the current span of the application. After its end, new spans are not its children."""

    def get_span_context(self) -> SpanContext:
        span: Span = self.__wrapped__
        return span.get_span_context() if span.is_recording() else INVALID_SPAN_CONTEXT


class RunSession:
    """The root span of a run, if AGENTOPS_AUTO_START_SESSION is true. It begins with the program or with `init()`, and
    ends with `flush()` or with the process. Its status is an error if an exception, a signal or an exit code other than
    0 has ended the program.
    """

    def __init__(self) -> None:
        self._span: Span | None = None
        self._name: str | None = None
        self._error: str | None = None
        self._observes_exit = False
        FORK.register("session", self.leave_to_parent)

    def leave_to_parent(self) -> None:
        """In a forked process, do not end the span. The process's own spans are its children."""
        self._span = None

    def start(self) -> None:
        """Start the span if the user wants it and it is not open."""
        with guard("starting the session of the run"):
            settings = Settings.from_environment()
            if self._span is not None or not settings.auto_start_session or TRACES.provider is None:
                return
            name = settings.trace_name or _program()
            attributes = {"agentops.span.kind": "session"}
            span = get_tracer(f"{SCOPE}.sdk", __version__).start_span(name, Context(), attributes=attributes)
            if not span.is_recording():
                return
            self._span, self._name, self._error = span, settings.trace_name, None
            current = cast("Span", _Current(span))
            DELIVERY.session = current
            attach(set_span_in_context(current))
            self._observe_exit()

    def end(self) -> None:
        """End the span if it is open."""
        span, self._span, DELIVERY.session = self._span, None, None
        if span is not None:
            with guard("ending the session of the run"):
                span.update_name(self._name or _program())  # Python knows the program after the launcher has started
                if self._error is not None:
                    span.set_status(Status(StatusCode.ERROR, self._error))
                span.end()

    def fail(self, error: str) -> None:
        """Set why the run has failed, before it ends."""
        self._error = error

    def _observe_exit(self) -> None:
        """Arrange that the span ends with the process, and that an exception or `sys.exit` sets its status. Python has
        no other way to find out how a program ends.
        """
        if self._observes_exit:
            return
        self._observes_exit = True
        atexit.register(self.end)  # before the handlers that were registered earlier, which shut the providers down
        print_exception, exit_program = sys.excepthook, sys.exit

        @wraps(print_exception)
        def excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
            self.fail(kind.__name__)
            print_exception(kind, error, traceback)

        @wraps(exit_program)
        def exit_(status: Any = None, /) -> NoReturn:  # noqa: ANN401 - Python's
            if status is not None and status != 0 and current_thread() is main_thread():
                self.fail(f"exit code {status}" if isinstance(status, int) else "exit code 1")
            exit_program(status)

        sys.excepthook, sys.exit = excepthook, exit_


def _program() -> str:
    """The name of the running program, such as `app.py`; `run` if it has none."""
    path = Path(next(iter(getattr(sys, "argv", None) or ()), ""))
    name = path.parent.name if path.name == "__main__.py" else path.name
    return "run" if name in {"", "-c", "-m"} else name


RUN_SESSION = RunSession()

# --- flush() ----------------------------------------------------------------------------------------------


# isort: split

TIMEOUT = 5.0
OTLP_TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT"

Exporter = TypeVar("Exporter", bound="type[Any]")


def flush(timeout: float = TIMEOUT) -> bool:
    """Export all finished spans, metrics and events of the process, including those of other instrumentations.

    The call blocks its thread for at most `timeout` seconds. In an event loop, use `await asyncio.to_thread(flush)`. An
    export that is still running after the timeout continues. If no thread can be started, as at the exit of Python
    3.12, the timeout has no effect.

    Returns whether everything was delivered, as far as that is known: failures of exporters that the application has
    added itself may be unknown. Spans that could not be sent to AgentOps earlier are sent again. Never raises.
    """
    with guard("flushing"):
        RUN_SESSION.end()
        return _FLUSHES.flush(monotonic() + timeout)
    return False


def time_limit(settings: Settings, environment: Mapping[str, str]) -> float:
    """Maximum seconds for which the end of a process waits for a flush: the maximum duration of one export."""
    try:
        limit = float(environment.get(OTLP_TIMEOUT) or DEFAULTS[OTLP_TIMEOUT].values[0])
    except ValueError:  # an invalid value, for which the SDK logs an error
        limit = float(DEFAULTS[OTLP_TIMEOUT].values[0])
    return max(limit, settings.max_wait_time / 1_000) if sends_to_agentops(environment) else limit


def flush_before_end(timeout: float) -> None:
    """End open streams and export everything, in at most `timeout` seconds, before the process ends.

    A signal handler may call this. The code that the signal has interrupted can hold locks that an export needs, so the
    export runs on a new thread. If no thread can be started, nothing is exported.
    """
    is_over = ReentrantEvent()

    def deliver() -> None:
        try:
            with guard("flushing before the process ends"):
                OPEN_STREAMS.close()
                flush(timeout)
        finally:
            is_over.set()

    with suppress(RuntimeError):  # no thread can be started, because the interpreter exits
        start_thread(deliver, "agentops-flush")
        is_over.wait(timeout)


class _Flush:
    """A flush of one provider or exporter, on its own thread, because the SDK's providers ignore the timeout."""

    def __init__(self, provider: object, deadline: float) -> None:
        self.provider = provider
        self.is_delivered = False
        self._deadline = deadline
        self._is_over = ReentrantEvent()
        self._context = copy_context()  # by the context, a notebook finds the cell under which it shows printed lines

    def run(self) -> None:
        try:
            with suppress(Exception):  # the meter provider raises if an export fails, which the exporter has logged
                self.is_delivered = self._context.run(self._force_flush)
        finally:
            self._is_over.set()

    def _force_flush(self) -> bool:
        force_flush = getattr(self.provider, "force_flush", None)
        return force_flush is None or force_flush(timeout_millis=int(_left(self._deadline) * 1_000)) is not False

    def begin(self) -> None:
        """Start the flush on a thread, or run it here if no thread can be started."""
        try:
            start_thread(self.run, "agentops-flush")
        except RuntimeError:  # no thread can be started, because the interpreter exits
            self.run()

    def is_over_by(self, deadline: float) -> bool:
        """Wait until the flush is over, at most until the deadline. Returns whether it is over."""
        return self._is_over.wait(_left(deadline))


class _Flushes:
    """Flushes all providers. It keeps the flushes that are still running after their deadline, so that a provider is
    not flushed again before its last flush is over.
    """

    def __init__(self) -> None:
        self.renew()
        FORK.register("flush", self.renew)

    def renew(self) -> None:
        """In a forked process, forget running flushes, which continue in the parent only."""
        self._lock = RLock()  # re-entrant: a signal handler that flushes may interrupt a flush
        self._late: Sequence[_Flush] = ()

    def flush(self, deadline: float) -> bool:
        """Flush all providers and AgentOps exporters. Returns whether everything was delivered by the deadline."""
        OPEN_STREAMS.settle(_left(deadline))
        for late in self._late:
            late.is_over_by(deadline)
        of_providers = self._flush_each(_providers(), deadline)
        # After the providers, whose flush passes their spans to the queues of these exporters.
        exporters = list(live_exporters())
        of_exporters = self._flush_each(exporters, deadline)
        failed = EXPORT_FAILURES.take_failure()
        lost = [exporter.new_drops() for exporter in exporters]
        return of_providers and of_exporters and not failed and not any(lost)

    def _flush_each(self, providers: Sequence[object], deadline: float) -> bool:
        """Flush these providers at the same time. Returns whether all of them succeed by the deadline."""
        stuck = [late.provider for late in self._late if not late.is_over_by(0)]
        begun = [_Flush(provider, deadline) for provider in providers if provider not in stuck]
        for flush in begun:
            flush.begin()
        ended = [flush.is_over_by(deadline) for flush in begun]
        with self._lock:
            self._late = [each for each in (*self._late, *begun) if not each.is_over_by(0)]
        return len(begun) == len(providers) and all(ended) and all(flush.is_delivered for flush in begun)


_FLUSHES = _Flushes()


def _providers() -> list[object]:
    """The global providers, and the providers that were passed to the instrumentor, without duplicates."""
    found = [signal.provider for signal in SIGNALS]
    return list({id(each): each for each in (*found, *LiteLLMInstrumentor().providers) if each is not None}.values())


def _left(deadline: float) -> float:
    """Seconds until the deadline."""
    return max(0.0, deadline - monotonic())


class ExportFailures:
    """Remembers whether an export has failed in this process since the last call of `take_failure`."""

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=1)  # its methods are atomic, so no lock is needed
        FORK.register("export errors", self.take_failure)

    def record_failure(self) -> None:
        self._failed.append(True)

    def take_failure(self) -> bool:
        """Whether an export has failed since the last call of this method."""
        try:
            return self._failed.pop()
        except IndexError:
            return False


EXPORT_FAILURES = ExportFailures()


def recording_failures(exporter: Exporter) -> Exporter:
    """Return a subclass of an exporter class that records failed exports. A class without a method `export`, such as a
    metric reader, is returned unchanged.
    """
    if not hasattr(exporter, "export"):
        return exporter

    class RecordingFailures(exporter):  # type: ignore[misc,valid-type]  # any exporter class
        """Records each export that fails."""

        def export(self, *batch: object, **options: object) -> object:
            try:
                result = super().export(*batch, **options)
            except BaseException:
                EXPORT_FAILURES.record_failure()
                raise
            if getattr(result, "name", None) == "FAILURE":
                EXPORT_FAILURES.record_failure()
            return result

    update_wrapper(RecordingFailures, exporter, updated=())
    return RecordingFailures  # type: ignore[return-value]  # a subclass of `exporter`
