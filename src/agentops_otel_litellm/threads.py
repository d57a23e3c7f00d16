"""Threads that LiteLLM starts for a call: they are given the OpenTelemetry context of the call, which they lack."""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from types import FunctionType, SimpleNamespace
from typing import Any

from opentelemetry.context import attach, detach, get_current

Anything = Callable[..., Any]


def carrying_function(run_async_function: Anything) -> Anything:
    """LiteLLM's way to run a coroutine from synchronous code: in a thread of its own, where a loop is running."""

    @wraps(run_async_function)
    def run_carrying(async_function: Callable[..., Awaitable[object]], *args: object, **kwargs: object) -> object:
        context = get_current()

        async def carried(*args: object, **kwargs: object) -> object:
            token = attach(context)
            try:
                return await async_function(*args, **kwargs)
            finally:
                detach(token)

        return run_async_function(carried, *args, **kwargs)

    return run_carrying


def carrying_imports(function: FunctionType) -> Anything:
    """A function that imports its pool when it is called: the same one, but that it imports ours."""

    def importing(name: str, *args: Any, **kwargs: Any) -> object:  # noqa: ANN401 - they are passed on
        imported: object = builtins.__import__(name, *args, **kwargs)
        if name != "concurrent.futures":
            return imported
        return SimpleNamespace(futures=SimpleNamespace(ThreadPoolExecutor=carrying_executor(ThreadPoolExecutor)))

    names = {**function.__globals__, "__builtins__": {**vars(builtins), "__import__": importing}}
    own = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    own.__kwdefaults__ = function.__kwdefaults__
    return wraps(function)(own)


def carrying_executor(executor: type[ThreadPoolExecutor]) -> type[ThreadPoolExecutor]:
    """The pool in which LiteLLM makes several calls at once."""

    class CarryingExecutor(executor):  # type: ignore[valid-type,misc]  # whichever class LiteLLM uses
        def submit(self, function: Anything, /, *args: object, **kwargs: object) -> Future[object]:
            context = get_current()

            def carried(*args: object, **kwargs: object) -> object:
                token = attach(context)
                try:
                    return function(*args, **kwargs)
                finally:
                    detach(token)

            submitted: Future[object] = super().submit(carried, *args, **kwargs)
            return submitted

    return CarryingExecutor
