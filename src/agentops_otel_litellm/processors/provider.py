"""Which provider was meant, where LiteLLM fails before it knows: a guess by the model's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from agentops_otel_litellm.call import Attempt, Call
from agentops_otel_litellm.providers import model_prefixes

MODEL_PROVIDERS: Mapping[str, str | None] = model_prefixes()
"""Prefix of a model's name → LiteLLM's provider; the longest that fits decides."""


def naming_provider(model_providers: Mapping[str, str]) -> Callable[[Call], Call]:
    """A processor that guesses by our table and by `model_providers`, which is the user's and goes before it.

    What LiteLLM knows, or its exception says, is not touched.
    """
    table = {**MODEL_PROVIDERS, **{prefix.lower(): provider for prefix, provider in model_providers.items()}}
    prefixes = sorted(table, key=len, reverse=True)

    def guess(model: str | None) -> str | None:
        name = (model or "").lower()
        return next((table[prefix] for prefix in prefixes if name.startswith(prefix)), None)

    def of_attempt(attempt: Attempt) -> Attempt:
        return attempt if attempt.provider is not None else replace(attempt, provider=guess(attempt.model))

    def name_provider(call: Call) -> Call:
        attempts = call.attempts
        if attempts is not None and any(attempt.provider is None for attempt in attempts.made):
            call = replace(call, attempts=replace(attempts, made=tuple(map(of_attempt, attempts.made))))
        if call.target.provider is not None:
            return call
        said = call.failure.provider if call.failure is not None else None
        provider = said or guess(call.target.model)
        return call if provider is None else replace(call, target=replace(call.target, provider=provider))

    return name_provider
