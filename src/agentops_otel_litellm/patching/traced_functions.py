"""Tracing: wraps LiteLLM's functions so that each call is recorded as a span."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from types import CoroutineType, FunctionType

from opentelemetry.context import Context, get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.callbacks.coexistence import warn_of_other_recorders
from agentops_otel_litellm.features import ATTEMPTS, FEATURES, LOGGING
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.invocation import Invocation, call_in, invocation_in, is_suppressed
from agentops_otel_litellm.invocation.logging_objects import mark_as_known
from agentops_otel_litellm.invocation.nested_responses import Step
from agentops_otel_litellm.invocation.stream_proxy import traced_stream
from agentops_otel_litellm.operations import Operation, by_name, operation_of, parameter_names
from agentops_otel_litellm.patching.patches import is_built, register_decorator, register_replacement
from agentops_otel_litellm.telemetry import Telemetry

Function = Callable[..., object]
Parameters = Mapping[str, object]
IsNested = Callable[[Operation, Parameters, Parameters], bool]
"""Function: operation, parameters, context → whether a call with these is a part of the call in progress."""

_RECORDING_RESULT = guard("recording a result")
_RECORDING_FAILURE = guard("recording an attempt's failure")


class _TracedFunction:
    """A traced function, with its operation and the names of its parameters."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._operation: Operation | None = None
        self._names: tuple[str, ...] | None = None

    # Both are computed at the first call, because the module was not complete when the function was defined. They are
    # not `cached_property`, which has a lock before Python 3.12 that a fork would leave locked in the child.

    @property
    def operation(self) -> Operation:
        if self._operation is None:
            self._operation = self._find_operation()
        return self._operation

    def _find_operation(self) -> Operation:
        warn_of_other_recorders()
        operation = operation_of(self._function)
        if operation.calls_a_model:
            FEATURES.require(LOGGING)
            FEATURES.require(ATTEMPTS)
        return operation

    @property
    def names(self) -> tuple[str, ...]:
        if self._names is None:
            self._names = parameter_names(self._function)
        return self._names

    def record_failed_attempt(self, error: Exception, kwargs: Parameters) -> None:
        """Record that a failed call of this function was an attempt of the current call, even if it sent no request."""
        with _RECORDING_FAILURE:
            invocation = self._attempted_call(kwargs)
            if invocation is not None:
                invocation.state.attempts.fail_nested(error, kwargs, invocation.state.target())

    def step(self, kwargs: Parameters, context: Context) -> Step | None:
        """Return a call of this function as a step of the current call; `None` if no call of a model is in progress.

        If an asynchronous function calls its synchronous twin, that is not a step, and the result is `None` as well.
        """
        invocation = call_in(context)
        if invocation is None or readers.is_by_twin(kwargs, self._function.__name__):
            return None
        return Step(
            invocation.state, readers.api_format_of(self.operation), context, self.record_failed_attempt, kwargs
        )

    def _attempted_call(self, kwargs: Parameters) -> Invocation | None:
        """The current call, if LiteLLM makes one attempt of that call by calling this function; otherwise `None`.

        If an asynchronous function calls its synchronous twin, which is recognised by a flag, that is not an attempt.
        """
        if readers.read_logging_object(kwargs) is None or readers.is_by_twin(kwargs, self._function.__name__):
            return None
        context = get_current()
        invocation = invocation_in(context)
        if invocation is None or invocation.operation != self.operation.name or is_suppressed(context):
            return None
        return invocation


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
        start_call = self._starter(_TracedFunction(function), is_nested or _is_part_of_call, parameters)

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def traced_async(*args: object, **kwargs: object) -> object:
                started = start_call(args, kwargs)
                if started is None:
                    return await function(*args, **kwargs)
                if isinstance(started, Step):
                    # An error of a step does not end the call: LiteLLM may try again, and if not, the call itself
                    # fails.
                    with started:
                        result = await function(*args, **kwargs)
                    started.add_result(result)
                    return result
                try:
                    with started.running():
                        result = await function(*args, **kwargs)
                    return traced_result(started, result)
                except BaseException as error:
                    started.end_with_error(error)
                    raise

            return traced_async

        @wraps(function)
        def traced(*args: object, **kwargs: object) -> object:
            started = start_call(args, kwargs)
            if started is None:
                return function(*args, **kwargs)
            if isinstance(started, Step):
                # An error of a step does not end the call: LiteLLM may try again, and if not, the call itself fails.
                with started:
                    result = function(*args, **kwargs)
                started.add_result(result)
                return result
            try:
                with started.running():
                    result = function(*args, **kwargs)
                return traced_result(started, result)
            except BaseException as error:
                started.end_with_error(error)
                raise

        return traced

    def _starter(
        self,
        function: _TracedFunction,
        is_nested: IsNested,
        parameters: Callable[[Parameters], Parameters | None] | None,
    ) -> Callable[[tuple[object, ...], dict[str, object]], Invocation | Step | None]:
        """Return the function that starts the calls of a traced function."""
        starting = guard("starting a span")

        def start_call(args: tuple[object, ...], kwargs: dict[str, object]) -> Invocation | Step | None:
            """Return the invocation of a new call, or a step if the call is a step of the current call.

            Return `None` if it is neither, or if instrumentation is suppressed.
            """
            telemetry = self.telemetry
            if telemetry is None:
                return None
            invocation: Invocation | None = None
            try:
                with starting:
                    context = get_current()
                    if is_suppressed(context):
                        _mark_as_handled(kwargs)
                        return None
                    if is_nested(function.operation, kwargs, context):
                        return function.step(kwargs, context)
                    request: Parameters | None = by_name(function.names, args, kwargs)
                    if request is not None and parameters is not None:
                        request = parameters(request)
                    if request is None:
                        return None
                    invocation = Invocation.begin(telemetry, function.operation, request, context)
                    # Only the functions of the Router's Rust core have `parameters`. The core decides on cooldowns
                    # later.
                    invocation.settles_attempts = parameters is not None
                return invocation  # noqa: TRY300 - a signal handler may raise here
            except BaseException as error:
                if invocation is not None:
                    invocation.end_with_error(error)
                raise

        return start_call


def _mark_as_handled(kwargs: Parameters) -> None:
    """Keep the callbacks from recording a suppressed call. The proxy makes the logging object of a call before the
    call, so the object cannot be marked when it is made.
    """
    logging = readers.read_logging_object(kwargs)
    if logging is not None:
        mark_as_known(logging)


def traced_result(invocation: Invocation, result: object) -> object:
    """Record LiteLLM's `result` and return what the application gets: the result, or a wrapper of its stream."""
    with _RECORDING_RESULT:
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
    invocation.end_with_result(result)
    return result


async def _traced_coroutine(invocation: Invocation, coroutine: Coroutine[object, object, object]) -> object:
    invocation.resume()
    with invocation.running():
        result = await coroutine
    return traced_result(invocation, result)


def _is_part_of_call(operation: Operation, kwargs: Parameters, context: Parameters) -> bool:
    """Whether a call is a part of the call in progress.

    It is one if LiteLLM makes it to continue the call in progress, or if its operation calls no model and is also the
    operation in progress.
    """
    return is_continuation(kwargs, context) or (
        not operation.calls_a_model and _is_inside_same_operation(operation, kwargs, context)
    )


def is_continuation(kwargs: Parameters, context: Parameters) -> bool:
    """Whether LiteLLM calls one of its functions to continue the call in progress.

    That LiteLLM passes a logging object is not sufficient, because the proxy makes one before the first call as well.
    """
    invocation = call_in(context)
    return invocation is not None and invocation.state.is_continued_by(kwargs)


def _is_inside_same_operation(operation: Operation, _kwargs: Parameters, context: Parameters) -> bool:
    invocation = invocation_in(context)
    return invocation is not None and invocation.operation == operation.name


def _is_batch_of_one_call(_operation: Operation, kwargs: Parameters, context: Parameters) -> bool:
    """Whether LiteLLM uses the batch function to make the call in progress, which has a `model_list`."""
    return readers.is_of_model_list(kwargs) and call_in(context) is not None


def _is_fallback(_operation: Operation, kwargs: Parameters, context: Parameters) -> bool:
    """Whether the Router calls itself for the fallback of the call that it is routing.

    Code that chooses a deployment may make other calls through the Router; these are not fallbacks.
    """
    invocation = invocation_in(context)
    return readers.is_fallback(kwargs) and invocation is not None and invocation.operation == "route"


TRACING = Tracing()
"""The only instance. Functions that were traced before an `uninstrument()` refer to it, and may still be called."""
