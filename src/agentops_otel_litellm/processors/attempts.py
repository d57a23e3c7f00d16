"""What several attempts amount to: retries and fallbacks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from agentops_otel_litellm.call import Call


def count_retries(call: Call) -> Call:
    """An attempt at the model of the one before is a retry, one at another model a fallback.

    A single attempt says nothing: the HTTP client may have made several of it.
    """
    attempts = call.attempts
    if attempts is None or len(attempts.made) == 1:
        return call
    asked = [(attempt.provider, attempt.model) for attempt in attempts.made]
    fallbacks = sum(before != after for before, after in pairwise(asked))
    counted = replace(attempts, retries=len(asked) - 1 - fallbacks, fallback_used=fallbacks > 0)
    return replace(call, attempts=counted)
