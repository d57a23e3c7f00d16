"""Sending out what has ended now, for processes that are frozen or killed where others would come to it later."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from threading import RLock, Thread
from time import monotonic

from agentops_otel_litellm.exporters.delivery import live_exporters
from agentops_otel_litellm.exporters.failures import EXPORT_FAILURES
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.instrumentor import LiteLLMInstrumentor
from agentops_otel_litellm.launch.providers import SIGNALS
from agentops_otel_litellm.open_streams import OPEN_STREAMS

TIMEOUT = 5.0


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


class _Flush(Thread):
    """One provider's, or one exporter's. The SDK's takes as long as its exporters do, whatever timeout it is given."""

    def __init__(self, provider: object, deadline: float) -> None:
        super().__init__(name="agentops-flush", daemon=True)
        self.provider = provider
        self.all_out = False
        self._deadline = deadline
        self._context = copy_context()  # by which notebooks know the cell that something printed belongs to

    def run(self) -> None:
        # The meters' raises where a reader fails or takes too long; exporters log their own failures.
        with suppress(Exception):
            self.all_out = self._context.run(self._force_flush)

    def _force_flush(self) -> bool:
        force_flush = getattr(self.provider, "force_flush", None)
        return force_flush is None or force_flush(timeout_millis=int(_left(self._deadline) * 1_000)) is not False

    def begin(self) -> None:
        try:
            self.start()
        except RuntimeError:  # the interpreter exits, and starts no more threads
            self.run()

    def ended(self) -> bool:
        """Whether it has by the deadline."""
        if self.ident is not None:
            self.join(_left(self._deadline))
        return not self.is_alive()


class _Flushes:
    """Those that took longer than their callers could wait: no more are begun of such a provider until they end."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        self._lock = RLock()  # entered again where a signal handler flushes
        self._late: Sequence[_Flush] = ()

    def flush(self, deadline: float) -> bool:
        OPEN_STREAMS.settle(_left(deadline))
        for late in self._late:
            late.join(_left(deadline))
        of_providers = self._flush_each(_providers(), deadline)
        # After those, which hand over what they have: a provider's does not reach what its exporters keep.
        ours = list(live_exporters())
        of_exporters = self._flush_each(ours, deadline)
        failed = EXPORT_FAILURES.take_failure()
        lost = [exporter.take_loss() for exporter in ours]
        return of_providers and of_exporters and not failed and not any(lost)

    def _flush_each(self, providers: Sequence[object], deadline: float) -> bool:
        stuck = [late.provider for late in self._late if late.is_alive()]
        begun = [_Flush(provider, deadline) for provider in providers if provider not in stuck]
        for flush in begun:
            flush.begin()
        ended = [flush.ended() for flush in begun]
        with self._lock:
            self._late = [each for each in (*self._late, *begun) if each.is_alive()]
        return len(begun) == len(providers) and all(ended) and all(flush.all_out for flush in begun)


_FLUSHES = _Flushes()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_FLUSHES.after_fork)


def _providers() -> list[object]:
    """The global ones, and those that LiteLLM was instrumented with; each once."""
    found = [signal.provider for signal in SIGNALS]
    return list({id(each): each for each in (*found, *LiteLLMInstrumentor().providers) if each is not None}.values())


def _left(deadline: float) -> float:
    """Seconds until then."""
    return max(0.0, deadline - monotonic())
