"""Realtime sessions that LiteLLM forwards between the application and the provider, and the requests that admit an
application's own client to a session.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.call import Cost, Request, Response, Usage
from agentops_otel_litellm.readers.api_formats import ApiFormat
from agentops_otel_litellm.readers.jobs import http_response
from agentops_otel_litellm.readers.litellm_cost import litellm_cost
from agentops_otel_litellm.readers.requests import Parameters, default_request
from agentops_otel_litellm.readers.responses import no_cost, no_usage
from agentops_otel_litellm.readers.usage import read_media_usage, summed
from agentops_otel_litellm.readers.values import (
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
"""Maximum size of a response that is parsed, in bytes. A response that admits a client has about 2,000."""
_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def read_session_end(session: Any) -> BaseException | None:
    """The exception that ended the connection to the provider; `None` if it was closed normally."""
    connection = getattr(session, "backend_ws", None)
    if getattr(connection, "close_code", None) is None:
        return None
    end = getattr(getattr(connection, "protocol", None), "close_exc", None)
    is_normal = end is None or any(kind.__name__ == "ConnectionClosedOK" for kind in type(end).__mro__)
    return None if is_normal else end


def session_response(session: Any) -> Response:
    """Read LiteLLM's session at its end, before LiteLLM closes a connection that the provider has not closed."""
    if session is None:
        return Response()
    created = _session(session)
    code = integer(getattr(getattr(session, "backend_ws", None), "close_code", None))
    return Response(
        id=identifier(created.get("id")),
        model=model_name(created.get("model")),
        turns_count=len(_messages(session, "response.done")),
        close_code=code,
        closed_by="client" if code is None else "provider",
    )


def _messages(session: Any, kind: str) -> list[Mapping[str, Any]]:
    """The provider's messages of one type. Of all messages, LiteLLM keeps only the start of the session and the
    responses.
    """
    kept = elements(getattr(session, "messages", None))
    return [message for each in kept if (message := fields_of(each)).get("type") == kind]


def _session(session: Any) -> Mapping[str, Any]:
    created = _messages(session, "session.created")
    return fields_of(created[0].get("session")) if created else {}


def session_usage(session: Any) -> Usage | None:
    """The sum of the usages of all responses; in a session that only transcribes, of all transcripts."""
    turns = [message.get("response") for message in _messages(session, "response.done")]
    return summed(usage for each in turns or _messages(session, _TRANSCRIBED) if (usage := read_media_usage(each)))


def session_cost(session: Any) -> Cost | None:
    """LiteLLM's price of the session, calculated here because LiteLLM logs sessions later, in the background."""
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


# --- requests that admit an application's own client to a session -----------------------------------------------


def admission_request(parameters: Parameters) -> Request:
    """Read the request. The model is a parameter, or a part of the session."""
    session = fields_of(parameters.get("session"))
    transcription = fields_of(field(parameters.get("transcription_session"), "input_audio_transcription"))
    model = session.get("model") or parameters.get("model") or transcription.get("model")
    return Request(
        model=model_name(model),
        tools_count=count(session.get("tools")),
        content_length=length(session.get("instructions")),
    )


def admission_response(result: Any) -> Response:
    """Read the session's id and model only, because the response also has the secret that admits the client."""
    response = fields_of(_parsed(result))
    session = fields_of(response.get("session")) or response
    transcription = fields_of(session.get("input_audio_transcription"))
    return replace(
        http_response(result),
        id=identifier(session.get("id")),
        model=model_name(session.get("model") or transcription.get("model")),
    )


def _parsed(result: Any) -> Any:
    """The JSON in the body of a response; `None` if there is none, or if the body is too long."""
    content = field(result, "_content")
    if not isinstance(content, bytes) or len(content) > _MAX_ADMISSION_BYTES:
        return None
    try:
        return json.loads(content)
    except ValueError:
        return None


def connection_response(result: Any) -> Response:
    """Read the response that describes the connection. The last part of its URL is the provider's id of the call."""
    location = field(result, "headers")
    path = location.get("location") if isinstance(location, Mapping) else None
    return replace(http_response(result), id=identifier(path.rpartition("/")[2]) if isinstance(path, str) else None)


ADMISSION = ApiFormat(request=admission_request, response=admission_response, usage=no_usage, cost=no_cost)
CONNECTION = replace(ADMISSION, response=connection_response)
