"""The response of a call, and its stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agentops_otel_litellm.record import record

StreamOutcome = Literal["completed", "closed", "abandoned", "cancelled", "failed"]


@record
class Response:
    """The response; for an interrupted stream, the part that was received."""

    id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str | None, ...] | None = None
    """A finish reason for each choice, in order, as LiteLLM reports it; `None` for a choice whose reason was not
    received.
    """
    choices_count: int | None = None
    content_length: int | None = None
    """Characters of text in all choices."""
    tool_calls_count: int | None = None
    dimension_count: int | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    cache_hit: bool | None = None
    # Retrieval: reranking, searching, reading documents.
    results_count: int | None = None
    """Number of results, moderated inputs, or entries of a list."""
    search_units: float | None = None
    """Units that the provider bills for a reranking."""
    pages_count: int | None = None
    """Number of pages that the provider read, as it counted them."""
    # Jobs and what providers keep: batches, files, fine-tuning, containers, assistants.
    requests_count: int | None = None
    """Requests of a batch."""
    requests_completed: int | None = None
    requests_failed: int | None = None
    files_count: int | None = None
    """Files of a vector store."""
    files_completed: int | None = None
    files_failed: int | None = None
    size: int | None = None
    """Size of the file, vector store, document, audio or video in bytes."""
    trained_tokens: int | None = None
    has_more: bool | None = None
    """Whether the list has more entries."""
    deleted: bool | None = None
    http_status: int | None = None
    job_status: str | None = None
    """Status of the object: `completed`, `validating`, `processed`, …"""
    # The Responses API
    status: str | None = None
    """`completed`, or `queued`, `in_progress`, `incomplete`, `failed`, `cancelled`."""
    # LiteLLM's cache
    partial_cache_hit: bool | None = None
    """Whether some of the embeddings are from LiteLLM's cache, and the provider created the others."""
    # images, audio, moderation, video, realtime sessions
    images_count: int | None = None
    """Number of generated images."""
    resolution: str | None = None
    """Size of the video, such as `1280x720`."""
    media_duration: float | None = None
    """Duration of the audio or video in seconds."""
    language: str | None = None
    words_count: int | None = None
    segments_count: int | None = None
    flagged: bool | None = None
    """Whether any input was flagged."""
    flagged_categories: tuple[str, ...] | None = None
    """Categories for which an input was flagged, sorted."""
    progress: int | None = None
    """Progress in percent."""
    turns_count: int | None = None
    """Responses in a realtime session."""
    close_code: int | None = None
    """Close code of the session's connection, if the provider closed it."""
    closed_by: Literal["client", "provider"] | None = None
    # sandboxes and token counters
    code_failed: bool | None = None
    """Whether the executed code failed."""
    error_length: int | None = None
    """Characters that the code wrote to standard error."""
    tokens_counted: int | None = None
    """The result of a token count. No model has processed these tokens, so they are not usage."""
    tokenizer: str | None = None
    """The counter: `anthropic_api`, or LiteLLM's `local_tokenizer`."""


@record
class Stream:
    """The timing of a streamed response. Times are in seconds since the start of the call."""

    outcome: StreamOutcome
    chunk_count: int
    first_chunk: float | None = None
    first_token: float | None = None
    """Time of the first chunk with output: text, reasoning, or a tool call."""
    last_chunk: float | None = None
    gaps: Mapping[float, int] | None = None
    """Histogram: seconds between two chunks → how often that gap occurred."""
    duration: float | None = None
    """From the first chunk to the last."""
    longest_gap: float | None = None
    chunks_per_second: float | None = None
    tokens_per_second: float | None = None
    gap_p50: float | None = None
    """Median of the gaps. The fields below are the 95th and the 99th percentile."""
    gap_p95: float | None = None
    gap_p99: float | None = None
