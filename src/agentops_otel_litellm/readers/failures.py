"""Exceptions → Failure."""

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
from agentops_otel_litellm.readers.values import field, identifier, integer, keyword, number, quantity, text

# What LiteLLM makes the status of a call that got no response, or none that it could read.
_STATUSES_OF_NONE = frozenset({422, 500})
# What the HTTP clients raise where there was no response, and so no status; and what reading one raises.
# What LiteLLM makes of the others, in a release that does not know the words of the provider's text.
_STATUSES_OF_ANY = frozenset({400, 500})
_PROVIDERS = ("litellm.llms.", "openai")
_UNCONNECTED = frozenset({"APIConnectionError", "TransportError", "ConnectionError", "ClientConnectionError"})
_UNREADABLE = frozenset({"JSONDecodeError"})
_DEEPEST = 16
# Classes can be made while an app runs, and called anything.
_CLASS = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)
_QUALIFIED = re.compile(r"[\w.<>]{1,250}", re.ASCII)
_READING_FACT = guard("reading a fact of an exception")
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-kong-request-id")


def read_failure(error: BaseException) -> Failure:
    """The facts of an exception: its classes, its codes. Its text quotes prompts and keys, and stays where it is.

    The type can always be read. Each of the other facts is read by itself: one that cannot be read is absent.
    """
    cause: Any = getattr(error, "original_exception", None)
    if isinstance(cause, BaseException) and type(error).__name__ == "MidStreamFallbackError":
        error = cause
    kind = next(each for each in type(error).__mro__ if _CLASS.fullmatch(each.__name__))
    known: dict[str, Any] = {}
    for name, read in _FACTS.items():
        with _READING_FACT:
            known[name] = read(error)
    return Failure(type=kind.__name__, **{"ancestry": _names(error), **known})


def _telling(error: BaseException) -> BaseException:
    """The exception whose class and status say what went wrong: LiteLLM may have made its own of that."""
    return _told_by_client(_with_own_status(_translated(error)))


def _headers(error: Any) -> Any:
    """Of the provider's response."""
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
    """The facts of what OpenAI's `client` would make of its HTTP client's exception, were it to give up."""
    response = getattr(error, "response", None)
    if response is None:
        return read_failure(error)
    return read_failure(client._make_status_error("", body=None, response=response))  # noqa: SLF001 - it has no other


def _provider(error: Any) -> str | None:
    """As LiteLLM says; but where it streams from Gemini it has one name for Google's two services, which is of none."""
    name = keyword(getattr(error, "llm_provider", None))
    return None if name == "vertex_ai_beta" else name


def _status(error: Any) -> int | None:
    """The HTTP client's own exceptions have it in the response."""
    status = getattr(error, "status_code", None)
    known = integer(getattr(getattr(error, "response", None), "status_code", None) if status is None else status)
    return known if known is not None and 100 <= known < 1000 else None  # noqa: PLR2004 - three digits


def _own_status(error: Any) -> int | None:
    """The status that LiteLLM gave its exception. A provider may send anything in its place, such as an object."""
    return integer(getattr(error, "status_code", None))


def _told_by_client(error: BaseException) -> BaseException:
    """The exception itself; but where LiteLLM has made a status of a lost connection or an unreadable response, the
    one that was raised for that.

    Its `APIConnectionError` is what LiteLLM makes of every exception that it does not know: that one is told then.
    """
    if _own_status(error) not in _STATUSES_OF_NONE:
        return error
    others = [each for each in islice(_causes(error), _DEEPEST) if not type(each).__module__.startswith("litellm.")]
    if not others:
        return error
    told = next((each for each in others if type(each) is not Exception), others[0])  # LiteLLM raises those too
    unknown = type(error).__name__ == "APIConnectionError"
    return told if unknown or not (_UNCONNECTED | _UNREADABLE).isdisjoint(_names(told)) else error


def _with_own_status(error: BaseException) -> BaseException:
    """The exception itself; but where LiteLLM has made a status of its own of the provider's, the one that has that.

    The text decides in older releases: a 401 in words that they do not know is a bad request with a 400.
    """
    if _own_status(error) not in _STATUSES_OF_ANY:
        return error
    for cause in islice(_causes(error), _DEEPEST):
        if not type(cause).__module__.startswith(_PROVIDERS):
            break
        status = _status(cause)
        if status is not None and status not in _STATUSES_OF_NONE:
            return cause if status != _status(error) else error
    return error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What an exception was raised for, and that one, and so on."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _translated(error: BaseException) -> BaseException:
    """The exception itself; but where LiteLLM translated a request, and made a status of 500 of an exception of its own
    that it had told in a ValueError, that exception.
    """
    if _own_status(error) in _STATUSES_OF_NONE:
        for raised, cause in pairwise(islice(_causes(error), _DEEPEST)):
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
    """The provider's, from the body of its answer: LiteLLM may keep that only where it was first raised. What was
    raised before, for another answer, has another status, or comes after one that has a body.
    """
    for raised in islice((error, *islice(_causes(error), _DEEPEST)), _DEEPEST):
        if _status(raised) != _status(error):
            break
        body = getattr(raised, "body", None)
        if isinstance(body, dict):
            told = body.get("error")
            return keyword(field(told if isinstance(told, dict) else body, "code"))
    return None


def _retry_after(error: BaseException) -> float | None:
    """Seconds from when the provider answered. OpenAI says milliseconds, too; and the Router sets deployments aside."""
    headers = _headers(error)
    milliseconds = quantity(_header(headers, "retry-after-ms"))
    if milliseconds is not None and milliseconds >= 0:
        return milliseconds / 1000
    told = _header(headers, "retry-after")
    seconds = quantity(told)
    if seconds is None:
        until, now = _instant(told), _instant(_header(headers, "date"))
        seconds = None if until is None else max(until - (time() if now is None else now), 0.0)
    known = seconds if seconds is not None and seconds >= 0 else None
    return number(getattr(error, "cooldown_time", None)) if known is None else known


def _instant(date: str | None) -> float | None:
    """Of an HTTP date, in seconds since the epoch."""
    with suppress(ValueError, TypeError, OverflowError):
        return None if date is None else parsedate_to_datetime(date).timestamp()
    return None


# Field of a failure → what reads it.
_FACTS = {
    "ancestry": lambda error: _names(_telling(error)),
    "provider": _provider,
    "status_code": lambda error: _status(_telling(error)),
    "retry_after": _retry_after,
    "request_id": _request_id,
    "exception": _class_name,
    "code": _code,
    "retryable": _retryable,
}
