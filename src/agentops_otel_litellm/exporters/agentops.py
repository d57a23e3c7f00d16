"""The AgentOps exporter, configured by AGENTOPS_*: copies spans, and delivers them on a thread of its own.

`AgentOpsSpanExporter` passes copies of the spans to a `Sender` (`agentops_queue.py`), where they wait until they are
delivered. The sender's thread sends them by `ExportRequests` (`agentops_token.py`), which adds the token and renews it.
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

if TYPE_CHECKING:  # loaded on the sender's thread, so that the application does not wait
    from agentops_otel_litellm.exporters.agentops_token import ExportRequests

logger = logging.getLogger(__name__)

COMPONENT = "agentops_span_exporter"
_NUMBERS = count()

TAGS = "agentops.tags"
KIND = "agentops.span.kind"
_OF_CALLS = "gen_ai."
"""Prefix of attributes by which AgentOps recognises a call of a model."""
_OK = Status(StatusCode.OK)
_REMEMBERED = 256
"""Number of traces whose links are remembered, so that the link of a trace in several batches is printed once."""


class AgentOpsSpanExporter(SpanExporter):
    """Sends spans to AgentOps, configured by AGENTOPS_*. It works with any span processor.

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
        """After a fork, start with an empty queue: the parent sends its own spans over its own connections."""
        if not self._is_shut_down:
            self._start()

    @property
    def _is_inherited(self) -> bool:
        """Whether a server in C forked this process without Python's knowledge. Then nothing was started in this
        process.
        """
        return self._pid != os.getpid()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._requests: ExportRequests | None = None
        self._sender = Sender(self._send, limit=self._settings.max_queue_size, time_limit=self._time_limit)

    @property
    def last_error(self) -> DeliveryError | None:
        """The error of the last request; `None` if it was delivered, or before the first one."""
        return self._sender.error

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Queue the spans and wait until they are sent, unless sending is paused.

        FAILURE means that they are queued or dropped; `last_error` has the reason.
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
        """Send the queued spans, even during a pause, unless a request has just failed. Return whether all were
        sent.
        """
        return self._is_inherited or self._sender.flush(timeout_millis / 1_000)

    def new_drops(self) -> int:
        """Return the number of spans that were dropped since the last call."""
        return 0 if self._is_inherited else self._sender.new_drops()

    def observe_with(self, meter: Meter) -> None:
        """Count delivered and dropped spans in the metric of the semantic conventions."""
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
        """Limit the time of all further exports and the shutdown together to AGENTOPS_MAX_WAIT_TIME."""
        if not self._is_inherited:
            self._sender.limit_waiting()

    def shutdown(self) -> None:
        """Send the queued spans, unless a request has just failed, and log how many spans were not delivered."""
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
        """Send spans, and log an error. Called on the sender's thread."""
        error: DeliveryError | None = BROKEN
        deadline = monotonic() + 0.9 * self._time_limit  # so that the waiting thread receives the result
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
        # An invalid URL was logged when the settings were read. Spans that are split are sent in parts.
        elif error is not NO_URL and (error.consequence is not Consequence.SPLIT or len(spans) == 1):
            self._warn_once(str(error), key=error.advice)
        return error

    def _warn_once(self, line: str, key: str | None = None) -> None:
        if (key or line) not in self._logged:
            self._logged.add(key or line)
            _log(logging.WARNING, line)


class AgentOpsSpanProcessor(CountingBatchSpanProcessor):
    """A batch span processor that shuts down within AGENTOPS_MAX_WAIT_TIME.

    At shutdown, the SDK's processor exports its remaining batches one by one, and each export may take
    AGENTOPS_MAX_WAIT_TIME. So the exporter limits the time of all these exports together.
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
        """Return the copy of a span.

        The copy has the status OK unless the span failed, because AgentOps shows the status of the latest span of a
        trace, and shows UNSET as indeterminate. The first span of a trace in this process gets the trace's name and
        tags.
        """
        name, status, attributes = span.name, span.status, _attributes(span)
        if status.status_code is StatusCode.UNSET:
            status = _OK
        if span.parent is None or span.parent.is_remote:
            name = self._trace_name or name
            if self._tags:
                attributes = {**(attributes or {}), TAGS: self._tags}
        return SpanCopy(span, name=name, status=status, attributes=attributes)


def _attributes(span: ReadableSpan) -> Attributes:
    """The attributes of a span. Spans of this package that are not calls of a model, such as batches, lose the
    attributes `gen_ai.*`: AgentOps would show these spans as calls without a prompt, or count tokens twice.
    """
    attributes, scope = span.attributes, span.instrumentation_scope
    if scope is None or scope.name != SCOPE or attributes is None or attributes.get(KIND) != "operation":
        return attributes
    return {name: value for name, value in attributes.items() if not name.startswith(_OF_CALLS)}


class ReplayLinks:
    """Prints the link of each trace on stderr, once; by default only if stderr is a terminal."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.replay_links
        self._url = settings.app_url.rstrip("/")
        self._printed: deque[int] = deque(maxlen=_REMEMBERED)

    def print_links(self, spans: Iterable[ReadableSpan]) -> None:
        """Print the links of the traces that began in this process."""
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
