"""The records of one LiteLLM call, independent of any convention. `Call`, the last one, contains all others.

The records are frozen. Readers create them, and processors return changed copies. An unknown field is `None`, because
any other default would look like a fact. Durations are in seconds, measured by the monotonic clock. Money is in US
dollars. Tokens are as the provider counted them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agentops_otel_litellm.records import Content, record
from agentops_otel_litellm.response_headers import ResponseHeaders

StreamOutcome = Literal["completed", "closed", "abandoned", "cancelled", "failed"]


@record
class Target:
    """The provider, model and server of a call. LiteLLM resolves some of these after the call has started."""

    provider: str | None = None
    """LiteLLM's name for the provider, such as `vertex_ai`."""
    model: str | None = None
    """The model that is requested from the provider, without LiteLLM's `provider/` prefix."""
    address: str | None = None
    port: int | None = None


@record
class Request:
    """The parameters of the request: counts and options, never content."""

    model: str | None = None
    """The model as the application wrote it."""
    stream: bool | None = None
    messages_count: int | None = None
    system_count: int | None = None
    """Messages with the role `system`. The next five fields count the messages with other roles."""
    developer_count: int | None = None
    user_count: int | None = None
    assistant_count: int | None = None
    tool_count: int | None = None
    function_count: int | None = None
    content_length: int | None = None
    """Characters of text in all messages, prompts or inputs."""
    modalities: tuple[str, ...] | None = None
    """Types of content in the request, sorted: `text`, `image`, `audio`, `file`, `video`."""
    inputs_count: int | None = None
    """Number of prompts of a text completion, or of texts of an embedding."""
    tools_count: int | None = None
    tool_choice: str | None = None
    """`auto`, `none`, `required`, or `function` if the request names one."""
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
    """`text`, `json`, `speech` or `image`, if the request sets a format."""
    service_tier: str | None = None
    encoding_formats: tuple[str, ...] | None = None
    dimensions: int | None = None
    # Retrieval: reranking, searching, reading documents.
    queries_count: int | None = None
    query_length: int | None = None
    """Characters in all queries."""
    documents_count: int | None = None
    document_kind: str | None = None
    """`document_url`, `image_url` or `file`."""
    pages_count: int | None = None
    """Number of pages to read, if the request selects pages."""
    max_results: int | None = None
    """Maximum number of results."""
    data_source_id: str | None = None
    """The vector store."""
    # Resources that providers store: batches, files, fine-tuning jobs, containers, assistants.
    resource_id: str | None = None
    """Id of the requested object. A path or a URL is not recorded, because it contains file names."""
    input_file_id: str | None = None
    files_count: int | None = None
    file_size: int | None = None
    """Size of the uploaded file or audio in bytes."""
    endpoint: str | None = None
    """Endpoint of the requests in a batch, such as `/v1/embeddings`."""
    purpose: str | None = None
    completion_window: str | None = None
    page_size: int | None = None
    """Maximum number of entries in a page of a list."""
    http_method: str | None = None
    # The Responses API
    previous_response_id: str | None = None
    """Id of the stored response that the conversation continues."""
    response_id: str | None = None
    """Id of the stored response that is requested."""
    # images, audio, video
    images_count: int | None = None
    """Images in the request."""
    resolution: str | None = None
    """Requested size of the image or video, such as `1024x1024`."""
    quality: str | None = None
    style: str | None = None
    output_format: str | None = None
    """Format of the image, such as `png`."""
    response_format: str | None = None
    """Requested format of the response with the image, audio or transcript: `b64_json`, `mp3`, `verbose_json`."""
    voice: str | None = None
    speed: float | None = None
    language: str | None = None
    media_duration: float | None = None
    """Requested duration of the video in seconds."""
    # agents and decisions
    agent_id: str | None = None
    """Id of the provider's agent or assistant."""
    questions_count: int | None = None
    """Number of questions of a decision."""
    # Bedrock
    guardrail_id: str | None = None


@record
class Response:
    """The response; for an interrupted stream, the part that was received."""

    id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str | None, ...] | None = None
    """The finish reason of each choice, in order, as LiteLLM reports it; `None` for a choice whose reason was not
    received. `gen_ai.response.finish_reasons` has the conventions' names: `tool_call` for `tool_calls` and
    `function_call`.
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
    # Resources that providers store: batches, files, fine-tuning jobs, containers, assistants.
    requests_count: int | None = None
    """Number of requests of a batch."""
    requests_completed: int | None = None
    requests_failed: int | None = None
    files_count: int | None = None
    """Number of files of a vector store."""
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
    """Whether some of the embeddings are from LiteLLM's cache, and the others from the provider."""
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
    """Categories for which any input was flagged, sorted."""
    progress: int | None = None
    """Progress in percent."""
    turns_count: int | None = None
    """Number of responses in a realtime session."""
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
    """What has counted the tokens: `anthropic_api`, or LiteLLM's `local_tokenizer`."""


MAX_RECORDED_GAPS = 20
"""How many gaps of one stream are recorded as values of a metric. Each value takes the SDK 10 to 20 µs."""


@record
class Stream:
    """The timing of a streamed response. Times are in seconds since the start of the call."""

    outcome: StreamOutcome
    chunk_count: int
    first_chunk: float | None = None
    first_token: float | None = None
    """Time of the first chunk with output: text, reasoning, or a tool call."""
    last_chunk: float | None = None
    gaps: tuple[float, ...] | None = None
    """Seconds from one chunk to the next: at most `MAX_RECORDED_GAPS` gaps, from the shortest to the longest. They are
    spread evenly over all gaps of the stream, so that they have about the same median and percentiles.
    """
    duration: float | None = None
    """Seconds from the first chunk to the last."""
    longest_gap: float | None = None
    chunks_per_second: float | None = None
    tokens_per_second: float | None = None
    gap_p50: float | None = None
    """Median of the gaps, in seconds. The next two fields are the 95th and the 99th percentile."""
    gap_p95: float | None = None
    gap_p99: float | None = None


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
    source: Literal["litellm", "genai_prices", "user", "provider", "gateway"]
    per_unit: bool | None = None
    """Whether the provider bills by calls, images, characters or seconds, and not by tokens."""
    certain: bool | None = None
    """Whether somebody has stated the price. Otherwise, LiteLLM's cost of 0 means that it has no price."""
    input: float | None = None
    """The cost of the input. Input, output and tools add up to the total."""
    output: float | None = None
    tools: float | None = None
    """The cost of the provider's own tools, such as a web search."""
    cache_read: float | None = None
    """The cost of tokens that were read from the provider's cache. It is included in `input`."""
    cache_write: float | None = None
    """The cost of tokens that were written to the provider's cache. It is included in `input`."""
    reasoning: float | None = None
    """The cost of reasoning tokens. It is included in `output`."""
    price_map: Literal["remote", "bundled"] | None = None
    """Whether LiteLLM downloaded its price map (`remote`) or used that of the installed package (`bundled`)."""
    price_map_date: str | None = None
    """The day on which the price map was downloaded, such as `2026-11-23`."""


@record
class Saved:
    """The tokens and the cost in US dollars that LiteLLM's cache saved: those of the call whose response was cached."""

    input: int | None = None
    output: int | None = None
    cost: float | None = None


@record
class Failure:
    """Why the call failed."""

    type: str
    """The exception's class name."""
    ancestry: tuple[str, ...]
    """The class names of the original exception and of its base classes. LiteLLM may have mapped that exception to the
    less exact one of `type`.
    """
    provider: str | None = None
    status_code: int | None = None
    retry_after: float | None = None
    """Seconds after which the provider, or the Router, accepts a retry."""
    request_id: str | None = None
    category: str | None = None
    message: str | None = None
    """A text that this package composes of category, status and provider. It does not quote the exception, whose text
    may contain content.
    """
    exception: str | None = None
    """The exception's class with its module: `litellm.exceptions.RateLimitError`."""
    code: str | None = None
    """The provider's error code, such as `insufficient_quota`. Only the category is derived from it; it is not
    recorded.
    """
    retryable: bool | None = None
    """Whether a retry of the same request can succeed."""


@record
class Attempt:
    """One attempt of LiteLLM to have a provider answer the call. It may have failed before a request was sent."""

    number: int
    """Position among the attempts of the call, from 1."""
    model: str | None = None
    provider: str | None = None
    model_group: str | None = None
    """The Router's model group."""
    model_id: str | None = None
    """Id of the Router's deployment."""
    started: float | None = None
    """Seconds from the start of the call to the start of the attempt."""
    duration: float | None = None
    """Seconds; `None` if no request was sent: the attempt failed before that, or the response is a mock."""
    failure: Failure | None = None
    kind: Literal["retry", "fallback"] | None = None
    """`fallback` if the Router has fallen back before the attempt. Otherwise, it is set if the previous attempt failed:
    `retry` if that had the same model, or the same model group; otherwise `fallback`.
    """


@record
class Attempts:
    """All attempts of a call."""

    made: tuple[Attempt, ...]
    """Empty if the Router fell back to a response in LiteLLM's cache."""
    retries: int | None = None
    """Number of attempts of the kind `retry`."""
    fallback_used: bool | None = None
    """Whether LiteLLM fell back to a different model, model group or order of deployments."""


@record
class Routing:
    """LiteLLM's identifiers of the call and of the Router's deployment."""

    call_id: str | None = None
    call_type: str | None = None
    """LiteLLM's function, such as `acompletion`."""
    model_group: str | None = None
    model_id: str | None = None
    """Id of the Router's deployment."""
    cooldown_time: float | None = None
    """Seconds for which the Router put the deployment into cooldown after the failure."""


@record
class Timing:
    """The start of a call in nanoseconds since the epoch, and the duration in seconds."""

    started_at: int
    duration: float | None = None


@record
class App:
    """The user, session and tags that the application set, and identifiers of the LiteLLM proxy's key and team."""

    session_id: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, str | tuple[str, ...]] | None = None
    """The entries that `AGENTOPS_METADATA_KEYS` and `AGENTOPS_BAGGAGE_KEYS` name. Each is a text, or a list's texts."""
    trace_name: str | None = None
    prompt_name: str | None = None
    prompt_version: int | None = None
    key_alias: str | None = None
    key_user_id: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    organization_id: str | None = None
    organization_alias: str | None = None
    project_id: str | None = None
    project_alias: str | None = None


@record
class Call:
    """One call of the application, with all requests that LiteLLM sent for it. While the call is in progress, only the
    fields that are already known are set.
    """

    name: str
    """The name of the operation, such as `chat`, with which the span's name begins (`_span_name` in `telemetry.py`)."""
    timing: Timing
    operation: str | None = None
    """The value of `gen_ai.operation.name`: the `name`, but `None` for LiteLLM's work around calls, such as routing."""
    target: Target = Target()
    attempts: Attempts | None = None
    routing: Routing | None = None
    request: Request | None = None
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    stream: Stream | None = None
    failure: Failure | None = None
    saved: Saved | None = None
    """The tokens and the cost that were saved because the response is from LiteLLM's cache."""
    content: Content | None = None
    """Messages, documents and other content; `None` unless the user has enabled content."""
    app: App | None = None
    response_headers: ResponseHeaders | None = None
    estimate: Estimate | None = None
    """LiteLLM's estimate of the tokens. Set only if the provider counted none and `AGENTOPS_ESTIMATE_USAGE` is `true`.
    """
    answered_by_another: bool | None = None
    """Whether a nested call produced the response. The usage and cost are then recorded on the nested call."""
    is_inner: bool | None = None
    """Whether a span of another instrumentation, around the call, represents it, and has its tokens."""
    trace_cost: float | None = None
    """The cost of this call and of all calls below it. Set only if its span is the first span of the trace in this
    process.
    """
