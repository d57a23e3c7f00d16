"""Tokens and cost of a call."""

from __future__ import annotations

from typing import Literal

from agentops_otel_litellm.record import record


@record
class Usage:
    """Tokens as the provider reported them. `input` includes cached tokens. The fields below `total` are parts of
    `input` or `output`.
    """

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    input_text: int | None = None
    input_image: int | None = None
    input_audio: int | None = None
    output_text: int | None = None
    output_image: int | None = None
    output_audio: int | None = None
    audio_seconds: float | None = None
    """Seconds of audio, if the provider bills by time."""


@record
class Estimate:
    """LiteLLM's estimate of the tokens, if the provider counted none."""

    input: int | None = None
    output: int | None = None


@record
class Cost:
    """The cost of the call in US dollars, and the source of its prices."""

    total: float
    source: Literal["litellm", "genai_prices", "user"]
    per_unit: bool | None = None
    """Whether the provider bills by calls, images, characters or seconds, and not by tokens."""
    input: float | None = None
    """The cost of the input. Input, output and tools add up to the total."""
    output: float | None = None
    tools: float | None = None
    """The cost of the provider's own tools, such as a web search."""
    cache_read: float | None = None
    """Part of the cost of the input, as `cache_write` is."""
    cache_write: float | None = None
    reasoning: float | None = None
    """Part of the cost of the output."""
    price_map: Literal["remote", "bundled"] | None = None
    """Whether the prices were downloaded or are those of the installed package."""
    price_map_date: str | None = None
    """The day of the download, such as `2026-11-23`."""


@record
class Saved:
    """The tokens and the cost in US dollars of a cached response's original call, which LiteLLM's cache saved."""

    input: int | None = None
    output: int | None = None
    cost: float | None = None
