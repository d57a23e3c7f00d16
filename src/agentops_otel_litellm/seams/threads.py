"""Threads that LiteLLM starts for a call: they are given the OpenTelemetry context of the call, which they lack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry.context import attach, detach, get_current

Anything = Callable[..., Any]

if TYPE_CHECKING:
    ModuleProxy = wrapt.ObjectProxy[ModuleType]
else:
    ModuleProxy = wrapt.ObjectProxy  # not subscriptable before wrapt 2


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


def carrying_completion(litellm: ModuleType) -> object:
    """LiteLLM as a module of its own knows it that has pools call `litellm.completion`, whichever pools those are."""
    return _CarryingCompletion(litellm)


class _CarryingCompletion(ModuleProxy):
    """LiteLLM in everything but that its `completion` runs in the context in which it was looked up."""

    # Not LiteLLM's own: what replaces something is to be told from what it replaces.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> object:
        value: object = getattr(self.__wrapped__, name)
        return _carried(value) if name == "completion" and callable(value) else value


def _carried(function: Anything) -> Anything:
    context = get_current()

    @wraps(function)
    def carried(*args: object, **kwargs: object) -> object:
        token = attach(context)
        try:
            return function(*args, **kwargs)
        finally:
            detach(token)

    return carried
