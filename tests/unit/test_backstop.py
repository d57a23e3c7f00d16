"""Calls that no observation saw: their spans are written afterwards, from what LiteLLM logs."""

from __future__ import annotations

import asyncio

import litellm
import litellm.main

from support.instrumented import Reinstrument
from support.logged_calls import logging_object, now
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider


def test_both_handlers_make_one_span(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM logs some calls twice, synchronously and asynchronously."""
    logging, result = logging_object(provider, "both"), litellm.ModelResponse(model="gpt-4o")

    async def both() -> None:
        await asyncio.gather(
            logging.async_success_handler(result, now(), now()),
            asyncio.to_thread(logging.success_handler, result, now(), now()),
        )

    asyncio.run(both())
    logging.success_handler(result, now(), now())
    assert [span.name for span in telemetry.spans()] == ["pass_through_endpoint gpt-4o"]


def test_an_answer_from_the_cache(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """LiteLLM says so when it logs it."""
    logging_object(provider, "cached").success_handler(
        litellm.ModelResponse(model="gpt-4o"), now(), now(), cache_hit=True
    )
    assert telemetry.attributes()["llm.cache.hit"] is True


def test_what_the_proxy_turned_away_was_no_call(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The proxy logs as a failure what never went to a provider."""
    logging = logging_object(provider, "turned away")
    logging.model_call_details["litellm_no_upstream_llm_call"] = True
    logging.failure_handler(ValueError("no key"), "")
    asyncio.run(logging.async_failure_handler(ValueError("no key"), ""))
    assert telemetry.spans() == []


def test_what_was_called_uninstrumented_is_not_seen(provider: OpenAIProvider, instrumented_with: Reinstrument) -> None:
    """Though LiteLLM logs it once it is instrumented again."""
    from agentops_otel_litellm import LiteLLMInstrumentor

    with instrumented_with(Recorder()) as recorder:
        LiteLLMInstrumentor().uninstrument()
        logging = logging_object(provider, "early")
        LiteLLMInstrumentor().instrument(**recorder.providers)
        logging.success_handler(litellm.ModelResponse(model="gpt-4o"), None, None)
        assert recorder.spans() == []
