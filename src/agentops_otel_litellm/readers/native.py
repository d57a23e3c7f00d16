"""Calls that LiteLLM dispatches to Rust: which of its functions was called, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.readers.values import text

# Route → LiteLLM's function, where it has another name.
_FUNCTIONS = {"chat_completions": "completion", "embeddings": "embedding", "messages": "anthropic_messages"}


def read_native_function(dispatcher: Any) -> str:
    """The function that a dispatcher stands for, without the `a` of the asynchronous ones."""
    route = text(getattr(dispatcher, "route", None)) or "native"
    return _FUNCTIONS.get(route, route)


def read_native_parameters(request: Any, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """All parameters by name: the request knows those, too, that the app gave by position."""
    return {**(getattr(request, "base", None) or {}), **kwargs}


def has_declined(error: BaseException | None) -> bool:
    """Whether it says that the native function does not carry such a call: LiteLLM has done nothing yet."""
    return type(error).__name__ == "RustBridgeDeclined"
