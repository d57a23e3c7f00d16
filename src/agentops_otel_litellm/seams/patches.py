"""Putting ours in the place of LiteLLM's, and LiteLLM's back."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

Anything = Callable[..., Any]
Wrapper = Callable[[Anything], Anything]

_originals: dict[Any, Any] = {}
"""What we put in LiteLLM's place → what was there."""
_places: set[tuple[Any, str]] = set()
"""Where we put it: modules and classes, and names in them."""
_built: dict[CodeType, Wrapper] = {}
"""The code of functions that a decorator of LiteLLM's builds → what is put around them."""


def in_place_of(theirs: Anything, ours: Anything) -> Anything:
    """`ours`, of which it is now known what it stands for."""
    _keep_signature(theirs, ours)
    _originals[ours] = theirs
    return ours


def _keep_signature(theirs: Anything, ours: Anything) -> None:
    """Have `ours` inspected as `theirs` is, with and without following what is wrapped.

    `functools.wraps` sets `__wrapped__`, which is one step more than without us if LiteLLM's decorator has set it
    already, and which `inspect.getfullargspec` does not follow if it has not. A function that wraps nothing keeps our
    `__wrapped__`, where `inspect.getsource` and `typing.get_type_hints` find its source and the names in its hints.
    """
    theirs, ours = getattr(theirs, "__func__", theirs), getattr(ours, "__func__", ours)
    if not isinstance(theirs, FunctionType) or not isinstance(ours, FunctionType) or theirs is ours:
        return
    if hasattr(theirs, "__wrapped__"):
        ours.__wrapped__ = theirs.__wrapped__  # type: ignore[attr-defined]  # functions have whatever is set on them
    else:
        ours.__signature__ = inspect.signature(theirs)  # type: ignore[attr-defined]  # (the same)


def built_by(decorator: FunctionType, wrapper: Wrapper) -> None:
    """Have the functions found that LiteLLM's decorator had built before us: their code is a constant of its own."""
    for constant in decorator.__code__.co_consts:
        if isinstance(constant, CodeType):
            _built[constant] = wrapper


def is_built(function: Anything) -> bool:
    """Whether a decorator of LiteLLM's has built the function, or the one that ours stands for."""
    return any(getattr(each, "__code__", None) in _built for each in (function, _originals.get(function)))


def patch(module: ModuleType, name: str, wrapper: Wrapper) -> bool:
    """Wrap what `module` has under the dotted `name`; whether it has that."""
    owner, _, last = name.rpartition(".")
    holder = getattr(module, owner, None) if owner else module
    theirs: Any = None if holder is None else vars(holder).get(last)
    if isinstance(theirs, staticmethod | classmethod):
        ours: Any = type(theirs)(wrapper(theirs.__func__))
    elif callable(theirs) or isinstance(theirs, ModuleType):
        ours = wrapper(theirs)
    else:
        return False
    if ours is not theirs:
        _places.add((holder, last))
        setattr(holder, last, in_place_of(theirs, ours))
    return True


def replace_aliases() -> None:
    """Have ours found under every other name of LiteLLM's, in LiteLLM and in the app: both may have imported it."""
    ours = {theirs: ours for ours, theirs in _originals.items()}
    for namespace, name, value in _functions():
        if value in _originals:
            continue
        if value not in ours and value.__code__ in _built:
            ours[value] = in_place_of(value, _built[value.__code__](value))
        if value in ours:
            namespace[name] = _last(value, ours)


def undo() -> None:
    """Put LiteLLM's own back wherever ours are found."""
    for holder, name in _places:
        found: Any = vars(holder).get(name)
        if found.__hash__ is not None and found in _originals:  # the app may have put anything there
            setattr(holder, name, _last(found, _originals))
    for namespace, name, value in _functions():
        if value in _originals:
            namespace[name] = _last(value, _originals)
    _originals.clear()
    _places.clear()
    _built.clear()


def _last(value: Anything, replaced: dict[Any, Any]) -> Anything:
    """What `value` was replaced by, in the end: a place may have been patched twice."""
    while value in replaced:
        value = replaced[value]
    return value


def _functions() -> Iterator[tuple[dict[str, Any], str, FunctionType]]:
    """Every function that a module knows by a name."""
    for module in list(sys.modules.values()):
        namespace = getattr(module, "__dict__", None)
        if isinstance(namespace, dict):
            for name, value in list(namespace.items()):
                if type(value) is FunctionType:
                    yield namespace, name, value
