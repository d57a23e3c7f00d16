"""Carries the OpenTelemetry context of a call into the threads that LiteLLM starts for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry.context import attach, detach, get_current

Function = Callable[..., Any]

if TYPE_CHECKING:
    ModuleProxy = wrapt.ObjectProxy[ModuleType]
else:
    ModuleProxy = wrapt.ObjectProxy  # not subscriptable before wrapt 2


def carry_context_to_function(run_async_function: Function) -> Function:
    """Patch LiteLLM's function that runs a coroutine from synchronous code, on a thread if a loop is running."""

    @wraps(run_async_function)
    def traced_run_async_function(
        async_function: Callable[..., Awaitable[object]], *args: object, **kwargs: object
    ) -> object:
        context = get_current()

        async def run_in_context(*args: object, **kwargs: object) -> object:
            token = attach(context)
            try:
                return await async_function(*args, **kwargs)
            finally:
                detach(token)

        return run_async_function(run_in_context, *args, **kwargs)

    return traced_run_async_function


def carry_context_to_completion(litellm: ModuleType) -> object:
    """Patch the name `litellm` in a module that has thread pools call `litellm.completion`."""
    return _ContextCarryingModule(litellm)


class _ContextCarryingModule(ModuleProxy):
    """The module `litellm`, except that its `completion` runs in the context in which the attribute was read."""

    # The proxy must not be equal to the module: `patches` distinguishes a replacement from its original by equality.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> object:
        value: object = getattr(self.__wrapped__, name)
        return _in_current_context(value) if name == "completion" and callable(value) else value


def _in_current_context(function: Function) -> Function:
    """Return a function that runs `function` in the context that is current now."""
    context = get_current()

    @wraps(function)
    def run_in_context(*args: object, **kwargs: object) -> object:
        token = attach(context)
        try:
            return function(*args, **kwargs)
        finally:
            detach(token)

    return run_in_context
