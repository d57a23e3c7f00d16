"""The provider of a call that failed before LiteLLM determined it: guessed from the model's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from agentops_otel_litellm.call import Attempt, Call
from agentops_otel_litellm.providers import model_prefixes

MODEL_PROVIDERS: Mapping[str, str | None] = model_prefixes()
"""Prefix of a model's name → LiteLLM's provider. The longest matching prefix decides."""


def create_provider_processor(model_providers: Mapping[str, str]) -> Callable[[Call], Call]:
    """Return a processor that sets an unknown provider by the prefix of the model's name.

    The prefixes are those of the user's `model_providers`, which have priority, and of `MODEL_PROVIDERS`. A provider
    that LiteLLM or its exception reports is not changed.
    """
    table = {**MODEL_PROVIDERS, **{prefix.lower(): provider for prefix, provider in model_providers.items()}}
    prefixes = sorted(table, key=len, reverse=True)

    def guess(model: str | None) -> str | None:
        name = (model or "").lower()
        return next((table[prefix] for prefix in prefixes if name.startswith(prefix)), None)

    def with_provider(attempt: Attempt) -> Attempt:
        return attempt if attempt.provider is not None else replace(attempt, provider=guess(attempt.model))

    def set_provider(call: Call) -> Call:
        attempts = call.attempts
        if attempts is not None and any(attempt.provider is None for attempt in attempts.made):
            call = replace(call, attempts=replace(attempts, made=tuple(map(with_provider, attempts.made))))
        if call.target.provider is not None:
            return call
        reported = call.failure.provider if call.failure is not None else None
        provider = reported or guess(call.target.model)
        return call if provider is None else replace(call, target=replace(call.target, provider=provider))

    return set_provider
