"""Calls that were not traced: their spans are created afterwards, from LiteLLM's log."""

from __future__ import annotations

import asyncio

import litellm
import litellm.main

from support.instrumented import Reinstrument
from support.logged_calls import logging_object, now
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider


def test_both_logging_handlers_create_one_span(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM logs some calls both synchronously and asynchronously."""
    logging, result = logging_object(provider, "both"), litellm.ModelResponse(model="gpt-4o")

    async def both() -> None:
        await asyncio.gather(
            logging.async_success_handler(result, now(), now()),
            asyncio.to_thread(logging.success_handler, result, now(), now()),
        )

    asyncio.run(both())
    logging.success_handler(result, now(), now())
    assert [span.name for span in telemetry.spans()] == ["pass_through_endpoint gpt-4o"]


def test_a_logged_cache_hit_is_recorded(provider: OpenAIProvider, telemetry: Recorder) -> None:
    logging_object(provider, "cached").success_handler(
        litellm.ModelResponse(model="gpt-4o"), now(), now(), cache_hit=True
    )
    assert telemetry.attributes()["llm.cache.hit"] is True


def test_a_request_that_the_proxy_rejected_has_no_span(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM's proxy logs rejected requests as failures, although no provider received them."""
    logging = logging_object(provider, "rejected")
    logging.model_call_details["litellm_no_upstream_llm_call"] = True
    logging.failure_handler(ValueError("no key"), "")
    asyncio.run(logging.async_failure_handler(ValueError("no key"), ""))
    assert telemetry.spans() == []


def test_a_call_from_before_the_instrumentation_has_no_span(
    provider: OpenAIProvider, instrumented_with: Reinstrument
) -> None:
    """Although LiteLLM logs it after it is instrumented again."""
    from agentops_otel_litellm import LiteLLMInstrumentor

    with instrumented_with(Recorder()) as recorder:
        LiteLLMInstrumentor().uninstrument()
        logging = logging_object(provider, "early")
        LiteLLMInstrumentor().instrument(**recorder.providers)
        logging.success_handler(litellm.ModelResponse(model="gpt-4o"), None, None)
        assert recorder.spans() == []
