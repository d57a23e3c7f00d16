"""Where LiteLLM is patched: the decorator that builds its functions, and the setup of their logging.

`litellm.utils.client` decorates nearly every function of LiteLLM. Replaced as soon as `litellm.utils` has run, and
so before `litellm` itself uses it, it traces all of them at their definition, and every `from litellm import …` in
the app gets a traced one. Where litellm was imported before us, what it had built already is found and replaced.
Nothing here imports litellm.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from types import CodeType, FunctionType, ModuleType

Function = Callable[..., object]
Wrap = Callable[[Function], Function]

MODULE = "litellm.utils"
_originals: dict[Function, Function] = {}
"""What we put in LiteLLM's place → what was there."""


def patch(utils: ModuleType, trace: Wrap, capture_logging: Wrap) -> list[str]:
    """Put ours in the place of LiteLLM's functions, made and yet to be made; name the seams that are not there.

    `trace` wraps a function that the decorator built, `capture_logging` the one that sets up a call's logging.
    """
    missing = [
        name for name in ("client", "function_setup") if not isinstance(getattr(utils, name, None), FunctionType)
    ]
    if "client" not in missing:
        client: FunctionType = utils.__dict__["client"]
        _replace_built(client, trace)
        utils.__dict__["client"] = _instead(client, _tracing_decorator(client, trace))
    if "function_setup" not in missing:
        setup: Function = utils.__dict__["function_setup"]
        utils.__dict__["function_setup"] = _instead(setup, capture_logging(setup))
    return [f"{MODULE}.{name}" for name in missing]


def unpatch() -> None:
    """Put LiteLLM's own functions back wherever ours are found."""
    for namespace, name, value in _functions():
        if value in _originals:
            namespace[name] = _originals[value]


def _instead(theirs: Function, ours: Function) -> Function:
    _originals[ours] = theirs
    return ours


def _tracing_decorator(client: Function, trace: Wrap) -> Function:
    @wraps(client)
    def tracing_client(original_function: Function) -> object:
        decorated = client(original_function)
        return _instead(decorated, trace(decorated)) if isinstance(decorated, FunctionType) else decorated

    return tracing_client


def _replace_built(client: FunctionType, trace: Wrap) -> None:
    """Trace what the decorator has built already, under every name it goes by, in LiteLLM and in the app."""
    built = {constant for constant in client.__code__.co_consts if isinstance(constant, CodeType)}
    traced: dict[Function, Function] = {}
    for namespace, name, value in _functions():
        if value.__code__ in built:
            if value not in traced:
                traced[value] = _instead(value, trace(value))
            namespace[name] = traced[value]


def _functions() -> Iterator[tuple[dict[str, object], str, FunctionType]]:
    """Every function that a module knows by a name."""
    for module in list(sys.modules.values()):
        namespace = getattr(module, "__dict__", None)
        if isinstance(namespace, dict):
            for name, value in list(namespace.items()):
                if type(value) is FunctionType:
                    yield namespace, name, value
