"""LiteLLM's own opt-outs from the logging of messages, as the installed release decides on them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

_REDACTION = "litellm.litellm_core_utils.redact_messages"
_DYNAMIC = "standard_callback_dynamic_params"
_TURN_OFF = "turn_off_message_logging"
_METADATA = ("metadata", "litellm_metadata")


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
    metadata = {name: parameters[name] for name in _METADATA if isinstance(parameters.get(name), dict)}
    known = {name: value for name, value in litellm_params.items() if value is not None}
    dynamic = details.get(_DYNAMIC) or getattr(logging, _DYNAMIC, None) or _own_setting(parameters, metadata)
    return bool(should_redact({**details, "litellm_params": {**metadata, **known}, _DYNAMIC: dynamic}))


def _own_setting(parameters: Mapping[str, Any], metadata: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The call's own setting, in its parameters or in its metadata."""
    places = (parameters, *metadata.values())
    return next(({_TURN_OFF: each[_TURN_OFF]} for each in places if each.get(_TURN_OFF) is not None), {})
