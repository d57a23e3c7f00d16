"""The Responses API over a WebSocket: LiteLLM forwards a session, in which the provider sends several responses.

If the provider has no WebSocket API, LiteLLM makes a separate call for each response, and each call is recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.litellm_cost import litellm_cost
from agentops_otel_litellm.readers.requests import default_request
from agentops_otel_litellm.readers.usage import read_usage, summed
from agentops_otel_litellm.readers.values import elements, fields_of, integer, model_name

_LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def session_with_events(session: Any, turns: Iterable[Any]) -> Any:
    """Return an object that has the events of a session as `messages`, as the functions below expect.

    In LiteLLM 1.106, the session object itself has the provider's events as `messages`. In LiteLLM 1.110 it does not
    keep them. Instead, LiteLLM logs each response as a turn, an object with the `events` of this response.
    """
    events = [event for turn in turns for event in getattr(turn, "events", ())]
    return SimpleNamespace(
        messages=events,
        backend_ws=getattr(session, "backend_ws", None),
        logging_obj=getattr(session, "logging_obj", None),
    )


def socket_response(session: Any) -> Response:
    """Read LiteLLM's session at its end, when both connections are closed."""
    responses = _ended_responses(session)
    connection = getattr(session, "backend_ws", None)
    by_provider = getattr(getattr(connection, "protocol", None), "close_rcvd_then_sent", None)
    return Response(
        model=model_name(responses[-1].get("model")) if responses else None,
        turns_count=None if getattr(session, "messages", None) is None else len(responses),
        close_code=integer(getattr(connection, "close_code", None)) if by_provider else None,
        closed_by=None if by_provider is None else "provider" if by_provider else "client",
    )


def _ended_responses(session: Any) -> list[Mapping[str, Any]]:
    """The responses that have ended. The last event of a response contains the complete response."""
    events = map(fields_of, elements(getattr(session, "messages", None)))
    return [fields_of(event.get("response")) for event in events if event.get("type") in _LAST_EVENTS]


def socket_usage(session: Any) -> Usage | None:
    return summed(usage for response in _ended_responses(session) if (usage := read_usage(response)))


def socket_cost(session: Any) -> Cost | None:
    """LiteLLM's price of the session, calculated as LiteLLM does for its log.

    If all responses have the same service tier, the prices of that tier are used.
    """
    calculator = sys.modules.get("litellm.cost_calculator")
    processor = getattr(calculator, "ResponsesWebSocketTokenUsageProcessor", None)
    session_log = getattr(sys.modules.get("litellm.types.utils"), "LiteLLMRealtimeStreamLoggingObject", None)
    price = getattr(getattr(session, "logging_obj", None), "_response_cost_calculator", None)
    events = getattr(session, "messages", None)
    if processor is None or session_log is None or price is None or not events:
        return None
    usage = processor.collect_and_combine_usage_from_responses_ws_results(events)
    tiers = list(processor.partition_results_by_service_tier(events))
    tier = tiers[0] if len(tiers) == 1 else None
    return litellm_cost(price(result=session_log(usage=usage, results=events, service_tier=tier)))


RESPONSES_SOCKET = ApiFormat(
    request=lambda parameters: replace(default_request(parameters), stream=None),
    response=socket_response,
    usage=socket_usage,
    cost=socket_cost,
)
