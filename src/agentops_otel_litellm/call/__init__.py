"""The records of one LiteLLM call, independent of any convention.

The records are frozen. Readers create them, and processors return changed copies. An unknown field is `None`: no
default looks like a fact. Durations are seconds on the monotonic clock; money is US dollars; tokens are as the provider
counted them.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentops_otel_litellm.call.attempts import Attempt, Attempts, Failure, Routing
from agentops_otel_litellm.call.content import Content
from agentops_otel_litellm.call.request import Request, Target
from agentops_otel_litellm.call.response import Response, Stream, StreamOutcome
from agentops_otel_litellm.call.usage import Cost, Estimate, Saved, Usage
from agentops_otel_litellm.record import record

__all__ = [
    "App",
    "Attempt",
    "Attempts",
    "Call",
    "Content",
    "Cost",
    "Estimate",
    "Failure",
    "Request",
    "Response",
    "Routing",
    "Saved",
    "Stream",
    "StreamOutcome",
    "Target",
    "Timing",
    "Usage",
]


@record
class Timing:
    """The start of a call in nanoseconds since the epoch, and the duration in seconds."""

    started_at: int
    duration: float | None = None


@record
class App:
    """The user, session and tags that the application set, and identifiers of the LiteLLM proxy's key and team."""

    session_id: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, str] | None = None
    """The entries that `AGENTOPS_METADATA_KEYS` and `AGENTOPS_BAGGAGE_KEYS` name."""
    key_alias: str | None = None
    """The alias of the proxy's key. The fields below identify the key's owner."""
    key_user_id: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    organization_id: str | None = None
    organization_alias: str | None = None
    project_id: str | None = None
    project_alias: str | None = None


@record
class Call:
    """One logical call. While the call is in progress, only the fields that are already known are set."""

    name: str
    """The name of the operation, such as `chat`, with which the name of the span begins."""
    timing: Timing
    operation: str | None = None
    """The value of `gen_ai.operation.name`: `name`, or `None` for LiteLLM's work around calls, such as routing."""
    target: Target = Target()
    attempts: Attempts | None = None
    routing: Routing | None = None
    request: Request | None = None
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    stream: Stream | None = None
    failure: Failure | None = None
    saved: Saved | None = None
    """The tokens and the cost that were saved because the response is from LiteLLM's cache."""
    content: Content | None = None
    """Messages, documents and so on, if the user has enabled content."""
    app: App | None = None
    estimate: Estimate | None = None
    """LiteLLM's estimate of the tokens, if the provider counted none and `AGENTOPS_ESTIMATE_USAGE` is `true`."""
    answered_by_another: bool | None = None
    """Whether a nested call produced the response. The usage and cost are then recorded on the nested call."""
    trace_cost: float | None = None
    """The cost of this call and of all calls beneath it, if its span is the first span of the trace in this process."""
