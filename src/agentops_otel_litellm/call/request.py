"""What was asked, and of whom."""

from __future__ import annotations

from agentops_otel_litellm.record import record


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
