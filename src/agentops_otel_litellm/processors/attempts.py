"""What several attempts amount to: retries and fallbacks."""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Attempt, Call


def count_retries(call: Call) -> Call:
    """An attempt at the model of the one before is a retry, one at another model a fallback; the Router, which asks
    groups of models, retries within a group.

    A single attempt says nothing: the HTTP client may have made several of it.
    """
    attempts = call.attempts
    if attempts is None or len(attempts.made) == 1:
        return call
    made = [attempts.made[0]]
    for attempt in attempts.made[1:]:
        made.append(replace(attempt, kind="retry" if _asked(attempt) == _asked(made[-1]) else "fallback"))
    kinds = [attempt.kind for attempt in made]
    counted = replace(attempts, made=tuple(made), retries=kinds.count("retry"), fallback_used="fallback" in kinds)
    return replace(call, attempts=counted)


def _asked(attempt: Attempt) -> object:
    return attempt.model_group or (attempt.provider, attempt.model)


def name_deployment(call: Call) -> Call:
    """Say of a routed call which deployment it came to in the end."""
    if call.operation is not None or call.attempts is None or call.routing is None:
        return call
    return replace(call, routing=replace(call.routing, model_id=call.attempts.made[-1].model_id))
