"""The spans of work around calls of models. `Telemetry` uses this module; no other module creates such spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, Status, StatusCode

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.records import clean_attributes, clean_text
from agentops_otel_litellm.semconv.work_attributes import REJECTION, work_vocabulary

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from agentops_otel_litellm.semconv.convention import Vocabulary
    from agentops_otel_litellm.work import Rejection, Work

_WRITING = guard("recording work around a call")
_REJECTING = guard("recording a rejected request")


class WorkSpans:
    """Converts `Work` to spans, with the attributes of the vocabularies that the user has chosen."""

    def __init__(self, tracer: Tracer, vocabularies: Sequence[Vocabulary]) -> None:
        self._tracer = tracer
        self._vocabulary = work_vocabulary(vocabularies)

    def start(self, work: Work, context: Context) -> Span:
        """Start the span of `work`, with the attributes that are known now."""
        return self._tracer.start_span(
            clean_text(work.name),
            context=context,
            kind=SpanKind.CLIENT if work.is_client else SpanKind.INTERNAL,
            attributes=clean_attributes(self._vocabulary.attributes(work)),
            start_time=work.started_at,
        )

    def finish(self, span: Span, work: Work) -> None:
        """Write the attributes and the status of `work`, and end its span, even if that fails."""
        try:
            with _WRITING:
                if span.is_recording():
                    self._write(span, work)
        finally:
            span.end(work.ended_at)

    def _write(self, span: Span, work: Work) -> None:
        if work.name != getattr(span, "name", None):
            span.update_name(clean_text(work.name))
        span.set_attributes(clean_attributes(self._vocabulary.attributes(work)))
        if work.failure is not None:
            span.set_status(Status(StatusCode.ERROR, clean_text(work.failure.message or work.failure.type)))
        elif self._vocabulary.records_success:
            span.set_status(Status(StatusCode.OK))


def write_rejection(span: Span, rejection: Rejection) -> None:
    """Mark the span of a request as rejected: its status, and the attributes of `rejection`."""
    with _REJECTING:
        span.set_attributes(clean_attributes(REJECTION.attributes(rejection)))
        span.set_status(Status(StatusCode.ERROR, clean_text(rejection.reason or rejection.type)))
