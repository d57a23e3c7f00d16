"""What kind of failure it was, and a sentence for people that quotes nobody.

A provider's error text repeats prompts and keys, so none of it is used: the message is put together from the
category, the status code and the provider's name.
"""

from __future__ import annotations

from dataclasses import replace

from agentops_otel_litellm.call import Attempt, Call, Failure, Stream

# Exception class → category; the first of an exception's ancestors that is here decides.
CATEGORIES = {
    "AuthenticationError": "auth",
    "PermissionDeniedError": "auth",
    "RateLimitError": "rate_limit",
    "RouterRateLimitError": "rate_limit",
    "RouterRateLimitErrorBasic": "rate_limit",
    "BudgetExceededError": "quota",
    "PaymentRequiredError": "quota",
    "ContextWindowExceededError": "context_length",
    "ContentPolicyViolationError": "content_filter",
    "RejectedRequestError": "content_filter",
    "GuardrailRaisedException": "content_filter",
    "GuardrailInterventionNormalStringError": "content_filter",
    "BlockedPiiEntityError": "content_filter",
    "ModifyResponseException": "content_filter",
    "SensitiveDataRouteException": "content_filter",
    "NotFoundError": "not_found",
    "Timeout": "timeout",
    "APITimeoutError": "timeout",
    "ServerTimeoutError": "timeout",
    "TimeoutError": "timeout",
    "TimeoutException": "timeout",
    "JSONSchemaValidationError": "invalid_response",
    "APIResponseValidationError": "invalid_response",
    "JSONDecodeError": "invalid_response",
    "MidStreamFallbackError": "stream_interrupted",
    "ConnectionClosedError": "stream_interrupted",
    "APIConnectionError": "connection",
    "ClientConnectionError": "connection",
    "ConnectionError": "connection",
    "TransportError": "connection",
    "BadGatewayError": "server_error",
    "InternalServerError": "server_error",
    "ServiceUnavailableError": "server_error",
    "UnprocessableEntityError": "invalid_request",
    "ModelNotMappedError": "invalid_request",
    "CancelledError": "cancelled",
    "GeneratorExit": "cancelled",
    "KeyboardInterrupt": "cancelled",
    "SystemExit": "cancelled",
}

# Status code → category, for exceptions whose class says too little: LiteLLM's `APIError`, and its
# `BadRequestError`, which it also raises for a 401 whose text it does not know.
STATUS_CATEGORIES = {
    200: "invalid_response",  # the provider said that all was well, and LiteLLM could not read what it said
    400: "invalid_request",
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    408: "timeout",
    422: "invalid_request",
    429: "rate_limit",
}

SENTENCES = {
    "auth": "the credentials were refused",
    "rate_limit": "the rate limit was reached",
    "quota": "the budget or quota is used up",
    "context_length": "the request is longer than the model's context",
    "content_filter": "the content was refused by a policy",
    "not_found": "the model or resource does not exist",
    "timeout": "no answer came in time",
    "invalid_response": "the response was not as required",
    "stream_interrupted": "the stream was cut off",
    "connection": "the provider could not be reached",
    "server_error": "the provider failed",
    "invalid_request": "the request was refused as invalid",
    "cancelled": "the call was cancelled",
}


def categorise_failure(call: Call) -> Call:
    """Say of the call's failure what kind it was, and of those of the attempts before it."""
    if call.attempts is not None and any(attempt.failure for attempt in call.attempts.made):
        *before, last = call.attempts.made
        made = (*map(_categorise_attempt, before), _categorise_attempt(last, call.stream))
        call = replace(call, attempts=replace(call.attempts, made=made))
    failure = call.failure
    if failure is None:
        return call
    return replace(call, failure=_categorised(failure, call.target.provider, call.stream))


def _categorise_attempt(attempt: Attempt, stream: Stream | None = None) -> Attempt:
    """A stream can only come of the last attempt."""
    if attempt.failure is None:
        return attempt
    return replace(attempt, failure=_categorised(attempt.failure, attempt.provider, stream))


def _categorised(failure: Failure, provider: str | None, stream: Stream | None) -> Failure:
    """An attempt that was a call of its own has told what it was."""
    if failure.message is not None:
        return failure
    category = _category(failure)
    if stream is not None and (
        category is None or (category in {"connection", "server_error"} and stream.chunk_count > 0)
    ):
        category = "stream_interrupted"
    known = replace(failure, category=category, provider=failure.provider or provider)
    return replace(known, message=_message(known))


def _category(failure: Failure) -> str | None:
    for name in failure.ancestry:
        category = CATEGORIES.get(name)
        if category is not None:
            return category
    status = failure.status_code
    if status is None:
        return None
    return "server_error" if status >= 500 else STATUS_CATEGORIES.get(status)  # noqa: PLR2004 - 5xx


def _message(failure: Failure) -> str:
    """`AuthenticationError: the credentials were refused (HTTP 401, openai)`."""
    said = f": {SENTENCES[failure.category]}" if failure.category in SENTENCES else ""
    status = f"HTTP {failure.status_code}" if failure.status_code is not None else None
    facts = ", ".join(fact for fact in (status, failure.provider) if fact)
    return f"{failure.type}{said}" + (f" ({facts})" if facts else "")
