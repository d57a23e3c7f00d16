"""Processors for failed calls and for attempts: the category of a failure, whether a retry can succeed, which attempts
are retries, and the provider, if LiteLLM has not determined it.

A provider's error text can quote prompts and keys, so it is never used. The message of a failure is composed of the
exception's class, the category, the status code and the provider's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter

from agentops_otel_litellm.call import Attempt, Call, Failure, Stream
from agentops_otel_litellm.providers import model_prefixes

_IMAGE_CODES = (
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
    "image_file_too_large",
    "image_parse_error",
    "image_too_large",
    "image_too_small",
    "invalid_base64_image",
    "invalid_image",
    "invalid_image_format",
    "invalid_image_mode",
    "invalid_image_url",
    "unsupported_image_media_type",
)
"""OpenAI's error codes for an image in the request that it cannot use."""


# The provider's own code → category. It is more precise than LiteLLM's exception class.
CODE_CATEGORIES = {
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "insufficient_quota": "quota",  # sent with status 429, although waiting does not help
    "context_length_exceeded": "context_length",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "ResponsibleAIPolicyViolation": "content_filter",
    "invalid_api_key": "auth",
    "billing_error": "quota",
    "rate_limit_exceeded": "rate_limit",
    "server_error": "server_error",
    "vector_store_timeout": "timeout",
    "invalid_prompt": "invalid_request",
    "image_content_policy_violation": "content_filter",
    **dict.fromkeys(_IMAGE_CODES, "invalid_request"),
    "model_not_found": "not_found",
}

# Exception class → category. The first of the exception's class and base classes that is listed decides.
CATEGORIES = {
    "UnsentRequest": "invalid_request",  # this and the next are reasons that `readers/exceptions.py` adds
    "UnreadableResponse": "invalid_response",
    "GuardrailIntervention": "content_filter",  # which `readers/interventions.py` adds
    "AuthenticationError": "auth",
    "PermissionDeniedError": "auth",
    "NoCredentialsError": "auth",
    "PartialCredentialsError": "auth",
    "CredentialRetrievalError": "auth",
    "ClientAuthenticationError": "auth",
    "GoogleAuthError": "auth",
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
    "ContentFilterFinishReasonError": "content_filter",
    "NotFoundError": "not_found",
    "Timeout": "timeout",
    "APITimeoutError": "timeout",
    "ServerTimeoutError": "timeout",
    "TimeoutError": "timeout",
    "TimeoutException": "timeout",
    "JSONSchemaValidationError": "invalid_response",
    "APIResponseValidationError": "invalid_response",
    "JSONDecodeError": "invalid_response",
    "DecodingError": "invalid_response",
    "TooManyRedirects": "invalid_response",
    "LengthFinishReasonError": "invalid_response",
    "MidStreamFallbackError": "stream_interrupted",  # if it has no cause, such as a 429, which is read instead
    "ConnectionClosedError": "stream_interrupted",
    "WebSocketConnectionClosedError": "stream_interrupted",
    "APIConnectionError": "connection",
    "ClientConnectionError": "connection",
    "ClientPayloadError": "connection",
    "ConnectionError": "connection",
    "RequestError": "connection",
    "SSLError": "connection",
    "TransportError": "connection",
    "gaierror": "connection",
    "BadGatewayError": "server_error",
    "InternalServerError": "server_error",
    "ServiceUnavailableError": "server_error",
    "UnprocessableEntityError": "invalid_request",
    "ModelNotMappedError": "invalid_request",
    "InvalidURL": "invalid_request",
    "LocalProtocolError": "invalid_request",  # an invalid header, such as a key with a line break
    "UnsupportedProtocol": "invalid_request",
    "CancelledError": "cancelled",
    "GeneratorExit": "cancelled",
    "KeyboardInterrupt": "cancelled",
    "SystemExit": "cancelled",
}

# Status code → category, for exceptions whose class is in none of the tables above, such as LiteLLM's `APIError`, and
# its `BadRequestError`, which it may also raise for a 401. `_category_of_status` covers other status codes.
STATUS_CATEGORIES = {
    200: "invalid_response",  # LiteLLM could not parse a successful response
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    408: "timeout",
    410: "not_found",
    429: "rate_limit",
}

# Exception class → category, for general classes. It is used only if the tables above do not state the category.
GENERAL_CATEGORIES = {
    "BadRequestError": "invalid_request",
    "APIError": "server_error",  # the body of a response with a status such as 200 states an error
    "OpenAIError": "invalid_request",  # OpenAI's client cannot be created or used with these parameters
}

# Category → whether a retry of the same request can succeed. It agrees with LiteLLM's `_should_retry`, which looks only
# at the status, except that LiteLLM retries a used-up quota, whose status is 429. A cancelled call has no row, because
# the application decides whether to repeat it.
RETRYABLE = {
    "auth": False,
    "rate_limit": True,
    "quota": False,
    "context_length": False,
    "content_filter": False,
    "not_found": False,
    "timeout": True,
    "invalid_response": True,
    "stream_interrupted": True,
    "connection": True,
    "server_error": True,
    "invalid_request": False,
}
RETRYABLE_STATUSES = frozenset({409})  # a conflict with a concurrent request, or a locked resource

SENTENCES = {
    "auth": "the credentials were rejected",
    "rate_limit": "the rate limit was reached",
    "quota": "the budget or quota is used up",
    "context_length": "the request is longer than the model's context",
    "content_filter": "the content was rejected by a policy",
    "not_found": "the model or resource does not exist",
    "timeout": "no response was received in time",
    "invalid_response": "the response was invalid",
    "stream_interrupted": "the stream was interrupted",
    "connection": "the provider could not be reached",
    "server_error": "the provider had an internal error",
    "invalid_request": "the request is invalid",
    "cancelled": "the call was cancelled",
}

MODEL_PROVIDERS: Mapping[str, str | None] = model_prefixes()
"""Prefix of a model's name → LiteLLM's provider. The longest matching prefix decides."""


def categorise_failure(call: Call) -> Call:
    """Set the category, the message and `retryable` of the call's failure and of the failures of its attempts."""
    attempts = call.attempts
    if attempts is not None and any(map(attrgetter("failure"), attempts.made)):
        *before, last = attempts.made
        made = (*map(_categorise_attempt, before), _categorise_attempt(last, call.stream))
        call = replace(call, attempts=replace(attempts, made=made))
    if call.failure is None:
        return call
    return replace(call, failure=_categorised(call.failure, call.target.provider, call.stream))


def _categorise_attempt(attempt: Attempt, stream: Stream | None = None) -> Attempt:
    """Categorise the failure of an attempt, if it failed. `stream` is the attempt's stream, which only the last attempt
    of a call can have.
    """
    if attempt.failure is None:
        return attempt
    return replace(attempt, failure=_categorised(attempt.failure, attempt.provider, stream))


def categorise(failure: Failure, category: str | None = None) -> Failure:
    """Return a failure that is not of a call, with its category, its message and `retryable`. `category` is the
    category if it is known from other facts than the failure's.
    """
    known = _categorised(failure, None, None)
    if category is None or category == known.category:
        return known
    known = replace(known, category=category, retryable=RETRYABLE.get(category))
    return replace(known, message=_message(known))


def _categorised(failure: Failure, provider: str | None, stream: Stream | None) -> Failure:
    """Return the failure with its category, its message and `retryable`."""
    if failure.message is not None:
        return failure  # of an attempt that was a call with its own span, and was categorised when that call ended
    category = _category(failure)
    # A failed connection or provider after the first chunk, or an unknown error in a stream, has interrupted the
    # stream. Other categories, such as `rate_limit`, are kept, and so is an error whose status or code the provider has
    # sent.
    is_sent = failure.status_code is not None or failure.code in CODE_CATEGORIES
    if stream is not None and (
        category is None or (category in {"connection", "server_error"} and stream.chunk_count > 0 and not is_sent)
    ):
        category = "stream_interrupted"
    if category is None and failure.status_code is None:
        category = _category_of_class(failure, GENERAL_CATEGORIES)
    known = replace(
        failure,
        exception=failure.exception or failure.type,
        category=category,
        # The application has cancelled the call, not the provider.
        provider=None if category == "cancelled" else failure.provider or provider,
        retryable=_retryable(failure, category),
    )
    return replace(known, message=_message(known))


def _category(failure: Failure) -> str | None:
    """The category by the provider's error code, or else by the exception's class, or else by the status."""
    known = CODE_CATEGORIES.get(failure.code or "") or _category_of_class(failure, CATEGORIES)
    return known or _category_of_status(failure.status_code)


def _category_of_class(failure: Failure, categories: Mapping[str, str]) -> str | None:
    return next((categories[name] for name in failure.ancestry if name in categories), None)


def _category_of_status(status: int | None) -> str | None:
    if status is None:
        return None
    family = {4: "invalid_request", 5: "server_error"}.get(status // 100)
    return STATUS_CATEGORIES.get(status, family)


def _retryable(failure: Failure, category: str | None) -> bool | None:
    """Whether a retry can succeed: as the provider stated it, or else by the status or the category. `None` if that is
    unknown.
    """
    if failure.retryable is not None:
        return failure.retryable
    return failure.status_code in RETRYABLE_STATUSES or RETRYABLE.get(category or "")


def _message(failure: Failure) -> str:
    """The message, such as `AuthenticationError: the credentials were rejected (HTTP 401, openai)`."""
    reason = f": {SENTENCES[failure.category]}" if failure.category in SENTENCES else ""
    status = f"HTTP {failure.status_code}" if failure.status_code is not None else None
    facts = ", ".join(fact for fact in (status, failure.provider) if fact)
    return f"{failure.type}{reason}" + (f" ({facts})" if facts else "")


def count_retries(call: Call) -> Call:
    """Set the kind of each attempt, `retry` or `fallback`, and count the retries.

    An attempt to which the Router fell back already has the kind `fallback`. An attempt after a failed attempt is a
    retry if it has the same model, and a fallback if it has a different one. For attempts of the Router, the model
    groups are compared instead. Other attempts have no kind.

    If only one attempt is known, the number of retries stays unknown, because the provider's client may have retried.
    """
    attempts = call.attempts
    if attempts is None or len(attempts.made) < 2:  # noqa: PLR2004 - a retry needs an attempt before it
        return call
    made = [attempts.made[0], *(_with_kind(before, after) for before, after in pairwise(attempts.made))]
    kinds = [attempt.kind for attempt in made if attempt.kind is not None]
    if not kinds:
        return call
    fallback_used = attempts.fallback_used or "fallback" in kinds
    counted = replace(attempts, made=tuple(made), retries=kinds.count("retry"), fallback_used=fallback_used)
    return replace(call, attempts=counted)


def _with_kind(before: Attempt, after: Attempt) -> Attempt:
    if before.failure is None or after.kind is not None:
        return after
    return replace(after, kind="retry" if _requested(before) == _requested(after) else "fallback")


def _requested(attempt: Attempt) -> object:
    """What two attempts must have in common if the second is a retry: the model group, or the provider and model."""
    return attempt.model_group or (attempt.provider, attempt.model)


def set_deployment(call: Call) -> Call:
    """Set the deployment of a request to the Router: it is the deployment of the last attempt."""
    # A call without an operation consists of other calls, such as those that the Router makes.
    if call.operation is not None or call.attempts is None or not call.attempts.made or call.routing is None:
        return call
    return replace(call, routing=replace(call.routing, model_id=call.attempts.made[-1].model_id))


def create_provider_processor(model_providers: Mapping[str, str]) -> Callable[[Call], Call]:
    """Return a processor that sets the provider of a call or attempt, if it is unknown, by the model's name.

    Calls may fail before LiteLLM determines the provider. The tables with prefixes of model names are
    `model_providers`, which the user sets, and `MODEL_PROVIDERS`; the longest matching prefix decides, and the user's
    table has priority for the same prefix. If LiteLLM's exception states the provider, that is used instead.
    """
    table = {**MODEL_PROVIDERS, **{prefix.lower(): provider for prefix, provider in model_providers.items()}}
    prefixes = sorted(table, key=len, reverse=True)

    def guess(model: str | None) -> str | None:
        name = (model or "").lower()
        return next((table[prefix] for prefix in prefixes if name.startswith(prefix)), None)

    def with_provider(attempt: Attempt) -> Attempt:
        return attempt if attempt.provider is not None else replace(attempt, provider=guess(attempt.model))

    def set_provider(call: Call) -> Call:
        attempts = call.attempts
        if attempts is not None and None in map(attrgetter("provider"), attempts.made):
            call = replace(call, attempts=replace(attempts, made=tuple(map(with_provider, attempts.made))))
        if call.target.provider is not None:
            return call
        reported = call.failure.provider if call.failure is not None else None
        provider = reported or guess(call.target.model)
        return call if provider is None else replace(call, target=replace(call.target, provider=provider))

    return set_provider
