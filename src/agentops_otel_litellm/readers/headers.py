"""Reads the HTTP headers of responses and errors: the provider's request id, and what a LiteLLM proxy states.

LiteLLM keeps the headers of a response in its `_hidden_params`, with the prefix `llm_provider-`, and those of an error
without a prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from agentops_otel_litellm.readers.parameters import host_and_port
from agentops_otel_litellm.readers.values import (
    NO_FIELDS,
    Rows,
    field,
    identifier,
    model_name,
    quantity,
    read_fields,
    text,
)
from agentops_otel_litellm.response_headers import ResponseHeaders

PREFIX = "llm_provider-"
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-kong-request-id")
_CALL_ID = "x-litellm-call-id"
"""Each response of a LiteLLM proxy has this header."""
RESPONSE_COST = "x-litellm-response-cost"
"""The price that a LiteLLM proxy has charged."""


def _count(value: Any) -> int | None:
    known = quantity(value)
    return int(known) if known is not None and known >= 0 else None


def _price(value: Any) -> float | None:
    """A price. `None` for 0, which the proxy also states if it has no price for the model."""
    known = quantity(value)
    return known if known is not None and known > 0 else None


def _host(value: Any) -> str | None:
    url = text(value)
    return None if url is None else host_and_port(url)[0]


_ROWS: Rows = {
    _CALL_ID: ("call_id", identifier),
    "x-litellm-model-id": ("model_id", identifier),
    "x-litellm-model-group": ("model_group", model_name),
    "x-litellm-model-api-base": ("provider_address", _host),
    RESPONSE_COST: ("response_cost", _price),
    "x-litellm-key-spend": ("key_spend", quantity),
    "x-litellm-key-max-budget": ("key_max_budget", quantity),
    "x-litellm-attempted-retries": ("attempted_retries", _count),
    "x-litellm-attempted-fallbacks": ("attempted_fallbacks", _count),
}
"""Header of a LiteLLM proxy → field, and its reader."""
_PREFIXED_ROWS: Rows = {f"{PREFIX}{name}": row for name, row in _ROWS.items()}
_PREFIXED_CALL_ID = f"{PREFIX}{_CALL_ID}"
_PREFIXED_REQUEST_IDS = tuple(f"{PREFIX}{name}" for name in _REQUEST_IDS)


def provider_headers(result: Any) -> Mapping[str, Any]:
    """The headers of a response or a stream, by LiteLLM's names with `PREFIX`; empty if there are none."""
    headers = field(getattr(result, "_hidden_params", None), "additional_headers")
    return headers if isinstance(headers, Mapping) else NO_FIELDS


def read_response_headers(result: Any) -> ResponseHeaders | None:
    """Read the headers of a response or a stream; `None` if it has none that are recorded."""
    headers = provider_headers(result)
    found = _request_id_in(headers, _PREFIXED_REQUEST_IDS)
    if _PREFIXED_CALL_ID in headers:
        return _with_remaining_budget(ResponseHeaders(request_id=found, **read_fields(headers, _PREFIXED_ROWS)))
    return None if found is None else ResponseHeaders(request_id=found)


def read_error_headers(error: BaseException) -> ResponseHeaders | None:
    """Read what a LiteLLM proxy states in the headers of an error; `None` if the error is not from a proxy."""
    headers = headers_of(error)
    if header(headers, _CALL_ID) is None:
        return None
    stated = {name: header(headers, name) for name in _ROWS}
    return _with_remaining_budget(ResponseHeaders(**read_fields(stated, _ROWS)))


def _with_remaining_budget(headers: ResponseHeaders) -> ResponseHeaders:
    """Add the remaining budget, if the key has a budget."""
    if headers.key_max_budget is None or headers.key_spend is None:
        return headers
    return replace(headers, key_remaining_budget=headers.key_max_budget - headers.key_spend)


# --- the headers of errors --------------------------------------------------------------------------------------


def headers_of(error: Any) -> Any:
    """The headers of the provider's response that an exception describes."""
    own = getattr(error, "litellm_response_headers", None)
    return getattr(getattr(error, "response", None), "headers", None) if own is None or own == {} else own


def header(headers: Any, name: str) -> str | None:
    """The value of a header; `None` if it is missing or empty."""
    return text(headers.get(name)) if hasattr(headers, "get") else None


def request_id(error: BaseException) -> str | None:
    """The provider's id of the request that failed."""
    return _request_id_in(headers_of(error), _REQUEST_IDS)


def _request_id_in(headers: Any, names: Iterable[str]) -> str | None:
    """The first id in these headers."""
    if not hasattr(headers, "get"):
        return None
    return next(filter(None, map(identifier, filter(None, map(headers.get, names)))), None)
