"""Sessions over a WebSocket between the application and the provider, in which LiteLLM forwards the messages.

There are realtime sessions and sessions of the Responses API. This file also reads the HTTP requests by which an
application obtains a secret or a connection, so that its user's client can open a realtime session itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from agentops_otel_litellm.call import Cost, Request, Response, Usage
from agentops_otel_litellm.readers.api_format import ApiFormat, default_request, no_cost, no_usage
from agentops_otel_litellm.readers.jobs import http_response
from agentops_otel_litellm.readers.media import read_media_usage
from agentops_otel_litellm.readers.responses import LAST_EVENTS
from agentops_otel_litellm.readers.usage_and_cost import litellm_cost, read_usage
from agentops_otel_litellm.readers.values import (
    Parameters,
    count,
    elements,
    field,
    fields_of,
    identifier,
    integer,
    length,
    model_name,
)

_MAX_ADMISSION_BYTES = 65_536
"""Maximum size, in bytes, of the response with a secret, if it is to be parsed. Such a response has about 2,000."""
_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def read_session_end(session: Any) -> BaseException | None:
    """The exception that ended the connection to the provider; `None` if it was closed normally, or is still open."""
    connection = getattr(session, "backend_ws", None)
    if getattr(connection, "close_code", None) is None:
        return None
    end = getattr(getattr(connection, "protocol", None), "close_exc", None)
    is_normal = end is None or any(kind.__name__ == "ConnectionClosedOK" for kind in type(end).__mro__)
    return None if is_normal else end


def session_response(session: Any) -> Response:
    """Read LiteLLM's realtime session at its end: the session's id and model, the number of responses, and who closed
    it.
    """
    if session is None:
        return Response()
    created = _session(session)
    code = integer(getattr(getattr(session, "backend_ws", None), "close_code", None))
    return Response(
        id=identifier(created.get("id")),
        model=model_name(created.get("model")),
        turns_count=len(_messages(session, "response.done")),
        close_code=code,
        # This runs before LiteLLM closes the connection to the provider, so only the provider can have closed it.
        closed_by="client" if code is None else "provider",
    )


def _messages(session: Any, kind: str) -> list[Mapping[str, Any]]:
    """The provider's messages of the type `kind`. LiteLLM keeps some types only, such as `response.done`."""
    kept = elements(getattr(session, "messages", None))
    return [message for each in kept if (message := fields_of(each)).get("type") == kind]


def _session(session: Any) -> Mapping[str, Any]:
    """The provider's description of the session, from its first message; empty if it was not received."""
    created = _messages(session, "session.created")
    return fields_of(created[0].get("session")) if created else {}


def session_usage(session: Any) -> Usage | None:
    """The sum of the usage of all responses. A session without responses only transcribes: then, of all transcripts."""
    turns = [message.get("response") for message in _messages(session, "response.done")]
    return _summed(usage for each in turns or _messages(session, _TRANSCRIBED) if (usage := read_media_usage(each)))


def session_cost(session: Any) -> Cost | None:
    """Let LiteLLM calculate the cost of the session now. LiteLLM itself does so later, in the background."""
    processor = getattr(sys.modules.get("litellm.cost_calculator"), "RealtimeAPITokenUsageProcessor", None)
    price = getattr(getattr(session, "logging_obj", None), "_response_cost_calculator", None)
    messages = getattr(session, "messages", None)
    if processor is None or price is None or not messages:
        return None
    usage = processor.collect_and_combine_usage_from_realtime_stream_results(results=messages)
    return litellm_cost(price(result=processor.create_logging_realtime_object(usage=usage, results=messages)))


REALTIME = ApiFormat(
    request=lambda parameters: replace(default_request(parameters), stream=None),
    response=session_response,
    usage=session_usage,
    cost=session_cost,
)


# --- sessions of the Responses API ----------------------------------------------------------------------------


def session_with_events(session: Any, turns: Iterable[Any]) -> Any:
    """Return a replacement for LiteLLM's `session` that has the provider's events in `messages`, for the functions
    below.

    LiteLLM 1.106 keeps the events in `session.messages`. LiteLLM 1.110 does not: it logs a turn for each response, an
    object with the `events` of that response. `turns` are these objects.
    """
    events = [event for turn in turns for event in getattr(turn, "events", ())]
    return SimpleNamespace(
        messages=events,
        backend_ws=getattr(session, "backend_ws", None),
        logging_obj=getattr(session, "logging_obj", None),
    )


def socket_response(session: Any) -> Response:
    """Read LiteLLM's session of the Responses API, after the connections to the client and the provider are closed."""
    responses = _ended_responses(session)
    connection = getattr(session, "backend_ws", None)
    # Of the closing handshake of `websockets`: true if the provider sent the first close frame, false if LiteLLM did
    # because the client had left, `None` without a handshake. Only the first one has a code of the provider's.
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
    return [fields_of(event.get("response")) for event in events if event.get("type") in LAST_EVENTS]


def socket_usage(session: Any) -> Usage | None:
    """The sum of the usage of all responses that have ended."""
    return _summed(usage for response in _ended_responses(session) if (usage := read_usage(response)))


def socket_cost(session: Any) -> Cost | None:
    """Let LiteLLM calculate the cost of the session, in the way in which LiteLLM does it for its log.

    If all responses have the same service tier, the prices of that tier are used; otherwise, of the default tier.
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
"""A session of the Responses API. If the provider has no WebSocket API, LiteLLM makes a call for each response, which
has its own span.
"""


# --- HTTP requests for a secret or a connection, with which a client opens a realtime session -----------------


def admission_request(parameters: Parameters) -> Request:
    """Read a request for a secret, or for a connection. The model is a parameter, or is in the session's settings."""
    session = fields_of(parameters.get("session"))
    transcription = fields_of(field(parameters.get("transcription_session"), "input_audio_transcription"))
    model = session.get("model") or parameters.get("model") or transcription.get("model")
    return Request(
        model=model_name(model),
        tools_count=count(session.get("tools")),
        content_length=length(session.get("instructions")),
    )


def admission_response(result: Any) -> Response:
    """Read the id and the model of the session. Nothing else is read, because the response has the client's secret."""
    response = fields_of(_parsed(result))
    session = fields_of(response.get("session")) or response
    transcription = fields_of(session.get("input_audio_transcription"))
    return replace(
        http_response(result),
        id=identifier(session.get("id")),
        model=model_name(session.get("model") or transcription.get("model")),
    )


def _parsed(result: Any) -> Any:
    """The JSON in the body of an HTTP response; `None` if the body is not JSON, or is too long."""
    content = field(result, "_content")
    if not isinstance(content, bytes) or len(content) > _MAX_ADMISSION_BYTES:
        return None
    try:
        return json.loads(content)
    except ValueError:
        return None


def connection_response(result: Any) -> Response:
    """Read the response to a request for a connection. The last part of its `location` is the provider's id of it."""
    location = field(result, "headers")
    path = location.get("location") if isinstance(location, Mapping) else None
    return replace(http_response(result), id=identifier(path.rpartition("/")[2]) if isinstance(path, str) else None)


ADMISSION = ApiFormat(request=admission_request, response=admission_response, usage=no_usage, cost=no_cost)
CONNECTION = replace(ADMISSION, response=connection_response)


def _summed(parts: Iterable[Usage]) -> Usage | None:
    """Add the usage of several responses; `None` if there are none."""
    sums: dict[str, Any] = {}
    for usage in parts:
        for name, value in vars(usage).items():
            sums[name] = sums.get(name, 0) + value
    return Usage(**sums) if sums else None
