"""Requests that LiteLLM's proxy rejects: why, and the span on which that is recorded."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from opentelemetry.context import create_key
from opentelemetry.trace import Span, SpanKind, get_current_span

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.context import get_current
from agentops_otel_litellm.processors.errors import categorise
from agentops_otel_litellm.proxy.traced_work import recording_telemetry
from agentops_otel_litellm.readers.values import keyword
from agentops_otel_litellm.work import Check, Rejection
from agentops_otel_litellm.work_spans import write_rejection

if TYPE_CHECKING:
    from agentops_otel_litellm.call import Failure

REQUEST_SPAN = create_key("agentops_otel_litellm.request_span")
"""The context key of the span of the request to the proxy."""
_RECORDING = guard("recording a rejected request")

# LiteLLM's type of an error of the proxy → the reason. Other types are recorded as they are.
_REASONS = {
    "token_not_found_in_db": "unknown_key",
    "budget_exceeded": "over_budget",
    **dict.fromkeys(
        (f"{holder}_model_access_denied" for holder in ("key", "team", "user", "customer", "org", "project", "agent")),
        "model_not_allowed",
    ),
}
# Reason → the category of errors. For other reasons, the status decides.
_CATEGORIES = {
    "unknown_key": "auth",
    "expired_key": "auth",
    "model_not_allowed": "auth",
    "over_budget": "quota",
    "over_rate_limit": "rate_limit",
}
_GUARDRAIL_FUNCTIONS = frozenset(
    {
        "_process_guardrail_callback",
        "_run_guardrail_with_metrics",
        "_execute_guardrail_hook",
        "_run_during_call_guardrail",
        "async_pre_call_deployment_hook",
        "async_post_call_success_deployment_hook",
    }
)
"""Functions of LiteLLM that run a guardrail: in the proxy, and in calls without it."""
_BLOCKING_STATUSES = frozenset({400, 403, 422})
"""The statuses with which LiteLLM's guardrails block a request."""
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


def read_status(error: BaseException) -> int | None:
    """The HTTP status of an exception of the proxy."""
    for name in ("status_code", "code"):
        value: Any = getattr(error, name, None)
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            return int(value)
    return None


def read_reason(error: BaseException) -> str | None:
    """Why the proxy rejected a request, from the type, the class and the status of its exception."""
    ancestry = [each.__name__ for each in type(error).__mro__]
    if "BudgetExceededError" in ancestry:
        return "over_budget"
    kind: Any = getattr(error, "type", None)
    kind = getattr(kind, "value", kind)  # LiteLLM's types are members of an enumeration
    known = keyword(kind)
    if known in _REASONS:
        return _REASONS[known]
    if "RateLimitError" in ancestry or read_status(error) == _TOO_MANY_REQUESTS:
        return "over_rate_limit"
    if _is_of_guardrail(error):
        return "guardrail"
    return known


def read_check(error: BaseException | None) -> Check:
    """The outcome of a check that has returned, or raised `error`."""
    if error is None:
        return Check(outcome="accepted")
    if not isinstance(error, Exception):  # cancelled
        return Check()
    status = read_status(error)
    is_failed = status is None or status >= _SERVER_ERROR
    return Check(outcome="failed" if is_failed else "rejected", reason=read_reason(error))


def rejection_failure(error: BaseException, category: str | None = None) -> Failure:
    """The failure of a check, with its category: `category` if it is known, or else the category of the reason."""
    failure = readers.read_failure(error)
    reason, status = read_reason(error), read_status(error)
    category = category or _CATEGORIES.get(reason or "")
    if category is None and reason == "guardrail" and status in _BLOCKING_STATUSES:
        category = "content_filter"
    return categorise(replace(failure, status_code=status or failure.status_code), category)


def _is_of_guardrail(error: BaseException) -> bool:
    """Whether a guardrail of the proxy raised the exception."""
    return any(frame.f_code.co_name in _GUARDRAIL_FUNCTIONS for frame, _ in walk_tb(error.__traceback__))


def record_rejection(error: BaseException) -> None:
    """Record on the request's span why the proxy has rejected the request.

    The request's span is the one that was current when the proxy received the request, or the current span, if it is
    one of a server. Otherwise the span of the check, which has failed, is the topmost one.
    """
    with _RECORDING:
        if not isinstance(error, Exception) or recording_telemetry() is None:
            return
        context = get_current()
        received = context.get(REQUEST_SPAN)
        span = received if isinstance(received, Span) else get_current_span(context)
        if not span.is_recording() or getattr(span, "kind", None) is not SpanKind.SERVER:
            return
        failure = rejection_failure(error)
        write_rejection(span, Rejection(type=failure.type, category=failure.category, reason=read_reason(error)))


def mark_rejected(
    function: Callable[..., Coroutine[object, object, object]],
) -> Callable[..., Coroutine[object, object, object]]:
    """Wrap a function of the proxy that raises if a request is rejected. The rejection is recorded on the request's
    span.
    """

    @wraps(function)
    async def marking(*args: object, **kwargs: object) -> object:
        try:
            return await function(*args, **kwargs)
        except Exception as error:
            record_rejection(error)
            raise

    return marking
