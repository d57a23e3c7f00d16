"""OpenAI's usage format, to which LiteLLM translates the usage of nearly all providers → Usage.

The names are those of chats, of the Responses API, and of images, audio and realtime sessions. LiteLLM translates
between these, in part in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentops_otel_litellm.call import Usage
from agentops_otel_litellm.readers.values import field, fields_of, number, read_fields, rows_for, tokens

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


def summed(parts: Iterable[Usage]) -> Usage | None:
    """The sum of the usages of a session; `None` if there are none."""
    sums: dict[str, Any] = {}
    for usage in parts:
        for name, count in vars(usage).items():
            sums[name] = sums.get(name, 0) + count
    return Usage(**sums) if sums else None


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
