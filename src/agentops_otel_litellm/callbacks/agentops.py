"""The callback that LiteLLM knows as `"agentops"`, whose own would log in, export and tell every call again."""

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
_MAKING = guard("making LiteLLM's callback")


def agentops_callback(init_custom_logger: Callable[..., Any]) -> Callable[..., Any]:
    """LiteLLM makes a callback of its name: where calls are seen anyway, one that has nothing to do."""
    _builtin_is_wanted.cache_clear()  # LiteLLM is being instrumented: the environment may be another

    @wraps(init_custom_logger)
    def made(*args: object, **kwargs: object) -> object:
        name = args[0] if args else kwargs.get("logging_integration")
        if name == NAME and not _builtin_is_wanted():
            with _MAKING:
                return _callback()
        return init_custom_logger(*args, **kwargs)

    return made


def is_wanted(callback: object) -> bool:
    """Whether a callback of the name is ours, or LiteLLM's own where the user asked for that."""
    return type(callback).__name__ == "AgentOpsLiteLLMCallback" or _builtin_is_wanted()


@cache
def _builtin_is_wanted() -> bool:
    """Whether the user asked for LiteLLM's own. Read once: LiteLLM may make and name many callbacks."""
    return Settings.from_environment().litellm_builtin


@cache
def _callback() -> object:
    return _callback_class()()


@cache
def _callback_class() -> type:
    """A subclass of LiteLLM's, which looks for its own by class, with the silence of the class all callbacks have."""
    own: Any = resolve_name("litellm.integrations.agentops:AgentOps")
    silent: Any = resolve_name("litellm.integrations.custom_logger:CustomLogger")

    class AgentOpsLiteLLMCallback(own):  # type: ignore[misc]  # LiteLLM's, whichever is installed
        """Does nothing: LiteLLM's functions are traced."""

        def __init__(self) -> None:
            silent.__init__(self)  # and not its own, which asks for a token and sets OpenTelemetry up
            self.callback_name = NAME

    for kind in own.__mro__[: own.__mro__.index(silent)]:
        for name, member in vars(kind).items():
            if not name.startswith("__") and isinstance(member, _MEMBERS):
                setattr(AgentOpsLiteLLMCallback, name, getattr(silent, name, _nothing(member)))
    return AgentOpsLiteLLMCallback


def _nothing(method: object) -> object:
    """Nothing, in the style of the method."""
    if isinstance(method, property):
        return None
    if inspect.iscoroutinefunction(method):

        async def nothing_async(*_args: object, **_kwargs: object) -> None:
            return None

        return nothing_async
    return lambda *_args, **_kwargs: None


def __getattr__(name: str) -> object:
    if name == "AgentOpsLiteLLMCallback":  # made of LiteLLM's, which is not imported before it is wanted
        return _callback_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
