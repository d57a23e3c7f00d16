"""Usage as OpenAI's endpoints of images, sound and realtime sessions count it → Usage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentops_otel_litellm.call import Usage
from agentops_otel_litellm.readers.values import field, integer, members, number, rows_for, taken

# LiteLLM also gives some of it in the words of chats.
_COUNTS = rows_for(
    Usage,
    {
        "input_tokens": ("input", integer),
        "prompt_tokens": ("input", integer),
        "output_tokens": ("output", integer),
        "completion_tokens": ("output", integer),
        "total_tokens": ("total", integer),
    },
)
_INPUT = rows_for(
    Usage,
    {
        "cached_tokens": ("cache_read", integer),
        "text_tokens": ("input_text", integer),
        "image_tokens": ("input_image", integer),
        "audio_tokens": ("input_audio", integer),
    },
)
_OUTPUT = rows_for(
    Usage,
    {
        "text_tokens": ("output_text", integer),
        "image_tokens": ("output_image", integer),
        "audio_tokens": ("output_audio", integer),
    },
)
# Images have `…_tokens_details`, sound and sessions `…_token_details`; what was not sent is null in either.
_DETAILS = (
    ("input_tokens_details", _INPUT),
    ("input_token_details", _INPUT),
    ("output_tokens_details", _OUTPUT),
    ("output_token_details", _OUTPUT),
    ("completion_tokens_details", _OUTPUT),
)


def summed(parts: Iterable[Usage]) -> Usage | None:
    """What several answers of one session used, where any of them tells."""
    sums: dict[str, Any] = {}
    for usage in parts:
        for name, count in vars(usage).items():
            sums[name] = sums.get(name, 0) + count
    return Usage(**sums) if sums else None


def read_tokens(result: Any) -> Usage | None:
    """What the provider counted: tokens, or seconds of sound. LiteLLM writes zeros where the provider sent nothing."""
    usage = members(field(result, "usage"))
    seconds = number(usage.get("seconds"))
    if seconds:
        return Usage(audio_seconds=seconds)
    counts = {name: count for name, count in taken(usage, _COUNTS).items() if count}
    if not counts:
        return None
    for name, rows in _DETAILS:
        parts = taken(members(usage.get(name)), rows)
        if any(parts.values()):
            counts.update(parts)
    return Usage(**counts)
