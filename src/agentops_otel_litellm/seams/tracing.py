"""LiteLLM's functions → the same functions, traced."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from types import CoroutineType, FunctionType

from opentelemetry.context import Context, get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.callbacks.coexistence import warn_of_other_recorders
from agentops_otel_litellm.emit import Telemetry
from agentops_otel_litellm.features import ATTEMPTS, FEATURES, LOGGING
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.answers import Step
from agentops_otel_litellm.observing.logging_objects import know
from agentops_otel_litellm.observing.observation import Observation, call_in, is_suppressed, observation_in
from agentops_otel_litellm.observing.stream_wrapper import traced_stream
from agentops_otel_litellm.operations import Operation, by_name, operation_of, parameter_names
from agentops_otel_litellm.seams.patches import built_by, in_place_of, is_built

Function = Callable[..., object]
Parameters = Mapping[str, object]
Belongs = Callable[[Operation, Parameters, Parameters], bool]
"""Whether LiteLLM calls a function for an operation, with these parameters, for what is going on in this context."""

_TAKING_RESULT = guard("taking a result")
_TAKING_FAILURE = guard("taking an attempt's failure")


class _Seen:
    """A traced function: what it is, and what it is called for where its call belongs to one that is going on."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._found: Operation | None = None
        self._names: tuple[str, ...] | None = None

    # Neither is computed before the first call: the module was not complete at the function's definition. They are not
    # `cached_property`, which before Python 3.12 has a lock that a fork would leave locked in the child.

    @property
    def operation(self) -> Operation:
        if self._found is None:
            self._found = self._find()
        return self._found

    def _find(self) -> Operation:
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

    def failed(self, error: Exception, kwargs: Parameters) -> None:
        """A try did, which need not have come to the provider."""
        with _TAKING_FAILURE:
            tries = self._tries_for(kwargs)
            if tries is not None:
                tries.account.attempts.try_failed(error, kwargs, tries.account.target())

    def step(self, kwargs: Parameters, context: Context) -> Step | None:
        """What LiteLLM does for a model's call by calling this function. (An asynchronous one that calls its twin has
        not got any further.)
        """
        around = call_in(context)
        if around is None or readers.is_by_twin(kwargs, self._function.__name__):
            return None
        return Step(around.account, readers.shape_of(self.operation), context, self.failed, kwargs)

    def _tries_for(self, kwargs: Parameters) -> Observation | None:
        """The call that LiteLLM tries once by calling itself. (Where an asynchronous function calls its synchronous
        twin, which it does with a flag, that is the same try.)
        """
        if readers.read_logging_object(kwargs) is None or readers.is_by_twin(kwargs, self._function.__name__):
            return None
        context = get_current()
        observation = observation_in(context)
        if observation is None or observation.operation != self.operation.name or is_suppressed(context):
            return None
        return observation


class Tracing:
    """Wraps functions, which are traced for as long as there is a telemetry to trace them with."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self.telemetry = telemetry

    def trace_built(self, client: FunctionType) -> Function:
        """LiteLLM's decorator; what it builds, and what it has built, is traced."""
        built_by(client, self.trace)

        @wraps(client)
        def tracing_client(*args: object, **kwargs: object) -> object:
            built = client(*args, **kwargs)
            return in_place_of(built, self.trace(built)) if isinstance(built, FunctionType) else built

        return tracing_client

    def trace_undecorated(self, function: Function) -> Function:
        """One that the decorator has not built, in this release. The asynchronous ones call their synchronous twins."""
        return function if is_built(function) else self.trace(function, _is_inside_the_same)

    def trace_batch(self, function: Function) -> Function:
        """Several calls, one of which the app may have asked for."""
        return self.trace(function, _makes_one_call)

    def trace_routing(self, function: Function) -> Function:
        """The Router's function that calls deployments until one succeeds. It calls itself for each fallback."""
        return self.trace(function, _falls_back)

    def trace_core_routing(self, function: Function) -> Function:
        """The same function of the Router's Rust core, which receives the request as one argument."""
        return self.trace(function, _falls_back, parameters=readers.read_routed_request)

    def trace(
        self,
        function: Function,
        belongs: Belongs | None = None,
        *,
        parameters: Callable[[Parameters], Parameters | None] | None = None,
    ) -> Function:
        """Return a function that does what `function` does and records it.

        A call is not recorded if it `belongs` to one that is recorded already. `parameters` returns the request from
        the function's arguments by name, or `None` if the call is not to be recorded; without it, the arguments are the
        request.
        """
        seen = _Seen(function)
        observed = self._observer(
            seen, belongs or _is_called_on_behalf, parameters, settles_attempts=parameters is not None
        )

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def traced_async(*args: object, **kwargs: object) -> object:
                observation = observed(args, kwargs)
                if observation is None:
                    return await function(*args, **kwargs)
                if isinstance(observation, Step):
                    with observation:
                        result = await function(*args, **kwargs)
                    return observation.gave(result)
                try:
                    with observation.running():
                        result = await function(*args, **kwargs)
                    return handed_on(observation, result)
                except BaseException as error:
                    observation.interrupted(error)
                    raise

            return traced_async

        @wraps(function)
        def traced(*args: object, **kwargs: object) -> object:
            observation = observed(args, kwargs)
            if observation is None:
                return function(*args, **kwargs)
            if isinstance(observation, Step):
                with observation:
                    result = function(*args, **kwargs)
                return observation.gave(result)
            try:
                with observation.running():
                    result = function(*args, **kwargs)
                return handed_on(observation, result)
            except BaseException as error:
                observation.interrupted(error)
                raise

        return traced

    def _observer(
        self,
        seen: _Seen,
        belongs: Belongs,
        parameters: Callable[[Parameters], Parameters | None] | None,
        *,
        settles_attempts: bool,
    ) -> Callable[[tuple[object, ...], dict[str, object]], Observation | Step | None]:
        starting = guard("starting a span")

        def observed(args: tuple[object, ...], kwargs: dict[str, object]) -> Observation | Step | None:
            """The observation of a call of its own, or a step of one that is going on; nothing of what is neither, or
            is not to be seen.
            """
            telemetry = self.telemetry
            if telemetry is None:
                return None
            observation: Observation | None = None
            try:
                with starting:
                    context = get_current()
                    if is_suppressed(context):
                        _leave_unseen(kwargs)
                        return None
                    if belongs(seen.operation, kwargs, context):
                        return seen.step(kwargs, context)
                    request: Parameters | None = by_name(seen.names, args, kwargs)
                    if request is not None and parameters is not None:
                        request = parameters(request)
                    if request is None:
                        return None
                    observation = Observation.begin(telemetry, seen.operation, request, context)
                    observation.settles_attempts = settles_attempts
                return observation  # noqa: TRY300 - here, too, one may be raised
            except BaseException as error:
                if observation is not None:
                    observation.interrupted(error)
                raise

        return observed


def _leave_unseen(kwargs: Parameters) -> None:
    """The call that LiteLLM's logging object is for is not to be seen: the proxy makes the object before the call."""
    logging = readers.read_logging_object(kwargs)
    if logging is not None:
        know(logging)


def handed_on(observation: Observation, result: object) -> object:
    """What the app gets for LiteLLM's `result`: the same, or its stream in a wrapper."""
    with _TAKING_RESULT:
        if isinstance(result, CoroutineType):
            awaited = _awaited(observation, result)
            observation.hands_on(awaited)
            return awaited
        if readers.is_stream_manager(result):
            observation.hands_on()
            return traced_stream(result, observation)
        if readers.is_stream(result):
            observation.streams(result)
            return traced_stream(result, observation)
    observation.returned(result)
    return result


async def _awaited(observation: Observation, result: Coroutine[object, object, object]) -> object:
    observation.resumes()
    with observation.running():
        value = await result
    return handed_on(observation, value)


def _is_called_on_behalf(operation: Operation, kwargs: Parameters, context: Parameters) -> bool:
    """What goes on around calls is called anew by its own functions; the calls that it makes are none of its own."""
    return continues_a_call(kwargs, context) or (
        not operation.calls_a_model and _is_inside_the_same(operation, kwargs, context)
    )


def continues_a_call(kwargs: Parameters, context: Parameters) -> bool:
    """Whether LiteLLM is calling itself on behalf of the call that is going on. (Its logging object alone does not
    say so: the proxy makes one before the first call.)
    """
    around = call_in(context)
    return around is not None and around.account.is_continued_by(kwargs)


def _is_inside_the_same(operation: Operation, _kwargs: Parameters, context: Parameters) -> bool:
    around = observation_in(context)
    return around is not None and around.operation == operation.name


def _makes_one_call(_operation: Operation, kwargs: Parameters, context: Parameters) -> bool:
    """Whether it is how LiteLLM makes the call it was asked for, of a `model_list`."""
    return readers.is_of_model_list(kwargs) and call_in(context) is not None


def _falls_back(_operation: Operation, kwargs: Parameters, context: Parameters) -> bool:
    """Whether the Router turns to another group for the call that it is routing. (What chooses one may ask the Router
    for an answer of its own.)
    """
    around = observation_in(context)
    return readers.is_fallback(kwargs) and around is not None and around.operation == "route"


TRACING = Tracing()
"""One for ever: a function traced before an `uninstrument()` may have stayed somewhere in the app."""
