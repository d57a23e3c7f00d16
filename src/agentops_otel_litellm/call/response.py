"""What came back, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agentops_otel_litellm.record import record

StreamOutcome = Literal["completed", "closed", "abandoned", "cancelled", "failed"]


@record
class Response:
    """What came back; of a stream that was cut, what had come until then."""

    id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str | None, ...] | None = None
    """One per choice, in order, as LiteLLM gives them; `None` where it did not come."""
    choices_count: int | None = None
    content_length: int | None = None
    """Characters of text over all choices."""
    tool_calls_count: int | None = None
    dimension_count: int | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    cache_hit: bool | None = None
    # Retrieval: reranking, searching, reading documents.
    results_count: int | None = None
    """Results, inputs judged, or entries of a list."""
    search_units: float | None = None
    """What the provider bills for a reranking, by its own count."""
    pages_count: int | None = None
    """Pages read, by the provider's count."""
    # Jobs and what providers keep: batches, files, fine-tuning, containers, assistants.
    requests_count: int | None = None
    """Of a batch; likewise below."""
    requests_completed: int | None = None
    requests_failed: int | None = None
    files_count: int | None = None
    """Of a vector store; likewise below."""
    files_completed: int | None = None
    files_failed: int | None = None
    size: int | None = None
    """Bytes of the file, the vector store, the document, the sound or the video."""
    trained_tokens: int | None = None
    has_more: bool | None = None
    """Whether the list goes on."""
    deleted: bool | None = None
    http_status: int | None = None
    job_status: str | None = None
    """How it stands with what the provider runs or keeps: `completed`, `validating`, `processed`, …"""
    # The Responses API
    status: str | None = None
    """`completed`, or `queued`, `in_progress`, `incomplete`, `failed`, `cancelled`."""
    # LiteLLM's cache
    partial_cache_hit: bool | None = None
    """Whether the cache had some of the answers, and the provider gave the rest."""
    # images, audio, moderation, video, realtime sessions
    images_count: int | None = None
    """Images made."""
    resolution: str | None = None
    """Of the video."""
    media_duration: float | None = None
    """Seconds that the sound or video lasts."""
    language: str | None = None
    words_count: int | None = None
    segments_count: int | None = None
    flagged: bool | None = None
    """Whether any of the inputs was."""
    flagged_categories: tuple[str, ...] | None = None
    """Those that any input was flagged for, sorted."""
    progress: int | None = None
    """Percent."""
    turns_count: int | None = None
    """Responses in a realtime session."""
    close_code: int | None = None
    """What the session's connection to the provider was closed with, where the provider closed it."""
    closed_by: Literal["client", "provider"] | None = None
    # sandboxes and token counters
    code_failed: bool | None = None
    """Whether the code that was run ended with an error of its own."""
    error_length: int | None = None
    """Characters that the code wrote to its standard error."""
    tokens_counted: int | None = None
    """What a token counter was asked for: nobody has used them."""
    tokenizer: str | None = None
    """What counted them: `anthropic_api`, or LiteLLM's own `local_tokenizer`."""


@record
class Stream:
    """How a streamed response came: instants are seconds since the call started."""

    outcome: StreamOutcome
    chunk_count: int
    first_chunk: float | None = None
    first_token: float | None = None
    """The first chunk that carried output: text, reasoning, or a tool call."""
    last_chunk: float | None = None
    gaps: Mapping[float, int] | None = None
    """Seconds between one chunk and the next → how often there were so many."""
    duration: float | None = None
    """From the first chunk to the last."""
    longest_gap: float | None = None
    chunks_per_second: float | None = None
    tokens_per_second: float | None = None
    gap_p50: float | None = None
    """So many percent of the gaps are not longer; likewise below."""
    gap_p95: float | None = None
    gap_p99: float | None = None
