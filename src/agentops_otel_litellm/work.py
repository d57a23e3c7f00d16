"""The records of work around calls of models: authentication, guardrails, look-ups and tools.

LiteLLM's proxy does most of this work; guardrails, caches, prompts and tools also run without the proxy. The hooks in
`proxy/` read LiteLLM's objects as these records. No record has message content, tool arguments, headers or keys.
"""

from __future__ import annotations

from typing import Literal

from agentops_otel_litellm.call import Failure
from agentops_otel_litellm.records import record

WorkKind = Literal["authentication", "limits", "guardrail", "cache", "prompt", "mcp", "tool"]


@record
class Check:
    """A check of a request before LiteLLM calls a model: of the key and its budgets, or of rate limits."""

    outcome: Literal["accepted", "rejected", "failed"] | None = None
    """`failed` if the check itself failed, for instance because the database is down."""
    reason: str | None = None
    """Why the request was rejected, such as `expired_key`, or why the check failed."""


@record
class Guardrail:
    """One run of a guardrail, as LiteLLM's own record describes it."""

    name: str | None = None
    mode: str | None = None
    """When it runs: `pre_call`, `during_call`, `post_call` or a further mode of LiteLLM."""
    provider: str | None = None
    """The service or library of the guardrail."""
    verdict: str | None = None
    """LiteLLM's status: `success`, `guardrail_intervened` or `guardrail_failed_to_respond`."""
    action: str | None = None
    """The enforced action, such as `allow`, `mask` or `deny`, if LiteLLM's record has it."""


@record
class CacheLookup:
    """A look-up in LiteLLM's response cache."""

    hit: bool | None = None


@record
class Prompt:
    """A prompt that LiteLLM fetches from a prompt manager."""

    name: str | None = None
    version: str | None = None
    integration: str | None = None
    """The class of LiteLLM's integration with the prompt manager."""


@record
class ToolUse:
    """A request to an MCP server, or a tool that LiteLLM executes."""

    name: str | None = None
    method: str | None = None
    """The method of the MCP request: `tools/list` or `tools/call`."""
    server: str | None = None
    """The name of the MCP server in LiteLLM's configuration."""
    count: int | None = None
    """How many tools a list has."""
    is_error: bool | None = None
    """Whether the tool has returned an error, which is not an exception."""


@record
class Work:
    """One piece of work: its kind, its times, its outcome, and the record of its kind."""

    kind: WorkKind
    name: str
    """The name of the span."""
    operation: str | None = None
    """The operation's name in OpenTelemetry's conventions, if they have one for this kind."""
    is_client: bool | None = None
    """Whether the work is a request to a different server."""
    started_at: int
    """Nanoseconds since the epoch."""
    ended_at: int | None = None
    """Nanoseconds since the epoch."""
    failure: Failure | None = None
    check: Check | None = None
    guardrail: Guardrail | None = None
    cache_lookup: CacheLookup | None = None
    prompt: Prompt | None = None
    tool_use: ToolUse | None = None


@record
class Rejection:
    """Why the proxy rejected a request: the attributes of the request's span."""

    type: str
    """The exception's class."""
    category: str | None = None
    """The category of errors, such as `rate_limit`."""
    reason: str | None = None
