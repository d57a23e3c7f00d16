"""Traces calls that LiteLLM makes in Rust.

For each call, LiteLLM's dispatchers choose between a Python function, which the decorator has built and which is traced
already, and a native function, which is traced here. A native function may decline a call that it does not support.
Then the dispatcher calls the Python function, if there is one, and both are recorded as one call.
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
from agentops_otel_litellm.invocation.invocation import Invocation, Running, is_suppressed
from agentops_otel_litellm.operations import operation_named
from agentops_otel_litellm.patching.traced_functions import TRACING, is_continuation, traced_result

Function = Callable[..., Any]
Parts = dict[str, Any]

_DISPATCHING = guard("tracing LiteLLM's native functions")
_STARTING = guard("starting a span")


def trace_dispatch(run: Function) -> Function:
    """Patch a dispatcher's method, which receives the native function and the Python function as arguments."""

    @wraps(run)
    def traced_run(dispatcher: object, *args: object, **parts: Any) -> object:  # noqa: ANN401 - LiteLLM's arguments
        call = _native_call(dispatcher, parts)
        if call is not None:
            parts["native"] = call.trace_native(parts["native"])
            parts["python"] = call.trace_python(parts["python"])
        return run(dispatcher, *args, **parts)

    @wraps(run)
    async def traced_arun(dispatcher: object, *args: object, **parts: Any) -> object:  # noqa: ANN401 - LiteLLM's
        call = _native_call(dispatcher, parts)
        if call is not None:
            parts["native"] = call.trace_native_async(parts["native"])
            parts["python"] = call.trace_python(parts["python"])
        return await run(dispatcher, *args, **parts)

    return traced_arun if inspect.iscoroutinefunction(run) else traced_run


def _native_call(dispatcher: object, parts: Parts) -> _NativeCall | None:
    with _DISPATCHING:
        if TRACING.telemetry is not None and callable(parts.get("native")) and "python" in parts:
            return _NativeCall(readers.read_native_function(dispatcher))
    return None


class _NativeCall:
    """A call of a native function. If the native function declines the call, the Python function continues it."""

    __slots__ = ("_declined", "_function")

    def __init__(self, function: str) -> None:
        self._function = function
        self._declined: Invocation | None = None

    def trace_native(self, native: Function) -> Function:
        """Return the traced native function. Its arguments are LiteLLM's binding, the request, and the application's
        positional and keyword arguments.
        """

        def traced_native(*args: object, **kwargs: object) -> object:
            invocation = self._start(args)
            if invocation is None:
                return native(*args, **kwargs)
            with _RunningNative(invocation, self):
                result = native(*args, **kwargs)
            return traced_result(invocation, result)

        return traced_native

    def trace_native_async(self, native: Function) -> Function:
        """Return the traced native function, if it is asynchronous."""

        async def traced_native(*args: object, **kwargs: object) -> object:
            invocation = self._start(args)
            if invocation is None:
                return await native(*args, **kwargs)
            with _RunningNative(invocation, self):
                result = await native(*args, **kwargs)
            return traced_result(invocation, result)

        return traced_native

    def trace_python(self, python: object) -> object:
        """Return the traced Python function, or `python` itself if there is none."""
        if not callable(python):
            return python

        def traced_python(*args: object, **kwargs: object) -> object:
            invocation = self._declined
            if invocation is None:
                return python(*args, **kwargs)
            with invocation.running():
                result = python(*args, **kwargs)
            return traced_result(invocation, result)

        return traced_python

    def decline(self, invocation: Invocation) -> None:
        """Have the Python function start the call again, because the native function has declined it."""
        invocation.state.reset_logging()
        self._declined = invocation

    def _start(self, args: tuple[object, ...]) -> Invocation | None:
        """Return the invocation of a new call; `None` if it continues an earlier call, or instrumentation is
        suppressed.
        """
        with _STARTING:
            telemetry, context = TRACING.telemetry, get_current()
            _binding, request, _args, kwargs, *_ = args
            if telemetry is None or is_suppressed(context) or not isinstance(kwargs, Mapping):
                return None
            if is_continuation(kwargs, context):
                return None
            parameters = readers.read_native_parameters(request, kwargs)
            return Invocation.begin(telemetry, operation_named(self._function), parameters, context)
        return None


class _RunningNative(Running):
    """The block in which the native function runs. If the function declines the call, the block does not end it."""

    __slots__ = ("_call",)

    def __init__(self, invocation: Invocation, call: _NativeCall) -> None:
        super().__init__(invocation)
        self._call = call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        has_declined = readers.has_declined(error)
        if has_declined:
            self._call.decline(self._invocation)
        super().__exit__(kind, None if has_declined else error, traceback)
