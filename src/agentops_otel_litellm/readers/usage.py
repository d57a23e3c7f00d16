"""Token counts → Usage, in the format of OpenAI's usage, to which LiteLLM translates that of nearly all providers.

The names of the counts are those of chats, of the Responses API, and of images, audio and realtime sessions. LiteLLM
translates between these, in part in place. For providers that count no tokens LiteLLM makes an estimate in the same
format. The second half of this file separates these estimates from the counts of the provider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Estimate, Usage
from agentops_otel_litellm.providers import Counting, provider_named
from agentops_otel_litellm.readers.values import (
    NO_FIELDS,
    elements,
    field,
    fields_of,
    number,
    read_fields,
    rows_for,
    text,
    tokens,
)

_COUNTS = rows_for(
    Usage,
    {
        "prompt_tokens": ("input", tokens),
        "input_tokens": ("input", tokens),
        "completion_tokens": ("output", tokens),
        "output_tokens": ("output", tokens),
        "total_tokens": ("total", tokens),
    },
)
_INPUT = rows_for(
    Usage,
    {
        "cached_tokens": ("cache_read", tokens),
        "cache_creation_tokens": ("cache_write", tokens),
        "cache_write_tokens": ("cache_write", tokens),
        "text_tokens": ("input_text", tokens),
        "image_tokens": ("input_image", tokens),
        "audio_tokens": ("input_audio", tokens),
    },
)
_OUTPUT = rows_for(
    Usage,
    {
        "reasoning_tokens": ("reasoning", tokens),
        "text_tokens": ("output_text", tokens),
        "image_tokens": ("output_image", tokens),
        "audio_tokens": ("output_audio", tokens),
    },
)
_DETAILS = (
    ("prompt_tokens_details", _INPUT),
    ("input_tokens_details", _INPUT),
    ("input_token_details", _INPUT),
    ("completion_tokens_details", _OUTPUT),
    ("output_tokens_details", _OUTPUT),
    ("output_token_details", _OUTPUT),
)
_INPUT_KINDS = ("input_text", "input_image", "input_audio")


def read_usage(result: Any) -> Usage | None:
    """Read the provider's token counts of a chat, a text completion, a response or an embedding.

    LiteLLM sets zeros if the provider sent no usage. So the usage is unknown if all counts are 0. If only the input is
    0, the input is unknown, because every request has input.
    """
    usage = fields_of(field(result, "usage"))
    counts = read_fields(usage, _COUNTS)
    if not counts.get("input"):
        if not counts.get("output"):
            return None
        counts = {"output": counts["output"]}
    for name, rows in _DETAILS:
        details = usage.get(name)
        if details is not None:
            counts.update(read_fields(fields_of(details), rows))
    if usage.get("cache_creation_input_tokens") is not None:
        _remove_added_counts(counts, usage)
    if counts.get("cache_read") and "input_text" in counts:
        kinds = {name: counts.get(name) or 0 for name in _INPUT_KINDS}
        # Gemini's counts by modality, from which LiteLLM has subtracted the cached tokens, do not add up to the input.
        if sum(kinds.values()) == counts.get("input", 0) - counts["cache_read"]:
            counts = {name: count for name, count in counts.items() if name not in kinds}
    return Usage(**counts)


def _remove_added_counts(counts: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Remove the counts that LiteLLM adds to the usage of Anthropic's models, on any host, and of Bedrock's models.

    These providers do not count by modality; LiteLLM sets the tokens that were not cached as text. It estimates
    reasoning tokens that the provider did not count, and an estimate cannot be distinguished from a count. It sets
    zeros for the cache if the provider sent no such counts.
    """
    for name in ("input_text", "output_text", "reasoning"):
        counts.pop(name, None)
    for name, source in (("cache_read", "cache_read_input_tokens"), ("cache_write", "cache_creation_input_tokens")):
        known = counts.pop(name, None) or tokens(usage.get(source))
        if known:
            counts[name] = known


def read_media_usage(result: Any) -> Usage | None:
    """Read the provider's counts for images and audio: tokens, or seconds of audio.

    LiteLLM sets 0 for every count that the provider did not send, so counts of 0 are omitted.
    """
    usage = fields_of(field(result, "usage"))
    seconds = number(usage.get("seconds"))
    if seconds:
        return Usage(audio_seconds=seconds)
    counts = {name: count for name, count in read_fields(usage, _COUNTS).items() if count}
    if not counts:
        return None
    for name, rows in _DETAILS:
        parts = read_fields(fields_of(usage.get(name)), rows)
        if any(parts.values()):
            counts.update(parts)
    return Usage(**counts)


def summed(parts: Iterable[Usage]) -> Usage | None:
    """The sum of the usages of a session; `None` if there are none."""
    sums: dict[str, Any] = {}
    for usage in parts:
        for name, count in vars(usage).items():
            sums[name] = sums.get(name, 0) + count
    return Usage(**sums) if sums else None


def _merged(reported: Sequence[Usage]) -> Usage:
    """Merge the usages of several chunks. Some providers report the input in the first chunk and the output in the
    last.
    """
    counts: dict[str, int] = {}
    for usage in reported:
        for name, count in vars(usage).items():
            if count or name not in counts:
                counts[name] = count
    if {"input", "output"} <= counts.keys():
        counts["total"] = counts["input"] + counts["output"]  # each chunk's total is of its own counts only
    return Usage(**counts)


def reported_usage(stream: Any) -> Usage | None:
    """The usage in the provider's chunks, which LiteLLM keeps as the attribute `chunks` of a chat stream.

    LiteLLM adds a last chunk of its own for the application. That chunk is not read, because it may have LiteLLM's
    estimate instead of the provider's usage.
    """
    reported: list[Usage] = []
    for chunk in elements(getattr(stream, "chunks", None)):
        if isinstance(chunk, dict):
            stated = chunk.get("usage")
        else:
            # Read from the model's dicts without a call, because a stream may have thousands of chunks.
            extra = getattr(chunk, "__pydantic_extra__", None) or NO_FIELDS
            stated = extra["usage"] if "usage" in extra else getattr(chunk, "__dict__", NO_FIELDS).get("usage")
        if stated is not None:
            usage = read_usage(chunk)
            if usage is not None:
                reported.append(usage)
    return _merged(reported) if len(reported) > 1 else reported[0] if reported else None


# --- counts of the provider and estimates of LiteLLM ----------------------------------------------------------


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
    name = details.get("custom_llm_provider")
    provider = provider_named((name if type(name) is str else text(name)) or "")
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
