"""A batch span processor that lets other threads run while it exports, and reports how many spans it has dropped.

If its queue is full, the SDK's processor drops the oldest span. OpenTelemetry 1.39 does not report that. Newer releases
log it, but report the number only with OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED=true. The metric is defined by the
semantic conventions.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from time import monotonic

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from agentops_otel_litellm.background import in_steps
from agentops_otel_litellm.fork import FORK
from agentops_otel_litellm.guard import guard, ignored_faults

logger = logging.getLogger(__name__)

METRIC = "otel.sdk.processor.span.processed"
COMPONENT = "batching_span_processor"
LOG_INTERVAL = 30.0
"""Seconds for which dropped spans are counted before their number is logged. A shutdown logs it at once."""

_NUMBERS = count()


class CountingBatchSpanProcessor(BatchSpanProcessor):
    """A batch span processor that counts the spans that end, and the spans that it drops because its queue is full.

    It counts on the thread that ends a span. It uses no lock: a garbage collection can end a span while the same thread
    holds the lock.
    """

    def __init__(self, exporter: SpanExporter, **options: float) -> None:
        self._name = f"{COMPONENT}/{next(_NUMBERS)}"
        self._start_counting()
        super().__init__(_Reporting(exporter, self), **options)  # type: ignore[arg-type]  # some are whole numbers
        FORK.register("dropped spans", self._start_counting)

    def _start_counting(self) -> None:
        """Count from 0. This is repeated in a forked process, because the parent reports its own counts."""
        self._ended = 0
        self._dropped = 0
        self._logged = 0
        self._noticed_at: float | None = None

    @property
    def span_exporter(self) -> SpanExporter:
        """The exporter that was passed to the constructor."""
        reporting = self._batch_processor._exporter  # noqa: SLF001 - as in the SDK's property of the same name
        return reporting.exporter if isinstance(reporting, _Reporting) else reporting  # type: ignore[return-value]

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            queue = self._batch_processor._queue  # noqa: SLF001 - it has no public name
            is_full = len(queue) == queue.maxlen
            # `+=` is atomic here: without a function call in it, Python runs no other thread or finalizer in between.
            if is_full:
                self._dropped += 1
            self._ended += 1
        super().on_end(span)

    def shutdown(self) -> None:
        super().shutdown()  # type: ignore[no-untyped-call]  # untyped upstream
        self.log_dropped(now=True)

    def observe_with(self, meter: Meter) -> None:
        """Report the counts in the metric `METRIC`, unless the SDK itself reports it."""
        if type(getattr(self._batch_processor, "_metrics", None)).__name__ == "ProcessorMetrics":
            return
        meter.create_observable_counter(
            METRIC,
            [self._observe],
            "{span}",
            "The number of spans for which the processing has finished, either successful or failed.",
        )

    def _observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """Yield the number of exported and the number of dropped spans."""
        attributes = {"otel.component.type": COMPONENT, "otel.component.name": self._name}
        exported = self._ended - self._dropped - len(self._batch_processor._queue)  # noqa: SLF001 - it has no public name
        # A process without spans, such as many child processes, does not export this metric.
        if exported > 0:
            yield Observation(exported, attributes)
        if self._dropped:
            yield Observation(self._dropped, {**attributes, "error.type": "queue_full"})

    def log_dropped(self, *, now: bool = False) -> None:
        """Log how many spans were dropped since the last log line.

        This is called after each export. It logs nothing until `LOG_INTERVAL` seconds after the call that first noticed
        dropped spans, so that one line is logged for many. If `now` is true, it logs at once.
        """
        dropped = self._dropped - self._logged
        if not dropped:
            return
        if self._noticed_at is None:
            self._noticed_at = monotonic()
        if not now and monotonic() < self._noticed_at + LOG_INTERVAL:
            return
        self._logged += dropped
        self._noticed_at = None
        with ignored_faults():  # a logging handler of the application may raise
            logger.warning(
                "%s spans were dropped because the queue was full: spans end faster than they are exported. Increase "
                "OTEL_BSP_MAX_QUEUE_SIZE (%s), or check the destination.",
                dropped,
                self._batch_processor._max_queue_size,  # noqa: SLF001 - it has no public name
            )


class SpansInSteps(list[ReadableSpan]):
    """The spans of an export, for an exporter that encodes them in a loop. Meanwhile, other threads may run
    (`in_steps`).
    """

    def __iter__(self) -> Iterator[ReadableSpan]:
        return in_steps(super().__iter__())


class _Reporting(SpanExporter):
    """Wraps an exporter. Its exports let other threads run, and `log_dropped` is called after each, on the processor's
    thread.
    """

    def __init__(self, exporter: SpanExporter, processor: CountingBatchSpanProcessor) -> None:
        self.exporter = exporter
        # Not wrapped, because the SDK inspects the parameters of these methods.
        self.shutdown = exporter.shutdown  # type: ignore[method-assign]
        self.force_flush = exporter.force_flush  # type: ignore[method-assign]
        self._processor = weakref.ref(processor)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            return self.exporter.export(SpansInSteps(spans))
        finally:
            processor = self._processor()
            if processor is not None:
                with guard("logging how many spans were dropped"):
                    processor.log_dropped()
