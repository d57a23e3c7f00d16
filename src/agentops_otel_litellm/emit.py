"""Telemetry: the only object that talks to OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

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

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.metrics import Metrics
from agentops_otel_litellm.processors import pipeline
from agentops_otel_litellm.version import SCOPE, __version__
from agentops_otel_litellm.vocabularies import Vocabulary
from agentops_otel_litellm.vocabularies.gen_ai import EXCEPTION, EXCEPTION_EVENT
from agentops_otel_litellm.vocabularies.llm import ATTEMPT, ATTEMPT_EVENT

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Telemetry:
    """Calls → spans, metrics and events, in the vocabularies given."""

    def __init__(
        self,
        vocabularies: Sequence[Vocabulary],
        *,
        model_providers: Mapping[str, str] = _NOTHING,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        self._at_start = vocabularies[0]
        self._at_end = Vocabulary.merged(vocabularies)
        self._pipeline = [
            (processor, guard(f"the processor {processor.__name__}")) for processor in pipeline(model_providers)
        ]
        self._tracer: Tracer = get_tracer(SCOPE, __version__, tracer_provider)
        self._logger = get_logger(SCOPE, __version__, logger_provider)
        self._metrics = Metrics(get_meter(SCOPE, __version__, meter_provider))

    def start(self, call: Call, context: Context) -> Span:
        """Open the span of a call that begins. For samplers to decide on, the first vocabulary says what is known;
        the others wait until all is.
        """
        return self._tracer.start_span(
            _span_name(call),
            context=context,
            kind=SpanKind.INTERNAL if call.operation is None else SpanKind.CLIENT,
            attributes=self._at_start.attributes(call),
            start_time=call.timing.started_at,
        )

    def finish(self, span: Span, call: Call) -> Call:
        """Complete a call that is over and end its span, whatever goes wrong on the way; the call as it was told.

        Of a call that was not sampled only the metrics are kept.
        """
        for processor, guarded in self._pipeline:
            with guarded:
                call = processor(call)
        if call.operation is not None:  # what LiteLLM does around calls is no call: its calls were counted and logged
            with guard("putting a call aside for the metrics"):
                self._metrics.defer(call, span.get_span_context())
            if call.failure is not None and call.failure.category != "cancelled":  # which is the app's own doing
                with guard("logging an exception"):
                    self._log_exception(span, call)
        try:
            if span.is_recording():
                self._write(span, call)
        finally:
            span.end(call.timing.started_at + int((call.timing.duration or 0) * 1e9))
        return call

    def _write(self, span: Span, call: Call) -> None:
        span.update_name(_span_name(call))  # a fallback is to another model
        span.set_attributes(self._at_end.attributes(call))
        if call.attempts is not None:
            with guard("writing attempts"):
                for attempt in call.attempts.made:
                    began = call.timing.started_at + int((attempt.started or 0) * 1e9)
                    span.add_event(ATTEMPT_EVENT, ATTEMPT.attributes(attempt), began)
        if call.failure is not None:
            span.set_status(Status(StatusCode.ERROR, call.failure.message))

    def _log_exception(self, span: Span, call: Call) -> None:
        self._logger.emit(
            LogRecord(
                event_name=EXCEPTION_EVENT,
                severity_number=SeverityNumber.WARN,
                attributes=EXCEPTION.attributes(call),
                context=set_span_in_context(span),
            )
        )


def _span_name(call: Call) -> str:
    """`chat gpt-4o`, `route fast-models`."""
    subject = call.target.model or (call.routing.model_group if call.routing else None)
    return f"{call.name} {subject}" if subject else call.name
