"""The AgentOps exporter, which the variables AGENTOPS_* configure. It copies spans, and sends them on its own thread.

`AgentOpsSpanExporter` passes copies of the spans (`agentops_copies.py`) to a `Sender` (`agentops_queue.py`), which
queues them until they are delivered. The sender's thread sends them with `ExportRequests` (`agentops_token.py`), which
adds and renews the token.
"""

from __future__ import annotations

import logging
import os
import sys
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, format_trace_id

from agentops_otel_litellm.exporters.agentops_queue import BROKEN, NO_URL, Consequence, DeliveryError, Sender
from agentops_otel_litellm.exporters.batch_processor import CountingBatchSpanProcessor
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard, ignored_faults
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.parsing import masked

if TYPE_CHECKING:  # imported when the first span is exported, and by the sender's thread, because that takes long
    from agentops_otel_litellm.exporters.agentops_copies import SpanCopies
    from agentops_otel_litellm.exporters.agentops_token import ExportRequests

logger = logging.getLogger(__name__)

COMPONENT = "agentops_span_exporter"
_NUMBERS = count()

_MAX_ERROR_TEXTS = 1_024
_MAX_WAITING = 256
"""Number of Router's calls whose failed calls wait at most."""
_MAX_WAIT = 30.0
"""Seconds after which a failed call of the Router is exported as failed."""
_REMEMBERED = 256
"""Number of traces whose link is known to be printed, so that it is not printed again for a later batch."""


class AgentOpsSpanExporter(SpanExporter):
    """Sends spans to AgentOps. The variables AGENTOPS_* configure it. It works with any span processor.

    Spans that cannot be delivered are queued, up to AGENTOPS_MAX_QUEUE_SIZE, and sent later. Each kind of error is
    logged once. No method takes longer than AGENTOPS_MAX_WAIT_TIME.
    """

    instances: ClassVar[weakref.WeakSet[AgentOpsSpanExporter]] = weakref.WeakSet()
    """The exporters of this process that are not shut down."""

    def __init__(self) -> None:
        self._name = f"{COMPONENT}/{next(_NUMBERS)}"
        self._settings = Settings.from_environment()
        self._time_limit = self._settings.max_wait_time / 1_000
        self._error_texts = ErrorTexts()
        self._attempts: RoutedAttempts | None = None
        self._links = ReplayLinks(self._settings)
        self._logged: set[str] = set()
        self._is_shut_down = False
        self._start()
        self.instances.add(self)
        FORK.register("agentops exporter", self._start_in_child)

    def _start_in_child(self) -> None:
        """In a forked process, start again with an empty queue and new connections: the parent sends its own spans."""
        if not self._is_shut_down:
            self._start()

    @property
    def _is_inherited(self) -> bool:
        """Whether this process was forked by code that bypasses Python's fork hooks, such as a server in C. Then the
        exporter's thread does not run here.
        """
        return self._pid != os.getpid()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._attempts = None
        self._requests: ExportRequests | None = None
        self._sender = Sender(self._send, limit=self._settings.max_queue_size, time_limit=self._time_limit)

    @property
    def last_error(self) -> DeliveryError | None:
        """The error of the latest request; `None` if that was delivered, or if there was no request yet."""
        return self._sender.error

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Queue copies of the spans, and wait until they are sent, unless sending is paused after an error.

        FAILURE means that spans are still queued, or were dropped; `last_error` has the reason.
        """
        delivered = False
        with guard("exporting to AgentOps"):
            if self._is_inherited:
                self._start_in_child()
            if self._attempts is None:
                # Imported here, because it imports the vocabularies, which a program without spans does not need.
                with IMPORTS.delay_forks():
                    from agentops_otel_litellm.exporters.agentops_copies import SpanCopies

                    self._attempts = RoutedAttempts(SpanCopies(self._settings, self._error_texts))
            delivered = self._sender.put(self._attempts.copies(spans))
        if self._sender.has_overflowed:
            self._warn_once(
                "AgentOps cannot be reached, and the queue is full. The oldest spans are dropped. The maximum number "
                f"of queued spans is AGENTOPS_MAX_QUEUE_SIZE ({self._settings.max_queue_size})."
            )
        return SpanExportResult.SUCCESS if delivered else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send the queued spans, even if sending is paused, unless a request has failed within the last second.
        Returns whether the queue is empty.
        """
        if self._is_inherited:
            return True
        self._release_attempts()
        return self._sender.flush(timeout_millis / 1_000)

    def _release_attempts(self) -> None:
        with guard("exporting to AgentOps"):
            late = self._attempts.release() if self._attempts is not None else ()
            if late:
                self._sender.put(late)

    def record_error_text(self, span: SpanContext, error: str) -> None:
        """Remember the provider's error text of a span until it is exported."""
        self._error_texts.record(span, error)

    def new_drops(self) -> int:
        """Return the number of spans that were dropped since the last call."""
        return 0 if self._is_inherited else self._sender.new_drops()

    def observe_with(self, meter: Meter) -> None:
        """Report the numbers of delivered and dropped spans in the metric of the semantic conventions."""
        description = "The number of spans for which the export has finished, either successful or failed."
        meter.create_observable_counter("otel.sdk.exporter.span.exported", [self._observe], "{span}", description)

    def _observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        attributes = {"otel.component.type": COMPONENT, "otel.component.name": self._name}
        return [
            Observation(number, attributes if error is None else {**attributes, "error.type": error})
            for error, number in self._sender.outcomes.items()
            if number
        ]

    def begin_shutdown(self) -> None:
        """Limit the total time of all further exports and of the shutdown to AGENTOPS_MAX_WAIT_TIME."""
        if not self._is_inherited:
            self._sender.limit_waiting()

    def shutdown(self) -> None:
        """Send the queued spans as `force_flush` does, and log how many spans were not delivered."""
        if self._is_shut_down:
            return
        self._is_shut_down = True
        self.instances.discard(self)
        if self._is_inherited:
            return
        self._release_attempts()
        lost = self._sender.close()
        if self._requests is not None:
            self._requests.close()
        if lost:
            _log(logging.WARNING, f"{lost} spans were not delivered to AgentOps.")

    def _send(self, spans: Sequence[ReadableSpan]) -> DeliveryError | None:
        """Send spans. If that fails, log the error and return it. The sender calls this on its thread."""
        error: DeliveryError | None = BROKEN
        # Less than the time limit, so that a thread that waits for the result in `export` receives it in time.
        deadline = monotonic() + 0.9 * self._time_limit
        with guard("sending to AgentOps"):
            if self._requests is None:
                with IMPORTS.delay_forks():
                    from agentops_otel_litellm.exporters.agentops_token import ExportRequests

                    self._requests = ExportRequests(self._settings)
            error = self._requests.send(spans, deadline)
        if error is None:
            if self.last_error is not None:
                _log(logging.INFO, "Spans are sent to AgentOps again.")
            with guard("printing links of traces"):
                self._links.print_links(spans)
        # Not logged here: an invalid URL, which was logged when the settings were read, and a request that was too
        # large, whose spans are now sent in smaller parts.
        elif error is not NO_URL and (error.consequence is not Consequence.SPLIT or len(spans) == 1):
            self._warn_once(str(error), key=error.advice)
        return error

    def _warn_once(self, line: str, key: str | None = None) -> None:
        if (key or line) not in self._logged:
            self._logged.add(key or line)
            _log(logging.WARNING, line)


class AgentOpsSpanProcessor(CountingBatchSpanProcessor):
    """A batch span processor for the AgentOps exporter that shuts down within AGENTOPS_MAX_WAIT_TIME.

    At shutdown, the SDK's processor exports its remaining batches one by one, and each export may take that time. So
    the exporter is made to limit the total time of these exports before the shutdown begins.
    """

    def __init__(self, exporter: AgentOpsSpanExporter, **options: float) -> None:
        super().__init__(exporter, **options)
        self._agentops = exporter

    def observe_with(self, meter: Meter) -> None:
        super().observe_with(meter)
        self._agentops.observe_with(meter)

    def shutdown(self) -> None:
        self._agentops.begin_shutdown()
        super().shutdown()


# --- errors, and failed attempts of the Router --------------------------------------------------------------------


class ErrorTexts:
    """The provider's error texts of calls whose spans are not exported yet. Threads of the application add to them."""

    def __init__(self) -> None:
        self._texts: dict[tuple[int, int], str] = {}
        """Trace id and span id → text. Each operation on it is atomic."""

    def record(self, span: SpanContext, text: str) -> None:
        """Remember a text. If there are many spans that are never exported, the oldest texts are forgotten."""
        self._texts[span.trace_id, span.span_id] = text
        while len(self._texts) > _MAX_ERROR_TEXTS:
            with suppress(StopIteration, RuntimeError):  # another thread has changed the dictionary
                self._texts.pop(next(iter(self._texts)), None)

    def pop(self, span: SpanContext | None) -> str | None:
        """The text of a span; `None` if there is none."""
        return None if span is None else self._texts.pop((span.trace_id, span.span_id), None)


class RoutedAttempts:
    """Delays the spans of failed calls that the Router made, until it is known whether the Router's call succeeds.

    AgentOps displays a whole trace as failed if any of its spans has. So if a retry or a fallback has succeeded, the
    failed call is exported without a status.
    """

    def __init__(self, copies: SpanCopies) -> None:
        self._copies = copies
        self._waiting: dict[tuple[int, int], list[ReadableSpan]] = {}
        """Trace id and span id of a Router's call → its failed calls."""
        self._since = monotonic()

    def copies(self, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
        """Copies of the spans that can be exported now: these, except failed calls of the Router, and those that have
        waited for one of these.
        """
        ready: list[ReadableSpan] = []
        for span in spans:
            if self._copies.is_routed_failure(span) and span.parent is not None:
                if not self._waiting:
                    self._since = monotonic()
                self._waiting.setdefault((span.parent.trace_id, span.parent.span_id), []).append(span)
                continue
            if span.context is not None:
                attempts = self._waiting.pop((span.context.trace_id, span.context.span_id), ())
                is_answered = bool(attempts) and self._copies.is_successful_route(span)
                ready += [self._copies.copy(each, is_answered=is_answered) for each in attempts]
            ready.append(self._copies.copy(span))
        if self._waiting and (len(self._waiting) > _MAX_WAITING or monotonic() > self._since + _MAX_WAIT):
            ready += self.release()
        return ready

    def release(self) -> list[ReadableSpan]:
        """Copies of all spans that still wait, as failed calls."""
        waiting, self._waiting = self._waiting, {}
        return [self._copies.copy(span) for spans in waiting.values() for span in spans]


# --- links to traces --------------------------------------------------------------------------------------------


class ReplayLinks:
    """Prints the link of each trace on AgentOps' web pages on stderr, once. By default only if stderr is a terminal."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.replay_links
        # The link is printed, and logs are kept, so it has no password, query, fragment or key.
        address = urlsplit(settings.app_url)
        host = address.netloc.rpartition("@")[2]
        self._url = masked("AGENTOPS_APP_URL", f"{address.scheme}://{host}{address.path}".rstrip("/"))
        self._printed: deque[int] = deque(maxlen=_REMEMBERED)

    def print_links(self, spans: Iterable[ReadableSpan]) -> None:
        """Print the links of the traces whose first span is among `spans`."""
        if self._wanted is False:
            return
        traces = [span.context.trace_id for span in spans if span.parent is None and span.context is not None]
        new = [trace for trace in dict.fromkeys(traces) if trace not in self._printed]
        self._printed.extend(new)
        self._print([f"AgentOps: {self._url}/sessions?trace_id={format_trace_id(trace)}\n" for trace in new])

    def _print(self, lines: Sequence[str]) -> None:
        with suppress(Exception):  # there is no stderr, it is closed, or the application replaced it
            if lines and (self._wanted or sys.stderr.isatty()):
                sys.stderr.write("".join(lines))
                sys.stderr.flush()


def _log(level: int, line: str) -> None:
    with ignored_faults():  # a logging handler of the application may raise
        logger.log(level, "%s", line)
