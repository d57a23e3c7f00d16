"""Expected attributes of spans, made from requests and responses of the provider, never with the code under test."""

from __future__ import annotations

from typing import cast

import litellm
import pytest

from support import releases
from support.apps import CALL_ID
from support.recorder import Attributes
from support.servers import LoopbackServer
from support.servers.openai_provider import Exchange
from support.servers.wire import WireProvider

TIMING_ATTRIBUTES = frozenset(
    {
        "gen_ai.response.time_to_first_chunk",
        "llm.response.time_to_first_token",
        "llm.response.chunks_per_second",
        "llm.response.tokens_per_second",
        "llm.response.stream_duration",
        "llm.response.longest_chunk_gap",
        "llm.response.chunk_gap_p50",
        "llm.response.chunk_gap_p95",
        "llm.response.chunk_gap_p99",
    }
)
"""Measured values, which differ in each run."""


PROVIDER_NAMES = {"gemini": "gcp.gemini", "mistral": "mistral_ai"}
"""LiteLLM's name of a provider → the conventions' name, if they differ."""


PRICES = ("agentops.cost.total", "gen_ai.usage.cost.amount", "llm.usage.cost")
LOCALLY_PRICED: Attributes = {
    "gen_ai.usage.cost.currency": "USD",
    "gen_ai.usage.cost.source": "local",
    "agentops.cost.source": "litellm",
}
"""Attributes of every cost from LiteLLM."""


def without_prices(attributes: Attributes, price: float) -> Attributes:
    """Assert the cost, up to the last digit, and return the other attributes."""
    assert [attributes[name] for name in PRICES] == pytest.approx([price] * 3)
    return {name: value for name, value in attributes.items() if name not in PRICES}


def without_timings(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if name not in TIMING_ATTRIBUTES}


def identity(
    operation: str, function: str, model: str, provider: LoopbackServer, *, litellm_provider: str = "openai"
) -> Attributes:
    """Attributes of the operation and the target of a call to OpenAI's API."""
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model.partition("/")[2],
        "llm.request.model": model,
        "llm.vendor": "litellm",
        "llm.provider": litellm_provider,
        "litellm.provider": litellm_provider,
        "litellm.call_id": CALL_ID,
        "litellm.call_type": function,
        "server.address": provider.address,
        "server.port": provider.port,
    }


def response_id_attributes(id_: str, **others: object) -> Attributes:
    """Attributes of a response or job with that id."""
    facts: Attributes = {
        f"llm.{'job' if name == 'status' else 'response'}.{name}": each for name, each in others.items()
    }
    return {"gen_ai.response.id": id_, "llm.response.id": id_, **facts}


MODELS = frozenset({"gen_ai.response.model", "llm.response.model"})
CHAT_REQUEST: Attributes = {
    "llm.request.stream": False,
    "llm.request.messages_count": 2,
    "llm.request.messages.system_count": 1,
    "llm.request.messages.user_count": 1,
    "llm.request.content_length": len("Be brief.") + len("Say hello."),
    "llm.request.modalities": ("text",),
}
TEXT_REQUEST: Attributes = {
    "llm.request.stream": False,
    "llm.request.inputs_count": 1,
    "llm.request.content_length": len("Say hello."),
}
EMBEDDING_REQUEST: Attributes = {
    "llm.request.inputs_count": 2,
    "llm.request.content_length": len("onetwo"),
}
STREAMED: Attributes = {"gen_ai.request.stream": True, "llm.request.stream": True, "llm.response.is_streaming": True}


def response_attributes(exchange: Exchange, *, finish: str = "stop") -> Attributes:
    """Attributes of a response with one choice, `Hello, world!`."""
    model = f"{exchange.body['model']}-2024-08-06"
    return {
        "gen_ai.response.id": exchange.response_id,
        "gen_ai.response.model": model,
        "gen_ai.response.finish_reasons": (finish,),
        "llm.response.id": exchange.response_id,
        "llm.response.model": model,
        "llm.response.finish_reason": finish,
        "llm.response.choices_count": 1,
        "llm.response.content_length": len("Hello, world!"),
    }


def streamed_response_attributes(exchange: Exchange) -> Attributes:
    """Attributes of a streamed response with the same content."""
    attributes = response_attributes(exchange)
    return (
        attributes
        if releases.STREAMS_NAME_THEIR_MODEL
        else {name: attributes[name] for name in attributes if name not in MODELS}
    )


def tokens(exchange: Exchange) -> Attributes:
    """Attributes of the provider's usage."""
    usage = exchange.usage
    assert usage is not None
    read, written = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    assert isinstance(read, dict)
    assert isinstance(written, dict)
    return {
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "gen_ai.usage.cache_read.input_tokens": read["cached_tokens"],
        "gen_ai.usage.reasoning.output_tokens": written["reasoning_tokens"],
        "llm.usage.prompt_tokens": usage["prompt_tokens"],
        "llm.usage.completion_tokens": usage["completion_tokens"],
        "llm.usage.total_tokens": usage["total_tokens"],
        "llm.usage.cached_tokens": read["cached_tokens"],
        "llm.usage.reasoning_tokens": written["reasoning_tokens"],
    }


def cost_attributes(amount: float, *models: str, **tokens: int) -> Attributes:
    """Attributes of a cost from LiteLLM. With `models`, also its parts, at prices of the first one in the price map."""
    attributes: Attributes = {
        "gen_ai.usage.cost.amount": amount,
        "llm.usage.cost": amount,
        "agentops.cost.total": amount,
        **LOCALLY_PRICED,
    }
    return attributes | cost_parts(*models, **tokens) if models else attributes


def cost_parts(*models: str, **tokens: int) -> Attributes:
    """Parts of a cost for these numbers of tokens; empty if the price map has none of the models."""
    rates = next((litellm.model_cost[model] for model in models if model in litellm.model_cost), None)
    if rates is None:
        return {}
    each = {
        "cache_read": rates.get("cache_read_input_token_cost") or rates["input_cost_per_token"],
        "cache_write": rates.get("cache_creation_input_token_cost") or rates["input_cost_per_token"],
        "reasoning": rates.get("output_cost_per_reasoning_token") or rates["output_cost_per_token"],
    }
    costs = {name: tokens.get(name, 0) * rate for name, rate in each.items()}
    fresh = tokens["input"] - tokens.get("cache_read", 0) - tokens.get("cache_write", 0)
    sides = {"input": fresh * rates["input_cost_per_token"] + costs["cache_read"] + costs["cache_write"]}
    if "output" in tokens:
        visible = tokens["output"] - tokens.get("reasoning", 0)
        sides["output"] = visible * rates["output_cost_per_token"] + costs["reasoning"]
    return cost_shares(**sides, **{name: cost for name, cost in costs.items() if cost})


def cost_shares(**costs: float) -> Attributes:
    """Attributes of the parts that this release of LiteLLM records, up to the last digits."""
    attributes: Attributes = {
        f"agentops.cost.{name}": pytest.approx(cost, rel=0, abs=1e-12)
        for name, cost in costs.items()
        if (releases.COSTS_HAVE_SIDES if name in {"input", "output"} else releases.COSTS_HAVE_DETAILS)
    }
    return attributes | ({"agentops.cost.price_map": "bundled"} if releases.PRICE_MAPS_HAVE_SOURCES else {})


def exchange_cost_attributes(amount: float, exchange: Exchange) -> Attributes:
    """Attributes of a cost for the usage in an exchange with OpenAI's API."""
    usage = exchange.usage
    assert usage is not None
    counts = {"input": usage["prompt_tokens"], "output": usage.get("completion_tokens")}
    for name, details, count in (
        ("cache_read", "prompt_tokens_details", "cached_tokens"),
        ("reasoning", "completion_tokens_details", "reasoning_tokens"),
    ):
        counts[name] = cast("dict[str, int]", usage.get(details, {})).get(count)
    return cost_attributes(
        amount, str(exchange.body["model"]), **{name: count for name, count in counts.items() if isinstance(count, int)}
    )


def target_attributes(
    operation: str, litellm_provider: str, wire: WireProvider, *, model: str | None = None, call_type: str | None = None
) -> Attributes:
    """Attributes of the target: `model` is without prefix, `call_type` is from LiteLLM's log."""
    target: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER_NAMES.get(litellm_provider, litellm_provider),
        "llm.vendor": "litellm",
        "llm.provider": litellm_provider,
        "litellm.provider": litellm_provider,
        "server.address": wire.address,
        "server.port": wire.port,
    }
    if model is not None:
        target |= {"gen_ai.request.model": model, "llm.request.model": f"{litellm_provider}/{model}"}
    if call_type is not None:
        target |= {"litellm.call_id": CALL_ID, "litellm.call_type": call_type}
    return target
