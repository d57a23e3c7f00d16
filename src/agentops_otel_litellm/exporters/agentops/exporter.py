"""The exporter: what the SDK makes, and gives ended spans."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agentops_otel_litellm.exporters.agentops.sender import Sender
from agentops_otel_litellm.exporters.agentops.shown import ReplayLinks, Shown
from agentops_otel_litellm.exporters.agentops.trouble import BROKEN, NO_URL, Fate, Trouble
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.settings import Settings

if TYPE_CHECKING:  # loaded on the sender's thread: an app does not wait for them
    from agentops_otel_litellm.exporters.agentops.attempt import Attempts

logger = logging.getLogger(__name__)

COMPONENT = "agentops_span_exporter"
_NUMBERS = count()


class AgentOpsSpanExporter(SpanExporter):
    """Sends spans to AgentOps, as AGENTOPS_* say. It may be given to any processor.

    What cannot be delivered is kept, up to AGENTOPS_MAX_QUEUE_SIZE spans, and sent later. Each kind of trouble is
    logged once. No method takes longer than AGENTOPS_MAX_WAIT_TIME.
    """

    instances: ClassVar[weakref.WeakSet[AgentOpsSpanExporter]] = weakref.WeakSet()
    """Those of this process that are not shut down."""

    def __init__(self) -> None:
        self._name = f"{COMPONENT}/{next(_NUMBERS)}"
        self._settings = Settings.from_environment()
        self._patience = self._settings.max_wait_time / 1_000
        self._shown = Shown(self._settings)
        self._links = ReplayLinks(self._settings)
        self._told: set[str] = set()
        self._is_shut_down = False
        self._start()
        self.instances.add(self)
        FORK.renews("agentops exporter", self._start_in_child)

    def _start_in_child(self) -> None:
        """After a fork: what the parent holds is the parent's to send, over connections of its own."""
        if not self._is_shut_down:
            self._start()

    @property
    def _is_inherited(self) -> bool:
        """Whether this is a fork of which Python was not told, as a server in C may have it: nothing was started."""
        return self._pid != os.getpid()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._attempts: Attempts | None = None
        self._sender = Sender(self._attempt, limit=self._settings.max_queue_size, patience=self._patience)

    @property
    def last_trouble(self) -> Trouble | None:
        """Why the last attempt delivered nothing; `None` where it delivered, or before there was any."""
        return self._sender.trouble

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take the spans, and wait for an attempt to send them, unless one has failed lately.

        FAILURE: they are not delivered yet, or never will be: `last_trouble` says which.
        """
        delivered = False
        with guard("exporting to AgentOps"):
            if self._is_inherited:
                self._start_in_child()
            delivered = self._sender.put([self._shown.span(span) for span in spans])
        if self._sender.has_overflowed:
            self._tell(
                "AgentOps cannot be reached, and the oldest spans are dropped: AGENTOPS_MAX_QUEUE_SIZE "
                f"({self._settings.max_queue_size}) is how many are kept."
            )
        return SpanExportResult.SUCCESS if delivered else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Make an attempt even during a pause, unless one has just failed. Whether nothing is left to be sent."""
        return self._is_inherited or self._sender.flush(timeout_millis / 1_000)

    def take_loss(self) -> int:
        """How many spans were dropped since that was last asked."""
        return 0 if self._is_inherited else self._sender.take_loss()

    def observe_with(self, meter: Meter) -> None:
        """Have the spans counted in the metric of the semantic conventions: exported, and lost."""
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
        """From now on all that is exported, and the shutdown, take AGENTOPS_MAX_WAIT_TIME together."""
        if not self._is_inherited:
            self._sender.begin_end()

    def shutdown(self) -> None:
        """Make a last attempt, unless one has just failed, and tell how many spans were lost."""
        if self._is_shut_down:
            return
        self._is_shut_down = True
        self.instances.discard(self)
        if self._is_inherited:
            return
        lost = self._sender.close()
        if self._attempts is not None:
            self._attempts.close()
        if lost:
            _log(logging.WARNING, f"{lost} spans were not delivered to AgentOps.")

    def _attempt(self, spans: Sequence[ReadableSpan]) -> Trouble | None:
        """Send spans, and tell what came of it. On the sender's thread."""
        trouble: Trouble | None = BROKEN
        deadline = monotonic() + 0.9 * self._patience  # so that whoever waits learns what came of it
        with guard("sending to AgentOps"):
            if self._attempts is None:
                with IMPORTS.here():
                    from agentops_otel_litellm.exporters.agentops.attempt import Attempts

                    self._attempts = Attempts(self._settings)
            trouble = self._attempts.send(spans, deadline)
        if trouble is None:
            if self.last_trouble is not None:
                _log(logging.INFO, "Spans are sent to AgentOps again.")
            with guard("linking to traces"):
                self._links.delivered(spans)
        elif trouble is not NO_URL and (trouble.fate is not Fate.SPLIT or len(spans) == 1):  # the settings told of that
            self._tell(str(trouble), once_for=trouble.advice)
        return trouble

    def _tell(self, line: str, once_for: str | None = None) -> None:
        if (once_for or line) not in self._told:
            self._told.add(once_for or line)
            _log(logging.WARNING, line)


def _log(level: int, line: str) -> None:
    with suppress(Exception):  # a handler of the app's may raise
        logger.log(level, "%s", line)
