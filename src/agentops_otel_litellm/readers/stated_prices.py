"""Reads prices that somebody has stated, and that LiteLLM's own cost does not show.

- A provider or a gateway can state the cost of a call: in the response's usage, as `cost`, or in a header. LiteLLM uses
  it for some API formats and in some releases only.
- LiteLLM's cost of 0 means that the call was free, or that LiteLLM has no price. Only in the first case did the
  application, or LiteLLM's price map, state the price 0.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Cost, Usage
from agentops_otel_litellm.providers import provider_named
from agentops_otel_litellm.readers.headers import PREFIX, RESPONSE_COST, provider_headers
from agentops_otel_litellm.readers.streams import Chunks, with_usage
from agentops_otel_litellm.readers.usage_and_cost import (
    litellm_cost,
    price_result,
    price_usage,
    read_stream_cost,
)
from agentops_otel_litellm.readers.values import NO_FIELDS, field, fields_of, number, quantity, text

_UPSTREAM_COST = "upstream_usage_cost"
"""LiteLLM's name of the provider's own `cost`, if LiteLLM has replaced it in the usage by its calculated cost."""
_PREPAID = frozenset({"opencode_go"})
"""Providers whose `cost` is not a price, but the amount that is deducted from a prepaid balance."""
_MAX_LAST_CHUNKS = 8
# Prices of the provider's own tools, which are added to the cost of the tokens.
_TOOLS = ("search_context_cost", "file_search_cost", "code_interpreter_cost", "computer_use_cost", "vector_store_cost")


def read_stated_cost(result: Any, logging: Any) -> Cost | None:
    """The cost that the provider or a gateway states for a call. `result` is a response, or the chunks of a stream.

    `None` if the application has set a price in LiteLLM, for the call or for the Router's deployment, because that has
    priority.
    """
    if isinstance(result, Chunks):
        stated = _last_stated(result, logging)
    else:
        stated = _cost_in_usage(result) or _cost_in_header(result)
    if stated is None or _prices_of_call(logging):
        return None
    return None if text(field(logging.model_call_details, "custom_llm_provider")) in _PREPAID else stated


def _last_stated(chunks: Chunks, logging: Any) -> Cost | None:
    """The cost in the usage of a stream, which is in one of its last chunks."""
    # If LiteLLM has translated the stream from a chat, the usage is in the chat's chunks.
    stream = getattr(chunks, "stream", None)
    translated = getattr(chunks, "_chat", None) or getattr(stream, "litellm_custom_stream_wrapper", None)
    own = chunks.provider_chunks
    last = (own or getattr(translated, "chunks", None) or [])[-_MAX_LAST_CHUNKS:]
    for chunk in with_usage(reversed(last)):
        cost = _cost_in_usage(chunk)
        if cost is not None:
            return cost
    if translated is not None or own is not None:
        return None
    response = field(field(stream, "completed_response"), "response")
    cost = _cost_in_usage(response) or _cost_in_usage({"usage": getattr(chunks, "counted", None)})
    # In a stream of the Responses API, LiteLLM adds its own cost to the usage if the provider has stated none.
    calculated = read_stream_cost(logging)
    return None if cost and calculated and cost.total == calculated.total and not _has_upstream_cost(response) else cost


def _has_upstream_cost(response: Any) -> bool:
    return _UPSTREAM_COST in (getattr(response, "_hidden_params", None) or ())


def _cost_in_usage(response: Any) -> Cost | None:
    """The cost in the usage of a response or a chunk: a number, or a dict whose `total_cost` is the number."""
    usage = field(response, "usage")
    if usage is None:
        return None
    stated = response._hidden_params[_UPSTREAM_COST] if _has_upstream_cost(response) else field(usage, "cost")  # noqa: SLF001 - LiteLLM has no public name
    if stated is None:
        return None
    cost = litellm_cost(quantity(field(stated, "total_cost") if isinstance(stated, Mapping) else stated))
    # OpenRouter states 0 if the user pays the upstream provider with a key of their own.
    if cost is None or (not cost.total and number(field(field(usage, "cost_details"), "upstream_inference_cost"))):
        return None
    return replace(cost, source="provider", certain=True)


def _cost_in_header(result: Any) -> Cost | None:
    """The cost in a header of LiteLLM's proxy. A cost of 0 is ignored: the proxy may have no price for the model."""
    cost = litellm_cost(quantity(provider_headers(result).get(f"{PREFIX}{RESPONSE_COST}")))
    return replace(cost, source="gateway", certain=True) if cost is not None and cost.total else None


def price_as_application(result: Any, logging: Any) -> Cost | None:
    """The cost of a stream by a price that the application has set in LiteLLM, for the call or for the deployment.

    Some releases of LiteLLM do not calculate the cost of a stream whose provider states one.
    """
    return price_result(result, logging) if isinstance(result, Chunks) and _prices_of_call(logging) else None


def with_certainty(cost: Cost | None, usage: Usage | None, logging: Any) -> Cost | None:
    """Mark a cost of 0 as certain if the price 0 was stated for the call's model."""
    if cost is None or cost.total or (usage is None and not cost.per_unit) or not _is_free(usage, logging):
        return cost
    return replace(cost, certain=True)


def _is_free(usage: Usage | None, logging: Any) -> bool:
    """Whether all prices that were stated for a call are 0, among them one of the output, if there was any."""
    prices = _prices_of_call(logging) or next(_prices_of_model(logging), NO_FIELDS)
    if not prices or any(prices.values()):
        return False
    return usage is None or not usage.output or any(name.startswith("output_cost") for name in prices)


def _prices_of_call(logging: Any) -> Mapping[str, Any]:
    """The prices that the application has set as parameters of the call, or for the deployment of the Router."""
    details = fields_of(getattr(logging, "model_call_details", None))
    for parameters in (getattr(logging, "litellm_params", None), details.get("litellm_params")):
        known = fields_of(parameters)
        for source in (
            known,
            *(field(known.get(name), "model_info") for name in ("metadata", "litellm_metadata") if known.get(name)),
        ):
            prices = _prices_in(source)
            if prices:
                return prices
    return NO_FIELDS


def _prices_of_model(logging: Any) -> Iterator[Mapping[str, Any]]:
    """The prices of a call's model in LiteLLM's price map, with those that the application has registered."""
    known = getattr(sys.modules.get("litellm"), "model_cost", None) or NO_FIELDS
    details = fields_of(getattr(logging, "model_call_details", None))
    model, provider = text(details.get("model")) or "", text(details.get("custom_llm_provider"))
    base = field(details.get("litellm_params"), "base_model")
    for name in (text(base), f"{provider}/{model}", model):
        prices = _prices_in(known.get(name)) if name else NO_FIELDS
        if prices:
            yield prices


def _prices_in(source: Any) -> Mapping[str, Any]:
    """The prices in a dict of LiteLLM's: those of tokens and other units, without those of the provider's tools."""
    return {
        name: value
        for name, value in fields_of(source).items()
        if value is not None
        and type(name) is str
        and ("_cost_per_" in name or "_token_cost" in name)
        and not name.startswith(_TOOLS)
    }


# --- embeddings from LiteLLM's cache --------------------------------------------------------------------------


def price_embeddings(response: Any, logging: Any) -> Cost | None:
    """What embeddings cost, or would have cost if they were not from LiteLLM's cache.

    LiteLLM calculates the cost of embeddings that are cached in part in its callbacks, after the span has ended. It
    does not calculate what cached ones would have cost.
    """
    logging = copy(logging)
    logging.model_call_details = {**logging.model_call_details, "cache_hit": None}
    cost = price_usage(field(response, "usage"), logging)
    return None if cost is None else replace(cost, output=None)  # there are no output tokens


def price_cached_embeddings(response: Any, logging: Any) -> Cost | None:
    """What embeddings from LiteLLM's cache would have cost, by the counts that LiteLLM has stored with each vector.

    `None` for older releases of LiteLLM, which store no counts, and estimate them when they read the cache. The same
    holds for providers that do not always count.
    """
    cache = getattr(sys.modules.get("litellm.caching.caching"), "Cache", None)
    provider = provider_named(text(fields_of(logging.model_call_details).get("custom_llm_provider")) or "")
    if not hasattr(cache, "_get_per_item_prompt_tokens") or not provider.counts_embeddings:
        return None
    cost = price_embeddings(response, logging)
    return None if cost is None else replace(cost, certain=True)
