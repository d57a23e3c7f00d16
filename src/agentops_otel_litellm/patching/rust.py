"""Traces calls that LiteLLM makes in Rust.

For each call, LiteLLM's dispatchers choose between a Python function, which the decorator has built and which is traced
already, and a native function, which is traced here. A native function may decline a call that it does not support.
Then the dispatcher calls the Python function, if there is one, and both are recorded as one call.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextvars import Token
from functools import partial, wraps
from typing import Any

from opentelemetry.context import Context, get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.invocation.nesting import CURRENT, Running, is_suppressed
from agentops_otel_litellm.operations import operation_named
from agentops_otel_litellm.patching.traced_functions import TRACING, is_continuation, traced_result
from agentops_otel_litellm.patching.wrapping import Function

_STARTING = guard("starting a span")


def trace_dispatch(run: Function) -> Function:
    """Patch a dispatcher's method, which receives the native function and the Python function as arguments.

    Both are replaced for this call. `declined` has the invocation of the call after the native function has declined
    it. Nothing is done for the native function before it is called, because LiteLLM rarely calls it.
    """
    is_async = inspect.iscoroutinefunction(run)

    def replace_functions(dispatcher: object, parts: dict[str, Any]) -> None:
        if TRACING.telemetry is None or not callable(parts.get("native")) or "python" not in parts:
            return
        native, python, declined = parts["native"], parts["python"], list[Invocation]()
        parts["native"] = partial(_call_native_async if is_async else _call_native, native, dispatcher, declined)
        if callable(python):
            parts["python"] = partial(_call_python, python, declined)

    @wraps(run)
    def traced_run(dispatcher: object, *args: object, **parts: Any) -> object:  # noqa: ANN401 - LiteLLM's arguments
        replace_functions(dispatcher, parts)
        return run(dispatcher, *args, **parts)

    @wraps(run)
    async def traced_arun(dispatcher: object, *args: object, **parts: Any) -> object:  # noqa: ANN401 - LiteLLM's
        replace_functions(dispatcher, parts)
        return await run(dispatcher, *args, **parts)

    return traced_arun if is_async else traced_run


def _call_native(
    native: Function, dispatcher: object, declined: list[Invocation], *args: object, **kwargs: object
) -> object:
    """Call the native function. Its arguments are LiteLLM's binding, the request, and the application's positional and
    keyword arguments.
    """
    invocation = _start(dispatcher, args)
    if invocation is None:
        return native(*args, **kwargs)
    token = invocation.enter()
    try:
        result = native(*args, **kwargs)
    except BaseException as error:
        _leave(invocation, token, error, declined)
        raise
    invocation.leave(token)
    return traced_result(invocation, result)


async def _call_native_async(
    native: Function, dispatcher: object, declined: list[Invocation], *args: object, **kwargs: object
) -> object:
    """Call the native function, if it is asynchronous."""
    invocation = _start(dispatcher, args)
    if invocation is None:
        return await native(*args, **kwargs)
    token = invocation.enter()
    try:
        result = await native(*args, **kwargs)
    except BaseException as error:
        _leave(invocation, token, error, declined)
        raise
    invocation.leave(token)
    return traced_result(invocation, result)


def _call_python(python: Function, declined: list[Invocation], *args: object, **kwargs: object) -> object:
    """Call the Python function. If the native function has declined the call, this call continues it."""
    if not declined:
        return python(*args, **kwargs)
    with Running(declined[0]):
        result = python(*args, **kwargs)
    return traced_result(declined[0], result)


def _start(dispatcher: object, args: tuple[object, ...]) -> Invocation | None:
    """Return the invocation of a new call; `None` if it continues an earlier call, or instrumentation is suppressed."""
    with _STARTING:
        telemetry, context = TRACING.telemetry, get_current()
        _binding, request, _args, kwargs, *_ = args
        if telemetry is None or is_suppressed(context) or not isinstance(kwargs, Mapping):
            return None
        current: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # nothing else is put there
        if current is not None and not current.has_ended() and is_continuation(kwargs, current):
            return None
        operation = operation_named(readers.read_native_function(dispatcher))
        return Invocation.begin(telemetry, operation, readers.read_native_parameters(request, kwargs), context)
    return None


def _leave(
    invocation: Invocation, token: Token[Context] | None, error: BaseException, declined: list[Invocation]
) -> None:
    """Leave the native function, which has raised an error. If that means that it declines the call, the call goes on:
    the Python function starts it again, with the original parameters.
    """
    if not readers.has_declined(error):
        invocation.leave(token, error)
        return
    invocation.logging = invocation.first_logging = readers.read_logging_object(invocation.parameters)
    declined.append(invocation)
    invocation.leave(token)
