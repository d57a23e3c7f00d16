"""The function and the parameters of calls that LiteLLM makes in Rust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.readers.values import text

# Route → LiteLLM's function, if its name differs.
_FUNCTIONS = {"chat_completions": "completion", "embeddings": "embedding", "messages": "anthropic_messages"}


def read_native_function(dispatcher: Any) -> str:
    """The name of a dispatcher's function, without the `a` of asynchronous functions."""
    route = text(getattr(dispatcher, "route", None)) or "native"
    return _FUNCTIONS.get(route, route)


def read_native_parameters(request: Any, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """All parameters by name. The request includes the parameters that the application passed by position."""
    return {**(getattr(request, "base", None) or {}), **kwargs}


def has_declined(error: BaseException | None) -> bool:
    """Whether the native function raised it because it does not support the call. No request was sent then."""
    return type(error).__name__ == "RustBridgeDeclined"
