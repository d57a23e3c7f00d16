"""Exceptions → Failure."""

from __future__ import annotations

from typing import Any

from agentops_otel_litellm.call import Failure
from agentops_otel_litellm.readers.values import integer, number, text

_STATUS_OF_NONE = 500
# What the HTTP clients raise where there was no response, and so no status.
_UNCONNECTED = frozenset({"APIConnectionError", "TransportError", "ConnectionError", "ClientConnectionError"})
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-kong-request-id")


def read_failure(error: BaseException) -> Failure:
    """The facts of an exception: its classes, its codes. Its text quotes prompts and keys, and stays where it is."""
    cause: Any = getattr(error, "original_exception", None)
    if cause is not None and type(error).__name__ == "MidStreamFallbackError":
        error = cause
    told = _told_by_client(error)
    headers = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", None
    )
    return Failure(
        type=type(error).__name__,
        ancestry=_names(told),
        provider=_provider(error),
        status_code=_status(told),
        retry_after=_seconds(_header(headers, "retry-after")),
        request_id=next((found for name in _REQUEST_IDS if (found := _header(headers, name))), None),
    )


def _provider(error: Any) -> str | None:
    """Where LiteLLM streams from Gemini it has one name for both of Google's services, and none of them is called so."""
    name = text(getattr(error, "llm_provider", None))
    return None if name == "vertex_ai_beta" else name


def _status(error: Any) -> int | None:
    """The HTTP client's own exceptions have it in the response."""
    status = getattr(error, "status_code", None)
    return integer(getattr(getattr(error, "response", None), "status_code", None) if status is None else status)


def _told_by_client(error: BaseException) -> BaseException:
    """The exception itself; but where LiteLLM has made a status of 500 of a lost connection, the HTTP client's.

    Its `APIConnectionError` is what LiteLLM makes of every exception that it does not know: that one is told then.
    """
    beneath: BaseException | None = error if getattr(error, "status_code", None) == _STATUS_OF_NONE else None
    while beneath is not None and type(beneath).__module__.startswith("litellm."):
        beneath = beneath.__cause__ or beneath.__context__
    if beneath is None:
        return error
    unknown = type(error).__name__ == "APIConnectionError"
    return beneath if unknown or not _UNCONNECTED.isdisjoint(_names(beneath)) else error


def _names(error: BaseException) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in type(error).__mro__)


def _header(headers: Any, name: str) -> str | None:
    return text(headers.get(name)) if hasattr(headers, "get") else None


def _seconds(value: str | None) -> float | None:
    try:
        return None if value is None else number(float(value))
    except ValueError:
        return None  # an HTTP date
