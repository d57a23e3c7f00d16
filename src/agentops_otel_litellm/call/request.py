"""The request of a call, and its provider."""

from __future__ import annotations

from agentops_otel_litellm.record import record


@record
class Target:
    """The provider, model and server of a call. LiteLLM resolves some of these after the call has started."""

    provider: str | None = None
    """LiteLLM's own name for the provider, such as `vertex_ai`."""
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
    """Messages with the role `system`. The fields below count those of the other roles."""
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
    """Prompts of a text completion, texts of an embedding."""
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
    # Jobs and what providers keep: batches, files, fine-tuning, containers, assistants.
    resource_id: str | None = None
    """Id of the requested object; never a path or a URL, because they contain file names."""
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
    """The stored response that the conversation continues."""
    response_id: str | None = None
    """The requested stored response."""
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
    """Format of the image, audio or transcript: `b64_json`, `mp3`, `verbose_json`."""
    voice: str | None = None
    speed: float | None = None
    language: str | None = None
    media_duration: float | None = None
    """Requested duration of the video in seconds."""
    # agents and decisions
    agent_id: str | None = None
    """The provider's agent or assistant."""
    questions_count: int | None = None
    """Number of questions of a decision."""
    # Bedrock
    guardrail_id: str | None = None
