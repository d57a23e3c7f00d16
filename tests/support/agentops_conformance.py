"""Checks AgentOps' copy of each call of the tests, by the rules of AgentOps' pages."""

from __future__ import annotations

from functools import wraps

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Span, Status, StatusCode, format_span_id, format_trace_id

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.exporters.agentops_copies import SpanCopies
from agentops_otel_litellm.records import clean_attributes
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.agentops import AGENTOPS_WITHOUT_CONTENT
from agentops_otel_litellm.semconv.convention import Vocabulary
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry
from agentops_otel_litellm.trace_cost import TraceCost
from agentops_otel_litellm.version import SCOPE
from support.conformance import EMITTED, AgentOpsSpan

DEFAULT = Vocabulary.merged([VOCABULARIES["gen_ai"], VOCABULARIES["llm"], AGENTOPS_WITHOUT_CONTENT])
COPIES = SpanCopies(Settings())


def check_all_calls() -> None:
    """Check the calls of every `Telemetry` from now on."""
    finish = Telemetry.finish

    @wraps(finish)
    def finish_and_check(self: Telemetry, span: Span, call: Call, trace_cost: TraceCost | None = None) -> Call:
        finished = finish(self, span, call, trace_cost)
        EMITTED.add([agentops_span(span, finished)])
        return finished

    Telemetry.finish = finish_and_check  # type: ignore[method-assign]  # it has the same signature


def agentops_span(span: Span, call: Call) -> AgentOpsSpan:
    """The copy of a span with the default attributes of the call."""
    failure = call.failure
    error = None if failure is None else Status(StatusCode.ERROR, failure.message or failure.type)
    copy = COPIES.copy(
        ReadableSpan(
            name=call.name,
            context=span.get_span_context(),
            resource=Resource.get_empty(),
            attributes=clean_attributes(DEFAULT.attributes(call)),
            status=error or Status(StatusCode.OK),
            instrumentation_scope=InstrumentationScope(SCOPE),
        )
    )
    return AgentOpsSpan(
        name=copy.name,
        status=copy.status.status_code.name,
        status_message=copy.status.description or "",
        trace_id=format_trace_id(span.get_span_context().trace_id),
        span_id=format_span_id(span.get_span_context().span_id),
        start_ns=call.timing.started_at,
        response_id=call.response.id if call.response is not None else None,
        attributes=copy.attributes or {},
    )
