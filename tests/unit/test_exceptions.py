"""Every exception class of LiteLLM's, and of the clients beneath it: made, read, and put in a category."""

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
# What the constructors ask for, by the name of the parameter.
GIVEN: dict[str, object] = {
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


def made(kind: type[BaseException], status: int) -> BaseException:
    """An exception of the class, with what its constructor cannot do without."""
    response = httpx.Response(status, request=REQUEST, text=CANARY)
    given = {**GIVEN, "response": response, "status_code": status}
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    needed = [each.name for each in parameters if each.default is each.empty and each.kind not in _ANY]
    return kind(**{name: given[name] for name in needed}) if needed else kind()


_ANY = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def failure(error: BaseException) -> Failure:
    call = Call(name="chat", operation="chat", target=Target(provider="openai"), timing=Timing(started_at=0))
    failed = categorise_failure(replace(call, failure=readers.read_failure(error))).failure
    assert failed is not None
    assert CANARY not in str({**vars(failed), "ancestry": None, "code": None})  # which are for the processor alone
    return failed


def classes(module: ModuleType, *, own: bool) -> Iterator[type[BaseException]]:
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, BaseException) and (not own or kind.__module__ == module.__name__):
            yield kind


# LiteLLM's class → the category and the status of one that is made without more ado. Those that are raised with any
# status are made with 418.
LITELLMS: dict[str, tuple[str, int | None]] = {
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
def test_an_exception_of_litellms(kind: type[BaseException]) -> None:
    """Each has a category, also one that is new; and a retry is worth while where LiteLLM thinks so, by the status.

    But not for a quota that LiteLLM tells with a 429: it will not be there for waiting.
    """
    category, status = LITELLMS.get(kind.__name__, (None, None))
    told = failure(made(kind, status or 418))
    assert told.category in ({category} if category else RETRYABLE)
    assert told.status_code in {status, None} or category is None  # an old release may not have given it one
    assert (told.type, told.exception) == (kind.__name__, f"litellm.exceptions.{kind.__name__}")
    if told.status_code is not None and told.category not in {"quota", "connection"}:
        assert told.retryable is _should_retry(told.status_code)


_should_retry = cast("Callable[[int], bool]", litellm._should_retry)


@pytest.mark.parametrize("status", [*range(400, 432), 451, *range(500, 512), 529])
@pytest.mark.parametrize("general", ["APIError", "MockException"])
def test_a_status_is_worth_a_retry_where_litellm_thinks_so(general: str, status: int) -> None:
    """Where the class says nothing, the status has a category, and is retried as LiteLLM does."""
    told = failure(made(getattr(exceptions, general), status))
    assert told.category is not None
    assert told.retryable is _should_retry(status)


# Class of OpenAI's client → category; those with a status are made with it.
OPENAIS: dict[str, tuple[str, int | None]] = {
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
NOT_OF_A_CALL = {"InvalidWebhookSignatureError", "_AmbiguousModuleClientUsageError"}
HTTPXS = {
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
# Mistakes in using httpx, and classes that are only others' bases.
MISUSE = {"HTTPError", "CookieConflict", "StreamError"} | {
    *("RequestNotRead", "ResponseNotRead", "StreamClosed", "StreamConsumed")
}


@pytest.mark.parametrize("kind", [each for each in classes(openai, own=False) if each.__name__ not in NOT_OF_A_CALL])
def test_an_exception_of_openais_client(kind: type[BaseException]) -> None:
    """LiteLLM lets some through as they are."""
    category, status = OPENAIS[kind.__name__]
    told = failure(made(kind, status or 418))
    assert (told.type, told.category, told.status_code) == (kind.__name__, category, status)


@pytest.mark.parametrize("kind", [each for each in classes(httpx, own=False) if each.__name__ not in MISUSE])
def test_an_exception_of_httpx(kind: type[BaseException]) -> None:
    """LiteLLM lets some through as they are."""
    told = failure(made(kind, 500))
    assert (told.type, told.category) == (kind.__name__, HTTPXS[kind.__name__])


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
def test_what_others_raise_beneath_litellm(error: BaseException, category: str) -> None:
    """LiteLLM makes its `APIConnectionError` of what it does not know: what it was raised for tells more."""
    unknown = exceptions.APIConnectionError(message=CANARY, llm_provider="openai", model="gpt-4o")
    unknown.__cause__ = error
    assert failure(error).category == category
    told = failure(unknown)
    assert (told.type, told.category) == ("APIConnectionError", category)


def test_categories_are_those_of_the_tables() -> None:
    """Whatever category there is, it is known whether a retry is worth while; but not of what the app cancelled."""
    assert {*CATEGORIES.values(), *GENERAL_CATEGORIES.values()} == {*RETRYABLE, "cancelled"}
    assert failure(KeyboardInterrupt()).retryable is None


# --- what the provider says -------------------------------------------------------------------------------


def limited(body: object = None, **headers: str) -> BaseException:
    """A 429 as LiteLLM makes it of OpenAI's: the body is kept where it came from."""
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
def test_the_providers_code_tells_more(body: object, category: str) -> None:
    """What cannot be paid for has a 429 like what comes too often, but it is of no use to wait."""
    told = failure(limited(body))
    assert (told.category, told.retryable) == (category, category == "rate_limit")


def test_the_code_is_that_of_the_answer() -> None:
    """What was raised before, of which LiteLLM made another try, had its own."""
    error = exceptions.InternalServerError(CANARY, "openai", "gpt-4o")
    error.__context__ = limited({"code": "insufficient_quota"})
    assert failure(error).category == "server_error"


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
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    """In seconds, or until a date by the provider's own clock, which need not be ours."""
    assert failure(limited(**headers)).retry_after == seconds


def test_a_date_is_held_against_our_clock_where_the_provider_tells_no_time() -> None:
    seconds = failure(limited(retry_after="Fri, 01 Jan 2100 00:00:00 GMT")).retry_after
    assert seconds is not None
    assert seconds > 1e9


@pytest.mark.parametrize(("said", "retryable"), [("true", True), ("false", False), ("perhaps", True)])
def test_the_provider_says_whether_to_retry(said: str, *, retryable: bool) -> None:
    """Else it is as with all of its kind."""
    assert failure(limited(x_should_retry=said)).retryable is retryable


# --- what must not be told --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [f"{CANARY}-key", "x" * 101, "Schlüssel", "two words", ""])
def test_a_class_can_be_called_anything(name: str) -> None:
    """One that is made while the app runs has the name of what it was made of, unless it has one of a class's."""
    told = failure(type(name, (KeyError,), {})())
    assert (told.type, told.exception, told.message) == ("KeyError", "KeyError", "KeyError (openai)")


@pytest.mark.parametrize("provider", [f"https://example.com/?key={CANARY}", CANARY * 20, f"of {CANARY}", ""])
def test_a_provider_can_be_called_anything(provider: str) -> None:
    """What is no name is not told: not of the exception, and not of the call."""
    error = exceptions.RateLimitError(message=CANARY, llm_provider=provider, model="gpt-4o")
    told = failure(error)
    assert told.message == "RateLimitError: the rate limit was reached (HTTP 429, openai)"
    assert readers.read_target({"model": "gpt-4o", "custom_llm_provider": provider or "no name"}, None).provider in {
        "openai",
        None,
    }


def test_a_message_is_bounded() -> None:
    """The longest there can be is short."""
    error = type("E" * 100, (exceptions.ContextWindowExceededError,), {})(CANARY, "gpt-4o", "p" * 64)
    message = failure(error).message
    assert message is not None
    assert len(message) < 300


@pytest.mark.parametrize("status", [10**30, -1, True, "429", None])
def test_a_status_can_be_anything(status: object) -> None:
    """What is no status gives no category, and breaks nothing."""
    error = exceptions.APIError(500, CANARY, "openai", "gpt-4o")
    error.status_code = status  # type: ignore[assignment]  # that is the point
    assert failure(error).category == "server_error"
