"""The callback that LiteLLM creates for the name `"agentops"`.

LiteLLM's own callback of this name logs in to AgentOps and exports every call a second time. The callback that this
module creates instead does nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from pkgutil import resolve_name
from types import FunctionType
from typing import Any

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.settings import Settings

NAME = "agentops"
_MEMBERS = (FunctionType, staticmethod, classmethod, property)
_CREATING = guard("creating LiteLLM's agentops callback")


def wrap_callback_factory(init_custom_logger: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap LiteLLM's function that creates a callback by its name: for `agentops`, a callback is returned that does
    nothing.
    """
    _builtin_is_wanted.cache_clear()  # read the environment again each time LiteLLM is instrumented

    @wraps(init_custom_logger)
    def traced_init_custom_logger(*args: object, **kwargs: object) -> object:
        name = args[0] if args else kwargs.get("logging_integration")
        if name == NAME and not _builtin_is_wanted():
            with _CREATING:
                return _callback()
        return init_custom_logger(*args, **kwargs)

    return traced_init_custom_logger


def is_wanted(callback: object) -> bool:
    """Whether a callback with the name `agentops` is correct: it does nothing, or the user chose LiteLLM's own."""
    return type(callback).__name__ == "AgentOpsLiteLLMCallback" or _builtin_is_wanted()


@cache
def _builtin_is_wanted() -> bool:
    """Whether the user chose LiteLLM's own callback. Cached, because LiteLLM may create many callbacks."""
    return Settings.from_environment().litellm_builtin


@cache
def _callback() -> object:
    return _create_class()()


@cache
def _create_class() -> type:
    """A subclass of LiteLLM's own callback, because LiteLLM looks it up by class. All methods are replaced by those of
    LiteLLM's base class, which do nothing.
    """
    own: Any = resolve_name("litellm.integrations.agentops:AgentOps")
    base: Any = resolve_name("litellm.integrations.custom_logger:CustomLogger")

    class AgentOpsLiteLLMCallback(own):  # type: ignore[misc]  # an untyped class of LiteLLM
        """Does nothing, because LiteLLM's functions are traced."""

        def __init__(self) -> None:
            base.__init__(self)  # LiteLLM's own requests a token and sets OpenTelemetry up
            self.callback_name = NAME

    for kind in own.__mro__[: own.__mro__.index(base)]:
        for name, member in vars(kind).items():
            if not name.startswith("__") and isinstance(member, _MEMBERS):
                setattr(AgentOpsLiteLLMCallback, name, getattr(base, name, _inert(member)))
    return AgentOpsLiteLLMCallback


def _inert(method: object) -> object:
    """A replacement that does nothing: a property, an async function or a function, as `method` is."""
    if isinstance(method, property):
        return None
    if inspect.iscoroutinefunction(method):

        async def inert_async(*_args: object, **_kwargs: object) -> None:
            return None

        return inert_async
    return lambda *_args, **_kwargs: None


def __getattr__(name: str) -> object:
    if name == "AgentOpsLiteLLMCallback":  # created on first use, because it needs LiteLLM
        return _create_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
