"""What happened in one LiteLLM call, in nobody's vocabulary.

Frozen records, filled from what LiteLLM was given and gave back, and passed from stage to stage.
A field that is not known is `None`: nothing here has a default that looks like a fact.
Durations are seconds on the monotonic clock; money is US dollars; tokens are as the provider counted them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agentops_otel_litellm.content import Content
from agentops_otel_litellm.record import record

StreamOutcome = Literal["completed", "closed", "abandoned", "cancelled", "failed"]


@record
class Target:
    """The provider, model and server of the call: known in part when it starts, wholly once LiteLLM has resolved it."""

    provider: str | None = None
    """LiteLLM's own name for the provider, such as `vertex_ai`."""
    model: str | None = None
    """The model asked of the provider: without LiteLLM's `provider/` prefix."""
    address: str | None = None
    port: int | None = None


@record
class Request:
    """What the app asked for. Counts and choices only, never content."""

    model: str | None = None
    """The model as the app wrote it."""
    stream: bool | None = None
    messages_count: int | None = None
    system_count: int | None = None
    """Messages of this role; likewise below."""
    developer_count: int | None = None
    user_count: int | None = None
    assistant_count: int | None = None
    tool_count: int | None = None
    function_count: int | None = None
    content_length: int | None = None
    """Characters of text over all messages (or prompts, or inputs)."""
    modalities: tuple[str, ...] | None = None
    """Kinds of content sent, sorted: `text`, `image`, `audio`, `file`, `video`."""
    inputs_count: int | None = None
    """Prompts of a text completion, inputs of an embedding."""
    tools_count: int | None = None
    tool_choice: str | None = None
    """`auto`, `none`, `required`, or `function` where the app named one."""
    choice_count: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop_sequences: tuple[str, ...] | None = None
    reasoning_level: str | None = None
    output_type: str | None = None
    """`text`, `json`, `speech` or `image`, where the app asked for a format."""
    service_tier: str | None = None
    encoding_formats: tuple[str, ...] | None = None
    dimensions: int | None = None
    # Retrieval: reranking, searching, reading documents.
    queries_count: int | None = None
    query_length: int | None = None
    """Characters over all queries."""
    documents_count: int | None = None
    document_kind: str | None = None
    """`document_url`, `image_url` or `file`."""
    pages_count: int | None = None
    """Pages of the document that the app asked for, where it asked for some only."""
    max_results: int | None = None
    """The most results that are to come, or the best so many of them."""
    data_source_id: str | None = None
    """The vector store."""
    # Jobs and what providers keep: batches, files, fine-tuning, containers, assistants.
    resource_id: str | None = None
    """Of the object that is asked about: never a path or a URL, which name files."""
    input_file_id: str | None = None
    files_count: int | None = None
    file_size: int | None = None
    """Bytes to upload, of the sound that is to be transcribed also."""
    endpoint: str | None = None
    """Of the requests in a batch: `/v1/embeddings`."""
    purpose: str | None = None
    completion_window: str | None = None
    page_size: int | None = None
    """The most entries of a list to come."""
    http_method: str | None = None
    # The Responses API
    previous_response_id: str | None = None
    """The stored response that this one goes on from."""
    response_id: str | None = None
    """The stored response that is asked about."""
    # images, audio, video
    images_count: int | None = None
    """Images sent."""
    resolution: str | None = None
    """Of the image or video that is to be made, such as `1024x1024`."""
    quality: str | None = None
    style: str | None = None
    output_format: str | None = None
    """Of the image, such as `png`."""
    response_format: str | None = None
    """How the image, sound or transcript is to be given: `b64_json`, `mp3`, `verbose_json`."""
    voice: str | None = None
    speed: float | None = None
    language: str | None = None
    media_duration: float | None = None
    """Seconds that the video is to last."""
    # agents and decisions
    agent_id: str | None = None
    """The provider's agent or assistant that is asked, or asked about."""
    questions_count: int | None = None
    """Questions to be decided."""
    # Bedrock
    guardrail_id: str | None = None


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


@record
class Estimate:
    """Tokens as LiteLLM estimates them, where the provider counted none."""

    input: int | None = None
    output: int | None = None


@record
class Timing:
    """When it happened: `started_at` in nanoseconds since the epoch, `duration` in seconds."""

    started_at: int
    duration: float | None = None


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


@record
class Failure:
    """Why the call failed. `message` is composed from facts; it never quotes the provider."""

    type: str
    """The exception's class name."""
    ancestry: tuple[str, ...]
    """Class names, from the most special upward, of the exception that says what happened."""
    provider: str | None = None
    status_code: int | None = None
    retry_after: float | None = None
    """Seconds the provider, or the Router, asked to wait."""
    request_id: str | None = None
    category: str | None = None
    message: str | None = None
    # Errors
    exception: str | None = None
    """The class with its module: `litellm.exceptions.RateLimitError`."""
    code: str | None = None
    """The provider's own, such as `insufficient_quota`. It could be anything, so it is not told."""
    retryable: bool | None = None
    """Whether the same request may do better if it is sent again."""


@record
class Attempt:
    """One attempt of LiteLLM's to have the call served."""

    number: int
    """From 1."""
    model: str | None = None
    provider: str | None = None
    model_group: str | None = None
    """The Router's; likewise below."""
    model_id: str | None = None
    started: float | None = None
    """Seconds since the call started."""
    duration: float | None = None
    """`None` where it failed before LiteLLM had turned to a provider."""
    failure: Failure | None = None
    kind: Literal["retry", "fallback"] | None = None
    """What it is to the one before it: a retry has the same model, or the same group of the Router's."""


@record
class Attempts:
    """LiteLLM's attempts at the call. (An HTTP client may have retried beneath each: LiteLLM does not know.)"""

    made: tuple[Attempt, ...]
    retries: int | None = None
    """Further attempts with the same model, or the same group of the Router's."""
    fallback_used: bool | None = None
    """Whether another one was turned to."""


@record
class Routing:
    """How LiteLLM carried the call."""

    call_id: str | None = None
    call_type: str | None = None
    """The LiteLLM function called, such as `acompletion`."""
    model_group: str | None = None
    model_id: str | None = None
    """The Router's deployment."""
    cooldown_time: float | None = None
    """Seconds for which the Router sets the deployment aside, now that it has failed."""


@record
class App:
    """What the app says that its call is for, and LiteLLM's proxy on whose behalf it makes it: identifiers and names
    that were given to be told.
    """

    session_id: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, str] | None = None
    """By the names that the user of this package wants told."""
    key_alias: str | None = None
    """The name of the proxy's key; likewise below, of what the key belongs to."""
    key_user_id: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    organization_id: str | None = None
    organization_alias: str | None = None
    project_id: str | None = None
    project_alias: str | None = None


@record
class Call:
    """One logical call: the whole of it, or as much as is known yet."""

    name: str
    """The operation, as in the name of the span."""
    timing: Timing
    operation: str | None = None
    """`gen_ai.operation.name`. What LiteLLM does around calls, such as routing them, is no such operation."""
    target: Target = Target()
    attempts: Attempts | None = None
    routing: Routing | None = None
    request: Request | None = None
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    stream: Stream | None = None
    failure: Failure | None = None
    # LiteLLM's cache
    saved: Saved | None = None
    content: Content | None = None
    """What was said, where the user wants that told."""
    app: App | None = None
    # usage that nobody counted
    estimate: Estimate | None = None
    answered_by_another: bool | None = None
    """Whether the answer is another call's, made within this one, which tells what it took."""
    # cost
    trace_cost: float | None = None
    """What the calls beneath this one cost, and itself, where it is the first of its trace in this process."""
