"""Google's contents: names in camel case on the wire, in snake case in Python, and one thing where a list may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentops_otel_litellm.readers.values import members

ROLES = {"user": "user", "model": "assistant", "function": "tool", "tool": "tool"}
_BESIDE_CONFIG = ("systemInstruction", "system_instruction", "toolConfig", "tool_config", "tools")


def camel(thing: Any) -> Mapping[str, Any]:
    """What a dict or a model holds, under the names of the wire."""
    return {_camel_case(name): value for name, value in members(thing).items() if value is not None}


def _camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name) if "_" in name else name


def each_of(given: Any) -> Sequence[Any]:
    """One or several."""
    return given if isinstance(given, list | tuple) else () if given is None else (given,)


def generate_config(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration, with what may be given beside it."""
    config = camel(parameters.get("config") or parameters.get("generationConfig"))
    return {**config, **camel({name: parameters[name] for name in _BESIDE_CONFIG if name in parameters})}
