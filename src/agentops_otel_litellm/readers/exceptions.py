"""Reads exceptions of LiteLLM and of HTTP clients as `Failure`.

LiteLLM may raise an exception that describes the failure less exactly than the one that caused it. So several functions
search the chain of causes (`__cause__`, or else `__context__`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from itertools import chain, islice, pairwise, starmap
from time import time
from traceback import walk_tb
from typing import Any

from agentops_otel_litellm.call import Failure
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.readers.headers import header, headers_of, request_id
from agentops_otel_litellm.readers.interventions import added_names
from agentops_otel_litellm.readers.values import (
    field,
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
_STATUSES_OF_LOCAL_ERRORS = frozenset({400, 422, 500})  # which LiteLLM sets for an exception of Python itself
_PROVIDERS = ("litellm.llms.", "openai")  # modules whose exceptions have the provider's status
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


def read_failure(error: BaseException, *, sent_request: bool = True) -> Failure:
    """Read the facts of an exception: its classes and codes. Its text, which may quote prompts and keys, is not read.

    `sent_request` is false if LiteLLM has not sent a request. If a reader raises, only its fact is missing.
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
    if not sent_request:
        with _READING_FACT:
            known |= _facts_without_request(error, known["ancestry"])
    return Failure(type=kind.__name__, **{"ancestry": _names(error), **known})


def read_failed_response(response: Any) -> Failure | None:
    """The failure of a response of the Responses API whose status is `failed`, although its HTTP status is 200."""
    if text(field(response, "status")) != "failed":
        return None
    code = keyword(field(field(response, "error"), "code"))
    return Failure(type=code or "response_failed", ancestry=(), code=code)


def read_error_text(error: BaseException) -> str | None:
    """The provider's error text, or else the exception's own text. It can quote prompts and keys, so it is content."""
    for raised in _chain(error):
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


def _retryable(error: BaseException) -> bool | None:
    return {"true": True, "false": False}.get(header(headers_of(error), "x-should-retry") or "")


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


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, its cause, and so on: at most `_MAX_CAUSES`."""
    return islice(chain((error,), _causes(error)), _MAX_CAUSES)


# --- errors that the provider sends inside a stream, after the status 200 ------------------------------------


# Type of an error, such as in Anthropic's error event → the status with which Anthropic rejects a request for it.
STREAM_ERROR_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def _error_in_stream(error: BaseException) -> Mapping[str, Any] | None:
    """The error that the provider sent inside a stream: its code, its type, and so on. `None` if it sent none.

    OpenAI's client keeps it as `body` of an exception without a status. LiteLLM's parsers of chunks, all named
    `chunk_parser`, raise exceptions that do not have it; but they have it as their argument `chunk`.
    """
    for raised in _chain(error):
        body = getattr(raised, "body", None)
        if isinstance(body, dict) and type(raised).__module__.startswith("openai") and _status(raised) is None:
            return body
        for frame, _line in walk_tb(raised.__traceback__):
            if frame.f_code.co_name == "chunk_parser":
                sent = field(frame.f_locals.get("chunk"), "error")
                if isinstance(sent, dict):
                    return sent
    return None


def _status_in_stream(sent: Mapping[str, Any]) -> int | None:
    """The HTTP status that an error inside a stream states: as its code, or by its type."""
    code = quantity(sent.get("code"))
    if code is not None and code.is_integer() and 400 <= code < 600:  # noqa: PLR2004 - the statuses of errors
        return int(code)
    return STREAM_ERROR_STATUSES.get(text(sent.get("type")) or "")


# --- statuses that no server has sent -------------------------------------------------------------------------


# Classes of LiteLLM that it raises by itself, and not because of a response.
_RAISED_BY_LITELLM = frozenset(
    {
        *("UnsupportedParamsError", "BudgetExceededError", "JSONSchemaValidationError"),
        *("RouterRateLimitError", "RouterRateLimitErrorBasic", "ModelNotMappedError"),
    }
)
_LOCAL_ERRORS = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError, AssertionError)
"""Classes of exceptions that Python raises for a request that cannot be written, or a response that cannot be used."""
_WRITERS = frozenset({"json", "json.encoder", "httpx._content"})
"""Modules that write the body of a request."""
_RESPONSE_READERS = ("make_openai_chat_completion_request", "make_sync_openai_chat_completion_request")
"""Functions that read a response, although their names do not show it."""
_INNERMOST = 4
"""How many functions, from the one that raised an exception outwards, are searched for the reason of the exception."""
UNSENT, UNREADABLE = "UnsentRequest", "UnreadableResponse"
"""Names in `Failure.ancestry`: the request could not be sent; the body of the response could not be used."""


def _answered_status(error: BaseException) -> int | None:
    """The HTTP status that a server has sent. LiteLLM also sets statuses if none has: 408 if the client has waited too
    long, 500 and 422 for any exception of Python, 400 and 429 for errors of its own.
    """
    sent = _error_in_stream(error)
    if sent is not None:
        return _status_in_stream(sent)
    response_error = _response_error(error)
    status = _status(response_error or _original(error))
    if status is None or response_error is not None:
        return status
    is_own = not _RAISED_BY_LITELLM.isdisjoint(_names(error))
    if is_own or status == 408 or _local_reason(error) is not None:  # noqa: PLR2004 - a timeout
        return None
    local = _local_error(error)
    return None if local is not None and status in _STATUSES_OF_LOCAL_ERRORS else status


def _response_error(error: BaseException) -> BaseException | None:
    """The HTTP client's exception for a response with an error status, if that is the cause; otherwise `None`. LiteLLM
    makes up responses for its own exceptions.
    """
    for raised in _chain(error):
        if type(raised).__name__ == "MaskedHTTPStatusError" or not (
            type(raised).__module__.startswith("litellm") or type(raised) is Exception
        ):
            return raised if _status(raised) is not None else None
    return None


def _local_error(error: BaseException) -> BaseException | None:
    """The exception of Python itself that LiteLLM has mapped to `error`; `None` if there is none."""
    others = (each for each in _causes(error) if not type(each).__module__.startswith("litellm"))
    first = next((each for each in islice(others, _MAX_CAUSES) if type(each) is not Exception), None)
    return first if first is not None and _is_local(first) else None


def _is_local(error: BaseException) -> bool:
    return isinstance(error, _LOCAL_ERRORS) and not type(error).__module__.startswith("litellm")


def _local_reason(error: BaseException) -> str | None:
    """Why a call failed in this process: `UNSENT` or `UNREADABLE`; `None` if that is unknown, or if a server failed it.

    It is found by the functions in which Python, or LiteLLM, has raised the exception.
    """
    if _response_error(error) is not None or _error_in_stream(error) is not None:
        return None
    local = _local_error(error)
    if local is None:
        *_, last = _chain(error)
        is_own = type(last).__module__.startswith("litellm") and _own_status(last) == 500  # noqa: PLR2004 - as for any
        return UNREADABLE if is_own and any(starmap(_rejects_response, _places(last)[-1:])) else None
    if isinstance(local, UnicodeEncodeError):
        return UNSENT
    if not _UNREADABLE.isdisjoint(_names(local)):
        return UNREADABLE
    places = _places(local)
    if any(module in _WRITERS for module, _function in places):
        return UNSENT
    # LiteLLM's providers convert the request before it is sent, so an exception of Python here is about the response.
    is_of_response = any(
        module.startswith(_PROVIDERS[0]) or module.endswith("_response") or "transform_response" in function
        for module, function in places
    )
    return UNREADABLE if is_of_response else None


def _rejects_response(module: str, function: str) -> bool:
    """Whether a function of LiteLLM raises an exception of its own for a response that it cannot use."""
    return module.endswith("_response") or function in _RESPONSE_READERS


def _places(error: BaseException) -> list[tuple[str, str]]:
    """The modules and names of the innermost functions of a traceback."""
    frames = [frame for frame, _line in walk_tb(error.__traceback__)][-_INNERMOST:]
    return [(str(frame.f_globals.get("__name__")), frame.f_code.co_name) for frame in frames]


def _ancestry(error: BaseException) -> tuple[str, ...]:
    """The names of the classes of the original exception, after the reason for a failure in this process."""
    sent = _error_in_stream(error)
    if sent is not None and _status_in_stream(sent) not in {None, _own_status(error)}:
        return ("APIError",)  # LiteLLM has chosen the class by a different status
    reason, names = _local_reason(error), _names(_original(error))
    return (*added_names(error), *(() if reason is None else (reason,)), *names)


def _facts_without_request(error: BaseException, ancestry: tuple[str, ...]) -> dict[str, Any]:
    """The facts that differ if LiteLLM has recorded no request: there is no status, and LiteLLM could not convert the
    request. An application's own provider sends requests that LiteLLM does not record.
    """
    local = error if _is_local(error) else _local_error(error)
    if local is not None:
        is_of_litellm = any(module.startswith("litellm.") for module, _function in _places(local)[-1:])
        return {"status_code": None, "ancestry": (UNSENT, *ancestry) if is_of_litellm else ancestry}
    is_of_provider = any(type(each).__module__.startswith(_PROVIDERS) for each in _chain(error))
    return {} if is_of_provider or _response_error(error) is not None else {"status_code": None}


def _names(error: BaseException) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in type(error).__mro__)


def _qualified(kind: type) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    return name if kind.__module__ != "builtins" and _QUALIFIED.fullmatch(name) else kind.__name__


def _code(error: BaseException) -> str | None:
    """The provider's error code, from the body of its response, or from an error inside a stream. If it has no code, or
    the code is a number, the type of the error.

    The body may be only on a cause, so the chain of causes is searched. Further down, the chain may have exceptions of
    earlier responses. So the search ends at the first exception with a body, or with a different status.
    """
    sent = _error_in_stream(error)
    if sent is not None:
        return _code_in(sent)
    for raised in _chain(error):
        if _status(raised) != _status(error):
            break
        body = getattr(raised, "body", None)
        if isinstance(body, dict):
            details = body.get("error")
            return _code_in(details if isinstance(details, dict) else body)
    return None


def _code_in(details: Mapping[str, Any]) -> str | None:
    code = keyword(details.get("code"))
    return code if code is not None and not code.isdecimal() else keyword(details.get("type"))


def _retry_after(error: BaseException) -> float | None:
    """Seconds after the response until the provider accepts a retry, from the response's headers. If there are none,
    the Router's cooldown time.
    """
    headers = headers_of(error)
    milliseconds = quantity(header(headers, "retry-after-ms"))
    if milliseconds is not None and milliseconds >= 0:
        return milliseconds / 1000
    retry_after = header(headers, "retry-after")
    seconds = quantity(retry_after)
    if seconds is None:
        until, now = _instant(retry_after), _instant(header(headers, "date"))
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
    "ancestry": _ancestry,
    "provider": _provider,
    "status_code": _answered_status,
    "retry_after": _retry_after,
    "request_id": request_id,
    "exception": _class_name,
    "code": _code,
    "retryable": _retryable,
}
