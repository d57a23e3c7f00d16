"""The patch points: one row for each function, method or class of LiteLLM that is patched, with its wrapper.

LiteLLM applies its decorator `client` to nearly all of its public functions. The decorator is replaced right after
`litellm.utils` was imported, before LiteLLM applies it. So these functions are traced from their definition on, and
every `from litellm import …` in the application imports a traced function. The other rows patch public functions
without this decorator, and functions that LiteLLM calls inside a call.

A call gets a span if its function has the decorator, or a row whose wrapper begins with `trace`. `operations.py` has
the kind of the operation.

The rows have modules and wrappers as strings, so that importing this module imports neither.

A release of LiteLLM may lack a function of this table. Then a feature that needs the function is not available. A
warning is logged when the application uses that feature for the first time.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING

from agentops_otel_litellm.guard import ignored_faults

if TYPE_CHECKING:
    from agentops_otel_litellm.call import Call

# --- features, which need patch points --------------------------------------------------------------------


logger = logging.getLogger(__name__)

CALLS = "calls"
LOGGING = "the logging of calls"
ATTEMPTS = "attempts"
ERRORS = "errors of attempts"
ROUTES = "routes"
COOLDOWNS = "cooldowns"
THREADS = "threads"
BATCHES = "batches"
CALLBACKS = "callbacks"

CONSEQUENCES = MappingProxyType(
    {
        CALLS: "calls are recorded when they are over, without attempts and without the time to the first token",
        LOGGING: "the provider and the cost of calls can be missing",
        ATTEMPTS: "calls have no attempts",
        ERRORS: "attempts that failed before the last one can be missing",
        ROUTES: "calls through litellm.Router have no route span; each call of a deployment is recorded on its own",
        COOLDOWNS: "litellm.cooldown_time is missing",
        THREADS: "synchronous calls in an event loop can be missing from the trace of their caller",
        BATCHES: "batch_completion has no span of its own, and its calls can be missing from the trace of their caller",
        CALLBACKS: "calls without a traced function are missing, such as requests that the proxy passes through",
    }
)
"""Feature → the telemetry that is missing if the feature is not available."""


class Features:
    """The features that are available, because the functions that they need were found in LiteLLM and patched."""

    def __init__(self) -> None:
        self._available: set[str] = set()
        self._checked: set[str] = set()

    def provide(self, feature: str) -> None:
        """Record that the functions that the feature needs are patched."""
        self._available.add(feature)

    def clear(self) -> None:
        """Forget all features, because no function is patched any more."""
        self._available.clear()
        self._checked.clear()

    def require(self, feature: str) -> None:
        """Log a warning if the feature is not available. Call it whenever the application uses the feature: it checks
        only once.
        """
        if feature in self._checked or not self._available:  # without any feature, LiteLLM is not instrumented
            return
        self._checked.add(feature)
        if feature in self._available:
            return
        with ignored_faults():  # a logging handler of the application may raise
            logger.warning(
                "LiteLLM %s lacks functions that this package patches for %s: %s. Upgrade "
                "agentops-otel-litellm; if the latest version logs this too, please report it with the version of "
                "LiteLLM.",
                version("litellm"),
                feature,
                CONSEQUENCES[feature],
            )


FEATURES = Features()


def require_features_of(call: Call) -> None:
    """Log a warning about each feature that the call uses and that is not available, as `Features.require` does."""
    if call.operation is None:
        return
    if call.failure is not None:
        FEATURES.require(ERRORS)
    if call.routing is not None and call.routing.model_group is not None and call.routing.model_id is not None:
        FEATURES.require(ROUTES)
        if call.failure is not None:
            FEATURES.require(COOLDOWNS)


# --- the table --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PatchPoint:
    """A function, method or class that is patched, and its wrapper."""

    module: str
    name: str
    """The dotted name in the module, such as `Router.async_function_with_fallbacks`."""
    wrapper: str
    """The function that receives the original and returns its replacement, as an entry point: `package.module:name`."""
    feature: str = ""
    """The feature, one of those above, that needs this patch point; empty if its absence causes no warning.

    The patch points of a feature may be in several modules, for different releases of LiteLLM. The feature is available
    if all its patch points in one of these modules are found.
    """

    @property
    def is_in_litellm(self) -> bool:
        """Whether the module is a part of LiteLLM, and not of a library that LiteLLM uses."""
        return self.module.startswith("litellm.")

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


_TRACING = "agentops_otel_litellm.patching.traced_functions:TRACING"
_HOOKS = "agentops_otel_litellm.patching.hooks"
_STREAM_USAGE = "agentops_otel_litellm.patching.stream_usage:STREAM_USAGE"
_CALLBACKS = "agentops_otel_litellm.patching.callbacks"
_PROPAGATION = "agentops_otel_litellm.patching.propagation:PROPAGATION"
_OTHERS = "agentops_otel_litellm.patching.other_instrumentations"
_LOGGING = "litellm.litellm_core_utils.litellm_logging"
_MESSAGES = (
    "litellm.llms.anthropic.messages.native",
    "litellm.llms.anthropic.pass_through.messages",
    "litellm.llms.anthropic.experimental_pass_through.messages",
)
"""LiteLLM's packages for Anthropic's messages API: from the newest releases to the oldest."""

_RESPONSE_HOOKS = (
    ("litellm.main", "maybe_run_chat_completion_agentic_loop"),
    ("litellm.utils", "async_post_call_success_deployment_hook"),
    ("litellm.llms.openai.openai", "OpenAIChatCompletion._call_agentic_completion_hooks_openai"),
    ("litellm.llms.custom_httpx.llm_http_handler", "BaseLLMHTTPHandler._call_agentic_chat_completion_hooks"),
    ("litellm.llms.custom_httpx.llm_http_handler", "BaseLLMHTTPHandler._call_agentic_completion_hooks"),
)
"""Functions in which callbacks may replace a response."""

_OTEL_CALLBACKS = (
    ("litellm.integrations.opentelemetry", "OpenTelemetry"),
    ("litellm.integrations.otel.logger", "OpenTelemetryV2"),
)
"""Classes of LiteLLM's OpenTelemetry callbacks. `langfuse_otel`, `arize_phoenix` and similar callbacks are subclasses.
"""

_OTEL_CALLBACK_METHODS = (
    "log_pre_api_call",
    "log_success_event",
    "log_failure_event",
    "async_log_success_event",
    "async_log_failure_event",
    "async_service_success_hook",
    "async_service_failure_hook",
)
"""Methods of the classes above that use the current span. A class has only some of them, depending on the release."""


def _undecorated(module: str, *names: str) -> Iterator[PatchPoint]:
    """Rows for public functions that lack the decorator in some or all releases of LiteLLM."""
    return (PatchPoint(module, name, f"{_TRACING}.trace_undecorated") for name in names)


def _twins(*names: str) -> Iterator[str]:
    """Each name, and the name of its asynchronous twin: `file_list` and `afile_list`."""
    return (twin for name in names for twin in (name, f"a{name}"))


def _retrying(module: str, *names: str) -> Iterator[PatchPoint]:
    """Rows for functions that retry a call, and for their asynchronous twins. Older releases lack some of them."""
    for name in names:
        yield PatchPoint(module, name, f"{_HOOKS}:record_retry")
        yield PatchPoint(module, f"a{name}", f"{_HOOKS}:record_retry")


# The functions that applications call. Nearly all of them have LiteLLM's decorator `client`, the first row.
_PUBLIC_FUNCTIONS = (
    PatchPoint("litellm.utils", "client", f"{_TRACING}.trace_built", CALLS),
    PatchPoint(
        "litellm.rust_bridge.dispatch",
        "PublicDispatch.run",
        "agentops_otel_litellm.patching.traced_functions:trace_dispatch",
    ),
    PatchPoint(
        "litellm.rust_bridge.dispatch",
        "PublicDispatch.arun",
        "agentops_otel_litellm.patching.traced_functions:trace_dispatch",
    ),
    *(PatchPoint(f"{package}.handler", "anthropic_messages_handler", f"{_TRACING}.trace") for package in _MESSAGES),
    *_undecorated("litellm.main", "moderation", "acount_tokens"),
    # Since 1.80, some of these functions, and of the functions for files, have the decorator.
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
# Functions that LiteLLM calls inside a call.
_INSIDE_CALLS = (
    PatchPoint("litellm.utils", "function_setup", f"{_HOOKS}:record_logging_object", LOGGING),
    PatchPoint(_LOGGING, "Logging.pre_call", f"{_HOOKS}:record_attempt", ATTEMPTS),
    PatchPoint(
        "litellm.litellm_core_utils.exception_mapping_utils",
        "exception_type",
        f"{_HOOKS}:record_failed_attempt",
        ERRORS,
    ),
    PatchPoint("litellm.utils", "post_call_processing", f"{_HOOKS}:record_rejected_response"),
    *(PatchPoint(module, name, f"{_HOOKS}:record_replaced_response") for module, name in _RESPONSE_HOOKS),
    *_retrying("litellm.main", "completion_with_retries", "responses_with_retries"),
    PatchPoint("openai._base_client", "SyncAPIClient._sleep_for_retry", f"{_HOOKS}:record_client_retry"),
    PatchPoint("openai._base_client", "AsyncAPIClient._sleep_for_retry", f"{_HOOKS}:record_client_retry"),
    PatchPoint(
        "litellm.google_genai.adapters.handler",
        "GenerateContentToCompletionHandler._prepare_completion_kwargs",
        f"{_HOOKS}:record_translation",
    ),
    PatchPoint("litellm.responses.streaming_iterator", "_estimate_usage_safely", f"{_HOOKS}:record_estimated_usage"),
    PatchPoint(
        "litellm.litellm_core_utils.streaming_chunk_builder_utils",
        "ChunkProcessor.calculate_usage",
        f"{_HOOKS}:record_calculated_usage",
    ),
    *(
        PatchPoint(
            "litellm.caching.caching_handler",
            f"LLMCachingHandler.{name}",
            f"{_HOOKS}:record_partial_cache_hit",
        )
        for name in (
            "combine_cached_embedding_response_with_api_result",
            "_combine_cached_embedding_response_with_api_result",
        )
    ),
    PatchPoint(
        "litellm.litellm_core_utils.realtime_streaming",
        "RealTimeStreaming.bidirectional_forward",
        f"{_HOOKS}:record_session_end",
    ),
    PatchPoint(
        "litellm.responses.streaming_iterator",
        "ResponsesWebSocketStreaming.bidirectional_forward",
        f"{_HOOKS}:record_session_end",
    ),
    PatchPoint(
        "litellm.responses.streaming_iterator",
        "ResponsesWebSocketStreaming._log_turn",
        f"{_HOOKS}:record_turn",
    ),
    PatchPoint("websockets.asyncio.client", "connect.__init__", f"{_HOOKS}:record_invalid_session_url"),
    PatchPoint("websockets.asyncio.client", "connect.__await__", f"{_HOOKS}:record_failed_connection"),
)
# Functions whose behaviour AGENTOPS_STREAM_USAGE changes.
_STREAM_USAGE_POINTS = (
    PatchPoint("litellm.utils", "get_optional_params", f"{_STREAM_USAGE}.request_usage"),
    PatchPoint(
        "litellm.llms.openai.openai",
        "OpenAIChatCompletion.get_stream_options",
        f"{_STREAM_USAGE}.keep_default_options",
    ),
    PatchPoint(
        "litellm.litellm_core_utils.streaming_handler",
        "CustomStreamWrapper.__init__",
        f"{_STREAM_USAGE}.hide_usage",
    ),
)
# Functions around calls: the Router, batches, and threads that LiteLLM starts.
_AROUND_CALLS = (
    PatchPoint(
        "litellm.router",
        "Router.async_function_with_fallbacks",
        f"{_TRACING}.trace_routing",
        ROUTES,
    ),
    PatchPoint("litellm.router", "Router._generic_api_call_with_fallbacks", f"{_TRACING}.trace_routing"),
    PatchPoint(
        "litellm.router_python_core", "PythonCore._generic_api_call_with_fallbacks", f"{_TRACING}.trace_routing"
    ),
    PatchPoint(
        "litellm.router_python_core", "PythonCore.async_function_with_fallbacks", f"{_TRACING}.trace_routing", ROUTES
    ),
    PatchPoint("litellm.router_rust.core", "RustCore._drive", f"{_TRACING}.trace_core_routing", ROUTES),
    PatchPoint("litellm.router_rust.core", "RustCore._call_sync", f"{_TRACING}.trace_core_routing", ROUTES),
    PatchPoint("litellm.router_rust.core", "_Driver.take_events", f"{_HOOKS}:wrap_take_events", ROUTES),
    PatchPoint(
        "litellm.router_utils.cooldown_cache",
        "CooldownCache.add_deployment_to_cooldown",
        f"{_HOOKS}:record_cooldown",
        COOLDOWNS,
    ),
    PatchPoint(
        "litellm.litellm_core_utils.asyncify", "run_async_function", f"{_CALLBACKS}:carry_context_to_function", THREADS
    ),
    PatchPoint("litellm.batch_completion.main", "litellm", f"{_CALLBACKS}:carry_context_to_completion", BATCHES),
    PatchPoint("litellm.batch_completion.main", "batch_completion", f"{_TRACING}.trace_batch", BATCHES),
    PatchPoint("litellm.batch_completion.main", "batch_completion_models", f"{_TRACING}.trace_batch", BATCHES),
    PatchPoint(
        "litellm.batch_completion.main", "batch_completion_models_all_responses", f"{_TRACING}.trace_batch", BATCHES
    ),
)
# LiteLLM's logging of calls, and the callbacks that it runs.
_LOGGING_POINTS = (
    PatchPoint(_LOGGING, "Logging.__init__", f"{_HOOKS}:wrap_logging_init", CALLBACKS),
    PatchPoint(_LOGGING, "Logging.attempt_scoped_copy", f"{_HOOKS}:wrap_scoped_copy"),
    PatchPoint(_LOGGING, "Logging.guardrail_scoped_copy", f"{_HOOKS}:wrap_scoped_copy"),
    # The function's name in newer releases, and in older ones.
    PatchPoint("litellm.batches.batch_utils", "handle_completed_batch", f"{_HOOKS}:wrap_batch_accounting"),
    PatchPoint("litellm.batches.batch_utils", "_handle_completed_batch", f"{_HOOKS}:wrap_batch_accounting"),
    PatchPoint(_LOGGING, "Logging.success_handler", f"{_CALLBACKS}:wrap_logging_handler", CALLBACKS),
    PatchPoint(_LOGGING, "Logging.async_success_handler", f"{_CALLBACKS}:wrap_logging_handler", CALLBACKS),
    PatchPoint(_LOGGING, "Logging.failure_handler", f"{_CALLBACKS}:wrap_logging_handler", CALLBACKS),
    PatchPoint(_LOGGING, "Logging.async_failure_handler", f"{_CALLBACKS}:wrap_logging_handler", CALLBACKS),
    PatchPoint(_LOGGING, "Logging.pre_call", f"{_HOOKS}:wrap_input_logging", CALLBACKS),
    PatchPoint(_LOGGING, "Logging.post_call", f"{_HOOKS}:wrap_input_logging", CALLBACKS),
    PatchPoint(_LOGGING, "_init_custom_logger_compatible_class", f"{_OTHERS}:wrap_callback_factory", CALLBACKS),
)
# Functions that send requests, to which the trace context is added.
_SENDING = (
    PatchPoint("httpx._client", "Client.send", f"{_PROPAGATION}.wrap_send"),
    PatchPoint("httpx._client", "AsyncClient.send", f"{_PROPAGATION}.wrap_send"),
    PatchPoint("websockets.asyncio.client", "connect.__init__", f"{_PROPAGATION}.wrap_connect"),
    PatchPoint(
        "litellm.llms.custom_httpx.aiohttp_handler",
        "BaseLLMAIOHTTPHandler._make_common_async_call",
        f"{_PROPAGATION}.wrap_post",
    ),
)
# Other instrumentations of the same calls.
_OTHER_INSTRUMENTATIONS = (
    PatchPoint("litellm.integrations.opentelemetry", "OpenTelemetry.__init__", f"{_TRACING}.check_new_callback"),
    PatchPoint("litellm.integrations.otel.logger", "OpenTelemetryV2.__init__", f"{_TRACING}.check_new_callback"),
    *(
        PatchPoint(module, f"{callback}.{method}", f"{_CALLBACKS}:wrap_otel_callback_method")
        for module, callback in _OTEL_CALLBACKS
        for method in _OTEL_CALLBACK_METHODS
    ),
    PatchPoint("openai._legacy_response", "to_raw_response_wrapper", f"{_OTHERS}:bypass_other_instrumentations"),
    PatchPoint("openai._legacy_response", "async_to_raw_response_wrapper", f"{_OTHERS}:bypass_other_instrumentations"),
)

# Work around calls, which has spans of its own. Most of it is the proxy's, whose modules applications do not import.
_PROXY_LOGGING = "litellm.proxy.utils"
_AUTHENTICATION = "agentops_otel_litellm.proxy.authentication"
_GUARDRAILS = "agentops_otel_litellm.proxy.guardrails"
_GUARDRAIL = "litellm.integrations.custom_guardrail"
_LOOKUPS = "agentops_otel_litellm.proxy.lookups"
_TOOLS = "agentops_otel_litellm.proxy.tools"
_LIMITERS = (
    ("litellm.proxy.hooks.parallel_request_limiter_v3", "_PROXY_MaxParallelRequestsHandler_v3"),
    ("litellm.proxy.hooks.parallel_request_limiter", "_PROXY_MaxParallelRequestsHandler"),
    ("litellm.proxy.hooks.dynamic_rate_limiter_v3", "_PROXY_DynamicRateLimitHandlerV3"),
    ("litellm.proxy.hooks.dynamic_rate_limiter", "_PROXY_DynamicRateLimitHandler"),
)
"""Classes of the proxy that check rate limits. A configuration uses some of them."""

_WORK = (
    PatchPoint("litellm.proxy.proxy_server", "app", "agentops_otel_litellm.proxy.request:trace_requests"),
    PatchPoint("litellm.proxy.auth.user_api_key_auth", "user_api_key_auth", f"{_AUTHENTICATION}:trace_authentication"),
    *(
        PatchPoint(module, f"{name}.async_pre_call_hook", f"{_AUTHENTICATION}:trace_limits")
        for module, name in _LIMITERS
    ),
    *(
        PatchPoint(_PROXY_LOGGING, f"ProxyLogging.{name}", "agentops_otel_litellm.proxy.rejections:mark_rejected")
        for name in ("pre_call_hook", "during_call_hook", "post_call_success_hook")
    ),
    PatchPoint(_PROXY_LOGGING, "ProxyLogging._execute_guardrail_hook", f"{_GUARDRAILS}:trace_run"),
    PatchPoint(_PROXY_LOGGING, "ProxyLogging._run_guardrail_with_metrics", f"{_GUARDRAILS}:trace_run"),
    PatchPoint(_GUARDRAIL, "CustomGuardrail.async_pre_call_deployment_hook", f"{_GUARDRAILS}:trace_before_deployment"),
    PatchPoint(
        _GUARDRAIL, "CustomGuardrail.async_post_call_success_deployment_hook", f"{_GUARDRAILS}:trace_after_deployment"
    ),
    PatchPoint(_GUARDRAIL, "CustomGuardrail._record_deployment_hook_run", f"{_GUARDRAILS}:record_deployment_run"),
    PatchPoint(_GUARDRAIL, "log_guardrail_information", f"{_GUARDRAILS}:trace_methods"),
    PatchPoint(
        _GUARDRAIL,
        "CustomGuardrail.add_standard_logging_guardrail_information_to_request_data",
        f"{_GUARDRAILS}:record_verdict",
    ),
    PatchPoint("litellm.caching.caching", "Cache.get_cache", f"{_LOOKUPS}:trace_cache_lookup"),
    PatchPoint("litellm.caching.caching", "Cache.async_get_cache", f"{_LOOKUPS}:trace_cache_lookup"),
    PatchPoint(_LOGGING, "Logging.get_chat_completion_prompt", f"{_LOOKUPS}:trace_prompt"),
    PatchPoint(_LOGGING, "Logging.async_get_chat_completion_prompt", f"{_LOOKUPS}:trace_prompt"),
    PatchPoint("litellm.mcp_client.client", "MCPClient.list_tools", f"{_TOOLS}:trace_list"),
    PatchPoint("litellm.mcp_client.client", "MCPClient.list_tools_page", f"{_TOOLS}:trace_list"),
    PatchPoint("litellm.mcp_client.client", "MCPClient.call_tool", f"{_TOOLS}:trace_call"),
    PatchPoint("litellm.mcp_client.tools", "load_mcp_tools", f"{_TOOLS}:trace_list"),
    PatchPoint("litellm.mcp_client.tools", "call_mcp_tool", f"{_TOOLS}:trace_call"),
    PatchPoint(
        "litellm.proxy.mcp_server.mcp_server_manager", "MCPServerManager.call_tool", f"{_TOOLS}:trace_execution"
    ),
)

PATCH_POINTS: tuple[PatchPoint, ...] = (
    *_PUBLIC_FUNCTIONS,
    *_INSIDE_CALLS,
    *_STREAM_USAGE_POINTS,
    *_AROUND_CALLS,
    *_LOGGING_POINTS,
    *_SENDING,
    *_OTHER_INSTRUMENTATIONS,
    *_WORK,
)


def missing(feature: str, found: Collection[PatchPoint]) -> list[PatchPoint]:
    """Return the patch points that a feature lacks; empty if the feature is available.

    `found` are the patch points that the installed LiteLLM has. A feature is available if all its patch points in one
    module are found. Otherwise, the result is about the module in which most of them are found.
    """
    modules: dict[str, list[PatchPoint]] = {}
    for point in PATCH_POINTS:
        if point.feature == feature:
            modules.setdefault(point.module, []).append(point)
    absent_by_module = [(points, [point for point in points if point not in found]) for points in modules.values()]
    return min(absent_by_module, key=lambda each: (bool(each[1]), len(each[1]) - len(each[0])))[1]
