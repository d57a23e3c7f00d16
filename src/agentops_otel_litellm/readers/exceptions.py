"""Reads exceptions of LiteLLM and of HTTP clients as `Failure`.

LiteLLM may raise an exception that describes the failure less exactly than the one that caused it. So several functions
search the chain of causes (`__cause__`, or else `__context__`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from itertools import islice, pairwise
from time import time
from typing import Any

from agentops_otel_litellm.call import Failure
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.readers.values import (
    field,
    identifier,
    integer,
    keyword,
    mask_secrets,
    number,
    quantity,
    text,
)

# Statuses that LiteLLM sets if it received no response, or could not read it.
_STATUSES_WITHOUT_RESPONSE = frozenset({422, 500})
# Statuses that older releases of LiteLLM set in place of the provider's, if they do not recognise the response's text.
_STATUSES_OF_ANY_RESPONSE = frozenset({400, 500})
_PROVIDERS = ("litellm.llms.", "openai")
"""Modules whose exceptions have the provider's status."""
# Exceptions that HTTP clients raise if there is no response, and if its body cannot be read.
_UNCONNECTED = frozenset({"APIConnectionError", "TransportError", "ConnectionError", "ClientConnectionError"})
_UNREADABLE = frozenset({"JSONDecodeError"})
_MAX_CAUSES = 16
# Names of classes that are recorded. Other names could contain anything, because a class can be created at run time.
_CLASS = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)
_LITELLM_PREFIX = re.compile(
    r"\A(?:(?:litellm\.)?\w{1,99}(?:Error|Exception|Timeout): ){0,4}(?:\w{1,99}Exception - )?", re.ASCII
)
"""The beginning of texts of LiteLLM's exceptions: `litellm.RateLimitError: RateLimitError: OpenAIException - `."""
_QUALIFIED = re.compile(r"[\w.<>]{1,250}", re.ASCII)
_READING_FACT = guard("reading a fact of an exception")
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-kong-request-id")


def read_failure(error: BaseException) -> Failure:
    """Read the facts of an exception: its classes and codes. Its text, which may quote prompts and keys, is not read.

    If a reader raises, only its fact is missing.
    """
    # By `MidStreamFallbackError`, LiteLLM makes the Router continue a stream with a fallback. The failure is its
    # cause.
    cause: Any = getattr(error, "original_exception", None)
    if isinstance(cause, BaseException) and type(error).__name__ == "MidStreamFallbackError":
        error = cause
    # The first class in the hierarchy whose name may be recorded.
    kind = next(each for each in type(error).__mro__ if _CLASS.fullmatch(each.__name__))
    known: dict[str, Any] = {}
    for name, read in _FACTS.items():
        with _READING_FACT:
            known[name] = read(error)
    return Failure(type=kind.__name__, **{"ancestry": _names(error), **known})


def read_error_text(error: BaseException) -> str | None:
    """The provider's error text, or else the exception's own text. It can quote prompts and keys, so it is content."""
    for raised in islice((error, *islice(_causes(error), _MAX_CAUSES)), _MAX_CAUSES):
        body = getattr(raised, "body", None)
        if isinstance(body, dict):
            details = body.get("error")
            message = text(field(details if isinstance(details, dict) else body, "message"))
            if message:
                return message
    own = text(getattr(error, "message", None)) or str(error)
    return _LITELLM_PREFIX.sub("", own, count=1).strip() or None


def _original(error: BaseException) -> BaseException:
    """Return the exception in the chain of causes that describes the failure most exactly."""
    return _of_client(_with_original_status(_untranslated(error)))


def _headers(error: Any) -> Any:
    """The headers of the provider's response."""
    own = getattr(error, "litellm_response_headers", None)
    return getattr(getattr(error, "response", None), "headers", None) if own is None or own == {} else own


def _request_id(error: BaseException) -> str | None:
    headers = _headers(error)
    return identifier(next((found for name in _REQUEST_IDS if (found := _header(headers, name))), None))


def _retryable(error: BaseException) -> bool | None:
    return {"true": True, "false": False}.get(_header(_headers(error), "x-should-retry") or "")


def _class_name(error: BaseException) -> str:
    return _qualified(next(each for each in type(error).__mro__ if _CLASS.fullmatch(each.__name__)))


def read_client_failure(client: Any, error: BaseException) -> Failure:
    """Read the failure of a request that OpenAI's `client` retries. `error` is the HTTP client's exception.

    OpenAI's client converts a response with an error status to an `APIStatusError` only if it does not retry, so it is
    converted here.
    """
    response = getattr(error, "response", None)
    if response is None:
        return read_failure(error)
    return read_failure(client._make_status_error("", body=None, response=response))  # noqa: SLF001 - there is no public one


def _provider(error: Any) -> str | None:
    """The provider, as LiteLLM names it; `None` if it is unknown."""
    name = keyword(getattr(error, "llm_provider", None))
    name = name and mask_secrets(name)
    # LiteLLM sets `vertex_ai_beta` for the streams of both Vertex AI and Gemini, so it does not name the provider.
    return None if name == "vertex_ai_beta" else name


def _status(error: Any) -> int | None:
    """The HTTP status of an exception, or of its `response`, which exceptions of HTTP clients have."""
    status = getattr(error, "status_code", None)
    known = integer(getattr(getattr(error, "response", None), "status_code", None) if status is None else status)
    return known if known is not None and 100 <= known < 1000 else None  # noqa: PLR2004 - three digits


def _own_status(error: Any) -> int | None:
    """The attribute `status_code`; `None` if it is not an integer: a provider may send any value."""
    return integer(getattr(error, "status_code", None))


def _of_client(error: BaseException) -> BaseException:
    """Return the HTTP client's exception if it caused `error`; otherwise return `error`.

    LiteLLM raises exceptions with the status 422 or 500 for a lost connection and for an unreadable response. It also
    raises `APIConnectionError` for every exception that it does not know: then the cause is returned, whatever it is.
    """
    if _own_status(error) not in _STATUSES_WITHOUT_RESPONSE:
        return error
    others = [each for each in islice(_causes(error), _MAX_CAUSES) if not type(each).__module__.startswith("litellm.")]
    if not others:
        return error
    # LiteLLM also wraps exceptions in a plain `Exception`, which has no information.
    cause = next((each for each in others if type(each) is not Exception), others[0])
    is_unknown = type(error).__name__ == "APIConnectionError"
    return cause if is_unknown or not (_UNCONNECTED | _UNREADABLE).isdisjoint(_names(cause)) else error


def _with_original_status(error: BaseException) -> BaseException:
    """Return the cause that has the provider's status, if LiteLLM has replaced that status; otherwise return `error`.

    Older releases of LiteLLM choose the status by the text of the response. For example, they replace a 401 by a 400 if
    they do not recognise the text.
    """
    if _own_status(error) not in _STATUSES_OF_ANY_RESPONSE:
        return error
    for cause in islice(_causes(error), _MAX_CAUSES):
        if not type(cause).__module__.startswith(_PROVIDERS):
            break
        status = _status(cause)
        if status is not None and status not in _STATUSES_WITHOUT_RESPONSE:
            return cause if status != _status(error) else error
    return error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The cause of an exception, its cause, and so on."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _untranslated(error: BaseException) -> BaseException:
    """Return the exception of the chat to which LiteLLM has translated a request of a different API format; if it has
    translated none, return `error`.

    LiteLLM wraps the chat's exception in a `ValueError`, and then raises an exception with the status 500 for that.
    """
    if _own_status(error) in _STATUSES_WITHOUT_RESPONSE:
        for raised, cause in pairwise(islice(_causes(error), _MAX_CAUSES)):
            if type(raised) is ValueError and type(cause).__module__.startswith("litellm."):
                return cause
    return error


def _names(error: BaseException) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in type(error).__mro__)


def _header(headers: Any, name: str) -> str | None:
    return text(headers.get(name)) if hasattr(headers, "get") else None


def _qualified(kind: type) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    return name if kind.__module__ != "builtins" and _QUALIFIED.fullmatch(name) else kind.__name__


def _code(error: BaseException) -> str | None:
    """The provider's error code, from the body of its response.

    The body may be only on a cause, so the chain of causes is searched. Further down, the chain may have exceptions of
    earlier responses. So the search ends at the first exception with a body, or with a different status.
    """
    for raised in islice((error, *islice(_causes(error), _MAX_CAUSES)), _MAX_CAUSES):
        if _status(raised) != _status(error):
            break
        body = getattr(raised, "body", None)
        if isinstance(body, dict):
            details = body.get("error")
            return keyword(field(details if isinstance(details, dict) else body, "code"))
    return None


def _retry_after(error: BaseException) -> float | None:
    """Seconds after the response until the provider accepts a retry, from the response's headers. If there are none,
    the Router's cooldown time.
    """
    headers = _headers(error)
    milliseconds = quantity(_header(headers, "retry-after-ms"))
    if milliseconds is not None and milliseconds >= 0:
        return milliseconds / 1000
    retry_after = _header(headers, "retry-after")
    seconds = quantity(retry_after)
    if seconds is None:
        until, now = _instant(retry_after), _instant(_header(headers, "date"))
        seconds = None if until is None else max(until - (time() if now is None else now), 0.0)
    known = seconds if seconds is not None and seconds >= 0 else None
    return number(getattr(error, "cooldown_time", None)) if known is None else known


def _instant(date: str | None) -> float | None:
    """Convert an HTTP date to seconds since the epoch; `None` if it is not valid."""
    with suppress(ValueError, TypeError, OverflowError):
        return None if date is None else parsedate_to_datetime(date).timestamp()
    return None


# Field of `Failure` → function of the exception that returns its value.
_FACTS = {
    "ancestry": lambda error: _names(_original(error)),
    "provider": _provider,
    "status_code": lambda error: _status(_original(error)),
    "retry_after": _retry_after,
    "request_id": _request_id,
    "exception": _class_name,
    "code": _code,
    "retryable": _retryable,
}
