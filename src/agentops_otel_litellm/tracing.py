"""LiteLLM's functions → the same functions, traced."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from types import CoroutineType

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.emit import Telemetry
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observe import CURRENT, Observation
from agentops_otel_litellm.operations import Operation, operation_of, parameter_names
from agentops_otel_litellm.seams import Function
from agentops_otel_litellm.stream_wrapper import traced_stream

_TAKING_RESULT = guard("taking a result")


class Tracing:
    """Wraps functions, which are traced for as long as there is a telemetry to trace them with."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self.telemetry = telemetry

    def trace(self, function: Function) -> Function:
        """A function that does what `function` does, and is seen doing it."""
        observed = self._observer(function)

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def traced_async(*args: object, **kwargs: object) -> object:
                observation = observed(args, kwargs)
                if observation is None:
                    return await function(*args, **kwargs)
                with observation.running():
                    result = await function(*args, **kwargs)
                return _handed_on(observation, result)

            return traced_async

        @wraps(function)
        def traced(*args: object, **kwargs: object) -> object:
            observation = observed(args, kwargs)
            if observation is None:
                return function(*args, **kwargs)
            with observation.running():
                result = function(*args, **kwargs)
            return _handed_on(observation, result)

        return traced

    def capture_logging(self, function_setup: Function) -> Function:
        """Tell the call that LiteLLM is setting up which logging object it got."""
        taking = guard("taking LiteLLM's logging object")

        @wraps(function_setup)
        def captured_setup(*args: object, **kwargs: object) -> object:
            made = function_setup(*args, **kwargs)
            with taking:
                context = get_current()
                observation = context.get(CURRENT)
                if isinstance(observation, Observation) and observation.open and not _is_suppressed(context):
                    observation.logging = made[0] if isinstance(made, tuple) else None
            return made

        return captured_setup

    def _observer(self, function: Function) -> Callable[[tuple[object, ...], dict[str, object]], Observation | None]:
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
                if _is_suppressed(context) or _belongs(kwargs, context):
                    return None
                if operation is None:  # not before the first call: its module was not complete at its definition
                    names, operation = parameter_names(function), operation_of(function)
                parameters = {**dict(zip(names, args, strict=False)), **kwargs} if args else kwargs
                return Observation(telemetry, operation, parameters, context)
            return None

        return observed


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


def _is_suppressed(context: Mapping[str, object]) -> bool:
    """What `is_instrumentation_enabled()` says, which looks for the context twice more."""
    return bool(context.get(_SUPPRESS_INSTRUMENTATION_KEY) or context.get("suppress_instrumentation"))


def _belongs(kwargs: Mapping[str, object], context: Mapping[str, object]) -> bool:
    """Whether LiteLLM is calling itself on behalf of the call that is going on: it then hands its logging object
    on. (The object alone does not say so: the proxy makes one before the first call.)
    """
    if kwargs.get("litellm_logging_obj") is None:
        return False
    current = context.get(CURRENT)
    return isinstance(current, Observation) and current.open
