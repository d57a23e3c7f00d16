"""LiteLLM's shapes → records: the only place that knows them, and the only one where `Any` is at home.

What arrives here is whatever the app passed and whatever the installed LiteLLM made of it. Readers
change nothing and never import litellm, and copy no content: those in `content/` do, which run only where the user asks
for it. They may raise on a shape they have not seen: callers guard them.
"""

from agentops_otel_litellm.readers.app import read_app
from agentops_otel_litellm.readers.audio import SPEECH, TRANSCRIPTION
from agentops_otel_litellm.readers.cache import read_cache_hit
from agentops_otel_litellm.readers.content.content_readers import Transcript
from agentops_otel_litellm.readers.continuation import (
    is_by_twin,
    is_fallback,
    is_mocked,
    is_of_model_list,
    read_id,
    read_logging_object,
    read_messages,
)
from agentops_otel_litellm.readers.decisions import DECISIONS
from agentops_otel_litellm.readers.estimated_usage import estimate_of, read_estimate
from agentops_otel_litellm.readers.failures import read_client_failure, read_failure
from agentops_otel_litellm.readers.generate_content import GENERATE_CONTENT, GENERATE_CONTENT_STREAM
from agentops_otel_litellm.readers.images import IMAGE
from agentops_otel_litellm.readers.interactions import AGENT, DELETED_INTERACTION, INTERACTION
from agentops_otel_litellm.readers.jobs import FILE_CONTENT, JOB, PASSTHROUGH, RUN
from agentops_otel_litellm.readers.logged import (
    is_over,
    logged_cost,
    logged_parameters,
    logged_result,
    logged_timing,
    logged_usage,
    response_shape,
    was_made,
)
from agentops_otel_litellm.readers.messages import MESSAGES
from agentops_otel_litellm.readers.moderation import MODERATION
from agentops_otel_litellm.readers.native import has_declined, read_native_function, read_native_parameters
from agentops_otel_litellm.readers.prices import itemised, price_answer, price_hit
from agentops_otel_litellm.readers.realtime import ADMISSION, CONNECTION, REALTIME, read_session_end
from agentops_otel_litellm.readers.responses_api import RESPONSES, STORED_RESPONSE
from agentops_otel_litellm.readers.responses_sessions import RESPONSES_SOCKET, session_of_turns
from agentops_otel_litellm.readers.retrieval import INGESTION, OCR, RAG_QUERY, RERANK, SEARCH, STORED_CONTENT
from agentops_otel_litellm.readers.sandboxes import CODE, SANDBOX
from agentops_otel_litellm.readers.shapes import BATCH, CHAT, DEFAULT, EMBEDDING, ROUTE, TEXT, Shape
from agentops_otel_litellm.readers.streams import Chunks, LiteLLMStream, is_chunks, is_stream, is_stream_manager
from agentops_otel_litellm.readers.target import (
    asks,
    is_of_a_tool,
    read_cooldown,
    read_cooldown_time,
    read_routed_request,
    read_routing,
    read_target,
)
from agentops_otel_litellm.readers.token_count import TOKEN_COUNT
from agentops_otel_litellm.readers.video import VIDEO

__all__ = [
    "ADMISSION",
    "AGENT",
    "BATCH",
    "CHAT",
    "CODE",
    "CONNECTION",
    "DECISIONS",
    "DEFAULT",
    "DELETED_INTERACTION",
    "EMBEDDING",
    "FILE_CONTENT",
    "GENERATE_CONTENT",
    "GENERATE_CONTENT_STREAM",
    "IMAGE",
    "INGESTION",
    "INTERACTION",
    "JOB",
    "MESSAGES",
    "MODERATION",
    "OCR",
    "PASSTHROUGH",
    "RAG_QUERY",
    "REALTIME",
    "RERANK",
    "RESPONSES",
    "RESPONSES_SOCKET",
    "ROUTE",
    "RUN",
    "SANDBOX",
    "SEARCH",
    "SPEECH",
    "STORED_CONTENT",
    "STORED_RESPONSE",
    "TEXT",
    "TOKEN_COUNT",
    "TRANSCRIPTION",
    "VIDEO",
    "Chunks",
    "LiteLLMStream",
    "Shape",
    "Transcript",
    "asks",
    "estimate_of",
    "has_declined",
    "is_by_twin",
    "is_chunks",
    "is_fallback",
    "is_mocked",
    "is_of_a_tool",
    "is_of_model_list",
    "is_over",
    "is_stream",
    "is_stream_manager",
    "itemised",
    "logged_cost",
    "logged_parameters",
    "logged_result",
    "logged_timing",
    "logged_usage",
    "price_answer",
    "price_hit",
    "read_app",
    "read_cache_hit",
    "read_client_failure",
    "read_cooldown",
    "read_cooldown_time",
    "read_estimate",
    "read_failure",
    "read_id",
    "read_logging_object",
    "read_messages",
    "read_native_function",
    "read_native_parameters",
    "read_routed_request",
    "read_routing",
    "read_session_end",
    "read_target",
    "response_shape",
    "session_of_turns",
    "was_made",
]
