"""Classifies the attempts of a call as retries and fallbacks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from agentops_otel_litellm.call import Attempt, Call


def count_retries(call: Call) -> Call:
    """Set the kind of each attempt, and count the retries.

    An attempt that follows a failed attempt is a retry if it has the same model, and a fallback if it has a different
    model. For attempts of the Router, the model groups are compared instead of the models. An attempt that follows a
    successful attempt is neither.

    If only one attempt is known, the number of retries stays unknown, because the provider's HTTP client may have
    retried.
    """
    attempts = call.attempts
    if attempts is None or len(attempts.made) == 1:
        return call
    made = [attempts.made[0], *(_with_kind(before, after) for before, after in pairwise(attempts.made))]
    kinds = [attempt.kind for attempt in made if attempt.kind is not None]
    if not kinds:
        return call
    counted = replace(attempts, made=tuple(made), retries=kinds.count("retry"), fallback_used="fallback" in kinds)
    return replace(call, attempts=counted)


def _with_kind(before: Attempt, after: Attempt) -> Attempt:
    if before.failure is None:
        return after
    return replace(after, kind="retry" if _requested(before) == _requested(after) else "fallback")


def _requested(attempt: Attempt) -> object:
    return attempt.model_group or (attempt.provider, attempt.model)


def set_deployment(call: Call) -> Call:
    """Set the deployment of a routed call to the deployment of its last attempt."""
    if call.operation is not None or call.attempts is None or call.routing is None:
        return call
    return replace(call, routing=replace(call.routing, model_id=call.attempts.made[-1].model_id))
