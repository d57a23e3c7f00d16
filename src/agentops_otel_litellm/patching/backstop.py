"""The backstop: records the span of a call that no patched function traced, from LiteLLM's logging at its end.

There are such calls because an application can have a reference to a LiteLLM function that was not patched when the
application imported it, and because the proxy's pass-through endpoints call none of LiteLLM's functions. The span is
created when the call has ended, so it has no child spans.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.background import KNOWN, mark_as_known
from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.features import CALLS, FEATURES
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.finished_call import ResponseFacts
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.invocation.nesting import call_in, is_suppressed
from agentops_otel_litellm.operations import by_name, operation_logged_as, parameter_names
from agentops_otel_litellm.patching.callback_contexts import ApplicationContext
from agentops_otel_litellm.patching.traced_functions import TRACING
from agentops_otel_litellm.patching.wrapping import Function
from agentops_otel_litellm.telemetry import Telemetry

_RECORDING = guard("recording a call that was not traced")
_READING_RESPONSE = guard("reading a logged response")
_READING_USAGE = guard("reading a logged response's usage")
_claims: dict[int, object] = {}
"""Id of a logging object → the claim of the thread that records its call: an object of that thread."""


def wrap_logging_handler(handler: Function) -> Function:
    """Wrap a method with which LiteLLM logs the success or failure of a call, and runs callbacks."""
    names = parameter_names(handler)[1:]
    since = time.time()

    def record_untraced(logging: object, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        telemetry = TRACING.telemetry
        if telemetry is None or logging in KNOWN:
            return
        with _RECORDING:
            _record_call(telemetry, logging, by_name(names, args, kwargs), since)

    if inspect.iscoroutinefunction(handler):

        @wraps(handler)
        async def traced_handler_async(logging: object, *args: object, **kwargs: object) -> object:
            with ApplicationContext():
                result = await handler(logging, *args, **kwargs)
            record_untraced(logging, args, kwargs)
            return result

        return traced_handler_async

    @wraps(handler)
    def traced_handler(logging: object, *args: object, **kwargs: object) -> object:
        with ApplicationContext():
            result = handler(logging, *args, **kwargs)
        record_untraced(logging, args, kwargs)
        return result

    return traced_handler


def _record_call(telemetry: Telemetry, logging: object, arguments: Mapping[str, Any], since: float) -> None:
    """Record the span of a call that started after LiteLLM was instrumented. LiteLLM may log its end several times."""
    context, error = get_current(), arguments.get("exception")
    if error is None and not readers.is_over(logging):
        return
    if not _claim(logging):
        return
    timing = readers.logged_timing(logging, arguments.get("start_time"), arguments.get("end_time"))
    if timing is None or timing.started_at < since * 1e9 or not readers.was_made(logging):
        return
    if is_suppressed(context) or call_in(context) is not None:
        return
    operation = operation_logged_as(getattr(logging, "call_type", None))
    parameters = {**readers.logged_parameters(logging), "litellm_logging_obj": logging}
    FEATURES.require(CALLS)
    invocation = Invocation(telemetry, operation, parameters, context, timing.started_at)
    if isinstance(error, BaseException):
        invocation.end_logged(None, timing.duration, error)
    else:
        invocation.end_logged(_read_facts(invocation, logging, arguments), timing.duration, None)


def _claim(logging: object) -> bool:
    """Mark the call as recorded. Return `False` if it was recorded already.

    It takes no lock, because a signal handler of the application can interrupt it and run LiteLLM's handlers.
    """
    claim = object()
    if _claims.setdefault(id(logging), claim) is not claim:  # atomic, so only one of concurrent claims succeeds
        return False
    try:
        if logging in KNOWN:
            return False
        mark_as_known(logging)
        return True
    finally:
        del _claims[id(logging)]


def _read_facts(invocation: Invocation, logging: object, arguments: Mapping[str, Any]) -> ResponseFacts:
    """Response, usage and cost. LiteLLM logs neither its attempts nor the timing of a stream."""
    result = readers.logged_result(logging, arguments.get("result"))
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    api_format = readers.api_format_of_response(result, invocation.api_format)
    with _READING_RESPONSE:
        response = api_format.response(result)
        if arguments.get("cache_hit") is True:
            response = replace(response, cache_hit=True)
    with _READING_USAGE:
        usage = readers.logged_usage(logging, result, api_format)
        cost = readers.logged_cost(logging, usage)
    return response, usage, cost
