"""Tracing: wraps the functions of LiteLLM that applications call, so that each call is recorded as a span.

A function gets a span if LiteLLM's decorator `client` has built it, or if the table in `patch_points.py` has a row for
it with a wrapper of `Tracing`. The function's row in `operations.py` has the operation and its kind. The span's kind is
INTERNAL for operations around calls, such as routes, and CLIENT for all others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Token
from functools import partial, wraps
from types import CoroutineType, FunctionType
from typing import Any

from opentelemetry.context import Context, get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.background import mark_as_known
from agentops_otel_litellm.guard import guard, log_fault
from agentops_otel_litellm.invocation.finished_call import read_target
from agentops_otel_litellm.invocation.invocation import Invocation
from agentops_otel_litellm.invocation.nesting import CURRENT, Step, invocation_in, is_suppressed
from agentops_otel_litellm.invocation.stream_proxy import Running, traced_stream
from agentops_otel_litellm.operations import Operation, by_name, operation_named, operation_of, parameter_names
from agentops_otel_litellm.patching.other_instrumentations import check_callback, warn_of_other_recorders
from agentops_otel_litellm.patching.patch_points import ATTEMPTS, FEATURES, LOGGING
from agentops_otel_litellm.patching.wrapping import Function, is_built, register_decorator, register_replacement
from agentops_otel_litellm.telemetry import Telemetry

Parameters = Mapping[str, object]
IsNested = Callable[[Operation, Parameters, Invocation], bool]
"""Function: operation, parameters, current invocation → whether a call with these is a part of this invocation."""

_RECORDING_FAILURE = guard("recording an attempt's failure")
_CHECKING_CALLBACK = guard("detecting other recorders of LiteLLM calls")


class _TracedFunction:
    """A traced function, which starts the calls of LiteLLM's function."""

    def __init__(
        self,
        tracing: Tracing,
        function: Function,
        is_nested: IsNested,
        convert: Callable[[Parameters], Parameters | None] | None,
    ) -> None:
        self._tracing, self._function, self._is_nested, self._convert = tracing, function, is_nested, convert
        self._operation: Operation | None = None
        self._names: tuple[str, ...] | None = None

    def start_call(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Invocation | Step | None:
        """Return the invocation of a new call, or a step if the call is a step of the current call.

        Return `None` if it is neither, or if instrumentation is suppressed.
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
                operation = self._operation or self._find_operation(telemetry)
                current: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
                if current is not None and not current.has_ended() and self._is_nested(operation, kwargs, current):
                    return self._step(operation, current, kwargs, context)
                request: Parameters | None = self._by_name(args, kwargs) if args else kwargs
                if self._convert is not None and request is not None:
                    request = self._convert(request)
                if request is None:
                    return None
                invocation = Invocation.begin(telemetry, operation, request, context)
                # Only the functions of the Router's Rust core convert their arguments. The core decides on cooldowns
                # after an attempt.
                invocation.settles_attempts = self._convert is not None
            except Exception as fault:  # must not reach the application
                log_fault("starting a span", fault)
            return invocation  # noqa: TRY300 - a signal handler may raise here
        except BaseException as error:
            if invocation is not None:
                invocation.end_with_error(error)
            raise

    def _find_operation(self, telemetry: Telemetry) -> Operation:
        """Find the operation at the first call. The module of the function was not complete when it was defined."""
        warn_of_other_recorders(telemetry)
        operation = operation_of(self._function)
        if operation.calls_a_model:
            FEATURES.require(LOGGING)
            FEATURES.require(ATTEMPTS)
        self._operation = operation
        return operation

    def _by_name(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Parameters:
        """All arguments by the names of the parameters, which are read at the first call with positional arguments."""
        if self._names is None:
            self._names = parameter_names(self._function)
        return by_name(self._names, args, kwargs)

    def _step(self, operation: Operation, current: Invocation, kwargs: Parameters, context: Context) -> Step | None:
        """Return a call of this function as a step of the current call; `None` if no call of a model is in progress.

        If an asynchronous function calls its synchronous twin, that is not a step, and the result is `None` as well.
        """
        if not current.calls_a_model or readers.is_by_twin(kwargs, self._function.__name__):
            return None
        return Step(current, readers.api_format_of(operation), context, self._record_failed_attempt, kwargs)

    def _record_failed_attempt(self, error: Exception, kwargs: Parameters) -> None:
        """Record that a failed call of this function was an attempt of the current call, even if it sent no request.

        It was an attempt if LiteLLM passed its logging object, and the function is that of the current call. If an
        asynchronous function calls its synchronous twin, which is recognised by a flag, that is not an attempt.
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
    """Wraps functions. Their calls are traced while `telemetry` is set."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self.telemetry = telemetry

    def trace_built(self, client: FunctionType) -> Function:
        """Wrap LiteLLM's decorator `client`, so that all functions are traced that the decorator builds or has built
        before.
        """
        register_decorator(client, self.trace)

        @wraps(client)
        def tracing_client(*args: object, **kwargs: object) -> object:
            built = client(*args, **kwargs)
            return register_replacement(built, self.trace(built)) if isinstance(built, FunctionType) else built

        return tracing_client

    def trace_undecorated(self, function: Function) -> Function:
        """Trace a function unless the decorator has built it in this release, in which case it is traced already.

        Asynchronous functions among these call their synchronous twins.
        """
        return function if is_built(function) else self.trace(function, _is_inside_same_operation)

    def trace_batch(self, function: Function) -> Function:
        """Trace a function that makes several calls.

        LiteLLM also uses the function itself, for one call with a `model_list`; then it is not a call of its own.
        """
        return self.trace(function, _is_batch_of_one_call)

    def trace_routing(self, function: Function) -> Function:
        """Trace the Router's function that calls deployments until one succeeds. It calls itself for each fallback."""
        return self.trace(function, _is_fallback)

    def trace_core_routing(self, function: Function) -> Function:
        """Trace the same function of the Router's Rust core, which receives the request as one argument."""
        return self.trace(function, _is_fallback, parameters=readers.read_routed_request)

    def check_new_callback(self, init: Function) -> Function:
        """Wrap the constructor of LiteLLM's OpenTelemetry callbacks, which have one base class: a warning is logged if
        a new callback records the calls a second time.
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

        If `is_nested` returns true, the call is recorded as a part of the call that is in progress. `parameters`
        converts the function's arguments, by name, to the request, or returns `None` if the call must not be recorded.
        Without `parameters`, the arguments are the request.
        """
        start_call = _TracedFunction(self, function, is_nested or _is_part_of_call, parameters).start_call

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def traced_async(*args: object, **kwargs: object) -> object:
                started = start_call(args, kwargs)
                if started is None:
                    return await function(*args, **kwargs)
                if isinstance(started, Step):  # its error does not end the call, because LiteLLM may try again
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
    """Keep the callbacks from recording a suppressed call. The proxy makes the logging object of a call before the
    call, so the object cannot be marked when it is made.
    """
    logging = readers.read_logging_object(kwargs)
    if logging is not None:
        mark_as_known(logging)


def traced_result(invocation: Invocation, result: object) -> object:
    """Record LiteLLM's `result` and return what the application gets: the result, or a wrapper of its stream."""
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


# --- whether a call is a part of the invocation in progress --------------------------------------------------


def is_continuation(kwargs: Parameters, current: Invocation) -> bool:
    """Whether LiteLLM calls one of its functions with `kwargs` to continue the model call in progress.

    LiteLLM passes its logging object to every step. That is not sufficient, because the proxy makes one before the
    first call as well, so there must be a call in progress. An inner call without that object is a step as well if
    LiteLLM has made no logging object for the call in progress yet, or if the messages are LiteLLM's translation of the
    request.
    """
    if not current.calls_a_model:
        return False
    if current.logging is None or readers.read_logging_object(kwargs) is not None:
        return True
    return current.translation is not None and readers.read_messages(kwargs) is current.translation


def _is_part_of_call(operation: Operation, kwargs: Parameters, current: Invocation) -> bool:
    """Whether LiteLLM continues the call in progress, or an operation around calls calls itself."""
    return is_continuation(kwargs, current) or (
        not operation.calls_a_model and _is_inside_same_operation(operation, kwargs, current)
    )


def _is_inside_same_operation(operation: Operation, _kwargs: Parameters, current: Invocation) -> bool:
    return current.operation.name == operation.name


def _is_batch_of_one_call(_operation: Operation, kwargs: Parameters, current: Invocation) -> bool:
    """Whether LiteLLM uses the batch function to make the call in progress, which has a `model_list`."""
    return readers.is_of_model_list(kwargs) and current.calls_a_model


def _is_fallback(_operation: Operation, kwargs: Parameters, current: Invocation) -> bool:
    """Whether the Router calls itself for the fallback of the call that it is routing.

    Code that chooses a deployment may make other calls through the Router; these are not fallbacks.
    """
    return readers.is_fallback(kwargs) and current.operation.name == "route"


TRACING = Tracing()
"""The only instance. Functions that were traced before an `uninstrument()` refer to it, and may still be called."""


# --- calls that LiteLLM makes in Rust ------------------------------------------------------------------------
#
# For each call, LiteLLM's dispatchers choose between a Python function, which the decorator has built and which is
# traced already, and a native function, which is traced here. A native function may decline a call that it does not
# support. Then the dispatcher calls the Python function, if there is one, and both are recorded as one call.


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
    invocation = _start_native(dispatcher, args)
    if invocation is None:
        return native(*args, **kwargs)
    token = invocation.enter()
    try:
        result = native(*args, **kwargs)
    except BaseException as error:
        _leave_native(invocation, token, error, declined)
        raise
    invocation.leave(token)
    return traced_result(invocation, result)


async def _call_native_async(
    native: Function, dispatcher: object, declined: list[Invocation], *args: object, **kwargs: object
) -> object:
    """Call the native function, if it is asynchronous."""
    invocation = _start_native(dispatcher, args)
    if invocation is None:
        return await native(*args, **kwargs)
    token = invocation.enter()
    try:
        result = await native(*args, **kwargs)
    except BaseException as error:
        _leave_native(invocation, token, error, declined)
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


def _start_native(dispatcher: object, args: tuple[object, ...]) -> Invocation | None:
    """Return the invocation of a new call; `None` if it continues an earlier call, or instrumentation is suppressed."""
    with guard("starting a span"):
        telemetry, context = TRACING.telemetry, get_current()
        _binding, request, _args, kwargs, *_ = args
        if telemetry is None or is_suppressed(context) or not isinstance(kwargs, Mapping):
            return None
        current: Invocation | None = context.get(CURRENT)  # type: ignore[assignment]  # always an invocation
        if current is not None and not current.has_ended() and is_continuation(kwargs, current):
            return None
        operation = operation_named(readers.read_native_function(dispatcher))
        return Invocation.begin(telemetry, operation, readers.read_native_parameters(request, kwargs), context)
    return None


def _leave_native(
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
