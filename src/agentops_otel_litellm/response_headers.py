"""The record of the HTTP headers of a response. (`call.py` has the other records of a call.)"""

from __future__ import annotations

from agentops_otel_litellm.records import record


@record
class ResponseHeaders:
    """The facts in the headers of a provider's response, and in the headers that a LiteLLM proxy adds."""

    request_id: str | None = None
    """The provider's id of a successful request. For a failed call, it is `Failure.request_id`."""
    call_id: str | None = None
    """The proxy's id of its own call. This and the fields below are known only of calls to a LiteLLM proxy."""
    model_id: str | None = None
    """The id of the proxy's deployment."""
    model_group: str | None = None
    provider_address: str | None = None
    """The host to which the proxy has sent the request."""
    response_cost: float | None = None
    """US dollars that the proxy has charged for the call. A proxy states no price in the headers of a stream."""
    key_spend: float | None = None
    """US dollars that the proxy's key has spent."""
    key_max_budget: float | None = None
    """US dollars that the key may spend."""
    key_remaining_budget: float | None = None
    attempted_retries: int | None = None
    """How many times the proxy has repeated the request."""
    attempted_fallbacks: int | None = None
    """How many times the proxy has fallen back to a different model."""
