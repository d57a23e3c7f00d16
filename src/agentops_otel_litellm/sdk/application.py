"""`init()` and `flush()`, which applications call.

`init()` does in a running process what `opentelemetry-instrument` does for a program.

`flush()` exports finished telemetry now, for processes that can be frozen or killed before the next periodic export.
Its result includes failed exports. The SDK's batch processors discard the results of their exporters, so the
configurator replaces each exporter class by a subclass that records failures in `EXPORT_FAILURES`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import update_wrapper
from threading import RLock
from time import monotonic
from typing import Any, TypeVar

import agentops_otel_litellm.settings.usable_environment  # noqa: F401 - OpenTelemetry reads variables on import

# isort: split
from agentops_otel_litellm.background import OPEN_STREAMS, ReentrantEvent, start_thread
from agentops_otel_litellm.exporters.delivery import SIGNALS, live_exporters
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.instrumentor import LiteLLMInstrumentor
from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.settings import Settings, sdk_is_disabled
from agentops_otel_litellm.settings.destinations import sends_to_agentops
from agentops_otel_litellm.settings.parsing import FIRST_PROCESS

# --- init() -----------------------------------------------------------------------------------------------


DISTRO = "OTEL_PYTHON_DISTRO"


def init() -> None:
    """Set up OpenTelemetry and instrument the installed packages, as `opentelemetry-instrument` does for a program.

    Call it before or after `import litellm`, on any thread. Only the first call has an effect, and none under the
    launcher. The settings are environment variables, which are read by this call; invalid ones are logged. Tracer,
    meter and logger providers that the application has set before are used.
    """
    _LAUNCH.once()


class _Launch:
    """Sets OpenTelemetry up, once in each process."""

    def __init__(self) -> None:
        self._done = False
        self.renew()
        FORK.register("init", self.renew)

    def renew(self) -> None:
        """After a fork, keep a complete set-up. Start again if a different thread was setting OpenTelemetry up."""
        self._lock = RLock()
        self._doing = False

    def once(self) -> None:
        """Set OpenTelemetry up, unless that was done before in this process."""
        with self._lock:  # a second thread waits for the set-up; a nested call on the same thread returns at once
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
    from opentelemetry.instrumentation.auto_instrumentation import initialize

    os.environ[DISTRO] = os.environ.get(DISTRO) or DEFAULTS[DISTRO].values[0]
    initialize()


@contextmanager
def _restored_environment() -> Iterator[None]:
    """Restore the environment variables after the block. The distro sets defaults as environment variables, which
    programs that this process starts must not inherit.
    """
    before = {name: value for name, value in os.environ.items() if _is_ours_to_set(name)}
    try:
        yield
    finally:
        for name in [name for name in os.environ if _is_ours_to_set(name) and not before.get(name)]:
            del os.environ[name]
            os.environ.update({name: before[name]} if name in before else {})


def _is_ours_to_set(name: str) -> bool:
    return name.startswith("OTEL_") or name == FIRST_PROCESS


# --- flush() ----------------------------------------------------------------------------------------------


# isort: split

TIMEOUT = 5.0
OTLP_TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT"

Exporter = TypeVar("Exporter", bound="type[Any]")


def flush(timeout: float = TIMEOUT) -> bool:
    """Export finished spans, metrics and events of the process, the application's own included.

    The call takes at most `timeout` seconds. If no thread can be started, as during the exit of Python 3.12, it takes
    as long as the exporters take. An export that is still running after the timeout continues. The call blocks the
    thread: in an event loop, use `await asyncio.to_thread(flush)`.

    Returns whether everything was delivered. A failure of the application's own exporters may be unknown. Spans that an
    earlier export to AgentOps could not deliver are sent again; if that fails, the result is false. Never raises.
    """
    with guard("flushing"):
        return _FLUSHES.flush(monotonic() + timeout)
    return False


def time_limit(settings: Settings, environment: Mapping[str, str]) -> float:
    """Seconds for which the end of a process may wait for a flush: as long as one export may take."""
    try:
        limit = float(environment.get(OTLP_TIMEOUT) or DEFAULTS[OTLP_TIMEOUT].values[0])
    except ValueError:  # the SDK reports it
        limit = float(DEFAULTS[OTLP_TIMEOUT].values[0])
    return max(limit, settings.max_wait_time / 1_000) if sends_to_agentops(environment) else limit


def flush_before_end(timeout: float) -> None:
    """End open streams and export everything, for at most `timeout` seconds.

    This runs on a separate thread, because the code that a signal handler interrupts can own locks that an export
    needs. If no thread can be started, nothing is exported here.
    """
    is_over = ReentrantEvent()

    def deliver() -> None:
        try:
            with guard("flushing before the process ends"):
                OPEN_STREAMS.close()
                flush(timeout)
        finally:
            is_over.set()

    with suppress(RuntimeError):  # the interpreter exits and starts no threads
        start_thread(deliver, "agentops-flush")
        is_over.wait(timeout)


class _Flush:
    """A flush of one provider or exporter. The SDK's providers ignore the timeout: their exporters set the duration."""

    def __init__(self, provider: object, deadline: float) -> None:
        self.provider = provider
        self.is_delivered = False
        self._deadline = deadline
        self._is_over = ReentrantEvent()
        self._context = copy_context()  # a notebook shows printed lines in the cell of this context

    def run(self) -> None:
        # The meter provider raises if a reader fails or takes too long. Exporters log their own failures.
        try:
            with suppress(Exception):
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
        except RuntimeError:  # the interpreter exits and starts no threads
            self.run()

    def is_over_by(self, deadline: float) -> bool:
        """Wait until the flush is over, at most until the deadline. Returns whether it is over."""
        return self._is_over.wait(_left(deadline))


class _Flushes:
    """Flushes all providers, and keeps the flushes that exceeded their deadline: a provider is not flushed again
    before its last flush is over.
    """

    def __init__(self) -> None:
        self.renew()
        FORK.register("flush", self.renew)

    def renew(self) -> None:
        """After a fork: flushes of the parent do not continue in the child."""
        self._lock = RLock()  # re-entrant, because a signal handler can flush
        self._late: Sequence[_Flush] = ()

    def flush(self, deadline: float) -> bool:
        """Flush all providers and AgentOps exporters, and return whether everything was delivered by the deadline."""
        OPEN_STREAMS.settle(_left(deadline))
        for late in self._late:
            late.is_over_by(deadline)
        of_providers = self._flush_each(_providers(), deadline)
        # Afterwards, because a flush of a provider does not include the queues of its exporters.
        exporters = list(live_exporters())
        of_exporters = self._flush_each(exporters, deadline)
        failed = EXPORT_FAILURES.take_failure()
        lost = [exporter.new_drops() for exporter in exporters]
        return of_providers and of_exporters and not failed and not any(lost)

    def _flush_each(self, providers: Sequence[object], deadline: float) -> bool:
        """Flush these providers at the same time, and return whether all of them succeed by the deadline."""
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
    """The global providers and the providers of the instrumented LiteLLM, without duplicates."""
    found = [signal.provider for signal in SIGNALS]
    return list({id(each): each for each in (*found, *LiteLLMInstrumentor().providers) if each is not None}.values())


def _left(deadline: float) -> float:
    """Seconds until the deadline."""
    return max(0.0, deadline - monotonic())


class ExportFailures:
    """Whether an export has failed in this process since the last query."""

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=1)  # each of its methods is atomic
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
    """Return a subclass of an exporter class that records failed exports. Classes of metric readers are returned as
    they are.
    """
    if not hasattr(exporter, "export"):
        return exporter

    class RecordingFailures(exporter):  # type: ignore[misc,valid-type]  # whichever it is
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
    return RecordingFailures  # type: ignore[return-value]  # a subclass of the same exporter
