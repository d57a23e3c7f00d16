"""Whether an answer is from LiteLLM's cache, and what that leaves unknown."""

from __future__ import annotations

from typing import Any

from agentops_otel_litellm.readers.values import field


def read_cache_hit(logging: Any) -> bool:
    """What LiteLLM's logging object says of it: of every kind of response, but in newer releases only."""
    return field(getattr(logging, "caching_details", None), "cache_hit") is True
