"""Differences between LiteLLM's releases.

Tests adapt their expectations to the constants. Features that a release lacks are rows of `LIMITATIONS`, whose tests
are skipped.
The suite runs on 1.72, 1.80, 1.106 and 1.110. A change between two of these is dated as the release that follows the
last one without it: 1.81 is a change after 1.80.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from packaging.version import Version

RELEASE = Version(version("litellm"))


def since(release: str) -> bool:
    """Whether this release of LiteLLM is that one or a later one."""
    return Version(release) <= RELEASE


STREAMS_ARE_CONTEXT_MANAGERS = since("1.107")
"""Streams of chats have `close`, and are context managers."""
CHATS_USE_CREATE = not since("1.107")
"""Chats call the method `create` of OpenAI's client; newer releases use its HTTP client in another way."""
STATUS_DECIDES_ERROR_CLASS = since("1.107")
"""The status of an error response decides the exception's class. Before, words in the provider's text did, and other
errors were bad requests.
"""
CONFLICTS_ARE_API_ERRORS = since("1.110")
"""The status 409, like 403, leads to LiteLLM's general class with the status. Before, it was a bad request."""
POLICY_ERRORS_NEED_TWO_WORDS = since("1.110")
"""An error is a policy violation only if its text has two words of OpenAI's. Before, one was enough."""
FAILED_FOLLOW_UPS_RAISE = since("1.110")
"""The exception of a follow-up call reaches the application. Before, the application received the first response."""
STALLED_STREAMS_TIME_OUT = since("1.107")
"""A stalled stream ends with a timeout, in place of LiteLLM's class for unknown errors."""
CACHE_HITS_COST_NOTHING = since("1.107")
"""A cache hit has the cost 0. LiteLLM's function for costs returns the cost without the cache."""
CACHES_KEEP_COUNTS = since("1.81")
"""LiteLLM's cache keeps the counted tokens with each embedding."""
SEARCHES_HAVE_SCORES = since("1.107")
"""Results of searches have scores."""
PRICED_AFTER_RETURN = {"async-images"} if since("1.107") else set()
"""Calls that LiteLLM prices after its function has returned, so that their spans have no cost."""
GEMINI_COUNTS_CACHED_TEXT = since("1.107")
"""Text tokens of the input include cached ones, as in Gemini's response. Before, LiteLLM subtracted them."""
GROQ_STREAMS_HAVE_FINGERPRINTS = since("1.107")
"""Streams of Groq have system fingerprints."""
STREAMS_NAME_THEIR_MODEL = since("1.81")
"""Streams of chats have the provider's name of the model. Before, they had the requested one."""
STREAMS_KEEP_COUNTS = since("1.81")
"""The provider's usage is with the chunks of a stream, also if the application did not request it."""
STREAMS_ARE_PRICED_AT_END = since("1.81")
"""LiteLLM has calculated the cost of a chat's stream at its end. Before, it did so later, and we request the cost of
recorded streams.
"""
ROLE_ONLY_CHUNKS_ARE_PASSED_ON = since("1.81")
"""The application receives chunks that have only a role."""
FALLBACKS_HAVE_OWN_PRICES = since("1.73")
"""A fallback has the price of its model. Before, it had that of the first model."""
COSTS_HAVE_SIDES = since("1.73")
"""LiteLLM records the costs of input and output."""
COSTS_HAVE_DETAILS = since("1.81")
"""LiteLLM records the costs of cached tokens and of reasoning."""
PRICE_MAPS_HAVE_SOURCES = since("1.81")
"""LiteLLM records whether it downloaded its price map."""


def _matches(word: str, case: str) -> bool:
    return case.rstrip("]") == word[1:] if word.startswith("=") else word in case


@dataclass(frozen=True, slots=True, kw_only=True)
class Limitation:
    """A limitation of some releases of LiteLLM, and the tests that are skipped with them."""

    until: str = ""
    """The first release without the limitation."""
    since: str = ""
    """The first release with the limitation. If empty, all releases before `until` have it."""
    reason: str
    tests: Mapping[str, tuple[str, ...]]
    """`module::function`, or a whole module → texts: a case matches if its id contains one, or equals one after `=`.
    Without texts, every case matches.
    """

    def applies_to(self, test: str, case: str) -> bool:
        """Whether this release has the limitation, and a test's case is skipped for it."""
        words = self.tests.get(test, self.tests.get(test.partition("::")[0])) if self._applies else None
        return words is not None and (not words or any(_matches(word, case) for word in words))

    @property
    def _applies(self) -> bool:
        return (not self.since or since(self.since)) and not (self.until and since(self.until))

    def __str__(self) -> str:
        """The reason for the skipped tests."""
        bounds = [f"since {self.since}"] if self.since else []
        bounds += [f"before {self.until}"] if self.until else []
        return f"LiteLLM {' and '.join(bounds)} {self.reason}"


LIMITATIONS: tuple[Limitation, ...] = (
    Limitation(
        until="1.81",
        reason="takes a closed connection for the end of the response, if the call is asynchronous",
        tests={
            "test_errors_page::test_a_row_of_the_table": tuple(
                f"=connection closed-{provider}-{where}-async"
                for provider in ("openai", "anthropic")
                for where in ("response", "stream")
            ),
        },
    ),
    Limitation(
        until="1.81",
        reason="cannot reach or read many of the APIs on loopback, counts fewer tokens, and drops refusals of streams",
        tests={
            "test_agentops_pages::test_figures_are_those_of_the_provider": (),
            "test_agentops_pages::test_a_refusal_is_content": ("streamed",),
            "test_agentops_pages::test_results_are_completions": ("moderation",),
        },
    ),
    Limitation(
        until="1.107",
        reason="cannot read a transcription whose tokens have no details",
        tests={"test_agentops_pages::test_figures_are_those_of_the_provider": ("=transcription",)},
    ),
    Limitation(
        since="1.110",
        reason="raises for synchronous Messages in Rust, which are not implemented",
        tests={
            "test_rust::test_a_message_in_rust_is_one_span": ("plain",),
            "test_rust::test_a_refusal_in_rust_is_told": ("plain",),
            "test_rust::test_a_stream_from_rust_is_seen_to_its_end": ("plain",),
            "test_rust::test_a_synchronous_stream_of_rusts_is_what_it_was": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="routes synchronous responses without a group, retries responses and messages itself, and does not fall "
        "back for these or to the next order of deployments",
        tests={
            "test_router::test_a_fallback_to_the_next_order_of_deployments": (),
            "test_router::test_every_method_of_the_routers_falls_back": ("anthropic_messages", "=aresponses"),
            "test_router::test_every_method_of_the_routers_is_routed": ("=responses",),
            "test_router::test_a_retry_and_a_fallback_of_other_formats": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="has no Messages in its Router, and cannot reach moderations and short responses on loopback",
        tests={
            "test_router::test_every_method_of_the_routers_is_routed": ("anthropic_messages",),
            "test_router::test_a_synchronous_response_as_a_stream": (),
            "test_router::test_a_moderation_is_no_route": (),
            "test_stated_prices::test_a_cost_in_a_stream_of_responses": (),
            "test_errors_page::test_a_row_of_the_table": ("(Responses)",),
        },
    ),
    Limitation(
        until="1.81",
        reason="has neither follow-up calls nor file searches, and validates no response by the schema of a call",
        tests={
            f"test_inner_calls::test_{name}": (
                "follow-up",
                "makes the call itself",
                "judges",
                "web search",
                "advisor",
                "files searched",
                "rejected",
            )
            for name in (
                "sums_over_spans_equal_the_providers_counts",
                "result_and_requests_are_the_same_without_tracing",
            )
        }
        | {
            "test_inner_calls::test_a_follow_up_has_its_own_response": (),
            "test_inner_calls::test_a_stream_that_is_closed_during_its_follow_up": (),
            "test_inner_calls::test_usage_is_unknown_if_one_of_several_responses_has_none": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="has no price for the model, and lets no callback change a response",
        tests={
            "test_inner_calls::test_sums_over_spans_equal_the_providers_counts": (
                "calls LiteLLM at the end",
                "edited response, aresponses",
            )
        },
    ),
    Limitation(
        until="1.81",
        reason="sends some requests elsewhere, prices some streams after their end, and calculates no cost for caches",
        tests={
            "test_cost::test_a_chat_costs_what_litellm_says": ("gemini", "vertex_ai"),
            "test_cost::test_a_stream_costs_what_litellm_says": ("azure", "anthropic", "gemini", "vertex_ai"),
            "test_cost::test_other_kinds_of_chats_cost_what_litellm_says": ("messages",),
            "test_cost::test_discounts_and_margins_are_in_every_part": (),
            "test_cost::test_prices_the_app_registered": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="adds reasoning to xAI's output twice, and calculates no cost for xAI's cached tokens",
        tests={"test_providers::test_a_chat_says_what_its_provider_said": ("xai",)},
    ),
    Limitation(
        until="1.80",
        reason="loses the model of chunks without an index, and ignores redaction in `litellm_metadata`",
        tests={
            "test_bad_values::test_choices_without_an_index": (),
            "test_opt_outs::test_without_a_logging_object": ("parameters3",),
        },
    ),
    Limitation(
        until="1.73",
        reason="has no Responses API for custom providers, and keeps references to dropped asynchronous streams",
        tests={
            "test_dropped_streams::test_a_dropped_stream_ends_at_once": ("responses",),
            "test_dropped_streams::test_the_event_loop_ends_a_dropped_asynchronous_stream": (),
        },
    ),
    Limitation(
        until="1.73",
        reason="has neither the operation, the provider, the prices nor the margins",
        tests={
            "test_cost::test_a_chat_costs_what_litellm_says": ("cohere", "bedrock"),
            "test_cost::test_a_stream_costs_what_litellm_says": (),
            "test_cost::test_other_kinds_of_chats_cost_what_litellm_says": (),
            "test_cost::test_what_is_sold_otherwise_costs_what_litellm_says": ("pages",),
            "test_cost::test_a_margin_by_the_call_is_in_no_part": (),
            "test_cost::test_the_price_of_a_tier": (),
            "test_trace_cost::test_calls_within_a_call_are_added_to_it": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="ends an interrupted stream as if it were complete",
        tests={
            "test_attempts::test_a_stream_that_was_cut_is_one_failed_attempt": ("async",),
            "test_endings::test_the_app_cannot_tell_and_the_span_can": ("cut-async",),
            "test_endings::test_a_stream_that_fails_at_its_first_chunk": ("AsyncApp",),
            "test_generate_content::test_a_stream_that_is_cut_has_failed": ("gemini", "translated"),
            "test_messages::test_a_stream_that_is_cut_has_failed": (),
            "test_responses_api::test_a_response_that_fails_in_its_stream": (),
            "test_responses_api::test_a_stream_that_is_cut_has_failed": ("async",),
            "test_router::test_a_stream_that_falls_back_in_the_middle": (),
            "test_router::test_a_stream_that_is_cut_for_good": ("async",),
            "test_secrets::test_a_stream_that_is_cut_tells_no_secret": ("async",),
            "test_stream_endings::test_however_a_stream_ends_its_span_does_once": ("async-be_cut",),
            "test_providers::test_a_stream_that_its_provider_breaks_off": ("gemini",),
        },
    ),
    Limitation(
        until="1.81",
        reason="has streams that cannot be closed",
        tests={
            "test_cache::test_a_replayed_stream_that_was_not_read_to_its_end": ("close",),
            "test_many_streams::test_ten_thousand_streams_leave_nothing": (),
            "test_mixed_run::test_spans_metrics_and_the_ledger_agree": (),
            "test_router::test_a_stream_that_is_closed": (),
            "test_stream_endings::test_an_asynchronous_stream_can_also_be_closed_and_cancelled": ("close",),
            "test_endings::test_the_app_cannot_tell_and_the_span_can": (
                "closed-",
                "closed_twice",
                "closed_by_a_block",
                "closed_before_it_was_read",
                "closed_after_its_end",
            ),
        },
    ),
    Limitation(
        until="1.81",
        reason="raises other errors for stalled streams",
        tests={"test_endings::test_the_app_cannot_tell_and_the_span_can": ("stalled",)},
    ),
    Limitation(
        until="1.81",
        reason="applies retry policies only in its Router",
        tests={"test_attempts::test_retries": ("by a policy",)},
    ),
    Limitation(
        until="1.81",
        reason="does not log its requests for speech and images",
        tests={
            "test_audio::test_a_refusal_is_told_once": ("speech",),
            "test_images::test_a_refusal_is_told_once": ("async-image_generation",),
        },
    ),
    Limitation(
        until="1.81",
        reason="has no price, or another one",
        tests={
            "test_audio::test_a_provider_with_a_wire_format_of_its_own": (),
            "test_calls::test_positional_arguments_are_read": ("text_completion",),
            "test_generate_content::test_generated_content_is_described_in_full": (),
            "test_generate_content::test_streamed_content_is_described_in_full": (),
            "test_jobs::test_an_interaction_is_described_in_full": (),
            "test_messages::test_a_streamed_message_is_described_in_full": (),
            "test_readme::test_the_picture_is_what_the_console_prints": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="caches neither streams of responses and messages nor parts of embeddings",
        tests={
            "test_cache::test_any_other_operation_can_hit": ("-True",),
            "test_cache::test_embeddings_that_are_cached_in_part": (),
            "test_messages::test_a_stream_that_litellm_puts_into_its_cache": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="rejects or drops the parameter for unknown models",
        tests={
            "test_calls::test_what_was_asked_is_told": ("effort and tier",),
            "test_images::test_an_image_generation_is_described_in_full": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="sends requests elsewhere, or retries",
        tests={
            "test_calls::test_a_function_nobody_described_is_traced": ("async-rerank",),
            "test_messages::test_a_translated_message_is_one_call": ("openai",),
            "test_messages::test_a_refusal_is_categorised": ("429-RateLimitError-rate_limit-openai",),
        },
    ),
    Limitation(
        until="1.81",
        reason="raises the errors of its HTTP client",
        tests={
            "test_contents::test_nothing_that_is_said_is_told": ("messages-anthropic",),
            "test_jobs::test_a_refusal_is_told": ("get_eval", "get_skill", "interactions.get", "retrieve_container"),
            "test_video::test_a_refusal_is_told_once": ("video_content", "video_status"),
            "test_messages::test_a_refusal_is_categorised": ("anthropic",),
        },
    ),
    Limitation(
        until="1.81",
        reason="has no such function",
        tests={
            "test_jobs::test_a_job_is_described_in_full": ("_eval", "_run", "interactions.agents"),
            "test_retrieval::test_what_is_done_with_a_vector_store_is_described_in_full": (
                "vector_stores.delete",
                "vector_stores.list",
                "vector_stores.retrieve",
                "vector_stores.update",
            ),
            "test_video::test_a_video_operation_is_described_in_full": ("_character", "_edit", "_extension"),
        },
    ),
    Limitation(
        until="1.81",
        reason="does not know the type of OpenAI's deleted container files",
        tests={"test_jobs::test_a_job_is_described_in_full": ("delete_container_file",)},
    ),
    Limitation(
        until="1.81",
        reason="loses or adds usage in translations",
        tests={
            "test_generate_content::test_translated_content_is_one_call": ("streamed",),
            "test_messages::test_a_translated_message_is_one_call": ("groq",),
            "test_responses_api::test_a_chat_through_the_responses_api_is_one_call": ("streamed",),
            "test_responses_api::test_a_stream_whose_tokens_the_provider_did_not_count": ("openai",),
            "test_responses_api::test_a_translated_response_is_one_call": ("anthropic", "groq/a-model-streamed"),
            "test_streams::test_a_text_stream_is_described_in_full": (),
            "test_messages::test_a_translated_stream_whose_tokens_the_provider_did_not_count": ("sync",),
            "test_jobs::test_what_is_passed_through_as_a_stream_is_seen_to_its_end": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="has another class for messages, and no custom providers for them",
        tests={
            "test_messages::test_a_message_is_described_in_full": (),
            "test_messages::test_a_stream_is_of_the_class_that_it_is_without_us": (),
            "test_messages::test_a_call_of_the_apps_own_within_is_a_child": ("sync",),
            "test_router::test_a_router_within_a_call": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="cannot reach Vertex AI at a port, and loses the model of Google's responses",
        tests={
            "test_providers::test_a_chat_says_what_its_provider_said": ("gemini", "vertex_ai"),
            "test_providers::test_a_stream_says_what_a_plain_chat_does": ("gemini", "vertex_ai"),
            "test_providers::test_a_provider_that_cannot_be_reached": ("vertex_ai",),
            "test_stream_usage::test_only_who_supports_it_is_asked": ("vertex_ai",),
            "test_providers::test_a_refusal_says_what_its_provider_said": ("vertex_ai",),
            "test_providers::test_a_response_that_litellm_cannot_read": ("vertex_ai",),
            "test_providers::test_embeddings_say_what_their_provider_said": ("vertex_ai",),
            "test_providers::test_the_server_that_litellm_finds": ("vertex_ai",),
        },
    ),
    Limitation(
        until="1.81",
        reason="loses the headers, error classes and usage of Bedrock",
        tests={
            "test_providers::test_a_refusal_says_what_its_provider_said": ("bedrock",),
            "test_providers::test_a_response_that_litellm_cannot_read": ("bedrock",),
            "test_providers::test_what_litellm_counts_by_itself_is_not_told": ("bedrock",),
        },
    ),
    Limitation(
        until="1.80",
        reason="loses much of the usage",
        tests={"test_ledger": ()},
    ),
    Limitation(
        until="1.81",
        reason="changes the usage of these providers, and completes interrupted streams",
        tests={
            "test_ledger::test_tokens_are_those_that_the_provider_counted": (
                "vertex_ai",
                "image_generation",
                "moderation",
                "plain messages of gemini",
                "plain responses of anthropic",
                "plain responses of bedrock",
                "streamed chat of deepseek",
                "streamed chat of groq",
                "streamed chat of huggingface",
                "streamed chat of mistral",
                "streamed chat of xai",
                "streamed generate_content of openai",
                "streamed messages of",
                "streamed responses of",
                "streamed text]",
            ),
            "test_ledger::test_what_nobody_counted_is_not_told": ("vertex_ai", "responses of bedrock"),
            "test_ledger::test_what_a_cut_stream_had_written_is_not_known": (),
            "test_ledger::test_tokens_of_embeddings": ("vertex_ai",),
            "test_ledger::test_tokens_of_a_session": (),
            "test_ledger::test_the_metric_is_the_sum_over_the_spans": (),
        },
    ),
    Limitation(
        until="1.81",
        reason="loses the usage of streams of these providers, or cannot price it",
        tests={
            "test_stream_usage::test_only_who_supports_it_is_asked": (
                "deepseek",
                "groq",
                "huggingface",
                "mistral",
                "xai",
            ),
            "test_stream_usage::test_the_stream_is_counted_and_the_same": ("choices",),
            "test_stream_usage::test_a_translated_stream_is_asked_as_litellm_does": (),
            "test_providers::test_a_stream_says_what_a_plain_chat_does": (
                "anthropic",
                "azure",
                "deepseek",
                "groq",
                "huggingface",
                "mistral",
                "xai",
            ),
        },
    ),
    Limitation(
        until="1.81",
        reason="passes on the first fragment of a tool call as the first chunk",
        tests={"test_streams::test_fragments_of_tool_calls_are_counted_as_calls": ()},
    ),
    Limitation(
        until="1.81",
        reason="replaces an invalid address by another one",
        tests={"test_secrets::test_an_invalid_address_loses_only_its_attributes": ("http://[bad",)},
    ),
    Limitation(
        until="1.80",
        reason="cannot read responses of the Responses API without optional fields",
        tests={
            "test_agentops_vocabulary::test_other_apis_are_shown_alike": ("responses",),
            "test_content_apis::test_what_is_said_is_told": ("responses",),
            "test_content_apis::test_a_stream_says_the_same": ("responses",),
            "test_content_apis::test_of_a_stream_that_is_cut_what_came_is_told": ("responses",),
            "test_content_apis::test_a_stored_response_is_told": (),
            "test_estimates::test_the_estimate_of_a_response": (),
            "test_responses_api": (),
            "test_router::test_a_group_beside_metadata_of_the_apps": (),
            "test_router::test_every_method_of_the_routers_is_routed": ("aresponses",),
        },
    ),
    Limitation(
        until="1.80",
        reason="has neither searches nor stores",
        tests={
            "test_collector::test_whatever_takes_otlp_is_told_all": (),
            "test_openinference::test_many_texts_evict_nothing_that_matters": ("retrieval",),
            "test_other_content::test_nothing_of_it_is_told_otherwise": ("vector store",),
            "test_other_content::test_what_is_said_is_told": ("vector store",),
            "test_retrieval::test_a_refusal_is_told": ("search", "vector_stores"),
            "test_retrieval::test_a_reranking_is_described_in_full": ("nothing, of", "tokens of a model"),
            "test_retrieval::test_a_search_is_described_in_full": (),
            "test_retrieval::test_what_is_done_with_a_vector_store_is_described_in_full": (),
            "test_vocabularies_of_users::test_a_vocabulary_of_a_package_is_chosen_by_its_name": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="changes usage and names of these providers",
        tests={
            "test_providers::test_a_chat_says_what_its_provider_said": ("anthropic", "groq"),
            "test_providers::test_a_refusal_says_what_its_provider_said": ("xai",),
            "test_stream_usage::test_only_who_supports_it_is_asked": ("anthropic",),
            "test_readers::test_the_provider_is_found_in_the_price_map": ("claude-haiku",),
            "test_readers::test_a_response_as_a_dict_is_read_like_the_object": (),
            "test_vocabularies::test_renamed_providers_of_litellm_have_names_of_the_conventions": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="assigns tool call fragments of every choice to the first choice",
        tests={"test_content::test_each_choice_is_told": ("True",)},
    ),
    Limitation(
        until="1.80",
        reason="does not pass on chunks with only usage",
        tests={"test_context::test_of_an_unsampled_call_only_the_metrics_remain": ("True",)},
    ),
    Limitation(
        until="1.81",
        reason="has a callback for AgentOps that sets the global provider",
        tests={"test_agentops_string::test_where_it_is_not_instrumented": ()},
    ),
    Limitation(
        until="1.80",
        reason="runs synchronous callbacks without context",
        tests={
            "test_backstop::test_it_lasts_as_long_and_belongs_where_it_was_made": (),
            "test_coexistence::test_a_callback_is_the_apps": ("sync-success",),
            "test_suppression::test_what_is_found": ("sync-the app's",),
        },
    ),
    Limitation(
        until="1.80",
        reason="has other OpenTelemetry callbacks, which set the global provider and export at once",
        tests={
            "test_coexistence::test_a_callback_is_warned_of_once": (),
            "test_coexistence::test_callback_with_its_own_backend_exports_the_same_with_and_without_us": ("V1",),
            "test_coexistence::test_callback_with_its_own_provider_is_not_warned_of": ("arize", "langfuse"),
            "test_coexistence::test_litellms_own_callback_in_the_same_traces": (),
            "test_coexistence::test_a_callback_that_was_there_before": (),
            "test_coexistence::test_langfuse_is_one_of_them": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="retries only in the provider's client",
        tests={"test_attempts::test_retries_of_litellms_own": ("openai", "async-anthropic")},
    ),
    Limitation(
        until="1.80",
        reason="loses the usage of audio",
        tests={
            "test_audio::test_a_transcription_is_described_in_full": (),
            "test_audio::test_tokens_of_sound_are_told": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="does not have the provider",
        tests={
            "test_audio::test_speech_of_other_providers": ("elevenlabs",),
            "test_images::test_a_style_is_told": (),
            "test_images::test_images_of_google_are_described_in_full": (),
            "test_messages::test_a_call_of_the_apps_own_within_is_a_child": (),
            "test_provider_detection::test_providers_of_the_table_are_litellms_names": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="does not price cache hits, and has other names in them",
        tests={
            "test_cache::test_a_hit_of_embeddings_is_one": ("async",),
            "test_cache::test_a_hit_says_what_was_saved": (),
            "test_cache::test_what_hits_saved_is_counted": (),
            "test_cache::test_a_replayed_stream_is_a_hit": ("text_completion",),
        },
    ),
    Limitation(
        until="1.80",
        reason="cannot read such responses with any release of OpenAI's package",
        tests={
            "test_cache::test_any_other_operation_can_hit": (),
            "test_contents::test_nothing_that_is_said_is_told": ("responses",),
        },
    ),
    Limitation(
        until="1.80",
        reason="has no such function",
        tests={
            "test_bad_values::test_a_count_that_litellm_cannot_price": ("generate_content",),
            "test_canaries::test_no_canary_leaves_through_another_api": ("generate_content",),
            "test_one_shot_iterables::test_the_provider_gets_what_it_gets_without_us": ("Google",),
            "test_stream_offers::test_a_traced_stream_offers_the_same": ("Google",),
            "test_content_apis::test_what_is_said_is_told": ("generate_content",),
            "test_content_apis::test_a_stream_says_the_same": ("generate_content",),
            "test_content_apis::test_of_a_stream_that_is_cut_what_came_is_told": ("generate_content",),
            "test_contents::test_nothing_that_is_said_is_told": ("generate_content",),
            "test_jobs::test_a_job_is_described_in_full": ("container", "skill", "interactions"),
            "test_jobs::test_a_document_that_is_taken_in_is_made_of_calls": (),
            "test_jobs::test_a_question_about_documents_is_made_of_calls": (),
            "test_jobs::test_an_interaction_with_an_agent_says_with_which": (),
            "test_jobs::test_a_streamed_interaction_is_described_in_full": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="raises one class for all errors in translated messages",
        tests={
            "test_contents::test_nothing_that_is_said_is_told": ("messages",),
            "test_messages::test_a_refusal_is_categorised": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="logs nothing of files and batches",
        tests={"test_jobs::test_a_job_is_described_in_full": ("file_", "list_batches")},
    ),
    Limitation(
        until="1.80",
        reason="lacks classes of exceptions",
        tests={
            "test_readers::test_the_cause_of_an_interrupted_stream_is_read": (),
            "test_processors::test_the_table_of_failures_has_every_category": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="uses another path for image edits, and estimates usage",
        tests={
            "test_images::test_a_refusal_is_told_once": ("image_edit",),
            "test_images::test_what_the_provider_did_not_count_is_unknown": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="sends moderations only to OpenAI's own address",
        tests={
            "test_canaries::test_no_canary_leaves_through_another_api": ("moderation",),
            "test_moderation::test_a_harmless_input_is_not_flagged": (),
            "test_moderation::test_a_moderation_by_whichever_model": (),
            "test_moderation::test_a_moderation_is_described_in_full": (),
            "test_moderation::test_a_refusal_is_told_once": (),
            "test_moderation::test_a_text_with_a_picture_is_one_input": (),
            "test_moderation::test_inputs_stay_where_they_are": (),
            "test_other_content::test_nothing_of_it_is_told_otherwise": ("moderated",),
            "test_other_content::test_what_is_said_is_told": ("moderated",),
            "test_undecorated::test_a_synchronous_moderation_is_one_call": (),
        },
    ),
    Limitation(
        until="1.80",
        reason="cannot reach Gemini at a port, nor Bedrock and Cohere",
        tests={
            "test_providers::test_a_chat_says_what_its_provider_said": ("bedrock", "cohere"),
            "test_providers::test_a_stream_says_what_a_plain_chat_does": ("bedrock", "cohere"),
            "test_providers::test_a_stream_that_its_provider_breaks_off": ("bedrock", "cohere"),
            "test_providers::test_a_provider_that_cannot_be_reached": ("bedrock", "cohere", "gemini"),
            "test_providers::test_a_refusal_says_what_its_provider_said": ("gemini",),
            "test_providers::test_a_response_that_litellm_cannot_read": ("gemini",),
            "test_providers::test_embeddings_say_what_their_provider_said": ("gemini", "async-ollama"),
            "test_providers::test_the_server_that_litellm_finds": ("bedrock", "cohere", "gemini"),
            "test_stream_usage::test_only_who_supports_it_is_asked": ("bedrock", "cohere", "gemini"),
        },
    ),
    Limitation(
        until="1.81",
        reason="has realtime sessions only over TLS, or with older websockets",
        tests={"test_realtime": (), "test_propagation::test_realtime_sessions": ()},
    ),
    Limitation(
        until="1.80",
        reason="translates the Responses API of a LiteLLM proxy to a chat",
        tests={
            "test_propagation::test_other_apis": ("responses",),
            "test_proxy_headers::test_a_response_of_the_responses_api": (),
        },
    ),
    Limitation(until="1.80", reason="runs no guardrails without the proxy", tests={"test_guardrails": ()}),
    Limitation(
        until="1.106",
        reason="runs few guardrails without the proxy, and has no actions in its records",
        tests={
            "test_guardrails::test_a_run_is_a_span_within_the_call": ("Decorated-pre_call", "Masking", "Plain"),
            "test_guardrails::test_a_blocked_call_is_an_error_without_a_request": (),
            "test_guardrails::test_nothing_of_the_texts_is_recorded": ("Masking", "Plain"),
            "test_guardrails::test_a_route_is_topmost": (),
            "test_guardrails::test_guardrails_of_a_class_from_before": (),
        },
    ),
    Limitation(
        until="1.110",
        reason="does not note that it has run a guardrail without its decorator",
        tests={
            "test_guardrails::test_a_run_is_a_span_within_the_call": ("Plain",),
            "test_guardrails::test_a_blocked_call_is_an_error_without_a_request": ("Plain",),
            "test_guardrails::test_nothing_of_the_texts_is_recorded": ("Plain",),
        },
    ),
)


def limitation_of(node: str) -> Limitation | None:
    """The limitation for which the test with this pytest id is skipped with this release."""
    name, _, case = node.partition("[")
    test = name.rpartition("/")[2].replace(".py::", "::")
    return next((row for row in LIMITATIONS if row.applies_to(test, case)), None)
