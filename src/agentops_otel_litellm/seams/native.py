"""What LiteLLM does in Rust: its dispatchers choose, for each call, between the Python function, which the decorator
has built and we trace, and a native one, which is traced here.

A native function may decline a call that it cannot carry. Where there is a Python one, that is then called instead,
and is the call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from types import TracebackType
from typing import Any

from opentelemetry.context import get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.observation import Observation, Running, is_suppressed
from agentops_otel_litellm.operations import operation_named
from agentops_otel_litellm.seams.tracing import TRACING, continues_a_call, handed_on

Function = Callable[..., Any]
Parts = dict[str, Any]

_DISPATCHING = guard("tracing what LiteLLM does in Rust")
_STARTING = guard("starting a span")


def trace_dispatch(run: Function) -> Function:
    """A dispatcher's method. What is traced is the native function among its parts."""

    @wraps(run)
    def dispatched(dispatcher: object, *args: object, **parts: Any) -> object:  # noqa: ANN401 - whatever LiteLLM's are
        call = _to_trace(dispatcher, parts)
        if call is not None:
            parts["native"] = call.trying(parts["native"])
            parts["python"] = call.instead(parts["python"])
        return run(dispatcher, *args, **parts)

    @wraps(run)
    async def dispatched_async(dispatcher: object, *args: object, **parts: Any) -> object:  # noqa: ANN401 - (the same)
        call = _to_trace(dispatcher, parts)
        if call is not None:
            parts["native"] = call.trying_async(parts["native"])
            parts["python"] = call.instead(parts["python"])
        return await run(dispatcher, *args, **parts)

    return dispatched_async if inspect.iscoroutinefunction(run) else dispatched


def _to_trace(dispatcher: object, parts: Parts) -> _NativeCall | None:
    with _DISPATCHING:
        if TRACING.telemetry is not None and callable(parts.get("native")) and "python" in parts:
            return _NativeCall(readers.read_native_function(dispatcher))
    return None


class _NativeCall:
    """A call that goes to Rust first. Where that declines, it goes on as one of the Python function."""

    __slots__ = ("_declined", "_function")

    def __init__(self, function: str) -> None:
        self._function = function
        self._declined: Observation | None = None

    def trying(self, native: Function) -> Function:
        """The native function, which is given LiteLLM's binding, the request, and the app's arguments."""

        def traced(*given: object, **named: object) -> object:
            observation = self._observed(given)
            if observation is None:
                return native(*given, **named)
            with _Trying(observation, self):
                result = native(*given, **named)
            return handed_on(observation, result)

        return traced

    def trying_async(self, native: Function) -> Function:
        """The same of one that is awaited."""

        async def traced_async(*given: object, **named: object) -> object:
            observation = self._observed(given)
            if observation is None:
                return await native(*given, **named)
            with _Trying(observation, self):
                result = await native(*given, **named)
            return handed_on(observation, result)

        return traced_async

    def instead(self, python: object) -> object:
        """The Python function, where there is one."""
        if not callable(python):
            return python

        def traced(*args: object, **kwargs: object) -> object:
            observation = self._declined
            if observation is None:
                return python(*args, **kwargs)
            with observation.running():
                result = python(*args, **kwargs)
            return handed_on(observation, result)

        return traced

    def declined(self, observation: Observation) -> None:
        """Nothing has been done for the call yet."""
        observation.account.start_over()
        self._declined = observation

    def _observed(self, given: tuple[object, ...]) -> Observation | None:
        """The observation of a call of its own; none of a call that belongs to one, or is not to be seen."""
        with _STARTING:
            telemetry, context = TRACING.telemetry, get_current()
            _binding, request, _args, kwargs, *_ = given
            if telemetry is None or is_suppressed(context) or not isinstance(kwargs, Mapping):
                return None
            if continues_a_call(kwargs, context):
                return None
            parameters = readers.read_native_parameters(request, kwargs)
            return Observation.begin(telemetry, operation_named(self._function), parameters, context)
        return None


class _Trying(Running):
    """Rust is tried for a call."""

    __slots__ = ("_call",)

    def __init__(self, observation: Observation, call: _NativeCall) -> None:
        super().__init__(observation)
        self._call = call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        declined = readers.has_declined(error)
        if declined:
            self._call.declined(self._observation)
        super().__exit__(kind, None if declined else error, traceback)
