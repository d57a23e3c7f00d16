"""Separates the usage that a provider has counted from LiteLLM's estimates for providers that count no tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Estimate, Usage
from agentops_otel_litellm.providers import Counting, provider_named
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import NO_FIELDS, text


def _counted_by_nobody(_usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """No usage: the provider does not count tokens, or not in a form that LiteLLM reads."""
    return None


def _counted_by_ollama_chat(usage: Usage, details: Mapping[str, Any]) -> Usage | None:
    """The counts that Ollama's response contains. LiteLLM estimates the others, and keeps the response as JSON text.

    The names of the counts are searched for with their quotes. Within a text of the response they cannot be found,
    because JSON escapes quotes in texts.
    """
    response = text(details.get("original_response")) or ""
    has_input, has_output = '"prompt_eval_count":' in response, '"eval_count":' in response
    if has_input and has_output:
        return usage
    if not has_input and not has_output:
        return None
    return replace(usage, total=None, **({"output": None} if has_input else {"input": None}))


def _counted_by_ollama(usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """The counts, unless the output is 0: LiteLLM sets 0 if Ollama's response contained no counts. LiteLLM does not
    keep the response, so a real 0 cannot be distinguished.
    """
    return None if usage.output == 0 else usage


_COUNTED_BY: Mapping[Counting, Callable[[Usage, Mapping[str, Any]], Usage | None]] = {
    Counting.NOBODY: _counted_by_nobody,
    Counting.OLLAMA: _counted_by_ollama,
    Counting.OLLAMA_CHAT: _counted_by_ollama_chat,
}
"""Who counts the tokens → the function that returns the counted part of a usage. Without a row, all of it is
counted.
"""


def read_counted(usage: Usage, logging: Any) -> Usage | None:
    """The part of the usage that the provider has counted, according to LiteLLM's logging object."""
    details = getattr(logging, "model_call_details", None) or NO_FIELDS
    provider = provider_named(text(details.get("custom_llm_provider")) or "")
    counted = _COUNTED_BY.get(provider.counting)
    if counted is not None:
        return counted(usage, details)
    is_agent = provider.agents and provider.agents in (text(details.get("model")) or "")
    return None if is_agent else usage


def read_counted_after_translation(usage: Usage, logging: Any) -> Usage | None:
    """The part that the provider has counted of a usage that LiteLLM may have translated to a different API format.

    In the translation, LiteLLM sets 0 for counts that Anthropic's models and Bedrock did not send, and reports all
    tokens that were not cached as text tokens. These counts are removed. (`read_usage` removes them from the usage of
    chats.)
    """
    counted = read_counted(usage, logging)
    details = getattr(logging, "model_call_details", None) or NO_FIELDS
    provider = provider_named(text(details.get("custom_llm_provider")) or "")
    omits_zeros = provider.omits_zero_details or "claude" in (text(details.get("model")) or "")
    if counted is None or not omits_zeros:
        return counted
    return replace(
        counted,
        input_text=None,
        output_text=None,
        reasoning=None,
        cache_read=counted.cache_read or None,
        cache_write=counted.cache_write or None,
    )


def read_estimate(usage: Any) -> Estimate | None:
    """The estimate in a `usage` that LiteLLM calculated."""
    return estimate_of(read_usage({"usage": usage}))


def estimate_of(usage: Usage | None) -> Estimate | None:
    """The estimate in a usage that the provider has not counted."""
    return None if usage is None else Estimate(input=usage.input, output=usage.output)
