"""What several attempts amount to: retries and fallbacks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from agentops_otel_litellm.call import Attempt, Call


def count_retries(call: Call) -> Call:
    """After one that failed, an attempt at the model of the one before is a retry, one at another model a fallback; the
    Router, which asks groups of models, retries within a group. After one that did not, LiteLLM asked something else.

    A single attempt says nothing: the HTTP client may have made several of it.
    """
    attempts = call.attempts
    if attempts is None or len(attempts.made) == 1:
        return call
    made = [attempts.made[0], *(_of_a_kind(before, after) for before, after in pairwise(attempts.made))]
    kinds = [attempt.kind for attempt in made if attempt.kind is not None]
    if not kinds:
        return call
    counted = replace(attempts, made=tuple(made), retries=kinds.count("retry"), fallback_used="fallback" in kinds)
    return replace(call, attempts=counted)


def _of_a_kind(before: Attempt, after: Attempt) -> Attempt:
    if before.failure is None:
        return after
    return replace(after, kind="retry" if _asked(before) == _asked(after) else "fallback")


def _asked(attempt: Attempt) -> object:
    return attempt.model_group or (attempt.provider, attempt.model)


def name_deployment(call: Call) -> Call:
    """Say of a routed call which deployment it came to in the end."""
    if call.operation is not None or call.attempts is None or call.routing is None:
        return call
    return replace(call, routing=replace(call.routing, model_id=call.attempts.made[-1].model_id))
