"""Separates the usage that a provider has counted from LiteLLM's estimates for providers that count no tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Estimate, Usage
from agentops_otel_litellm.providers import Counting, provider_named
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import NOTHING, text


def _nothing(_usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """The provider never counts, or not in the form that LiteLLM reads."""
    return None


def _by_ollamas_chat(usage: Usage, details: Mapping[str, Any]) -> Usage | None:
    """The counts whose names are in the provider's response, which LiteLLM keeps unchanged.

    The names cannot be matched inside a text of the response, because JSON escapes the quotes there.
    """
    response = text(details.get("original_response")) or ""
    read, written = '"prompt_eval_count":' in response, '"eval_count":' in response
    if read and written:
        return usage
    if not read and not written:
        return None
    return replace(usage, total=None, **({"output": None} if read else {"input": None}))


def _by_ollama(usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """The counts, unless the output is 0. LiteLLM sets 0 if the response contained no counts, and does not keep the
    response.
    """
    return None if usage.output == 0 else usage


_COUNTED: Mapping[Counting, Callable[[Usage, Mapping[str, Any]], Usage | None]] = {
    Counting.NOBODY: _nothing,
    Counting.OLLAMA: _by_ollama,
    Counting.OLLAMA_CHAT: _by_ollamas_chat,
}
"""Who counts → which part of a usage the provider has counted. Otherwise it has counted all of it."""


def read_counted(usage: Usage, logging: Any) -> Usage | None:
    """The part of the usage that the provider has counted, according to LiteLLM's logging object."""
    details = getattr(logging, "model_call_details", None) or NOTHING
    provider = provider_named(text(details.get("custom_llm_provider")) or "")
    counted = _COUNTED.get(provider.counting)
    if counted is not None:
        return counted(usage, details)
    is_agent = provider.agents and provider.agents in (text(details.get("model")) or "")
    return None if is_agent else usage


def read_counted_anew(usage: Usage, logging: Any) -> Usage | None:
    """The part that the provider has counted, if LiteLLM may have translated the usage to a different API format.

    In that translation LiteLLM sets 0 for counts that Anthropic's models and Bedrock did not send, and sets tokens that
    were not cached as text. (`read_usage` handles this for chats.)
    """
    counted = read_counted(usage, logging)
    details = getattr(logging, "model_call_details", None) or NOTHING
    provider = provider_named(text(details.get("custom_llm_provider")) or "")
    omits_zeros = provider.omits_zero_details or "claude" in (text(details.get("model")) or "")
    if counted is None or not omits_zeros:
        return counted
    read, written = counted.cache_read or None, counted.cache_write or None
    return replace(counted, input_text=None, output_text=None, reasoning=None, cache_read=read, cache_write=written)


def read_estimate(usage: Any) -> Estimate | None:
    """The estimate in a `usage` that LiteLLM calculated."""
    return estimate_of(read_usage({"usage": usage}))


def estimate_of(usage: Usage | None) -> Estimate | None:
    """The estimate in a usage that the provider has not counted."""
    return None if usage is None else Estimate(input=usage.input, output=usage.output)
