"""The AgentOps exporter, which the variables AGENTOPS_* configure. It copies spans, and sends them on its own thread.

`AgentOpsSpanExporter` passes copies of the spans to a `Sender` (`agentops_queue.py`), which queues them until they are
delivered. The sender's thread sends them with `ExportRequests` (`agentops_token.py`), which adds and renews the token.
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
from opentelemetry.trace import Status, StatusCode, format_trace_id
from opentelemetry.util.types import Attributes

from agentops_otel_litellm.exporters.agentops_queue import BROKEN, NO_URL, Consequence, DeliveryError, Sender
from agentops_otel_litellm.exporters.batch_processor import CountingBatchSpanProcessor
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard, ignored_faults
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.version import SCOPE

if TYPE_CHECKING:  # the sender's thread imports it, because the import takes long
    from agentops_otel_litellm.exporters.agentops_token import ExportRequests

logger = logging.getLogger(__name__)

COMPONENT = "agentops_span_exporter"
_NUMBERS = count()

TAGS = "agentops.tags"
KIND = "agentops.span.kind"
_OF_CALLS = "gen_ai."
"""Prefix of the attributes by which AgentOps recognises a span as a call of a model."""
_OK = Status(StatusCode.OK)
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
        self._copies = SpanCopies(self._settings)
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
            delivered = self._sender.put([self._copies.copy(span) for span in spans])
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
        return self._is_inherited or self._sender.flush(timeout_millis / 1_000)

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


# --- copies of spans, and links to traces ------------------------------------------------------------------------


class SpanCopy(ReadableSpan):
    """A copy of a finished span, with a different name, status and attributes."""

    def __init__(self, span: ReadableSpan, *, name: str, status: Status, attributes: Attributes) -> None:
        super().__init__(
            name=name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=attributes,
            events=span.events,
            links=span.links,
            kind=span.kind,
            status=status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )
        self._dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)

    @property
    def dropped_attributes(self) -> int:
        return self._dropped[0]

    @property
    def dropped_events(self) -> int:
        return self._dropped[1]

    @property
    def dropped_links(self) -> int:
        return self._dropped[2]


class SpanCopies:
    """Copies spans for AgentOps, according to the settings."""

    def __init__(self, settings: Settings) -> None:
        self._tags = settings.default_tags
        self._trace_name = settings.trace_name

    def copy(self, span: ReadableSpan) -> ReadableSpan:
        """Return a copy of a span, as AgentOps displays it best.

        The status UNSET becomes OK. The first span of a trace in this process gets the trace's name and tags.
        """
        name, status, attributes = span.name, span.status, _attributes(span)
        # The status of a trace in AgentOps is that of its latest span, and UNSET is shown as indeterminate.
        if status.status_code is StatusCode.UNSET:
            status = _OK
        if span.parent is None or span.parent.is_remote:
            name = self._trace_name or name
            if self._tags:
                attributes = {**(attributes or {}), TAGS: self._tags}
        return SpanCopy(span, name=name, status=status, attributes=attributes)


def _attributes(span: ReadableSpan) -> Attributes:
    """The attributes of a span, without `gen_ai.*` if it is a span of this package that is not a call of a model, such
    as a batch. AgentOps would show such a span as a call without a prompt, or count tokens twice.
    """
    attributes, scope = span.attributes, span.instrumentation_scope
    if scope is None or scope.name != SCOPE or attributes is None or attributes.get(KIND) != "operation":
        return attributes
    return {name: value for name, value in attributes.items() if not name.startswith(_OF_CALLS)}


class ReplayLinks:
    """Prints the link of each trace on AgentOps' web pages on stderr, once. By default only if stderr is a terminal."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.replay_links
        # The link is printed, and logs are kept, so it has no password, query or fragment.
        address = urlsplit(settings.app_url)
        host = address.netloc.rpartition("@")[2]
        self._url = f"{address.scheme}://{host}{address.path}".rstrip("/")
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
