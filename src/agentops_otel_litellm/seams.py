"""Where LiteLLM is patched: one row for each place, and what is put around what is found there.

The decorator `client` builds nearly every function of LiteLLM. Replaced as soon as `litellm.utils` has run, and so
before LiteLLM itself uses it, it traces all of them at their definition, and every `from litellm import …` in the app
gets a traced one. The other rows are what the decorator does not reach, and what LiteLLM does inside a call.

The rows name modules and wrappers; reading them imports neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seam:
    """A function, method or class of LiteLLM, and what makes ours of it."""

    module: str
    name: str
    """In the module, dotted: `Router.function_with_fallbacks`."""
    wrapper: str
    """A function of ours, as entry points are written: it is given LiteLLM's and gives back what takes its place."""
    always: bool = True
    """Whether every LiteLLM has it: one that lacks it is told of."""
    unless: str = ""
    """A module that only those releases have which have it elsewhere."""

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


_TRACING = "agentops_otel_litellm.tracing:TRACING"
_SIGNALS = "agentops_otel_litellm.signals"
_NATIVE = "agentops_otel_litellm.native"
_THREADS = "agentops_otel_litellm.threads"
_MESSAGES = (
    "litellm.llms.anthropic.messages.native",
    "litellm.llms.anthropic.pass_through.messages",
    "litellm.llms.anthropic.experimental_pass_through.messages",
)
"""Where Anthropic's messages are; the newest releases have them first."""


def _undecorated(module: str, *names: str) -> Iterator[Seam]:
    """Functions that users call and the decorator does not build; which ones those are depends on the release."""
    return (Seam(module, name, f"{_TRACING}.trace_undecorated", always=False) for name in names)


def _retrying(module: str, *names: str) -> Iterator[Seam]:
    """Functions that call another one again, and their asynchronous twins; older releases have fewer."""
    for name in names:
        yield Seam(module, name, f"{_SIGNALS}:call_is_retried", always=False)
        yield Seam(module, f"a{name}", f"{_SIGNALS}:call_is_retried_async", always=False)


SEAMS: tuple[Seam, ...] = (
    Seam("litellm.utils", "client", f"{_TRACING}.trace_built"),
    Seam("litellm.utils", "function_setup", f"{_SIGNALS}:logging_object_made"),
    Seam("litellm.litellm_core_utils.litellm_logging", "Logging.pre_call", f"{_SIGNALS}:attempt_begins"),
    Seam("litellm.litellm_core_utils.exception_mapping_utils", "exception_type", f"{_SIGNALS}:attempt_failed"),
    Seam(
        "litellm.google_genai.adapters.handler",
        "GenerateContentToCompletionHandler._prepare_completion_kwargs",
        f"{_SIGNALS}:request_translated",
        always=False,
    ),
    Seam(
        "litellm.responses.streaming_iterator",
        "_estimate_usage_safely",
        f"{_SIGNALS}:usage_estimated",
        always=False,
    ),
    *_retrying("litellm.main", "completion_with_retries", "responses_with_retries"),
    Seam("openai._base_client", "SyncAPIClient._sleep_for_retry", f"{_SIGNALS}:client_retries", always=False),
    Seam("openai._base_client", "AsyncAPIClient._sleep_for_retry", f"{_SIGNALS}:client_retries_async", always=False),
    Seam(
        "litellm.router",
        "Router.async_function_with_fallbacks",
        f"{_TRACING}.trace_routing",
        unless="litellm.router_python_core",
    ),
    Seam("litellm.router_python_core", "PythonCore.async_function_with_fallbacks", f"{_TRACING}.trace_routing"),
    Seam(
        "litellm.router_utils.cooldown_cache",
        "CooldownCache.add_deployment_to_cooldown",
        f"{_SIGNALS}:deployment_cools_down",
    ),
    Seam("litellm.rust_bridge.dispatch", "PublicDispatch.run", f"{_NATIVE}:trace_dispatch", always=False),
    Seam("litellm.rust_bridge.dispatch", "PublicDispatch.arun", f"{_NATIVE}:trace_dispatch", always=False),
    *(
        Seam(
            "litellm.caching.caching_handler",
            f"LLMCachingHandler.{name}",
            f"{_SIGNALS}:cached_part_joined",
            always=False,
        )
        for name in (
            "combine_cached_embedding_response_with_api_result",
            "_combine_cached_embedding_response_with_api_result",
        )
    ),
    Seam(
        "litellm.litellm_core_utils.realtime_streaming",
        "RealTimeStreaming.bidirectional_forward",
        f"{_SIGNALS}:session_ends",
        always=False,
    ),
    Seam("websockets.asyncio.client", "connect.__init__", f"{_SIGNALS}:session_misdirected", always=False),
    Seam("websockets.asyncio.client", "connect.__await__", f"{_SIGNALS}:session_refused", always=False),
    Seam("litellm.litellm_core_utils.asyncify", "run_async_function", f"{_THREADS}:carrying_function"),
    Seam("litellm.batch_completion.main", "litellm", f"{_THREADS}:carrying_completion"),
    Seam("litellm.batch_completion.main", "batch_completion", f"{_TRACING}.trace_batch"),
    Seam("litellm.batch_completion.main", "batch_completion_models", f"{_TRACING}.trace_batch"),
    Seam("litellm.batch_completion.main", "batch_completion_models_all_responses", f"{_TRACING}.trace_batch"),
    *_undecorated("litellm.main", "moderation", "acount_tokens"),
    *_undecorated(
        "litellm.batches.main",
        "cancel_batch",
        "acancel_batch",
        # The decorator has built these since 1.80; likewise the next.
        "list_batches",
        "alist_batches",
    ),
    *_undecorated(
        "litellm.files.main",
        "file_retrieve",
        "afile_retrieve",
        "file_list",
        "afile_list",
        "file_delete",
        "afile_delete",
        "file_content",
        "afile_content",
    ),
    *(
        Seam(f"{package}.handler", "anthropic_messages_handler", f"{_TRACING}.trace", always=False)
        for package in _MESSAGES
    ),
    *_undecorated("litellm.fine_tuning.main", "list_fine_tuning_jobs", "alist_fine_tuning_jobs"),
    *_undecorated(
        "litellm.assistants.main",
        "get_assistants",
        "aget_assistants",
        "create_assistants",
        "acreate_assistants",
        "delete_assistant",
        "adelete_assistant",
        "create_thread",
        "acreate_thread",
        "get_thread",
        "aget_thread",
        "add_message",
        "a_add_message",
        "get_messages",
        "aget_messages",
        "run_thread",
        "arun_thread",
    ),
)
