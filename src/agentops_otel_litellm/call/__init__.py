"""What happened in one LiteLLM call, in nobody's vocabulary.

Frozen records, filled from what LiteLLM was given and gave back, and passed from stage to stage.
A field that is not known is `None`: nothing here has a default that looks like a fact.
Durations are seconds on the monotonic clock; money is US dollars; tokens are as the provider counted them.
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
    """When it happened: `started_at` in nanoseconds since the epoch, `duration` in seconds."""

    started_at: int
    duration: float | None = None


@record
class App:
    """What the app says that its call is for, and LiteLLM's proxy on whose behalf it makes it: identifiers and names
    that were given to be told.
    """

    session_id: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, str] | None = None
    """By the names that the user of this package wants told."""
    key_alias: str | None = None
    """The name of the proxy's key; likewise below, of what the key belongs to."""
    key_user_id: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    organization_id: str | None = None
    organization_alias: str | None = None
    project_id: str | None = None
    project_alias: str | None = None


@record
class Call:
    """One logical call: the whole of it, or as much as is known yet."""

    name: str
    """The operation, as in the name of the span."""
    timing: Timing
    operation: str | None = None
    """`gen_ai.operation.name`. What LiteLLM does around calls, such as routing them, is no such operation."""
    target: Target = Target()
    attempts: Attempts | None = None
    routing: Routing | None = None
    request: Request | None = None
    response: Response | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    stream: Stream | None = None
    failure: Failure | None = None
    # LiteLLM's cache
    saved: Saved | None = None
    content: Content | None = None
    """What was said, where the user wants that told."""
    app: App | None = None
    # usage that nobody counted
    estimate: Estimate | None = None
    answered_by_another: bool | None = None
    """Whether the answer is another call's, made within this one, which tells what it took."""
    # cost
    trace_cost: float | None = None
    """What the calls beneath this one cost, and itself, where it is the first of its trace in this process."""
