"""What LiteLLM estimates where a provider counted nothing, told from what the provider counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Estimate, Usage
from agentops_otel_litellm.readers.usage import read_usage
from agentops_otel_litellm.readers.values import NOTHING, text


def _nothing(_usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """The provider never counts, or not in the form that LiteLLM reads."""
    return None


def _by_ollamas_chat(usage: Usage, details: Mapping[str, Any]) -> Usage | None:
    """What has a count in the response, which LiteLLM keeps as it came. Within a text JSON escapes the quotes."""
    response = text(details.get("original_response")) or ""
    read, written = '"prompt_eval_count":' in response, '"eval_count":' in response
    if read and written:
        return usage
    if not read and not written:
        return None
    return replace(usage, total=None, **({"output": None} if read else {"input": None}))


def _by_ollama(usage: Usage, _details: Mapping[str, Any]) -> Usage | None:
    """LiteLLM does not keep the response; where that had no counts it makes the output 0."""
    return None if usage.output == 0 else usage


# Providers for which LiteLLM counts where they do not → what of a usage they have counted.
_COUNTED: Mapping[str, Callable[[Usage, Mapping[str, Any]], Usage | None]] = {
    "a2a": _nothing,
    "a2a_agent": _nothing,
    "langflow": _nothing,
    "langgraph": _nothing,
    "ollama": _by_ollama,
    "ollama_chat": _by_ollamas_chat,
    "petals": _nothing,
    "predibase": _nothing,
    "replicate": _nothing,
    "sagemaker": _nothing,
}
# The same, of agents, which some providers have among their models.
_AGENTS = {"azure_ai": "agents/", "bedrock": "agentcore/", "vertex_ai": "agent_engine/"}


def read_counted(usage: Usage, logging: Any) -> Usage | None:
    """What of the usage the provider has counted, as far as LiteLLM's logging object tells."""
    details = getattr(logging, "model_call_details", None) or NOTHING
    provider: str | None = text(details.get("custom_llm_provider"))
    counted = _COUNTED.get(provider or "")
    if counted is not None:
        return counted(usage, details)
    agents = _AGENTS.get(provider or "")
    return None if agents is not None and agents in (text(details.get("model")) or "") else usage


_ANTHROPICS = frozenset({"anthropic", "bedrock"})


def read_counted_anew(usage: Usage, logging: Any) -> Usage | None:
    """The same, where LiteLLM may have counted once more for another API than the provider's: it makes zeros of what
    Anthropic's models and Bedrock did not count, and text of what was not cached. (Of chats `read_usage` sees to that.)
    """
    counted = read_counted(usage, logging)
    details = getattr(logging, "model_call_details", None) or NOTHING
    by_anthropic = details.get("custom_llm_provider") in _ANTHROPICS or "claude" in (text(details.get("model")) or "")
    if counted is None or not by_anthropic:
        return counted
    read, written = counted.cache_read or None, counted.cache_write or None
    return replace(counted, input_text=None, output_text=None, reasoning=None, cache_read=read, cache_write=written)


def read_estimate(usage: Any) -> Estimate | None:
    """Of a `usage` that LiteLLM worked out."""
    return estimate_of(read_usage({"usage": usage}))


def estimate_of(usage: Usage | None) -> Estimate | None:
    """Of what looks like a count, and is none."""
    return None if usage is None else Estimate(input=usage.input, output=usage.output)
