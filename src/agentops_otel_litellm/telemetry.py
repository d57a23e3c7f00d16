"""Telemetry: the object that creates all spans, metrics and events. No other module creates any.

`_span_name` decides the names of the spans.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import entry_points
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
    get_current_span,
    get_tracer,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.background import OPEN_STREAMS
from agentops_otel_litellm.call import Call, Routing, Target, Timing
from agentops_otel_litellm.deferred_attributes import are_read_later, defer_attributes, defer_events
from agentops_otel_litellm.exporters.delivery import DELIVERY, record_error_text
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.metrics import Metrics
from agentops_otel_litellm.pricing.precedence import PackagePrices
from agentops_otel_litellm.processors.content import drop_content
from agentops_otel_litellm.processors.steps import pipeline
from agentops_otel_litellm.records import clean_attributes, clean_text
from agentops_otel_litellm.semconv.convention import UNLIMITED, Attributes, Vocabulary
from agentops_otel_litellm.semconv.gen_ai import DETAILS, DETAILS_EVENT, EXCEPTION, EXCEPTION_EVENT, INFERENCE
from agentops_otel_litellm.semconv.instruments import METRICS, Metric
from agentops_otel_litellm.semconv.llm import ATTEMPT, ATTEMPT_EVENT
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.parsing import invalid_value, masked
from agentops_otel_litellm.trace_cost import TraceCost
from agentops_otel_litellm.version import SCOPE, __version__
from agentops_otel_litellm.work import Work
from agentops_otel_litellm.work_spans import WorkSpans

if TYPE_CHECKING:
    from agentops_otel_litellm.exporters.completion_hook import Hook

logger = logging.getLogger(__name__)

_DEFAULTS, _ANY_TIMING = Settings(), Timing(started_at=0)
_DEFAULT_LIMIT = 128
"""OpenTelemetry's default for the maximum number of attributes of a span, used if the span's limit is unknown."""


class Telemetry:
    """Converts calls to spans, metrics and events, with the attributes of the given vocabularies."""

    def __init__(  # noqa: PLR0913 - one per setting and provider
        self,
        vocabularies: Sequence[Vocabulary],
        *,
        settings: Settings = _DEFAULTS,
        metrics: Sequence[Metric] = METRICS,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        on_finish: Callable[[Call], object] | None = None,
    ) -> None:
        """The attributes of spans at their start are those of the first vocabulary.

        `on_finish` receives each finished call that has failed, or that the Router has sent to a deployment.
        """
        self._on_finish = on_finish
        self._emits_event = settings.emits_event
        self._records_on_spans = settings.content.on_spans
        self._records_in_events = settings.records_in_events
        self._hook = _load_hook(settings)
        self.records_content = self._records_on_spans or self._records_in_events or self._hook is not None
        """Whether content must be read, because it is recorded on spans, in events, or by a completion hook."""
        self.content_limits = settings.content_limits
        """Maximum numbers of characters of content. Content beyond them is not read."""
        # Names of the metadata entries, and of the baggage entries, that are recorded.
        self.metadata_keys, self.baggage_keys = settings.metadata_keys, settings.baggage_keys
        self.estimates_usage = settings.estimate_usage
        """Whether to estimate the usage of a chat that the provider has not counted."""
        self._at_start = vocabularies[0]
        self._at_end = _merged(tuple(vocabularies))
        self._has_live_prices = settings.live_prices
        self._package_prices = PackagePrices(live=settings.live_prices)
        self._pipeline = pipeline(settings, self._package_prices.price, records_content=self.records_content)
        self._names = frozenset(self._at_start)
        self.tracer: Tracer = get_tracer(SCOPE, __version__, tracer_provider)
        self._final_attributes = self._compute_final  # one bound method for all spans
        self._processors: object = None  # the span processors for which `_is_deferred` was found out
        self._is_deferred = False
        self._work = WorkSpans(self.tracer, vocabularies)
        self._logger = get_logger(SCOPE, __version__, logger_provider)
        self._metrics = Metrics(get_meter(SCOPE, __version__, meter_provider), metrics, open_streams=OPEN_STREAMS.calls)

    def close(self) -> None:
        """Stop background work, when LiteLLM is no longer instrumented."""
        self._package_prices.close()

    def shares_pipeline_with(self, tracer: object) -> bool:
        """Whether spans of `tracer` go to the same span processors as the spans of this package."""
        processor = _span_processor(tracer)
        return processor is not None and processor is _span_processor(self.tracer)

    def start(self, call: Call, context: Context) -> Span:
        """Start the span of a call, whose parent is the current span of `context`.

        The attributes of the first vocabulary that are known now are set, because samplers need them. The attributes of
        all vocabularies are set when the call ends.
        """
        if self._has_live_prices:
            self._package_prices.prepare()
        context = _with_parent(context)
        target, routing = call.target, call.routing
        name, attributes = _initial(
            self._at_start,
            call.name,
            call.operation,
            None if routing is None else routing.model_group,
            (target.provider, target.model, target.address, target.port),
        )
        return self.tracer.start_span(
            name,
            context=context,
            kind=SpanKind.INTERNAL if call.operation is None or call.is_inner else SpanKind.CLIENT,
            attributes=dict(attributes),
            start_time=call.timing.started_at,
        )

    def start_work(self, work: Work, context: Context) -> Span:
        """Start the span of work around calls, whose parent is the current span of `context`."""
        return self._work.start(work, _with_parent(context))

    def finish_work(self, span: Span, work: Work) -> None:
        """Record the work, which has ended, and end its span."""
        self._work.finish(span, work)

    def finish(self, span: Span, call: Call, trace_cost: TraceCost | None = None) -> Call:
        """Process a call that has ended, record it, and end its span even if a step fails. Return the processed call.

        For a call that was not sampled, only metrics and the exception event are recorded. If a signal handler of the
        application raises meanwhile, the span is ended first, and then the exception is passed on.
        """
        try:
            finished = self._complete(span, call, trace_cost)
        except BaseException:
            if span.is_recording():
                try:
                    self._complete(span, call, trace_cost, again=True)
                finally:
                    if span.is_recording():
                        span.end()
            raise
        routing = finished.routing
        if self._on_finish is not None and (
            finished.failure is not None or (routing is not None and routing.model_id is not None)
        ):
            self._on_finish(finished)
        return finished

    def _complete(self, span: Span, call: Call, trace_cost: TraceCost | None, *, again: bool = False) -> Call:
        """Process the call, record it, and end the span.

        With `again`, this is the second attempt, after a signal handler has raised in the first one. The first attempt
        may have emitted the events, so the second one does not emit them.
        """
        call = self._process(span, call, trace_cost)
        call = replace(call, usage=None) if call.is_inner else call  # the cost is known; the outer span has the tokens
        without_content = call if call.content is None else drop_content(call)
        if span.is_recording():
            if not again and (self._emits_event or self._hook is not None):
                self._emit_details(span, call, call if self._records_in_events else without_content)
            self._write(span, call if self._records_on_spans else without_content)
        if call.failure is not None and not again:
            self._log_exception(span, call)
        self._metrics.defer(without_content, span.get_span_context())
        span.end(call.timing.started_at + int((call.timing.duration or 0) * 1e9))
        return call

    def _process(self, span: Span, call: Call, trace_cost: TraceCost | None) -> Call:
        """Pass the call through the processors, then add its cost to the sum of its trace."""
        try:
            call = self._pipeline.process(call)
        except Exception as fault:  # noqa: BLE001 - must not reach the application
            log_fault("processing a finished call", fault)
        if trace_cost is not None:
            try:
                return trace_cost.add_ended_call(span, call)
            except Exception as fault:  # noqa: BLE001 - must not reach the application
                log_fault("summing the cost of a trace", fault)
        return call

    def _write(self, span: Span, call: Call) -> None:
        """Write the name, attributes, status and attempts of a call to its span."""
        try:
            name = _span_name(call)
            if name != getattr(span, "name", None):  # after a fallback to a different model
                span.update_name(name)
            is_read_later = self._is_read_later()
            limit = _max_attributes(span)
            if not (is_read_later and defer_attributes(span, self._final_attributes, call, limit)):
                span.set_attributes(self._final_attributes(call, limit, getattr(span, "attributes", None) or {}))
            if call.failure is not None:
                span.set_status(Status(StatusCode.ERROR, clean_text(call.failure.message or call.failure.type)))
                if call.content is not None and call.content.error:
                    record_error_text(span.get_span_context(), call.content.error)
            elif self._at_end.records_success and not _has_status(span):
                span.set_status(Status(StatusCode.OK))
            if (
                call.attempts is not None
                and not (is_read_later and defer_events(span, _attempt_events, call))
                and not getattr(span, "events", None)
            ):
                for name, attributes, timestamp in _attempt_events(call):
                    span.add_event(name, attributes, timestamp)
        except Exception as fault:  # noqa: BLE001 - must not reach the application
            log_fault("recording the attributes of a span", fault)

    def _is_read_later(self) -> bool:
        """Whether no span processor reads the attributes of a span at once when it ends."""
        processor = _span_processor(self.tracer)
        processors = getattr(processor, "_span_processors", processor)  # the SDK makes a new tuple to add a processor
        if processors is not self._processors:
            self._processors, self._is_deferred = processors, are_read_later(processor)
        return self._is_deferred

    def _compute_final(self, call: Call, limit: int, present: Mapping[str, AttributeValue]) -> Attributes:
        """All attributes of the span of a finished call. `limit` is the maximum number of attributes of the span.

        Content gets only the attributes that the limit leaves for it, so that it evicts no others. `present` also has
        those that the application or span processors have set.
        """
        try:
            room = UNLIMITED if call.content is None else limit - len(present.keys() - self._names)
            return clean_attributes(self._at_end.attributes(call, room))
        except Exception as fault:  # noqa: BLE001 - must not reach the application
            log_fault("computing the attributes of a span", fault)
        return {}

    def _emit_details(self, span: Span, call: Call, recorded: Call) -> None:
        """Call the completion hook, then emit the details event, to which the hook may have added attributes.

        `recorded` is the call for the event. It has content only if content is recorded in events.
        """
        record: LogRecord | None = None
        if self._emits_event and call.operation in INFERENCE:
            with guard("creating the details event of a call"):
                record = LogRecord(
                    event_name=DETAILS_EVENT,
                    severity_number=SeverityNumber.DEBUG,
                    attributes=clean_attributes(DETAILS.attributes(recorded)),
                    context=set_span_in_context(span),
                )
        if self._hook is not None and call.content is not None:
            with guard("calling the completion hook"):
                self._hook.call(call.content, span, record)
        if record is not None:
            with guard("emitting the details event of a call"):
                self._logger.emit(record)

    def _log_exception(self, span: Span, call: Call) -> None:
        """Emit the exception event of a failed call.

        There is no event for an operation around calls, such as a route, and for a call that the application cancelled.
        """
        if call.operation is None or call.failure is None or call.failure.category == "cancelled":
            return
        with guard("emitting the exception event of a call"):
            self._logger.emit(
                LogRecord(
                    event_name=EXCEPTION_EVENT,
                    severity_number=SeverityNumber.WARN,
                    attributes=clean_attributes(EXCEPTION.attributes(call)),
                    context=set_span_in_context(span),
                )
            )


def _with_parent(context: Context) -> Context:
    """Prepare the delivery of spans. Return a context in which the session's span is the current one, if there is a
    session and no current span, as on a thread without the application's context.
    """
    if DELIVERY.is_requested:
        DELIVERY.prepare()
    if DELIVERY.session is not None and not get_current_span(context).get_span_context().is_valid:
        return set_span_in_context(DELIVERY.session, context)
    return context


_HOOK = "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"


def _load_hook(settings: Settings) -> Hook | None:
    """The user's completion hook; `None` if the user has set none, or if it cannot be loaded."""
    if settings.completion_hook is None:
        return None
    try:
        from agentops_otel_litellm.exporters.completion_hook import Hook
    except ImportError:
        logger.warning(
            "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK=%r is ignored: completion hooks need opentelemetry-util-genai "
            "1.2 or newer "
            "(pip install 'agentops-otel-litellm[upload]').",
            masked(_HOOK, settings.completion_hook),
        )
        return None
    installed = [each.name for each in entry_points(group="opentelemetry_genai_completion_hook")]
    if settings.completion_hook not in installed:  # the package of the hooks would log the value, which may be a secret
        value, accepted = masked(_HOOK, settings.completion_hook), ", ".join(installed)
        logger.warning("%s No hook is used.", invalid_value(_HOOK, repr(value), f"expected one of: {accepted}"))
        return None
    with guard("loading the completion hook"):
        return Hook()
    return None


def _span_processor(tracer: object) -> object | None:
    """The span processor of a tracer of OpenTelemetry's SDK; `None` for any other tracer."""
    return getattr(getattr(tracer, "_tracer", tracer), "span_processor", None)


def _attempt_events(call: Call) -> list[tuple[str, Attributes, int]]:
    """The events of the call's attempts: name, attributes, time in nanoseconds since the epoch."""
    events: list[tuple[str, Attributes, int]] = []
    for attempt in call.attempts.made if call.attempts is not None else ():
        try:
            started_at = call.timing.started_at + int((attempt.started or 0) * 1e9)
            events.append((ATTEMPT_EVENT, clean_attributes(ATTEMPT.attributes(attempt)), started_at))
        except Exception as fault:  # noqa: BLE001, PERF203 - must not reach the application; `try` costs nothing
            log_fault("computing the event of an attempt", fault)
    return events


def _has_status(span: Span) -> bool:
    """Whether the application, or one of its span processors, has set the span's status."""
    return getattr(getattr(span, "status", None), "status_code", StatusCode.UNSET) is not StatusCode.UNSET


def _max_attributes(span: Span) -> int:
    """Maximum number of attributes of the span. Beyond it, the SDK evicts the first ones."""
    limit = getattr(getattr(span, "_limits", None), "max_span_attributes", _DEFAULT_LIMIT)
    return UNLIMITED if limit is None else int(limit)


@lru_cache(maxsize=16)
def _merged(vocabularies: tuple[Vocabulary, ...]) -> Vocabulary:
    """`Vocabulary.merged`, once for the same vocabularies."""
    return Vocabulary.merged(vocabularies)


@lru_cache(maxsize=256)  # most calls of a process have the same few targets
def _initial(
    vocabulary: Vocabulary,
    name: str,
    operation: str | None,
    model_group: str | None,
    target: tuple[str | None, str | None, str | None, int | None],
) -> tuple[str, Attributes]:
    """The name and the attributes of a span when it is started, from those fields of a call that are known then.

    `target` are the provider, the model, the address and the port.
    """
    provider, model, address, port = target
    call = Call(
        name=name,
        operation=operation,
        target=Target(provider=provider, model=model, address=address, port=port),
        routing=None if model_group is None else Routing(model_group=model_group),
        timing=_ANY_TIMING,
    )
    return _span_name(call), clean_attributes(vocabulary.attributes(call))


def _span_name(call: Call) -> str:
    """The name of the call's span: `chat gpt-4o`, `retrieval vs_1`."""
    subject = call.target.model or (call.routing.model_group if call.routing else None)
    if call.operation == "retrieval" and call.request is not None:
        subject = call.request.data_source_id
    name = f"{call.name} {subject}" if subject else call.name
    return name if name.isascii() else clean_text(name)
