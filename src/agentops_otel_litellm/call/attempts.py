"""How LiteLLM carried a call, and what went wrong."""

from __future__ import annotations

from typing import Literal

from agentops_otel_litellm.record import record


@record
class Failure:
    """Why the call failed. `message` is composed from facts; it never quotes the provider."""

    type: str
    """The exception's class name."""
    ancestry: tuple[str, ...]
    """Class names, from the most special upward, of the exception that says what happened."""
    provider: str | None = None
    status_code: int | None = None
    retry_after: float | None = None
    """Seconds the provider, or the Router, asked to wait."""
    request_id: str | None = None
    category: str | None = None
    message: str | None = None
    # Errors
    exception: str | None = None
    """The class with its module: `litellm.exceptions.RateLimitError`."""
    code: str | None = None
    """The provider's own, such as `insufficient_quota`. It could be anything, so it is not told."""
    retryable: bool | None = None
    """Whether the same request may do better if it is sent again."""


@record
class Attempt:
    """One attempt of LiteLLM's to have the call served."""

    number: int
    """From 1."""
    model: str | None = None
    provider: str | None = None
    model_group: str | None = None
    """The Router's; likewise below."""
    model_id: str | None = None
    started: float | None = None
    """Seconds since the call started."""
    duration: float | None = None
    """`None` where it failed before LiteLLM had turned to a provider."""
    failure: Failure | None = None
    kind: Literal["retry", "fallback"] | None = None
    """What it is to the one before it: a retry has the same model, or the same group of the Router's."""


@record
class Attempts:
    """LiteLLM's attempts at the call. (An HTTP client may have retried beneath each: LiteLLM does not know.)"""

    made: tuple[Attempt, ...]
    retries: int | None = None
    """Further attempts with the same model, or the same group of the Router's."""
    fallback_used: bool | None = None
    """Whether another one was turned to."""


@record
class Routing:
    """How LiteLLM carried the call."""

    call_id: str | None = None
    call_type: str | None = None
    """The LiteLLM function called, such as `acompletion`."""
    model_group: str | None = None
    model_id: str | None = None
    """The Router's deployment."""
    cooldown_time: float | None = None
    """Seconds for which the Router sets the deployment aside, now that it has failed."""
