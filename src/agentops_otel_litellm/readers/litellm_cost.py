"""LiteLLM's cost of a call."""

from __future__ import annotations

from typing import Any

from agentops_otel_litellm.call import Cost
from agentops_otel_litellm.readers.values import number

_MAX_DOLLARS = 1e9


def litellm_cost(value: Any) -> Cost | None:
    """The cost in dollars that LiteLLM calculated, or `None` if `value` is not a number that a call can cost.

    LiteLLM multiplies any count that a provider sends, even a negative or an absurd one.
    """
    total = number(value)
    return Cost(total=total, source="litellm") if total is not None and 0 <= total <= _MAX_DOLLARS else None
