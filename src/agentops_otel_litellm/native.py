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
from agentops_otel_litellm.observe import Observation, Running, is_suppressed
from agentops_otel_litellm.operations import operation_named
from agentops_otel_litellm.tracing import TRACING, handed_on, hands_logging_on

Function = Callable[..., Any]
Parts = dict[str, Any]

_DISPATCHING = guard("tracing what LiteLLM does in Rust")
_STARTING = guard("starting a span")


def trace_dispatch(run: Function) -> Function:
    """A dispatcher's method. What is traced is the native function among its parts."""

    @wraps(run)
    def dispatched(dispatcher: object, *args: object, **parts: Any) -> object:  # noqa: ANN401 - whatever LiteLLM's are
        return run(dispatcher, *args, **_traced_part(_traced, dispatcher, parts))

    @wraps(run)
    async def dispatched_async(dispatcher: object, *args: object, **parts: Any) -> object:  # noqa: ANN401 - (the same)
        return await run(dispatcher, *args, **_traced_part(_traced_async, dispatcher, parts))

    return dispatched_async if inspect.iscoroutinefunction(run) else dispatched


def _traced_part(traced: Function, dispatcher: object, parts: Parts) -> Parts:
    with _DISPATCHING:
        if TRACING.telemetry is not None and callable(parts.get("native")):
            call = _NativeCalls(readers.read_native_function(dispatcher), has_python=callable(parts.get("python")))
            return {**parts, "native": traced(parts["native"], call)}
    return parts


def _traced(native: Function, calls: _NativeCalls) -> Function:
    def traced(binding: object, request: object, args: object, kwargs: Mapping[str, object]) -> object:
        observation = calls.observed(request, kwargs)
        if observation is None:
            return native(binding, request, args, kwargs)
        with calls.running(observation):
            result = native(binding, request, args, kwargs)
        return handed_on(observation, result)

    return traced


def _traced_async(native: Function, calls: _NativeCalls) -> Function:
    async def traced(binding: object, request: object, args: object, kwargs: Mapping[str, object]) -> object:
        observation = calls.observed(request, kwargs)
        if observation is None:
            return await native(binding, request, args, kwargs)
        with calls.running(observation):
            result = await native(binding, request, args, kwargs)
        return handed_on(observation, result)

    return traced


class _NativeCalls:
    """Calls of one of LiteLLM's functions that go to Rust first."""

    __slots__ = ("_function", "_has_python")

    def __init__(self, function: str, *, has_python: bool) -> None:
        self._function = function
        self._has_python = has_python

    def observed(self, request: object, kwargs: Mapping[str, object]) -> Observation | None:
        """The observation of a call of its own; none of a call that belongs to one, or is not to be seen."""
        with _STARTING:
            telemetry, context = TRACING.telemetry, get_current()
            if telemetry is None or is_suppressed(context) or hands_logging_on(kwargs, context):
                return None
            parameters = readers.read_native_parameters(request, kwargs)
            return Observation(telemetry, operation_named(self._function), parameters, context)
        return None

    def running(self, observation: Observation) -> Running:
        return _Trying(observation) if self._has_python else observation.running()


class _Trying(Running):
    """Rust is tried: where it declines, there was no call yet."""

    __slots__ = ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        declined = readers.has_declined(error)
        if declined:
            self._observation.disowned()
        super().__exit__(kind, None if declined else error, traceback)
