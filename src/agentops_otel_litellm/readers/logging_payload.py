"""Reads calls that no patched function traced from LiteLLM's logging object. Also finds out whether the application has
turned off the logging of a call's messages, which the installed release of LiteLLM decides.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentops_otel_litellm.call import Cost, Timing, Usage
from agentops_otel_litellm.readers.api_format import ApiFormat
from agentops_otel_litellm.readers.chat import CHAT
from agentops_otel_litellm.readers.metadata import METADATA_PARAMETERS
from agentops_otel_litellm.readers.parameters import is_of_a_tool
from agentops_otel_litellm.readers.stated_prices import read_stated_cost, with_certainty
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
    """Whether a provider was called. The proxy also logs requests that it rejects, requests that it only shows, and
    tools of MCP servers, which have spans of their own.
    """
    if is_of_a_tool(logging):
        return False
    return not _details(logging).get(_NO_PROVIDER) and getattr(logging, "raw_request_only", None) is not True


def is_over(logging: Any) -> bool:
    """Whether the call has ended. LiteLLM also logs the parts of a stream before its end."""
    if getattr(logging, "stream", None) is not True or getattr(logging, "call_type", None) == _PASSED_THROUGH:
        return True
    details = _details(logging)
    return any(details.get(name) is not None for name in _ASSEMBLED_RESPONSES)


def logged_result(logging: Any, result: Any) -> Any:
    """The response that LiteLLM has assembled from the chunks of a stream; `result` if the call is no stream."""
    details = _details(logging)
    return next((response for name in _ASSEMBLED_RESPONSES if (response := details.get(name)) is not None), result)


def logged_parameters(logging: Any) -> Parameters:
    """The parameters with which the application called LiteLLM's function, as far as the logging object has them."""
    details = _details(logging)
    parameters = {
        **(details.get("optional_params") or {}),
        "messages": details.get("messages"),
        "input": details.get("input"),
        "stream": getattr(logging, "stream", None) is True,
        "metadata": (details.get("litellm_params") or {}).get("metadata"),
    }
    if not details.get("custom_llm_provider"):
        # Without a provider, this is still the name that the application passed; otherwise it is LiteLLM's.
        parameters["model"] = details.get("model")
    return parameters


def logged_timing(logging: Any, start_time: Any, end_time: Any) -> Timing | None:
    """Read the start of a call, and its duration if LiteLLM knows the end. `None` if the start is unknown.

    LiteLLM passes both times (of the wall clock) to its handlers, or keeps them in the logging object.
    """
    began = start_time or getattr(logging, "start_time", None)
    ended = end_time or _details(logging).get("end_time")
    if not isinstance(began, datetime):
        return None
    duration = ended.timestamp() - began.timestamp() if isinstance(ended, datetime) else None
    return Timing(started_at=int(began.timestamp() * 1e9), duration=duration if duration and duration > 0 else None)


def api_format_of_response(result: Any, api_format: ApiFormat) -> ApiFormat:
    """The readers of a logged result: by its class, because LiteLLM logs results of several API formats as chats.

    `api_format` is that of the operation, for results of other classes.
    """
    return _API_FORMATS.get(type(result).__name__, api_format)


def logged_usage(logging: Any, result: Any, api_format: ApiFormat) -> Usage | None:
    """The usage that the provider counted; `None` if LiteLLM logs an estimate."""
    usage = api_format.usage(result)
    if usage is not None:
        usage = api_format.counted(usage, logging)
    if usage is None or getattr(logging, "stream", None) is not True or type(result).__name__ not in _API_FORMATS:
        return usage
    # LiteLLM logs an estimate for a stream without usage. Unlike a provider's usage, it has no count of cached tokens.
    details = field(field(result, "usage"), "prompt_tokens_details")
    return usage if integer(field(details, "cached_tokens")) is not None else None


def logged_cost(logging: Any, result: Any, usage: Usage | None) -> Cost | None:
    """The cost that the provider states, or else the cost that LiteLLM has logged. `None` without a `usage`, because
    then it is the cost of LiteLLM's estimate.
    """
    stated = read_stated_cost(result, logging)
    if stated is not None:
        return stated
    cost = litellm_cost(_details(logging).get("response_cost"))
    return (
        None if cost is None or usage is None else with_certainty(with_cost_parts(cost, usage, logging), usage, logging)
    )


# --- turning off the logging of messages ------------------------------------------------------------------

_REDACTION = "litellm.litellm_core_utils.redact_messages"
_DYNAMIC = "standard_callback_dynamic_params"
_TURN_OFF = "turn_off_message_logging"


def is_message_logging_off(parameters: Mapping[str, Any], logging: Any) -> bool:
    """Whether LiteLLM must not log the messages of a call.

    It is turned off by `litellm.turn_off_message_logging`, by a parameter of the same name, by the parameter `no-log`,
    by a header of the request to the proxy, or by a setting of the proxy's key or team. LiteLLM's `logging` object has
    all of these. It is `None` if the call failed before LiteLLM created it.
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
    """The parameter `turn_off_message_logging`, from the call's parameters or metadata; empty if it is not set."""
    places = (parameters, *metadata.values())
    return next(({_TURN_OFF: each[_TURN_OFF]} for each in places if each.get(_TURN_OFF) is not None), {})


def is_sending_a_mock(logging: Any) -> bool:
    """Whether LiteLLM returns a mock in place of the request that it has just logged: it logs a fixed API key.

    This finds an empty mock response, which newer releases of LiteLLM accept, and older ones ignore.
    """
    details = getattr(logging, "model_call_details", None)
    return type(details) is dict and details.get("api_key") == "mock-key"
