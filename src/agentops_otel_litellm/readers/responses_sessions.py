"""The Responses API over a WebSocket: a session of responses that LiteLLM forwards from the provider.

If the provider has no WebSocket, LiteLLM makes one call for each response, which is recorded as such.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.figures import litellm_cost
from agentops_otel_litellm.readers.requests import default_request
from agentops_otel_litellm.readers.usage import read_usage, summed
from agentops_otel_litellm.readers.values import elements, integer, members, model_name

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def session_of_turns(session: Any, turns: Iterable[Any]) -> Any:
    """Return a session with the events of its responses, as LiteLLM's session object has them in other releases."""
    events = [event for turn in turns for event in getattr(turn, "events", ())]
    return SimpleNamespace(
        messages=events,
        backend_ws=getattr(session, "backend_ws", None),
        logging_obj=getattr(session, "logging_obj", None),
    )


def socket_response(session: Any) -> Response:
    """Read LiteLLM's session at its end, when both connections are closed."""
    turns = _turns(session)
    connection = getattr(session, "backend_ws", None)
    by_provider = getattr(getattr(connection, "protocol", None), "close_rcvd_then_sent", None)
    return Response(
        model=model_name(turns[-1].get("model")) if turns else None,
        turns_count=None if getattr(session, "messages", None) is None else len(turns),
        close_code=integer(getattr(connection, "close_code", None)) if by_provider else None,
        closed_by=None if by_provider is None else "provider" if by_provider else "client",
    )


def _turns(session: Any) -> list[Mapping[str, Any]]:
    """The responses that have ended."""
    kept = map(members, elements(getattr(session, "messages", None)))
    return [members(message.get("response")) for message in kept if message.get("type") in _ENDS]


def socket_usage(session: Any) -> Usage | None:
    return summed(usage for turn in _turns(session) if (usage := read_usage(turn)))


def socket_cost(session: Any) -> Cost | None:
    """LiteLLM's price of the session, calculated as for its log; by the service tier, if there was only one."""
    calculator = sys.modules.get("litellm.cost_calculator")
    processor = getattr(calculator, "ResponsesWebSocketTokenUsageProcessor", None)
    logged = getattr(sys.modules.get("litellm.types.utils"), "LiteLLMRealtimeStreamLoggingObject", None)
    price = getattr(getattr(session, "logging_obj", None), "_response_cost_calculator", None)
    messages = getattr(session, "messages", None)
    if processor is None or logged is None or price is None or not messages:
        return None
    usage = processor.collect_and_combine_usage_from_responses_ws_results(messages)
    tiers = list(processor.partition_results_by_service_tier(messages))
    tier = tiers[0] if len(tiers) == 1 else None
    return litellm_cost(price(result=logged(usage=usage, results=messages, service_tier=tier)))


RESPONSES_SOCKET = ApiFormat(
    request=lambda parameters: replace(default_request(parameters), stream=None),
    response=socket_response,
    usage=socket_usage,
    cost=socket_cost,
)
