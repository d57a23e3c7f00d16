"""Parameters that show whether LiteLLM calls one of its own functions to continue a call, and which call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.readers.values import fields_of, identifier

Parameters = Mapping[str, Any]


def read_logging_object(parameters: Parameters) -> Any:
    """LiteLLM's logging object of the call, which it passes to every function that continues the call."""
    return parameters.get("litellm_logging_obj")


def is_by_twin(parameters: Parameters, function: str) -> bool:
    """Whether the asynchronous twin of `function` calls it. The twin passes a flag with its own name,
    `acompletion=True`.
    """
    return parameters.get(f"a{function}") is True


def read_messages(parameters: Parameters) -> Any:
    """The messages of a call. The caller only compares this object by identity."""
    return parameters.get("messages")


def is_mocked(parameters: Parameters) -> bool:
    """Whether the application sets a mock response, for which LiteLLM calls no provider and invents the usage."""
    return bool(parameters.get("mock_response") or parameters.get("mock_tool_calls"))


def read_id(result: Any) -> str | None:
    """The provider's id of the response, which is unique."""
    return identifier(fields_of(result).get("id"))


def is_of_model_list(parameters: Parameters) -> bool:
    """Whether the parameters are of a call with a `model_list`, for which LiteLLM uses the first model that
    responds.
    """
    return "deployments" in parameters


def is_fallback(parameters: Parameters) -> bool:
    """Whether the Router calls itself with a different model group after a failure."""
    depth = parameters.get("fallback_depth")
    return isinstance(depth, int) and depth > 0
