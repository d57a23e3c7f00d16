"""Checks each call of the tests with its AgentOps attributes, by the rules of AgentOps' reader."""

from __future__ import annotations

from functools import wraps

from opentelemetry.trace import Span

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.semconv.agentops import AGENTOPS
from agentops_otel_litellm.telemetry import Telemetry, TraceCost
from support.conformance import EMITTED, AgentOpsSpan


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
    return AgentOpsSpan(
        name=call.name,
        failure=None if call.failure is None else call.failure.message or call.failure.type,
        trace_id=span.get_span_context().trace_id,
        span_id=span.get_span_context().span_id,
        response_id=call.response.id if call.response is not None else None,
        attributes=AGENTOPS.attributes(call),
    )
