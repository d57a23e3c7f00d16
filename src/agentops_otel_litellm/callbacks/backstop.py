"""The backstop: a span for a call that no observation saw, from what LiteLLM logs when it is over.

An app may keep a function from before LiteLLM was instrumented where nobody looks, and the proxy passes requests
through without calling one. Such a span is written afterwards: nothing that happens in the call is beneath it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Call, Cost, Request, Response, Routing, Usage
from agentops_otel_litellm.callbacks.context import AsTheApp
from agentops_otel_litellm.emit import Telemetry
from agentops_otel_litellm.features import CALLS, FEATURES
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.logging_objects import KNOWN, know
from agentops_otel_litellm.observing.observation import call_in, is_suppressed
from agentops_otel_litellm.operations import Operation, by_name, operation_logged_as, parameter_names
from agentops_otel_litellm.seams.tracing import TRACING

Function = Callable[..., Any]

_LOOKING = guard("looking for a call that was not seen")
_WRITING = guard("telling of a call that was not seen")
_READING_APP = guard("reading what the app says that a call is for")
_READING_REQUEST = guard("reading a logged request")
_READING_RESPONSE = guard("reading a logged response")
_READING_USAGE = guard("reading a logged response's usage")
_READING_ROUTING = guard("reading how LiteLLM carried a logged call")
_claims: dict[int, object] = {}
"""The logging objects, by id, of calls that are being claimed now."""


def made_in_a_call(init: Function) -> Function:
    """A logging object is made: for a call that is seen, or is not to be, or else for one of which nobody knows."""

    @wraps(init)
    def told(logging: object, *args: object, **kwargs: object) -> None:
        init(logging, *args, **kwargs)
        with _LOOKING:
            context = get_current()
            if context and (is_suppressed(context) or call_in(context) is not None):
                know(logging)

    return told


def copied(scoped_copy: Function) -> Function:
    """LiteLLM makes a copy of a logging object, to log one attempt or check with: it is of the same call."""

    @wraps(scoped_copy)
    def told(logging: object, *args: object, **kwargs: object) -> object:
        made = scoped_copy(logging, *args, **kwargs)
        with _LOOKING:
            if logging in KNOWN:
                know(made)
        return made

    return told


def logged(handler: Function) -> Function:
    """One of the methods with which LiteLLM logs that a call has succeeded or failed, and runs callbacks."""
    names = parameter_names(handler)[1:]
    since = time.time()

    def tell(logging: object, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        telemetry = TRACING.telemetry
        if telemetry is None or logging in KNOWN:
            return
        with _WRITING:
            _tell(telemetry, logging, by_name(names, args, kwargs), since)

    if inspect.iscoroutinefunction(handler):

        @wraps(handler)
        async def told_async(logging: object, *args: object, **kwargs: object) -> object:
            with AsTheApp():
                result = await handler(logging, *args, **kwargs)
            tell(logging, args, kwargs)
            return result

        return told_async

    @wraps(handler)
    def told(logging: object, *args: object, **kwargs: object) -> object:
        with AsTheApp():
            result = handler(logging, *args, **kwargs)
        tell(logging, args, kwargs)
        return result

    return told


def _tell(telemetry: Telemetry, logging: object, given: Mapping[str, Any], since: float) -> None:
    """Write the span of a call that began after LiteLLM was instrumented. LiteLLM may log its end several times."""
    context, error = get_current(), given.get("exception")
    if error is None and not readers.is_over(logging):
        return
    if not _claim(logging):
        return
    timing = readers.logged_timing(logging, given.get("start_time"), given.get("end_time"))
    if timing is None or timing.started_at < since * 1e9 or not readers.was_made(logging):
        return
    if is_suppressed(context) or call_in(context) is not None:
        return
    operation = operation_logged_as(getattr(logging, "call_type", None))
    parameters = readers.logged_parameters(logging)
    target = readers.shape_of(operation).target(parameters, logging)
    begun = Call(name=operation.name, operation=operation.name, target=target, timing=timing)
    call = _with_request(begun, operation, logging, parameters)
    with _READING_APP:
        call = replace(call, app=readers.read_app(parameters, context, telemetry.metadata_keys, telemetry.baggage_keys))
    if isinstance(error, BaseException):
        call = replace(call, failure=readers.read_failure(error))
    else:
        call = _with_answer(call, operation, logging, given)
    FEATURES.require(CALLS)
    telemetry.finish(telemetry.start(begun, context), call)


def _claim(logging: object) -> bool:
    """Whether nobody has recorded the call. Takes no lock: the handlers of LiteLLM run in signal handlers of the
    application too, which may interrupt this.
    """
    claim = object()
    if _claims.setdefault(id(logging), claim) is not claim:  # atomic: one of those who come at once
        return False
    try:
        if logging in KNOWN:
            return False
        know(logging)
        return True
    finally:
        del _claims[id(logging)]


def _with_request(call: Call, operation: Operation, logging: object, parameters: Mapping[str, Any]) -> Call:
    request: Request | None = None
    routing: Routing | None = None
    with _READING_REQUEST:
        request = readers.shape_of(operation).request(parameters)
    with _READING_ROUTING:
        routing = readers.shape_of(operation).routing(parameters, logging)
    return replace(call, request=request, routing=routing)


def _with_answer(call: Call, operation: Operation, logging: object, given: Mapping[str, Any]) -> Call:
    """What LiteLLM does not log stays unknown: its attempts, and how a stream came."""
    result = readers.logged_result(logging, given.get("result"))
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    shape = readers.response_shape(result, readers.shape_of(operation))
    with _READING_RESPONSE:
        response = shape.response(result)
        if given.get("cache_hit") is True:
            response = replace(response, cache_hit=True)
    with _READING_USAGE:
        usage = readers.logged_usage(logging, result, shape)
        cost = readers.logged_cost(logging, usage)
    return replace(call, response=response, usage=usage, cost=cost)
