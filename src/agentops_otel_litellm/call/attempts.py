"""Attempts, routing and failure of a call."""

from __future__ import annotations

from typing import Literal

from agentops_otel_litellm.record import record


@record
class Failure:
    """Why the call failed. `message` is composed of the category, status and provider; it never quotes the provider."""

    type: str
    """The exception's class name."""
    ancestry: tuple[str, ...]
    """The name of the class of the exception that describes the failure best, and the names of its base classes."""
    provider: str | None = None
    status_code: int | None = None
    retry_after: float | None = None
    """Seconds after which the provider, or the Router, accepts a retry."""
    request_id: str | None = None
    category: str | None = None
    message: str | None = None
    exception: str | None = None
    """The class with its module: `litellm.exceptions.RateLimitError`."""
    code: str | None = None
    """The provider's own code, such as `insufficient_quota`. It decides the category, and is not recorded."""
    retryable: bool | None = None
    """Whether a retry of the same request can succeed."""


@record
class Attempt:
    """One request that LiteLLM made, or was about to make, to a provider."""

    number: int
    """From 1."""
    model: str | None = None
    provider: str | None = None
    model_group: str | None = None
    """The Router's model group."""
    model_id: str | None = None
    """The Router's deployment."""
    started: float | None = None
    """Seconds since the call started."""
    duration: float | None = None
    """Seconds; `None` if the attempt failed before a request was sent."""
    failure: Failure | None = None
    kind: Literal["retry", "fallback"] | None = None
    """Relation to the previous attempt: a retry has the same model, or the same model group."""


@record
class Attempts:
    """All attempts of a call."""

    made: tuple[Attempt, ...]
    retries: int | None = None
    """Number of attempts that follow a failed attempt with the same model, or the same model group."""
    fallback_used: bool | None = None
    """Whether LiteLLM fell back to a different model or model group."""


@record
class Routing:
    """LiteLLM's identifiers of the call and of the Router's deployment."""

    call_id: str | None = None
    call_type: str | None = None
    """LiteLLM's function, such as `acompletion`."""
    model_group: str | None = None
    model_id: str | None = None
    """The Router's deployment."""
    cooldown_time: float | None = None
    """Seconds for which the Router put the deployment into cooldown after the failure."""
