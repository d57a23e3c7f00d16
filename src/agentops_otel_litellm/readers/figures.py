"""LiteLLM's figure for what a call costs."""

from __future__ import annotations

from typing import Any

from agentops_otel_litellm.call import Cost
from agentops_otel_litellm.readers.values import number


def litellm_cost(figure: Any) -> Cost | None:
    """The cost in dollars that LiteLLM calculated, or `None` if `figure` is not a number."""
    total = number(figure)
    return None if total is None else Cost(total=total, source="litellm")
