"""LiteLLM's price of what it has not priced when its function returns.

Its callbacks do the same a moment later, when the span has ended.
"""

from __future__ import annotations

import sys
from copy import copy
from typing import Any

from agentops_otel_litellm.call import Cost
from agentops_otel_litellm.readers.streams import ChatChunks, read_stream_cost
from agentops_otel_litellm.readers.values import field, number


def price_messages(usage: Any, logging: Any) -> Cost | None:
    """Of Anthropic's `usage`, which has parts that are priced apart and that nothing else here tells of."""
    worked_out = _worked_out(logging)
    if worked_out is not None or not _is_as_sent(logging):
        return worked_out
    return _priced(_litellm().AnthropicConfig().calculate_usage(usage_object=usage, reasoning_content=None), logging)


def price_generated_content(usage: Any, logging: Any, *, streamed: bool) -> Cost | None:
    """Of Google's `usageMetadata`: of a stream's, where that was not translated."""
    worked_out = _worked_out(logging)
    if worked_out is not None or not (streamed or _is_as_sent(logging)):
        return worked_out
    # The method has a public name since 1.90 only.
    return _priced(_litellm().VertexGeminiConfig._calculate_usage({"usageMetadata": usage}), logging)  # noqa: SLF001


def price_chat(told: Any, logging: Any) -> Cost | None:
    """Of a stream of a chat. Newer releases, where the method has a public name, have priced it when it ends."""
    if not isinstance(told, ChatChunks) or hasattr(logging, "response_cost_calculator"):
        return None
    return _price_kept(told, logging)


def _price_kept(told: ChatChunks, logging: Any) -> Cost | None:
    reported = [usage for chunk in told.kept if (usage := field(chunk, "usage")) is not None]
    return _priced(reported[0], logging) if len(reported) == 1 else None  # of several, none says all


def price_answer(told: Any, logging: Any) -> Cost | None:
    """Of one of several responses, or streams, that LiteLLM has not priced by itself."""
    if isinstance(told, ChatChunks):
        return _price_kept(told, logging)
    ended = field(getattr(told, "stream", None), "completed_response")
    response = told if ended is None else field(ended, "response")
    return _total(response, logging) if hasattr(response, "usage") else None


def _is_as_sent(logging: Any) -> bool:
    """Whether the provider counted in this API: a translation leaves out what was cached. LiteLLM keeps what it got
    from the provider where it hands it on.
    """
    return "httpx_response" in (getattr(logging, "model_call_details", None) or ())


def _worked_out(logging: Any) -> Cost | None:
    """Where LiteLLM translated: of the response that came of it. A stream that has yet to be read it prices at 0."""
    cost = read_stream_cost(logging)
    return cost if cost is not None and cost.total else None


def _litellm() -> Any:
    return sys.modules["litellm"]


def _priced(usage: Any, logging: Any) -> Cost | None:
    """With the prices, discounts and tiers that hold for the call. LiteLLM writes down how it got there: on a copy."""
    return _total(_litellm().ModelResponse(model=logging.model, usage=usage), logging)


def _total(response: Any, logging: Any) -> Cost | None:
    logging = copy(logging)
    logging.model_call_details = dict(logging.model_call_details)
    total = number(logging._response_cost_calculator(result=response))  # noqa: SLF001 - it had no other name
    return None if total is None else Cost(total=total, source="litellm")
