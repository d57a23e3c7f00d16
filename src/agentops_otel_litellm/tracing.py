"""LiteLLM's functions → the same functions, traced."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from types import CoroutineType, FunctionType

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.coexistence import look_around
from agentops_otel_litellm.emit import Telemetry
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.logging_objects import know
from agentops_otel_litellm.observe import Observation, is_suppressed, observation_in
from agentops_otel_litellm.operations import Operation, operation_of, parameter_names
from agentops_otel_litellm.patches import built_by, in_place_of
from agentops_otel_litellm.stream_wrapper import traced_stream

Function = Callable[..., object]
Belongs = Callable[[Mapping[str, object], Mapping[str, object]], bool]
"""Whether LiteLLM calls a function, with these parameters, for what is going on in this context."""

_TAKING_RESULT = guard("taking a result")
_TAKING_FAILURE = guard("taking an attempt's failure")


class Tracing:
    """Wraps functions, which are traced for as long as there is a telemetry to trace them with."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self.telemetry = telemetry

    def trace_built(self, client: FunctionType) -> Function:
        """LiteLLM's decorator; what it builds, and what it has built, is traced."""
        built_by(client, self.trace)

        @wraps(client)
        def tracing_client(original_function: Function) -> object:
            built = client(original_function)
            return in_place_of(built, self.trace(built)) if isinstance(built, FunctionType) else built

        return tracing_client

    def trace_undecorated(self, function: Function) -> Function:
        """One that the decorator has not built. The asynchronous ones tell their synchronous twins by a flag."""
        flag = f"a{function.__name__}"
        return self.trace(function, lambda kwargs, context: kwargs.get(flag) is True and _is_inside_a_call(context))

    def trace_routing(self, function: Function) -> Function:
        """The Router's way to its deployments, which it goes again for a fallback."""
        return self.trace(function, _is_inside_a_route)

    def trace(self, function: Function, belongs: Belongs | None = None) -> Function:
        """A function that does what `function` does, and is seen doing it, unless it `belongs` to what is seen."""
        observed = self._observer(function, belongs or _hands_logging_on)

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def traced_async(*args: object, **kwargs: object) -> object:
                observation = observed(args, kwargs)
                if observation is None:
                    try:
                        return await function(*args, **kwargs)
                    except Exception as error:
                        _tell_call(error, kwargs)
                        raise
                with observation.running():
                    result = await function(*args, **kwargs)
                return _handed_on(observation, result)

            return traced_async

        @wraps(function)
        def traced(*args: object, **kwargs: object) -> object:
            observation = observed(args, kwargs)
            if observation is None:
                try:
                    return function(*args, **kwargs)
                except Exception as error:
                    _tell_call(error, kwargs)
                    raise
            with observation.running():
                result = function(*args, **kwargs)
            return _handed_on(observation, result)

        return traced

    def _observer(
        self, function: Function, belongs: Belongs
    ) -> Callable[[tuple[object, ...], dict[str, object]], Observation | None]:
        starting = guard("starting a span")
        operation: Operation | None = None
        names: tuple[str, ...] = ()

        def observed(args: tuple[object, ...], kwargs: dict[str, object]) -> Observation | None:
            """The observation of a call of its own; none of a call that belongs to one, or is not to be seen."""
            nonlocal operation, names
            telemetry = self.telemetry
            if telemetry is None:
                return None
            with starting:
                context = get_current()
                if is_suppressed(context):
                    _leave_unseen(kwargs)
                    return None
                if belongs(kwargs, context):
                    return None
                if operation is None:  # not before the first call: its module was not complete at its definition
                    look_around()
                    names, operation = parameter_names(function), operation_of(function)
                parameters = {**dict(zip(names, args, strict=False)), **kwargs} if args else kwargs
                return Observation(telemetry, operation, parameters, context)
            return None

        return observed


def _leave_unseen(kwargs: Mapping[str, object]) -> None:
    """The call that LiteLLM's logging object is for is not to be seen: the proxy makes the object before the call."""
    logging = kwargs.get("litellm_logging_obj")
    if logging is not None:
        know(logging)


def _handed_on(observation: Observation, result: object) -> object:
    """What the app gets for LiteLLM's `result`: the same, or its stream in a wrapper."""
    with _TAKING_RESULT:
        if isinstance(result, CoroutineType):
            return _awaited(observation, result)
        if readers.is_stream(result):
            observation.streams(result)
            return traced_stream(result, observation)
    observation.returned(result)
    return result


async def _awaited(observation: Observation, result: Coroutine[object, object, object]) -> object:
    with observation.running():
        value = await result
    return _handed_on(observation, value)


def _tell_call(error: Exception, kwargs: Mapping[str, object]) -> None:
    """What LiteLLM called on behalf of a call has failed: an attempt of the call's, if nothing said so yet."""
    with _TAKING_FAILURE:
        context = get_current()
        if not is_suppressed(context) and _hands_logging_on(kwargs, context):
            observation = observation_in(context)
            if observation is not None:
                observation.attempt_failed(error, error.__cause__ or error.__context__, kwargs)


def _hands_logging_on(kwargs: Mapping[str, object], context: Mapping[str, object]) -> bool:
    """Whether LiteLLM is calling itself on behalf of the call that is going on: it then hands its logging object
    on. (The object alone does not say so: the proxy makes one before the first call.)
    """
    return kwargs.get("litellm_logging_obj") is not None and _is_inside_a_call(context)


def _is_inside_a_call(context: Mapping[str, object]) -> bool:
    around = observation_in(context)
    return around is not None and around.calls_a_model


def _is_inside_a_route(_kwargs: Mapping[str, object], context: Mapping[str, object]) -> bool:
    around = observation_in(context)
    return around is not None and around.operation == "route"


TRACING = Tracing()
"""One for ever: a function traced before an `uninstrument()` may have stayed somewhere in the app."""
