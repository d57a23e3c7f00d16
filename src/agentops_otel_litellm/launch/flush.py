"""Sending out what has ended now, for processes that are frozen or killed where others would come to it later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from threading import RLock
from time import monotonic

from agentops_otel_litellm.background import Reached, start_thread
from agentops_otel_litellm.destinations import sends_to_agentops
from agentops_otel_litellm.exporters.delivery import live_exporters
from agentops_otel_litellm.exporters.failures import EXPORT_FAILURES
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.instrumentor import LiteLLMInstrumentor
from agentops_otel_litellm.launch.defaults import DEFAULTS
from agentops_otel_litellm.launch.providers import SIGNALS
from agentops_otel_litellm.open_streams import OPEN_STREAMS
from agentops_otel_litellm.settings import Settings

TIMEOUT = 5.0
OTLP_TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT"


def flush(timeout: float = TIMEOUT) -> bool:
    """Send out what has ended: spans, metrics and events of the app's and ours, and of open streams how many there are.

    Takes no more than `timeout` seconds, but as long as exporters do where no thread can be started, as while Python
    3.12 exits; what has not gone out by then still may, later. Blocks this thread: in an event loop,
    `await asyncio.to_thread(flush)`.

    Returns whether all that ended since the last time was delivered, as far as exporters tell: those of a provider of
    the app's own may not. What waits for AgentOps since earlier is tried again, and counts. Never raises.
    """
    with guard("flushing"):
        return _FLUSHES.flush(monotonic() + timeout)
    return False


def time_limit(environment: Mapping[str, str]) -> float:
    """Seconds for which the end of a process may wait for a flush: as long as one export may take."""
    settings = Settings.from_environment(environment)
    try:
        limit = float(environment.get(OTLP_TIMEOUT) or DEFAULTS[OTLP_TIMEOUT].values[0])
    except ValueError:  # the SDK reports it
        limit = float(DEFAULTS[OTLP_TIMEOUT].values[0])
    return max(limit, settings.max_wait_time / 1_000) if sends_to_agentops(environment) else limit


def flush_before_end(timeout: float) -> None:
    """Deliver everything, open streams included, before the process ends; on a thread of its own, because the code that
    a signal handler interrupts may hold locks that are needed. Returns after `timeout` seconds at the latest.
    """
    is_over = Reached()

    def deliver() -> None:
        try:
            with guard("flushing before the process ends"):
                OPEN_STREAMS.close()
                flush(timeout)
        finally:
            is_over.set()

    with suppress(RuntimeError):  # the interpreter exits, and starts no more threads
        start_thread(deliver, "agentops-flush")
        is_over.wait(timeout)


class _Flush:
    """One provider's, or one exporter's. The SDK's takes as long as its exporters do, whatever timeout it is given."""

    def __init__(self, provider: object, deadline: float) -> None:
        self.provider = provider
        self.all_out = False
        self._deadline = deadline
        self._is_over = Reached()
        self._context = copy_context()  # by which notebooks know the cell that something printed belongs to

    def run(self) -> None:
        # The meters' raises where a reader fails or takes too long; exporters log their own failures.
        try:
            with suppress(Exception):
                self.all_out = self._context.run(self._force_flush)
        finally:
            self._is_over.set()

    def _force_flush(self) -> bool:
        force_flush = getattr(self.provider, "force_flush", None)
        return force_flush is None or force_flush(timeout_millis=int(_left(self._deadline) * 1_000)) is not False

    def begin(self) -> None:
        try:
            start_thread(self.run, "agentops-flush")
        except RuntimeError:  # the interpreter exits, and starts no more threads
            self.run()

    def is_over_by(self, deadline: float) -> bool:
        """Wait until it is over, or until the deadline; whether it is."""
        return self._is_over.wait(_left(deadline))


class _Flushes:
    """Those that took longer than their callers could wait: no more are begun of such a provider until they end."""

    def __init__(self) -> None:
        self.renew()
        FORK.renews("flush", self.renew)

    def renew(self) -> None:
        """After a fork: none of the parent's go on here."""
        self._lock = RLock()  # entered again where a signal handler flushes
        self._late: Sequence[_Flush] = ()

    def flush(self, deadline: float) -> bool:
        OPEN_STREAMS.settle(_left(deadline))
        for late in self._late:
            late.is_over_by(deadline)
        of_providers = self._flush_each(_providers(), deadline)
        # After those, which hand over what they have: a provider's does not reach what its exporters keep.
        ours = list(live_exporters())
        of_exporters = self._flush_each(ours, deadline)
        failed = EXPORT_FAILURES.take_failure()
        lost = [exporter.new_drops() for exporter in ours]
        return of_providers and of_exporters and not failed and not any(lost)

    def _flush_each(self, providers: Sequence[object], deadline: float) -> bool:
        stuck = [late.provider for late in self._late if not late.is_over_by(0)]
        begun = [_Flush(provider, deadline) for provider in providers if provider not in stuck]
        for flush in begun:
            flush.begin()
        ended = [flush.is_over_by(deadline) for flush in begun]
        with self._lock:
            self._late = [each for each in (*self._late, *begun) if not each.is_over_by(0)]
        return len(begun) == len(providers) and all(ended) and all(flush.all_out for flush in begun)


_FLUSHES = _Flushes()


def _providers() -> list[object]:
    """The global ones, and those that LiteLLM was instrumented with; each once."""
    found = [signal.provider for signal in SIGNALS]
    return list({id(each): each for each in (*found, *LiteLLMInstrumentor().providers) if each is not None}.values())


def _left(deadline: float) -> float:
    """Seconds until then."""
    return max(0.0, deadline - monotonic())
