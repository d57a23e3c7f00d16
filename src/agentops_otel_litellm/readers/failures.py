"""Exceptions → Failure."""

from __future__ import annotations

from typing import Any

from agentops_otel_litellm.call import Failure
from agentops_otel_litellm.readers.values import integer, number, text

_STATUS_OF_NONE = 500
# What the HTTP clients raise where there was no response, and so no status.
_UNCONNECTED = frozenset({"APIConnectionError", "TransportError", "ConnectionError", "ClientConnectionError"})


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
        provider=text(getattr(error, "llm_provider", None)),
        status_code=_status(told),
        retry_after=_seconds(_header(headers, "retry-after")) or number(getattr(error, "cooldown_time", None)),
        request_id=_header(headers, "x-request-id") or _header(headers, "request-id"),
    )


def read_client_failure(client: Any, error: BaseException) -> Failure:
    """The facts of what OpenAI's `client` would make of its HTTP client's exception, were it to give up."""
    response = getattr(error, "response", None)
    if response is None:
        return read_failure(error)
    return read_failure(client._make_status_error("", body=None, response=response))  # noqa: SLF001 - it has no other


def _status(error: Any) -> int | None:
    """The HTTP client's own exceptions have it in the response."""
    status = getattr(error, "status_code", None)
    return integer(getattr(getattr(error, "response", None), "status_code", None) if status is None else status)


def _told_by_client(error: BaseException) -> BaseException:
    """The exception itself; but where LiteLLM has made a status of 500 of a lost connection, the HTTP client's."""
    beneath: BaseException | None = error if getattr(error, "status_code", None) == _STATUS_OF_NONE else None
    while beneath is not None and type(beneath).__module__.startswith("litellm."):
        beneath = beneath.__cause__ or beneath.__context__
    return beneath if beneath is not None and not _UNCONNECTED.isdisjoint(_names(beneath)) else error


def _names(error: BaseException) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in type(error).__mro__)


def _header(headers: Any, name: str) -> str | None:
    return text(headers.get(name)) if hasattr(headers, "get") else None


def _seconds(value: str | None) -> float | None:
    try:
        return None if value is None else number(float(value))
    except ValueError:
        return None  # an HTTP date
