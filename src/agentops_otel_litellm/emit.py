"""Telemetry: the only object that talks to OpenTelemetry."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, get_meter
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
    get_tracer,
    set_span_in_context,
)

from agentops_otel_litellm.attribute_values import clean_attributes, clean_text
from agentops_otel_litellm.call import Call
from agentops_otel_litellm.exporters.delivery import DELIVERY
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.metrics import Metrics
from agentops_otel_litellm.open_streams import OPEN_STREAMS
from agentops_otel_litellm.prices.background import PackagePrices
from agentops_otel_litellm.processors import pipeline
from agentops_otel_litellm.processors.content import leave_content_out
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.version import SCOPE, __version__
from agentops_otel_litellm.vocabularies import Vocabulary
from agentops_otel_litellm.vocabularies.gen_ai import DETAILS, DETAILS_EVENT, EXCEPTION, EXCEPTION_EVENT, INFERENCE
from agentops_otel_litellm.vocabularies.llm import ATTEMPT, ATTEMPT_EVENT
from agentops_otel_litellm.vocabularies.metrics import METRICS, Metric
from agentops_otel_litellm.vocabularies.vocabulary import UNLIMITED

if TYPE_CHECKING:
    from agentops_otel_litellm.completion_hook import Hook
    from agentops_otel_litellm.observing.trace_cost import TraceCost

logger = logging.getLogger(__name__)

_DEFAULTS = Settings()
_USUAL_LIMIT = 128
"""The specification's, where it cannot be known."""


class Telemetry:
    """Calls → spans, metrics and events, in the vocabularies given."""

    def __init__(  # noqa: PLR0913 - what is written, and where to
        self,
        vocabularies: Sequence[Vocabulary],
        *,
        settings: Settings = _DEFAULTS,
        metrics: Sequence[Metric] = METRICS,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        self._emits_event = settings.emits_event
        self._tells_on_spans = settings.content.on_spans
        self._tells_in_events = settings.tells_in_events
        self._hook = _hook(settings)
        self.tells_content = self._tells_on_spans or self._tells_in_events or self._hook is not None
        """Whether what is said is told anywhere: calls are to be given it, then. (A hook may be set and not be had.)"""
        self.metadata_keys = settings.metadata_keys
        """Names of what calls are to be given of the app's metadata; likewise below, of baggage."""
        self.baggage_keys = settings.baggage_keys
        self._at_start = vocabularies[0]
        self._at_end = Vocabulary.merged(vocabularies)
        self._package_prices = PackagePrices(live=settings.live_prices)
        self._pipeline = pipeline(settings, self._package_prices.price, tells_content=self.tells_content)
        self._names = frozenset(self._at_start)
        self._tracer: Tracer = get_tracer(SCOPE, __version__, tracer_provider)
        self._logger = get_logger(SCOPE, __version__, logger_provider)
        self._metrics = Metrics(get_meter(SCOPE, __version__, meter_provider), metrics, open_streams=OPEN_STREAMS.calls)

    def close(self) -> None:
        """LiteLLM is instrumented no more: stop what goes on without calls."""
        self._package_prices.close()

    def shares_pipeline_with(self, tracer: object) -> bool:
        """Whether spans of the tracer go through the same span processors, and so to the same destinations."""
        processor = _span_processor(tracer)
        return processor is not None and processor is _span_processor(self._tracer)

    def start(self, call: Call, context: Context) -> Span:
        """Open the span of a call that begins. For samplers to decide on, the first vocabulary says what is known;
        the others wait until all is.
        """
        self._package_prices.prepare()
        DELIVERY.prepare()
        return self._tracer.start_span(
            _span_name(call),
            context=context,
            kind=SpanKind.INTERNAL if call.operation is None else SpanKind.CLIENT,
            attributes=clean_attributes(self._at_start.attributes(call)),
            start_time=call.timing.started_at,
        )

    def finish(self, span: Span, call: Call, trace_cost: TraceCost | None = None) -> Call:
        """Complete a call that is over and end its span, whatever goes wrong on the way; the call as it was told.

        Of a call that was not sampled only the metrics are kept. If a signal handler of the application's raises in
        the middle of it, the call is completed nevertheless, and the exception goes on to the application.
        """
        try:
            return self._complete(span, call, trace_cost)
        except BaseException:
            if span.is_recording():
                try:
                    self._complete(span, call, trace_cost, again=True)
                finally:
                    if span.is_recording():
                        span.end()
            raise

    def _complete(self, span: Span, call: Call, trace_cost: TraceCost | None, *, again: bool = False) -> Call:
        """Whatever precedes the metrics can be done `again`, except for what is logged."""
        for processor in self._pipeline:
            try:  # not a guard: entering a dozen costs as much as all of them do
                call = processor(call)
            except Exception as fault:  # noqa: BLE001, PERF203 - it is ours, and 3.11 enters for nothing
                log_fault(f"the processor {processor.__name__}", fault)
        if trace_cost is not None:
            with guard("adding up what a trace costs"):
                call = trace_cost.over(span, call)
        if span.is_recording():
            if not again:
                self._tell_details(span, call)
            with guard("writing a span"):
                self._write(span, call if self._tells_on_spans else leave_content_out(call))
        if _has_failed(call) and not again:
            with guard("logging an exception"):
                self._log_exception(span, call)
        with guard("putting a call aside for the metrics"):
            self._metrics.defer(leave_content_out(call), span.get_span_context())
        span.end(call.timing.started_at + int((call.timing.duration or 0) * 1e9))
        return call

    def _write(self, span: Span, call: Call) -> None:
        name = _span_name(call)
        if name != getattr(span, "name", None):  # a fallback is to another model
            span.update_name(name)
        room = UNLIMITED if call.content is None else _room(span) - len(self._others_on(span))
        span.set_attributes(clean_attributes(self._at_end.attributes(call, room)))
        if call.attempts is not None and not getattr(span, "events", None):
            with guard("writing attempts"):
                for attempt in call.attempts.made:
                    began = call.timing.started_at + int((attempt.started or 0) * 1e9)
                    span.add_event(ATTEMPT_EVENT, clean_attributes(ATTEMPT.attributes(attempt)), began)
        if call.failure is not None:
            span.set_status(Status(StatusCode.ERROR, clean_text(call.failure.message or call.failure.type)))
        elif self._at_end.tells_success and not _has_status(span):
            span.set_status(Status(StatusCode.OK))

    def _others_on(self, span: Span) -> set[str]:
        """Attributes that are not ours: what is said must not take their place."""
        return set(getattr(span, "attributes", None) or ()) - self._names

    def _tell_details(self, span: Span, call: Call) -> None:
        """To the hook, which may add to the event what it adds to the span, and in the event."""
        record: LogRecord | None = None
        if self._emits_event and call.operation in INFERENCE:
            with guard("putting together an event of a call's details"):
                record = self._details(span, call)
        if self._hook is not None and call.content is not None:
            with guard("calling the completion hook"):
                self._hook.tell(call.content, span, record)
        if record is not None:
            with guard("logging a call's details"):
                self._logger.emit(record)

    def _details(self, span: Span, call: Call) -> LogRecord:
        told = call if self._tells_in_events else leave_content_out(call)
        return LogRecord(
            event_name=DETAILS_EVENT,
            severity_number=SeverityNumber.DEBUG,
            attributes=clean_attributes(DETAILS.attributes(told)),
            context=set_span_in_context(span),
        )

    def _log_exception(self, span: Span, call: Call) -> None:
        self._logger.emit(
            LogRecord(
                event_name=EXCEPTION_EVENT,
                severity_number=SeverityNumber.WARN,
                attributes=clean_attributes(EXCEPTION.attributes(call)),
                context=set_span_in_context(span),
            )
        )


def _hook(settings: Settings) -> Hook | None:
    """The completion hook, where one is set and can be had. Programs without one do not pay for its package."""
    if settings.completion_hook is None:
        return None
    try:
        from agentops_otel_litellm.completion_hook import Hook
    except ImportError:
        logger.warning(
            "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK=%r is ignored: it needs opentelemetry-util-genai 1.2 or newer "
            "(pip install 'agentops-otel-litellm[upload]').",
            settings.completion_hook,
        )
        return None
    with guard("loading the completion hook"):
        return Hook()
    return None


def _has_failed(call: Call) -> bool:
    """Whether it is a failure of its own: what LiteLLM does around calls is no call, and the app cancels."""
    return call.operation is not None and call.failure is not None and call.failure.category != "cancelled"


def _span_processor(tracer: object) -> object | None:
    """The SDK's; `None` of a tracer that is not the SDK's."""
    return getattr(getattr(tracer, "_tracer", tracer), "span_processor", None)


def _has_status(span: Span) -> bool:
    """Whether the app, or a span processor of its, has said how the call went."""
    return getattr(getattr(span, "status", None), "status_code", StatusCode.UNSET) is not StatusCode.UNSET


def _room(span: Span) -> int:
    """How many attributes the SDK lets a span have: it evicts the first ones of more."""
    limit = getattr(getattr(span, "_limits", None), "max_span_attributes", _USUAL_LIMIT)
    return UNLIMITED if limit is None else int(limit)


def _span_name(call: Call) -> str:
    """`chat gpt-4o`, `route fast-models`, `retrieval vs_1`."""
    subject = call.target.model or (call.routing.model_group if call.routing else None)
    if call.operation == "retrieval" and call.request is not None:
        subject = call.request.data_source_id
    return clean_text(f"{call.name} {subject}") if subject else call.name
