"""Converts LiteLLM's requests, responses and chunks to records. Only this package knows their API formats.

Each API format, or group of similar ones, has a file with its readers, those of message content included:

- `chat`, `text_and_embeddings`, `responses` (the Responses API), `anthropic_messages`, `generate_content` (Google's),
- `media` (images, audio, video), `retrieval` (reranking, search, OCR), `jobs` (batches, files, …), `realtime`,
- `small_formats` (moderation, decisions, interactions, sandboxes, token counts).

Other files read what calls of all API formats have in common: `parameters` (provider, model, server, user, session, and
the parameters by which LiteLLM continues a call in another of its functions), `usage_and_cost` and `exceptions`.
`stated_prices` reads prices that LiteLLM's cost does not show.
`logging_payload` reads calls that are known only from LiteLLM's logging. `api_format`, `streams`, `parts` and `values`
have base classes and helpers.

Readers receive any object that the application passes or the installed LiteLLM returns, so only they use `Any`. They
change nothing and never import litellm. Message content is copied only by `ContentReaders` and by accumulators with
`captures_content`, which run only if the user has enabled content. A reader may raise for an object that it does not
know, so its callers catch exceptions.
"""

from collections.abc import Mapping

from agentops_otel_litellm.readers.anthropic_messages import MESSAGES
from agentops_otel_litellm.readers.api_format import BATCH, DEFAULT, ROUTE, ApiFormat, estimate_chat
from agentops_otel_litellm.readers.chat import CHAT
from agentops_otel_litellm.readers.exceptions import (
    read_client_failure,
    read_error_text,
    read_failed_response,
    read_failure,
)
from agentops_otel_litellm.readers.generate_content import GENERATE_CONTENT, GENERATE_CONTENT_STREAM
from agentops_otel_litellm.readers.headers import read_error_headers, read_response_headers
from agentops_otel_litellm.readers.jobs import FILE_CONTENT, JOB, PASSTHROUGH, RUN
from agentops_otel_litellm.readers.logging_payload import (
    api_format_of_response,
    is_message_logging_off,
    is_over,
    is_sending_a_mock,
    logged_cost,
    logged_parameters,
    logged_result,
    logged_timing,
    logged_usage,
    was_made,
)
from agentops_otel_litellm.readers.media import IMAGE, SPEECH, TRANSCRIPTION, VIDEO
from agentops_otel_litellm.readers.metadata import read_app
from agentops_otel_litellm.readers.parameters import (
    has_declined,
    is_by_twin,
    is_client_of,
    is_mocked,
    is_of_a_tool,
    is_of_model_list,
    is_sent_to_proxy,
    read_cache_hit,
    read_cooldown,
    read_cooldown_time,
    read_fallback_depth,
    read_id,
    read_logging_object,
    read_messages,
    read_native_function,
    read_native_parameters,
    read_routed_request,
    read_routing,
    read_target,
)
from agentops_otel_litellm.readers.realtime import (
    ADMISSION,
    CONNECTION,
    REALTIME,
    RESPONSES_SOCKET,
    read_session_end,
    session_with_events,
)
from agentops_otel_litellm.readers.responses import RESPONSES
from agentops_otel_litellm.readers.retrieval import INGESTION, OCR, RAG_QUERY, RERANK, SEARCH, STORED_CONTENT
from agentops_otel_litellm.readers.small_formats import (
    AGENT,
    CODE,
    DECISIONS,
    DELETED_INTERACTION,
    INTERACTION,
    MODERATION,
    SANDBOX,
    STORED_RESPONSE,
    TOKEN_COUNT,
)
from agentops_otel_litellm.readers.stated_prices import (
    price_as_application,
    price_cached_embeddings,
    price_embeddings,
    read_stated_cost,
    with_certainty,
)
from agentops_otel_litellm.readers.streams import (
    Chunks,
    LiteLLMStream,
    is_chunks,
    is_stream,
    is_stream_manager,
    read_finish_reasons,
    requests_several_choices,
)
from agentops_otel_litellm.readers.text_and_embeddings import EMBEDDING, TEXT
from agentops_otel_litellm.readers.usage_and_cost import (
    estimate_of,
    price_cached_response,
    price_result,
    read_estimate,
    with_cost_parts,
)
from agentops_otel_litellm.readers.values import read_within

API_FORMATS: Mapping[str, ApiFormat] = {
    "admission": ADMISSION,
    "agent": AGENT,
    "batch": BATCH,
    "chat": CHAT,
    "code": CODE,
    "connection": CONNECTION,
    "decisions": DECISIONS,
    "default": DEFAULT,
    "deleted_interaction": DELETED_INTERACTION,
    "embedding": EMBEDDING,
    "file_content": FILE_CONTENT,
    "generate_content": GENERATE_CONTENT,
    "generate_content_stream": GENERATE_CONTENT_STREAM,
    "image": IMAGE,
    "ingestion": INGESTION,
    "interaction": INTERACTION,
    "job": JOB,
    "messages": MESSAGES,
    "moderation": MODERATION,
    "ocr": OCR,
    "passthrough": PASSTHROUGH,
    "rag_query": RAG_QUERY,
    "realtime": REALTIME,
    "rerank": RERANK,
    "responses": RESPONSES,
    "responses_socket": RESPONSES_SOCKET,
    "route": ROUTE,
    "run": RUN,
    "sandbox": SANDBOX,
    "search": SEARCH,
    "speech": SPEECH,
    "stored_content": STORED_CONTENT,
    "stored_response": STORED_RESPONSE,
    "text": TEXT,
    "token_count": TOKEN_COUNT,
    "transcription": TRANSCRIPTION,
    "video": VIDEO,
}
"""`Operation.api_format`, the name of an API format → its readers."""


__all__ = [
    "API_FORMATS",
    "ApiFormat",
    "Chunks",
    "LiteLLMStream",
    "api_format_of_response",
    "estimate_chat",
    "estimate_of",
    "has_declined",
    "is_by_twin",
    "is_chunks",
    "is_client_of",
    "is_message_logging_off",
    "is_mocked",
    "is_of_a_tool",
    "is_of_model_list",
    "is_over",
    "is_sending_a_mock",
    "is_sent_to_proxy",
    "is_stream",
    "is_stream_manager",
    "logged_cost",
    "logged_parameters",
    "logged_result",
    "logged_timing",
    "logged_usage",
    "price_as_application",
    "price_cached_embeddings",
    "price_cached_response",
    "price_embeddings",
    "price_result",
    "read_app",
    "read_cache_hit",
    "read_client_failure",
    "read_cooldown",
    "read_cooldown_time",
    "read_error_headers",
    "read_error_text",
    "read_estimate",
    "read_failed_response",
    "read_failure",
    "read_fallback_depth",
    "read_finish_reasons",
    "read_id",
    "read_logging_object",
    "read_messages",
    "read_native_function",
    "read_native_parameters",
    "read_response_headers",
    "read_routed_request",
    "read_routing",
    "read_session_end",
    "read_stated_cost",
    "read_target",
    "read_within",
    "requests_several_choices",
    "session_with_events",
    "was_made",
    "with_certainty",
    "with_cost_parts",
]
