"""Tracing: wraps the functions of LiteLLM that applications call, so that each call is recorded as a span.

A call gets a span if its function has LiteLLM's decorator `client`, or a row in `patch_points.py` with a wrapper that
begins with `trace`. The function's row in `operations.py` has the operation and its kind. `Telemetry.start` makes the
span INTERNAL for operations around calls, such as routes, and CLIENT for all others. Calls of functions that are not
patched are recorded from LiteLLM's logging (`callbacks.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Token
from functools import partial, wraps
from time import time
from types import CoroutineType, FunctionType
from typing import Any

from opentelemetry.context import Context

from agentops_otel_litellm import readers
from agentops_otel_litellm.background import mark_as_known
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.invocation.context import CURRENT, get_current, invocation_in, is_suppressed
from agentops_otel_litellm.invocation.finished_call import read_target
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.invocation.nesting import (
    IsNested,
    Parameters,
    Step,
    is_batch_of_one_call,
    is_continuation,
    is_fallback,
    is_inside_same_operation,
    is_part_of_call,
)
from agentops_otel_litellm.invocation.stream_proxy import Running, traced_stream
from agentops_otel_litellm.operations import Operation, by_name, operation_named, operation_of, parameter_names
from agentops_otel_litellm.patching.other_instrumentations import (
    check_callback,
    warn_of_other_recorders,
    warn_of_outer_call,
)
from agentops_otel_litellm.patching.patch_points import ATTEMPTS, FEATURES, LOGGING
from agentops_otel_litellm.patching.propagation import PROPAGATION
from agentops_otel_litellm.patching.wrapping import Function, is_built, register_decorator, replaced
from agentops_otel_litellm.telemetry import Telemetry

_RECORDING_FAILURE = guard("recording an attempt's failure")
_CALL_TOOL = "call_mcp_tool"
_CHECKING_CALLBACK = guard("detecting other recorders of LiteLLM calls")


class _TracedFunction:
    """Starts the invocations of one LiteLLM function. The arguments are those of `Tracing.trace`."""

    def __init__(
        self,
        tracing: Tracing,
        function: Function,
        is_nested: IsNested,
        convert: Callable[[Parameters], Parameters | None] | None,
    ) -> None:
        self._tracing, self._function, self._is_nested, self._convert = tracing, function, is_nested, convert
        self._operation: Operation | None = None
        self._checked_since: float | None = None
        """The value of `Tracing.since` when the first call was checked since LiteLLM was instrumented."""
        self._names: tuple[str, ...] | None = None

    def start_call(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Invocation | Step | None:
        """Return the invocation of a new call, or a step if LiteLLM continues the current call with this one.

        Return `None` if the call must not be recorded, for instance because instrumentation is suppressed.
        """
        telemetry = self._tracing.telemetry
        if telemetry is None:
            return None
        invocation: Invocation | None = None
        try:
            try:
                context = get_current()
                if context and is_suppressed(context):
                    _mark_as_handled(kwargs)
                    return None
                operation = self._operation
                if operation is None or self._checked_since != self._tracing.since:
                    operation = self._check_first_call(telemetry)
                current: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
                if current is not None and not current.has_ended() and self._is_nested(operation, kwargs, current):
                    return self._step(operation, current, kwargs, context)
                if context and current is None and operation.calls_a_model:
                    warn_of_outer_call(context)
                request = self._request(args, kwargs)
                if request is None:
                    return None
                invocation = Invocation.begin(telemetry, operation, request, context)
                # `convert` is only given for the Router's Rust core, which decides on cooldowns after an attempt.
                invocation.settles_attempts = self._convert is not None
            except Exception as fault:  # must not reach the application
                log_fault("starting a span", fault)
            return invocation  # noqa: TRY300 - a signal handler may raise here
        except BaseException as error:
            if invocation is not None:
                invocation.end_with_error(error)
            raise

    def _check_first_call(self, telemetry: Telemetry) -> Operation:
        """At the first call since LiteLLM was instrumented, log what prevents it from being recorded well. Return the
        operation of the function.
        """
        warn_of_other_recorders(telemetry)
        operation = operation_of(self._function)  # before the first call, the function's module may be incomplete
        if operation.calls_a_model:
            FEATURES.require(LOGGING)
            FEATURES.require(ATTEMPTS)
        self._operation, self._checked_since = operation, self._tracing.since
        return operation

    def _request(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Parameters | None:
        """The arguments by name, as LiteLLM's Python functions have them. `None` if the call must not be recorded."""
        request: Parameters = self._by_name(args, kwargs) if args else kwargs
        return request if self._convert is None else self._convert(request)

    def _by_name(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Parameters:
        """All arguments by the names of the parameters."""
        if self._names is None:  # read only if there are positional arguments, because it is slow
            self._names = parameter_names(self._function)
        return by_name(self._names, args, kwargs)

    def _step(self, operation: Operation, current: Invocation, kwargs: Parameters, context: Context) -> Step | None:
        """Return a call of this function as a step of the current call.

        Return `None` if the current call is not one of a model, or if an asynchronous function calls its synchronous
        twin, which is not a step.
        """
        if not current.calls_a_model or readers.is_by_twin(kwargs, self._function.__name__):
            return None
        return Step(current, readers.API_FORMATS[operation.api_format], context, self._record_failed_attempt, kwargs)

    def _record_failed_attempt(self, error: Exception, kwargs: Parameters) -> None:
        """Record that a step of the current call has failed, if it was an attempt. It may have sent no request.

        It was an attempt if LiteLLM passed its logging object, and the operation is that of the current call. The call
        of an asynchronous function to its synchronous twin, which `is_by_twin` recognises by a flag, is not an attempt.
        """
        with _RECORDING_FAILURE:
            if readers.read_logging_object(kwargs) is None or readers.is_by_twin(kwargs, self._function.__name__):
                return
            context = get_current()
            invocation = invocation_in(context)
            if (
                invocation is None
                or self._operation is None
                or invocation.operation.name != self._operation.name
                or is_suppressed(context)
            ):
                return
            invocation.attempts.fail_nested(error, kwargs, read_target(invocation))


class Tracing:
    """The wrappers of LiteLLM's functions. They record calls while `telemetry` is set."""

    since = 0.0
    """When LiteLLM was instrumented, in seconds since the epoch."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self.telemetry = telemetry

    def start(self, telemetry: Telemetry) -> None:
        """Record calls from now on."""
        self.since = time()
        self.telemetry = telemetry

    def stop(self) -> Telemetry | None:
        """Record no more calls. Return the object that has recorded them."""
        telemetry, self.telemetry = self.telemetry, None
        return telemetry

    def trace_built(self, client: FunctionType) -> Function:
        """Wrap LiteLLM's decorator `client`, so that all functions with this decorator are traced, including those that
        have it already.
        """
        register_decorator(client, self.trace)

        @wraps(client)
        def tracing_client(*args: object, **kwargs: object) -> object:
            built = client(*args, **kwargs)
            if not isinstance(built, FunctionType):
                return built
            return replaced(built, self.trace_tool if built.__name__ == _CALL_TOOL else self.trace)

        return tracing_client

    def trace_tool(self, function: Function) -> Function:
        """Record no call for a function that calls a tool of an MCP server: `proxy/tools.py` records the tool."""
        return self.trace(function, parameters=_mark_as_handled)

    def trace_undecorated(self, function: Function) -> Function:
        """Trace a function, unless it has the decorator in this release of LiteLLM, and so is traced already."""
        # Some of these functions are asynchronous and call their synchronous twins: both are one call.
        return function if is_built(function) else self.trace(function, is_inside_same_operation)

    def trace_batch(self, function: Function) -> Function:
        """Trace a function that makes several calls, such as `batch_completion`.

        `completion` itself calls such a function if it receives a `model_list`. Then only `completion` is recorded.
        """
        return self.trace(function, is_batch_of_one_call)

    def trace_routing(self, function: Function) -> Function:
        """Trace the Router's function that calls deployments until one succeeds. It calls itself for a fallback, which
        is not recorded as a further route.
        """
        return self.trace(function, is_fallback)

    def trace_core_routing(self, function: Function) -> Function:
        """Trace the Rust core's function that calls deployments. The request is one of its arguments."""
        return self.trace(function, is_fallback, parameters=readers.read_routed_request)

    def check_new_callback(self, init: Function) -> Function:
        """Wrap the constructor of LiteLLM's OpenTelemetry callbacks: log a warning if a new callback would record each
        call a second time.
        """

        @wraps(init)
        def traced_init(callback: object, *args: object, **kwargs: object) -> None:
            init(callback, *args, **kwargs)
            with _CHECKING_CALLBACK:
                if self.telemetry is not None:
                    check_callback(callback, self.telemetry)

        return traced_init

    def trace(
        self,
        function: Function,
        is_nested: IsNested | None = None,
        *,
        parameters: Callable[[Parameters], Parameters | None] | None = None,
    ) -> Function:
        """Return a function that calls `function` and records the call.

        If `is_nested` returns true, the call is recorded as a part of the call in progress. `parameters` converts the
        function's arguments, by name, to the request; `None` if the call must not be recorded. By default, the
        arguments are the request.
        """
        start_call = _TracedFunction(self, function, is_nested or is_part_of_call, parameters).start_call

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def traced_async(*args: object, **kwargs: object) -> object:
                started = start_call(args, kwargs)
                if started is None:
                    return await function(*args, **kwargs)
                if isinstance(started, Step):  # its error does not end the current call, because LiteLLM may retry
                    with started:
                        result = await function(*args, **kwargs)
                    started.add_result(result)
                    return result
                token = None
                try:  # equivalent to `with Running(started)`, which would cost more
                    token = started.enter()
                    result = await function(*args, **kwargs)
                    started.leave(token)
                    return traced_result(started, result)
                except BaseException as error:
                    started.leave(token, error)
                    raise

            return traced_async

        @wraps(function)
        def traced(*args: object, **kwargs: object) -> object:
            started = start_call(args, kwargs)
            if started is None:
                return function(*args, **kwargs)
            if isinstance(started, Step):
                with started:
                    result = function(*args, **kwargs)
                started.add_result(result)
                return result
            token = None
            try:  # equivalent to `with Running(started)`, which would cost more
                token = started.enter()
                result = function(*args, **kwargs)
                started.leave(token)
                return traced_result(started, result)
            except BaseException as error:
                started.leave(token, error)
                raise

        return traced


def _mark_as_handled(kwargs: Parameters) -> None:
    """Keep the backstop from recording a suppressed call. The proxy creates the logging object before the call, so
    `wrap_logging_init` has not marked it.
    """
    logging = readers.read_logging_object(kwargs)
    if logging is not None:
        mark_as_known(logging)


def traced_result(invocation: Invocation, result: object) -> object:
    """Return the object that the application receives for LiteLLM's `result`, and record the result.

    A stream, a stream manager or a coroutine is wrapped, and the call ends later: with the end of the stream, or with
    the result of the coroutine. Any other result is returned unchanged, and ends the call.
    """
    try:
        if isinstance(result, CoroutineType):
            coroutine = _traced_coroutine(invocation, result)
            invocation.wait_for_use(coroutine)
            return coroutine
        if readers.is_stream_manager(result):
            invocation.wait_for_use()
            return traced_stream(result, invocation)
        if readers.is_stream(result):
            invocation.start_stream(result)
            return traced_stream(result, invocation)
    except Exception as fault:  # must not reach the application
        log_fault("recording a result", fault)
    invocation.end_with_result(result)
    return result


async def _traced_coroutine(invocation: Invocation, coroutine: Coroutine[object, object, object]) -> object:
    invocation.resume()
    with Running(invocation):
        result = await coroutine
    return traced_result(invocation, result)


TRACING = Tracing()
"""The only instance. It exists as long as the process, because the application may still have a traced function after
`uninstrument()`.
"""


# --- calls that LiteLLM makes in Rust ------------------------------------------------------------------------
#
# For each call, a dispatcher of LiteLLM chooses between a Python function, which is traced by its decorator, and a
# native function, which is traced here. A native function may decline a call that it does not support. Then the
# dispatcher calls the Python function, if there is one, and both calls are recorded as one.


def trace_dispatch(run: Function) -> Function:
    """Wrap the method of a dispatcher that receives the native function and the Python function as its arguments
    `native` and `python`. Both are replaced by traced functions, for this call only.
    """
    is_async = inspect.iscoroutinefunction(run)

    def replace_functions(dispatcher: object, parts: dict[str, Any]) -> None:
        if TRACING.telemetry is None or not callable(parts.get("native")) or "python" not in parts:
            return
        # `declined` gets the invocation of the call when the native function declines it.
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
    """Call the native function and record the call. `args` are LiteLLM's binding, the request, and the application's
    positional and keyword arguments.
    """
    invocation = _start_native(dispatcher, args)
    if invocation is None:
        return native(*args, **kwargs)
    token = invocation.enter()
    try:
        result = native(*PROPAGATION.native_arguments(args), **kwargs)
    except BaseException as error:
        _leave_native(invocation, token, error, declined)
        raise
    invocation.leave(token)
    return traced_result(invocation, result)


async def _call_native_async(
    native: Function, dispatcher: object, declined: list[Invocation], *args: object, **kwargs: object
) -> object:
    """Call a native function that is asynchronous, and record the call."""
    invocation = _start_native(dispatcher, args)
    if invocation is None:
        return await native(*args, **kwargs)
    token = invocation.enter()
    try:
        result = await native(*PROPAGATION.native_arguments(args), **kwargs)
    except BaseException as error:
        _leave_native(invocation, token, error, declined)
        raise
    invocation.leave(token)
    return traced_result(invocation, result)


def _call_python(python: Function, declined: list[Invocation], *args: object, **kwargs: object) -> object:
    """Call the Python function. If the native function has declined the call, both are recorded as one call."""
    if not declined:
        return python(*args, **kwargs)
    with Running(declined[0]):
        result = python(*args, **kwargs)
    return traced_result(declined[0], result)


def _start_native(dispatcher: object, args: tuple[object, ...]) -> Invocation | None:
    """Return the invocation of a new call; `None` if it continues the current call, or if tracing is suppressed."""
    with guard("starting a span"):
        telemetry, context = TRACING.telemetry, get_current()
        _binding, request, _args, kwargs, *_ = args
        if telemetry is None or is_suppressed(context) or not isinstance(kwargs, Mapping):
            return None
        current = invocation_in(context)
        if current is not None and is_continuation(kwargs, current):
            return None
        operation = operation_named(readers.read_native_function(dispatcher))
        return Invocation.begin(telemetry, operation, readers.read_native_parameters(request, kwargs), context)
    return None


def _leave_native(
    invocation: Invocation, token: Token[Context] | None, error: BaseException, declined: list[Invocation]
) -> None:
    """Restore the context after a native function has raised `error`. The call has failed, unless the error means that
    the function declines the call. Then the call goes on: the Python function is called with the original arguments.
    """
    if not readers.has_declined(error):
        invocation.leave(token, error)
        return
    # The Python function does not use a logging object that LiteLLM made for the native function.
    invocation.logging = invocation.first_logging = readers.read_logging_object(invocation.parameters)
    declined.append(invocation)
    invocation.leave(token)
