"""Whether a response is from LiteLLM's cache."""

from __future__ import annotations

from typing import Any

from agentops_otel_litellm.readers.values import field


def read_cache_hit(logging: Any) -> bool:
    """Whether LiteLLM's logging object reports a cache hit. Newer releases report it for every kind of response."""
    return field(getattr(logging, "caching_details", None), "cache_hit") is True
