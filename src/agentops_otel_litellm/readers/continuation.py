"""Calls of LiteLLM's own functions by LiteLLM: what in their parameters tells whose call they go on with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops_otel_litellm.readers.values import identifier, members

Parameters = Mapping[str, Any]


def read_logging_object(parameters: Parameters) -> Any:
    """LiteLLM's logging object of the call, which it hands on to every function of its own that goes on with it."""
    return parameters.get("litellm_logging_obj")


def is_by_twin(parameters: Parameters, function: str) -> bool:
    """Whether the asynchronous twin of `function` is what calls it: it sets a flag of its own name."""
    return parameters.get(f"a{function}") is True


def read_messages(parameters: Parameters) -> Any:
    """What is to be answered. Only ever asked whether it is the very same object."""
    return parameters.get("messages")


def is_mocked(parameters: Parameters) -> bool:
    """Whether the app tells LiteLLM what to answer, which then asks nobody, and makes up what was counted."""
    return bool(parameters.get("mock_response") or parameters.get("mock_tool_calls"))


def read_id(result: Any) -> str | None:
    """What the provider calls its answer, which no other has."""
    return identifier(members(result).get("id"))


def is_of_model_list(parameters: Parameters) -> bool:
    """Whether it is one call, which LiteLLM makes with the first that answers of a `model_list`."""
    return "deployments" in parameters


def is_fallback(parameters: Parameters) -> bool:
    """Whether the Router calls itself with another model group, for one that failed."""
    depth = parameters.get("fallback_depth")
    return isinstance(depth, int) and depth > 0
