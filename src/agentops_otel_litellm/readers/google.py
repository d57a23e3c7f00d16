"""Google's API format: names in camel case or snake case, and single values instead of lists."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from agentops_otel_litellm.readers.values import elements, fields_of, has_value, is_collection, is_iterator

ROLES = {"user": "user", "model": "assistant", "function": "tool", "tool": "tool"}
_BESIDE_CONFIG = ("systemInstruction", "system_instruction", "toolConfig", "tool_config", "tools")


def camel(thing: Any) -> Mapping[str, Any]:
    """The items of a dict, or the fields of a model, by their names in camel case."""
    return {_camel_case(name): value for name, value in fields_of(thing).items() if value is not None}


def _camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name) if "_" in name else name


def each_of(value: Any) -> Collection[Any]:
    """The elements of a list, or a single value as one element; an empty tuple for an iterator or `None`."""
    if is_collection(value):
        return elements(value)
    return () if value is None or is_iterator(value) else (value,)


def generate_config(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameter `config`, with the parameters that may be passed beside it instead."""
    config = camel(
        parameters.get("config") if has_value(parameters.get("config")) else parameters.get("generationConfig")
    )
    return {**config, **camel({name: parameters[name] for name in _BESIDE_CONFIG if name in parameters})}
