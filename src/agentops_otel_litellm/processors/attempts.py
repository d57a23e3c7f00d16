"""What several attempts amount to: retries and fallbacks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from agentops_otel_litellm.call import Call


def count_retries(call: Call) -> Call:
    """An attempt at the model of the one before is a retry, one at another model a fallback; the Router, which asks
    groups of models, retries within a group.

    A single attempt says nothing: the HTTP client may have made several of it.
    """
    attempts = call.attempts
    if attempts is None or len(attempts.made) == 1:
        return call
    asked = [attempt.model_group or (attempt.provider, attempt.model) for attempt in attempts.made]
    fallbacks = sum(before != after for before, after in pairwise(asked))
    counted = replace(attempts, retries=len(asked) - 1 - fallbacks, fallback_used=fallbacks > 0)
    return replace(call, attempts=counted)


def name_deployment(call: Call) -> Call:
    """Say of a routed call which deployment it came to in the end."""
    if call.operation is not None or call.attempts is None or call.routing is None:
        return call
    return replace(call, routing=replace(call.routing, model_id=call.attempts.made[-1].model_id))
