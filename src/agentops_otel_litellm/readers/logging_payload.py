"""LiteLLM's logging of calls: the logging object → records, for calls that no patched function traced, and the opt-outs
from the logging of messages, as the installed release decides on them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentops_otel_litellm.call import Cost, Timing, Usage
from agentops_otel_litellm.readers.api_format import ApiFormat
from agentops_otel_litellm.readers.chat import CHAT
from agentops_otel_litellm.readers.parameters import METADATA_PARAMETERS
from agentops_otel_litellm.readers.text_and_embeddings import TEXT
from agentops_otel_litellm.readers.usage_and_cost import litellm_cost, with_cost_parts
from agentops_otel_litellm.readers.values import Parameters, field, integer

_NO_PROVIDER = "litellm_no_upstream_llm_call"
_PASSED_THROUGH = "pass_through_endpoint"
_ASSEMBLED_RESPONSES = ("complete_streaming_response", "async_complete_streaming_response")
_API_FORMATS = {"ModelResponse": CHAT, "TextCompletionResponse": TEXT}


def _details(logging: Any) -> Mapping[str, Any]:
    details = getattr(logging, "model_call_details", None)
    return details if isinstance(details, dict) else {}


def was_made(logging: Any) -> bool:
    """Whether a call was made. The proxy also logs rejected requests, and requests that are only previewed."""
    return not _details(logging).get(_NO_PROVIDER) and getattr(logging, "raw_request_only", None) is not True


def is_over(logging: Any) -> bool:
    """Whether LiteLLM has logged the end of the call. It also logs parts of a stream before its end."""
    if getattr(logging, "stream", None) is not True or getattr(logging, "call_type", None) == _PASSED_THROUGH:
        return True
    details = _details(logging)
    return any(details.get(name) is not None for name in _ASSEMBLED_RESPONSES)


def logged_result(logging: Any, result: Any) -> Any:
    """The response that LiteLLM has assembled from a stream's chunks, or `result` if there is none."""
    details = _details(logging)
    return next((response for name in _ASSEMBLED_RESPONSES if (response := details.get(name)) is not None), result)


def logged_parameters(logging: Any) -> Parameters:
    """The parameters of LiteLLM's function that the logging object has."""
    details = _details(logging)
    parameters = {
        **(details.get("optional_params") or {}),
        "messages": details.get("messages"),
        "input": details.get("input"),
        "stream": getattr(logging, "stream", None) is True,
        "metadata": (details.get("litellm_params") or {}).get("metadata"),
    }
    if not details.get("custom_llm_provider"):
        parameters["model"] = details.get("model")  # LiteLLM has not resolved the application's model
    return parameters


def logged_timing(logging: Any, start_time: Any, end_time: Any) -> Timing | None:
    """Read start and end of a call, which are times of the wall clock.

    LiteLLM passes them to its handlers, or keeps them in the logging object.
    """
    began = start_time or getattr(logging, "start_time", None)
    ended = end_time or _details(logging).get("end_time")
    if not isinstance(began, datetime):
        return None
    duration = ended.timestamp() - began.timestamp() if isinstance(ended, datetime) else None
    return Timing(started_at=int(began.timestamp() * 1e9), duration=duration if duration and duration > 0 else None)


def api_format_of_response(result: Any, api_format: ApiFormat) -> ApiFormat:
    """The readers of a logged result. LiteLLM logs the results of several operations in the API format of a chat."""
    return _API_FORMATS.get(type(result).__name__, api_format)


def logged_usage(logging: Any, result: Any, api_format: ApiFormat) -> Usage | None:
    """The usage that the provider counted. For a stream without usage, LiteLLM logs an estimate, which is not returned.
    It is recognised because it has no count of cached tokens.
    """
    usage = api_format.usage(result)
    if usage is not None:
        usage = api_format.counted(usage, logging)
    if usage is None or getattr(logging, "stream", None) is not True or type(result).__name__ not in _API_FORMATS:
        return usage
    details = field(field(result, "usage"), "prompt_tokens_details")
    return usage if integer(field(details, "cached_tokens")) is not None else None


def logged_cost(logging: Any, usage: Usage | None) -> Cost | None:
    """LiteLLM's price of the call, if the provider has counted its usage. LiteLLM also prices its own estimates."""
    cost = litellm_cost(_details(logging).get("response_cost"))
    return None if cost is None or usage is None else with_cost_parts(cost, usage, logging)


# --- opt-outs ---------------------------------------------------------------------------------------------

_REDACTION = "litellm.litellm_core_utils.redact_messages"
_DYNAMIC = "standard_callback_dynamic_params"
_TURN_OFF = "turn_off_message_logging"


def is_message_logging_off(parameters: Mapping[str, Any], logging: Any) -> bool:
    """Whether LiteLLM logs no messages of a call: by `litellm.turn_off_message_logging`, by the call's parameter of
    that name, by `no-log`, by a header of the proxy's request, or by the settings of its key or team.

    `logging` is LiteLLM's logging object, which has all of these settings; `None` if the call failed before LiteLLM
    made it.
    """
    details = getattr(logging, "model_call_details", None) or {}
    litellm_params: Mapping[str, Any] = details.get("litellm_params") or {}
    is_unlogged = any(each.get("no-log") is True for each in (litellm_params, parameters))
    if is_unlogged and not getattr(sys.modules.get("litellm"), "global_disable_no_log_param", False):
        return True
    should_redact = getattr(sys.modules.get(_REDACTION), "should_redact_message_logging", None)
    if should_redact is None:
        return False
    metadata = {name: parameters[name] for name in METADATA_PARAMETERS if isinstance(parameters.get(name), dict)}
    known = {name: value for name, value in litellm_params.items() if value is not None}
    dynamic = details.get(_DYNAMIC) or getattr(logging, _DYNAMIC, None) or _own_setting(parameters, metadata)
    return bool(should_redact({**details, "litellm_params": {**metadata, **known}, _DYNAMIC: dynamic}))


def _own_setting(parameters: Mapping[str, Any], metadata: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The call's own setting, in its parameters or in its metadata."""
    places = (parameters, *metadata.values())
    return next(({_TURN_OFF: each[_TURN_OFF]} for each in places if each.get(_TURN_OFF) is not None), {})
