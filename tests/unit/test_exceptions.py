"""The category of every exception class of LiteLLM and of the HTTP clients that it uses."""

from __future__ import annotations

import inspect
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import aiohttp
import httpx
import litellm
import openai
import pytest
from botocore.exceptions import (  # type: ignore[import-untyped]  # untyped upstream
    NoCredentialsError,
    PartialCredentialsError,
)
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from litellm import exceptions

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Call, Failure, Target, Timing
from agentops_otel_litellm.processors.errors import CATEGORIES, GENERAL_CATEGORIES, RETRYABLE, categorise_failure

CANARY = "sk-canary"
REQUEST = httpx.Request("POST", f"http://localhost/?key={CANARY}")
# Arguments for the constructors, by the name of the parameter.
CONSTRUCTOR_ARGUMENTS: dict[str, object] = {
    "message": CANARY,
    "model": "gpt-4o",
    "llm_provider": "openai",
    "request": REQUEST,
    "body": None,
    "current_cost": 2.0,
    "max_budget": 1.0,
    "entity_type": CANARY,
    "request_data": {"messages": CANARY},
    "raw_response": CANARY,
    "schema": CANARY,
    "route_to_model": CANARY,
    "session_id": CANARY,
    "failures": [],
    "completion": SimpleNamespace(usage=CANARY),
    "unsent_messages": [CANARY],
}


def make_exception(kind: type[BaseException], status: int) -> BaseException:
    """An exception of the class, made with the arguments that its constructor requires."""
    response = httpx.Response(status, request=REQUEST, text=CANARY)
    arguments = {**CONSTRUCTOR_ARGUMENTS, "response": response, "status_code": status}
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    required = [each.name for each in parameters if each.default is each.empty and each.kind not in _ANY]
    return kind(**{name: arguments[name] for name in required}) if required else kind()


_ANY = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def failure_of(error: BaseException) -> Failure:
    call = Call(name="chat", operation="chat", target=Target(provider="openai"), timing=Timing(started_at=0))
    failed = categorise_failure(replace(call, failure=readers.read_failure(error))).failure
    assert failed is not None
    assert CANARY not in str({**vars(failed), "ancestry": None, "code": None})  # the processor alone uses these two
    return failed


def classes(module: ModuleType, *, own: bool) -> Iterator[type[BaseException]]:
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, BaseException) and (not own or kind.__module__ == module.__name__):
            yield kind


# LiteLLM's class → category and status of an instance with the required arguments only. Classes that require a status
# get 418.
LITELLM_EXCEPTIONS: dict[str, tuple[str, int | None]] = {
    "APIConnectionError": ("connection", 500),
    "APIError": ("invalid_request", 418),
    "APIResponseValidationError": ("invalid_response", 500),
    "AuthenticationError": ("auth", 401),
    "BadGatewayError": ("server_error", 502),
    "BadRequestError": ("invalid_request", 400),
    "BlockedPiiEntityError": ("content_filter", 400),
    "BudgetExceededError": ("quota", 422),
    "ContentPolicyViolationError": ("content_filter", 400),
    "ContextWindowExceededError": ("context_length", 400),
    "GuardrailInterventionNormalStringError": ("content_filter", None),
    "GuardrailRaisedException": ("content_filter", 400),
    "ImageFetchError": ("invalid_request", 400),
    "InternalServerError": ("server_error", 500),
    "InvalidRequestError": ("invalid_request", 400),
    "JSONSchemaValidationError": ("invalid_response", 500),
    "LiteLLMUnknownProvider": ("invalid_request", 400),
    "MidStreamFallbackError": ("stream_interrupted", 503),
    "MockException": ("invalid_request", 418),
    "ModelNotMappedError": ("invalid_request", None),
    "ModifyResponseException": ("content_filter", None),
    "NotFoundError": ("not_found", 404),
    "OpenAIError": ("invalid_request", None),
    "PaymentRequiredError": ("quota", 402),
    "PermissionDeniedError": ("auth", 403),
    "RateLimitError": ("rate_limit", 429),
    "RejectedRequestError": ("content_filter", 400),
    "SensitiveDataRouteException": ("content_filter", None),
    "ServiceUnavailableError": ("server_error", 503),
    "Timeout": ("timeout", 408),
    "UnprocessableEntityError": ("invalid_request", 422),
    "UnsupportedParamsError": ("invalid_request", 400),
    "VectorStoreSearchError": ("invalid_request", 400),
}


@pytest.mark.parametrize("kind", [*classes(exceptions, own=True)])
def test_each_litellm_exception_has_a_category_and_a_retry_hint(kind: type[BaseException]) -> None:
    """Classes that this table does not list have a category too. `retryable` follows LiteLLM's rule for the status.

    Quota errors are the exception: LiteLLM retries their 429, but waiting does not restore a quota.
    """
    category, status = LITELLM_EXCEPTIONS.get(kind.__name__, (None, None))
    failure = failure_of(make_exception(kind, status or 418))
    assert failure.category in ({category} if category else RETRYABLE)
    assert failure.status_code in {status, None} or category is None  # an old release may set no status
    assert (failure.type, failure.exception) == (kind.__name__, f"litellm.exceptions.{kind.__name__}")
    if failure.status_code is not None and failure.category not in {"quota", "connection"}:
        assert failure.retryable is _should_retry(failure.status_code)


_should_retry = cast("Callable[[int], bool]", litellm._should_retry)


@pytest.mark.parametrize("status", [*range(400, 432), 451, *range(500, 512), 529])
@pytest.mark.parametrize("general", ["APIError", "MockException"])
def test_a_general_error_is_retryable_by_its_status_as_in_litellm(general: str, status: int) -> None:
    """For a class that is used for any error, the status decides the category and whether to retry."""
    failure = failure_of(make_exception(getattr(exceptions, general), status))
    assert failure.category is not None
    assert failure.retryable is _should_retry(status)


# Class of OpenAI's client → category and status, where the class has one.
OPENAI_EXCEPTIONS: dict[str, tuple[str, int | None]] = {
    "APIConnectionError": ("connection", None),
    "APIError": ("server_error", None),
    "APIResponseValidationError": ("invalid_response", 418),
    "APIStatusError": ("invalid_request", 418),
    "APITimeoutError": ("timeout", None),
    "AuthenticationError": ("auth", 401),
    "BadRequestError": ("invalid_request", 400),
    "ConflictError": ("invalid_request", 409),
    "ContentFilterFinishReasonError": ("content_filter", None),
    "InternalServerError": ("server_error", 500),
    "LengthFinishReasonError": ("invalid_response", None),
    "NotFoundError": ("not_found", 404),
    "OAuthError": ("auth", 401),
    "OpenAIError": ("invalid_request", None),
    "PermissionDeniedError": ("auth", 403),
    "RateLimitError": ("rate_limit", 429),
    "UnprocessableEntityError": ("invalid_request", 422),
    "WebSocketConnectionClosedError": ("stream_interrupted", None),
    "WebSocketQueueFullError": ("invalid_request", None),
}
UNRELATED_TO_CALLS = {"InvalidWebhookSignatureError", "_AmbiguousModuleClientUsageError"}
HTTPX_EXCEPTIONS = {
    "CloseError": "connection",
    "ConnectError": "connection",
    "ConnectTimeout": "timeout",
    "DecodingError": "invalid_response",
    "HTTPStatusError": "server_error",
    "InvalidURL": "invalid_request",
    "LocalProtocolError": "invalid_request",
    "NetworkError": "connection",
    "PoolTimeout": "timeout",
    "ProtocolError": "connection",
    "ProxyError": "connection",
    "ReadError": "connection",
    "ReadTimeout": "timeout",
    "RemoteProtocolError": "connection",
    "RequestError": "connection",
    "TimeoutException": "timeout",
    "TooManyRedirects": "invalid_response",
    "TransportError": "connection",
    "UnsupportedProtocol": "invalid_request",
    "WriteError": "connection",
    "WriteTimeout": "timeout",
}
# Errors in the use of httpx, and classes that are only base classes.
MISUSE = {"HTTPError", "CookieConflict", "StreamError"} | {
    *("RequestNotRead", "ResponseNotRead", "StreamClosed", "StreamConsumed")
}


@pytest.mark.parametrize(
    "kind", [each for each in classes(openai, own=False) if each.__name__ not in UNRELATED_TO_CALLS]
)
def test_each_openai_exception_has_a_category(kind: type[BaseException]) -> None:
    """LiteLLM lets some through as they are."""
    category, status = OPENAI_EXCEPTIONS[kind.__name__]
    failure = failure_of(make_exception(kind, status or 418))
    assert (failure.type, failure.category, failure.status_code) == (kind.__name__, category, status)


@pytest.mark.parametrize("kind", [each for each in classes(httpx, own=False) if each.__name__ not in MISUSE])
def test_each_httpx_exception_has_a_category(kind: type[BaseException]) -> None:
    """LiteLLM lets some through as they are."""
    failure = failure_of(make_exception(kind, 500))
    assert (failure.type, failure.category) == (kind.__name__, HTTPX_EXCEPTIONS[kind.__name__])


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (aiohttp.ClientPayloadError(CANARY), "connection"),
        (aiohttp.ServerDisconnectedError(CANARY), "connection"),
        (aiohttp.ServerTimeoutError(CANARY), "timeout"),
        (aiohttp.InvalidURL(CANARY), "invalid_request"),
        (ssl.SSLCertVerificationError(CANARY), "connection"),
        (socket.gaierror(CANARY), "connection"),
        (json.JSONDecodeError(CANARY, CANARY, 0), "invalid_response"),
        (NoCredentialsError(), "auth"),
        (PartialCredentialsError(provider=CANARY, cred_var=CANARY), "auth"),
        (DefaultCredentialsError(CANARY), "auth"),  # type: ignore[no-untyped-call]  # untyped upstream
        (RefreshError(CANARY), "auth"),  # type: ignore[no-untyped-call]  # untyped upstream
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else "",
)
def test_the_cause_of_a_connection_error_decides_its_category(error: BaseException, category: str) -> None:
    """LiteLLM wraps unknown exceptions in `APIConnectionError`; the wrapped exception decides the category."""
    unknown = exceptions.APIConnectionError(message=CANARY, llm_provider="openai", model="gpt-4o")
    unknown.__cause__ = error
    assert failure_of(error).category == category
    failure = failure_of(unknown)
    assert (failure.type, failure.category) == ("APIConnectionError", category)


def test_every_category_is_retryable_or_not_except_cancelled() -> None:
    """`RETRYABLE` has a row for each category but `cancelled`, since the application ended that call itself."""
    assert {*CATEGORIES.values(), *GENERAL_CATEGORIES.values()} == {*RETRYABLE, "cancelled"}
    assert failure_of(KeyboardInterrupt()).retryable is None


# --- error codes and headers ------------------------------------------------------------------------------


def rate_limit_error(body: object = None, **headers: str) -> BaseException:
    """LiteLLM's error for a 429 from OpenAI: only its cause has the body of the response."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response = cast("Any", httpx.Response(429, headers=names, request=REQUEST))
    error = exceptions.RateLimitError(CANARY, "openai", "gpt-4o", response=response)
    error.__cause__ = openai.RateLimitError(CANARY, response=response, body=body)
    return error


@pytest.mark.parametrize(
    ("body", "category"),
    [
        ({"code": "insufficient_quota", "message": CANARY}, "quota"),
        ({"error": {"code": "insufficient_quota"}}, "quota"),
        ({"code": CANARY}, "rate_limit"),
        ({"code": ["insufficient_quota"]}, "rate_limit"),
        ("insufficient_quota", "rate_limit"),
    ],
)
def test_an_error_code_for_an_exhausted_quota_is_not_retryable(body: object, category: str) -> None:
    """Rate limits and exhausted quotas both have the status 429; the code in the body distinguishes them."""
    failure = failure_of(rate_limit_error(body))
    assert (failure.category, failure.retryable) == (category, category == "rate_limit")


def test_the_error_code_of_an_earlier_attempt_is_ignored() -> None:
    """`__context__` is the error of an attempt that LiteLLM retried, not the cause of this one."""
    error = exceptions.InternalServerError(CANARY, "openai", "gpt-4o")
    error.__context__ = rate_limit_error({"code": "insufficient_quota"})
    assert failure_of(error).category == "server_error"


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "7", "retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "7", "retry_after_ms": "soon"}, 7.0),
        ({"retry_after": DATE, "date": "Wed, 21 Oct 2026 07:27:30 GMT"}, 30.0),
        ({"retry_after": DATE, "date": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry_after": "-7"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_from_headers_as_seconds(headers: dict[str, str], seconds: float | None) -> None:
    """A date is compared with the response's Date header, because the provider's clock may differ from ours."""
    assert failure_of(rate_limit_error(**headers)).retry_after == seconds


def test_a_retry_after_date_without_a_date_header_is_compared_with_the_local_clock() -> None:
    seconds = failure_of(rate_limit_error(retry_after="Fri, 01 Jan 2100 00:00:00 GMT")).retry_after
    assert seconds is not None
    assert seconds > 1e9


@pytest.mark.parametrize(("header", "retryable"), [("true", True), ("false", False), ("perhaps", True)])
def test_the_should_retry_header_decides_whether_a_failure_is_retryable(header: str, *, retryable: bool) -> None:
    """With any other value, the category decides."""
    assert failure_of(rate_limit_error(x_should_retry=header)).retryable is retryable


# --- values that must not be recorded ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [f"{CANARY}-key", "x" * 101, "Schlüssel", "two words", ""])
def test_an_invalid_class_name_is_replaced_by_the_base_class(name: str) -> None:
    """Applications can create classes at run time, with any text for a name."""
    failure = failure_of(type(name, (KeyError,), {})())
    assert (failure.type, failure.exception, failure.message) == ("KeyError", "KeyError", "KeyError (openai)")


@pytest.mark.parametrize("provider", [f"https://example.com/?key={CANARY}", CANARY * 20, f"of {CANARY}", ""])
def test_an_invalid_provider_name_is_not_recorded(provider: str) -> None:
    """Neither from the exception nor from the parameters of the call."""
    error = exceptions.RateLimitError(message=CANARY, llm_provider=provider, model="gpt-4o")
    failure = failure_of(error)
    assert failure.message == "RateLimitError: the rate limit was reached (HTTP 429, openai)"
    assert readers.read_target({"model": "gpt-4o", "custom_llm_provider": provider or "no name"}, None).provider in {
        "openai",
        None,
    }


def test_the_longest_message_is_under_300_characters() -> None:
    error = type("E" * 100, (exceptions.ContextWindowExceededError,), {})(CANARY, "gpt-4o", "p" * 64)
    message = failure_of(error).message
    assert message is not None
    assert len(message) < 300


@pytest.mark.parametrize("status", [10**30, -1, True, "429", None])
def test_an_invalid_status_does_not_change_the_category(status: object) -> None:
    """The class decides the category then."""
    error = exceptions.APIError(500, CANARY, "openai", "gpt-4o")
    error.status_code = status  # type: ignore[assignment]  # that is the point
    assert failure_of(error).category == "server_error"
