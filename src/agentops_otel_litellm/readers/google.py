"""Google's contents: names in camel case on the wire, in snake case in Python, and one thing where a list may be."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from agentops_otel_litellm.readers.values import elements, is_collection, is_given, is_iterator, members

ROLES = {"user": "user", "model": "assistant", "function": "tool", "tool": "tool"}
_BESIDE_CONFIG = ("systemInstruction", "system_instruction", "toolConfig", "tool_config", "tools")


def camel(thing: Any) -> Mapping[str, Any]:
    """What a dict or a model holds, under the names of the wire."""
    return {_camel_case(name): value for name, value in members(thing).items() if value is not None}


def _camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name) if "_" in name else name


def each_of(given: Any) -> Collection[Any]:
    """One or several; none of what an iterator would give."""
    if is_collection(given):
        return elements(given)
    return () if given is None or is_iterator(given) else (given,)


def generate_config(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration, with what may be given beside it."""
    config = camel(
        parameters.get("config") if is_given(parameters.get("config")) else parameters.get("generationConfig")
    )
    return {**config, **camel({name: parameters[name] for name in _BESIDE_CONFIG if name in parameters})}
