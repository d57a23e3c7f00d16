"""What it took: tokens, and dollars."""

from __future__ import annotations

from typing import Literal

from agentops_otel_litellm.record import record


@record
class Usage:
    """Tokens as the provider reported them. `input` includes the cached ones; the details are parts of it."""

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
    # audio
    audio_seconds: float | None = None
    """What the provider counts instead of tokens, where it bills by time."""


@record
class Estimate:
    """Tokens as LiteLLM estimates them, where the provider counted none."""

    input: int | None = None
    output: int | None = None


@record
class Cost:
    """The price of the call in US dollars, and who worked it out."""

    total: float
    source: Literal["litellm", "genai_prices", "user"]
    per_unit: bool | None = None
    """Whether calls, images, characters or seconds were bought: no tokens need to have been counted."""
    # its parts
    input: float | None = None
    """What is paid for input: with output and tools, the total."""
    output: float | None = None
    tools: float | None = None
    """What the provider's own tools cost, such as a search of the web."""
    cache_read: float | None = None
    """A part of what the input costs, as is the next."""
    cache_write: float | None = None
    reasoning: float | None = None
    """A part of what the output costs."""
    # where its prices are from
    price_map: Literal["remote", "bundled"] | None = None
    """Whether the prices were fetched or are those that came with the package, LiteLLM or another."""
    price_map_date: str | None = None
    """When they were fetched: `2026-11-23`."""


@record
class Saved:
    """What an answer from LiteLLM's cache did not use and cost again: the tokens that the provider had counted for
    it, and LiteLLM's price for those, in US dollars.
    """

    input: int | None = None
    output: int | None = None
    cost: float | None = None
