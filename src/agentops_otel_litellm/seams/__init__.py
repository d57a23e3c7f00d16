"""Where LiteLLM is patched: one row for each place, and what is put around what is found there.

The decorator `client` builds nearly every function of LiteLLM. Replaced as soon as `litellm.utils` has run, and so
before LiteLLM itself uses it, it traces all of them at their definition, and every `from litellm import …` in the app
gets a traced one. The other rows are what the decorator does not reach, and what LiteLLM does inside a call.

The rows name modules and wrappers; reading them imports neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from agentops_otel_litellm.features import (
    ATTEMPTS,
    BATCHES,
    CALLBACKS,
    CALLS,
    COOLDOWNS,
    ERRORS,
    LOGGING,
    ROUTES,
    THREADS,
)


@dataclass(frozen=True, slots=True)
class Seam:
    """A function, method or class of LiteLLM, and what makes ours of it."""

    module: str
    name: str
    """In the module, dotted: `Router.function_with_fallbacks`."""
    wrapper: str
    """A function of ours, as entry points are written: it is given LiteLLM's and gives back what takes its place."""
    feature: str = ""
    """What needs it, where every LiteLLM has it or has all patch points of that feature in another module."""

    @property
    def is_litellms(self) -> bool:
        """Whether it is in LiteLLM itself, and not in what it is built on."""
        return self.module.startswith("litellm.")

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


_TRACING = "agentops_otel_litellm.seams.tracing:TRACING"
_SIGNALS = "agentops_otel_litellm.seams.signals"
_TRIES = "agentops_otel_litellm.seams.tries"
_SESSIONS = "agentops_otel_litellm.seams.sessions"
_NATIVE = "agentops_otel_litellm.seams.native"
_STREAM_USAGE = "agentops_otel_litellm.seams.stream_usage:STREAM_USAGE"
_THREADS = "agentops_otel_litellm.seams.threads"
_BACKSTOP = "agentops_otel_litellm.callbacks.backstop"
_CALLBACK_CONTEXT = "agentops_otel_litellm.callbacks.context"
_CALLBACK = "agentops_otel_litellm.callbacks.agentops"
_COEXISTENCE = "agentops_otel_litellm.callbacks.coexistence"
_SUPPRESSION = "agentops_otel_litellm.observing.suppression"
_LOGGING = "litellm.litellm_core_utils.litellm_logging"
_MESSAGES = (
    "litellm.llms.anthropic.messages.native",
    "litellm.llms.anthropic.pass_through.messages",
    "litellm.llms.anthropic.experimental_pass_through.messages",
)
"""Where Anthropic's messages are; the newest releases have them first."""

_AGENTIC = (
    ("litellm.main", "maybe_run_chat_completion_agentic_loop"),
    ("litellm.utils", "async_post_call_success_deployment_hook"),
    ("litellm.llms.openai.openai", "OpenAIChatCompletion._call_agentic_completion_hooks_openai"),
    ("litellm.llms.custom_httpx.llm_http_handler", "BaseLLMHTTPHandler._call_agentic_chat_completion_hooks"),
    ("litellm.llms.custom_httpx.llm_http_handler", "BaseLLMHTTPHandler._call_agentic_completion_hooks"),
)
"""Where LiteLLM has callbacks make more of an answer."""

_OTEL_CALLBACKS = (
    ("litellm.integrations.opentelemetry", "OpenTelemetry"),
    ("litellm.integrations.otel.logger", "OpenTelemetryV2"),
)
"""Classes of LiteLLM's own OpenTelemetry callbacks: `langfuse_otel`, `arize_phoenix` and the like are subclasses."""

_OTEL_CALLBACK_METHODS = (
    "log_pre_api_call",
    "log_success_event",
    "log_failure_event",
    "async_log_success_event",
    "async_log_failure_event",
    "async_service_success_hook",
    "async_service_failure_hook",
)
"""Methods of these that look at the current span; which class has which depends on the release."""


def _undecorated(module: str, *names: str) -> Iterator[Seam]:
    """Functions that users call and the decorator does not build; which ones those are depends on the release."""
    return (Seam(module, name, f"{_TRACING}.trace_undecorated") for name in names)


def _twins(*names: str) -> Iterator[str]:
    """Functions, and their asynchronous twins."""
    return (twin for name in names for twin in (name, f"a{name}"))


def _retrying(module: str, *names: str) -> Iterator[Seam]:
    """Functions that call another one again, and their asynchronous twins; older releases have fewer."""
    for name in names:
        yield Seam(module, name, f"{_TRIES}:call_is_retried")
        yield Seam(module, f"a{name}", f"{_TRIES}:call_is_retried_async")


# The functions that users call: the decorator builds nearly all of them.
_CALLS = (
    Seam("litellm.utils", "client", f"{_TRACING}.trace_built", CALLS),
    Seam("litellm.rust_bridge.dispatch", "PublicDispatch.run", f"{_NATIVE}:trace_dispatch"),
    Seam("litellm.rust_bridge.dispatch", "PublicDispatch.arun", f"{_NATIVE}:trace_dispatch"),
    *(Seam(f"{package}.handler", "anthropic_messages_handler", f"{_TRACING}.trace") for package in _MESSAGES),
    *_undecorated("litellm.main", "moderation", "acount_tokens"),
    # The decorator has built some of these since 1.80; likewise the next.
    *_undecorated("litellm.batches.main", "cancel_batch", "acancel_batch", "list_batches", "alist_batches"),
    *_undecorated("litellm.files.main", *_twins("file_retrieve", "file_list", "file_delete", "file_content")),
    *_undecorated("litellm.fine_tuning.main", *_twins("list_fine_tuning_jobs")),
    *_undecorated(
        "litellm.assistants.main",
        *_twins("get_assistants", "create_assistants", "delete_assistant", "create_thread", "get_thread"),
        *_twins("get_messages", "run_thread"),
        "add_message",
        "a_add_message",
    ),
)
# What LiteLLM does inside a call.
_SIGNALLED = (
    Seam("litellm.utils", "function_setup", f"{_SIGNALS}:logging_object_made", LOGGING),
    Seam(_LOGGING, "Logging.pre_call", f"{_TRIES}:attempt_begins", ATTEMPTS),
    Seam("litellm.litellm_core_utils.exception_mapping_utils", "exception_type", f"{_TRIES}:attempt_failed", ERRORS),
    Seam("litellm.utils", "post_call_processing", f"{_SIGNALS}:answer_judged"),
    *(Seam(module, name, f"{_SIGNALS}:follow_ups_made") for module, name in _AGENTIC),
    *_retrying("litellm.main", "completion_with_retries", "responses_with_retries"),
    Seam("openai._base_client", "SyncAPIClient._sleep_for_retry", f"{_TRIES}:client_retries"),
    Seam("openai._base_client", "AsyncAPIClient._sleep_for_retry", f"{_TRIES}:client_retries_async"),
    Seam(
        "litellm.google_genai.adapters.handler",
        "GenerateContentToCompletionHandler._prepare_completion_kwargs",
        f"{_SIGNALS}:request_translated",
    ),
    Seam("litellm.responses.streaming_iterator", "_estimate_usage_safely", f"{_SIGNALS}:usage_estimated"),
    Seam(
        "litellm.litellm_core_utils.streaming_chunk_builder_utils",
        "ChunkProcessor.calculate_usage",
        f"{_SIGNALS}:usage_worked_out",
    ),
    *(
        Seam(
            "litellm.caching.caching_handler",
            f"LLMCachingHandler.{name}",
            f"{_SIGNALS}:cached_part_joined",
        )
        for name in (
            "combine_cached_embedding_response_with_api_result",
            "_combine_cached_embedding_response_with_api_result",
        )
    ),
    Seam(
        "litellm.litellm_core_utils.realtime_streaming",
        "RealTimeStreaming.bidirectional_forward",
        f"{_SESSIONS}:session_ends",
    ),
    Seam(
        "litellm.responses.streaming_iterator",
        "ResponsesWebSocketStreaming.bidirectional_forward",
        f"{_SESSIONS}:session_ends",
    ),
    Seam(
        "litellm.responses.streaming_iterator",
        "ResponsesWebSocketStreaming._log_turn",
        f"{_SESSIONS}:turn_ends",
    ),
    Seam("websockets.asyncio.client", "connect.__init__", f"{_SESSIONS}:session_misdirected"),
    Seam("websockets.asyncio.client", "connect.__await__", f"{_SESSIONS}:session_refused"),
)
# What LiteLLM asks of providers, and how it shows what comes of it: changed where a setting says so.
_CHANGED = (
    Seam("litellm.utils", "get_optional_params", f"{_STREAM_USAGE}.asking"),
    Seam(
        "litellm.llms.openai.openai",
        "OpenAIChatCompletion.get_stream_options",
        f"{_STREAM_USAGE}.asked_anyway",
    ),
    Seam(
        "litellm.litellm_core_utils.streaming_handler",
        "CustomStreamWrapper.__init__",
        f"{_STREAM_USAGE}.hiding",
    ),
)
# What LiteLLM does around calls.
_AROUND = (
    Seam(
        "litellm.router",
        "Router.async_function_with_fallbacks",
        f"{_TRACING}.trace_routing",
        ROUTES,
    ),
    Seam("litellm.router", "Router._generic_api_call_with_fallbacks", f"{_TRACING}.trace_routing"),
    Seam("litellm.router_python_core", "PythonCore._generic_api_call_with_fallbacks", f"{_TRACING}.trace_routing"),
    Seam("litellm.router_python_core", "PythonCore.async_function_with_fallbacks", f"{_TRACING}.trace_routing", ROUTES),
    Seam("litellm.router_rust.core", "RustCore._drive", f"{_TRACING}.trace_core_routing", ROUTES),
    Seam("litellm.router_rust.core", "RustCore._call_sync", f"{_TRACING}.trace_core_routing", ROUTES),
    Seam("litellm.router_rust.core", "_Driver.take_events", f"{_TRIES}:router_decides", ROUTES),
    Seam(
        "litellm.router_utils.cooldown_cache",
        "CooldownCache.add_deployment_to_cooldown",
        f"{_TRIES}:deployment_cools_down",
        COOLDOWNS,
    ),
    Seam("litellm.litellm_core_utils.asyncify", "run_async_function", f"{_THREADS}:carrying_function", THREADS),
    Seam("litellm.batch_completion.main", "litellm", f"{_THREADS}:carrying_completion", BATCHES),
    Seam("litellm.batch_completion.main", "batch_completion", f"{_TRACING}.trace_batch", BATCHES),
    Seam("litellm.batch_completion.main", "batch_completion_models", f"{_TRACING}.trace_batch", BATCHES),
    Seam("litellm.batch_completion.main", "batch_completion_models_all_responses", f"{_TRACING}.trace_batch", BATCHES),
)
# What LiteLLM logs when a call is over, and the callbacks that it runs then.
_LOGGED = (
    Seam(_LOGGING, "Logging.__init__", f"{_BACKSTOP}:wrap_logging_init", CALLBACKS),
    Seam(_LOGGING, "Logging.attempt_scoped_copy", f"{_BACKSTOP}:wrap_scoped_copy"),
    Seam(_LOGGING, "Logging.guardrail_scoped_copy", f"{_BACKSTOP}:wrap_scoped_copy"),
    Seam(_LOGGING, "Logging.success_handler", f"{_BACKSTOP}:wrap_logging_handler", CALLBACKS),
    Seam(_LOGGING, "Logging.async_success_handler", f"{_BACKSTOP}:wrap_logging_handler", CALLBACKS),
    Seam(_LOGGING, "Logging.failure_handler", f"{_BACKSTOP}:wrap_logging_handler", CALLBACKS),
    Seam(_LOGGING, "Logging.async_failure_handler", f"{_BACKSTOP}:wrap_logging_handler", CALLBACKS),
    Seam(_LOGGING, "Logging.pre_call", f"{_CALLBACK_CONTEXT}:wrap_input_logging", CALLBACKS),
    Seam(_LOGGING, "Logging.post_call", f"{_CALLBACK_CONTEXT}:wrap_input_logging", CALLBACKS),
    Seam(_LOGGING, "_init_custom_logger_compatible_class", f"{_CALLBACK}:wrap_callback_factory", CALLBACKS),
)
# Others that trace the same.
_OTHERS = (
    Seam("litellm.integrations.opentelemetry", "OpenTelemetry.__init__", f"{_COEXISTENCE}:wrap_otel_callback_init"),
    Seam("litellm.integrations.otel.logger", "OpenTelemetryV2.__init__", f"{_COEXISTENCE}:wrap_otel_callback_init"),
    *(
        Seam(module, f"{callback}.{method}", f"{_CALLBACK_CONTEXT}:wrap_otel_callback_method")
        for module, callback in _OTEL_CALLBACKS
        for method in _OTEL_CALLBACK_METHODS
    ),
    Seam("openai._legacy_response", "to_raw_response_wrapper", f"{_SUPPRESSION}:bypassing"),
    Seam("openai._legacy_response", "async_to_raw_response_wrapper", f"{_SUPPRESSION}:bypassing"),
)

SEAMS: tuple[Seam, ...] = (*_CALLS, *_SIGNALLED, *_CHANGED, *_AROUND, *_LOGGED, *_OTHERS)


def missing(feature: str, found: Collection[Seam]) -> list[Seam]:
    """The patch points that keep a feature from being available, of which `found` are in this LiteLLM.

    A feature is available if all its patch points in one module are found. The result is empty then; else it has those
    that are missing from the module in which most were found.
    """
    modules: dict[str, list[Seam]] = {}
    for seam in SEAMS:
        if seam.feature == feature:
            modules.setdefault(seam.module, []).append(seam)
    lacking = [(seams, [seam for seam in seams if seam not in found]) for seams in modules.values()]
    return min(lacking, key=lambda each: (bool(each[1]), len(each[1]) - len(each[0])))[1]
