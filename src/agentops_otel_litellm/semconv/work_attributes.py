"""The attributes of work around calls of models, for each vocabulary: authentication, guardrails, look-ups and tools.

OpenTelemetry has no convention for most of this work. Names of tools, prompts, agents and MCP are OpenTelemetry's;
`litellm.*` are names of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentops_otel_litellm.call import Failure
from agentops_otel_litellm.semconv.agentops import AGENTOPS, AGENTOPS_WITHOUT_CONTENT
from agentops_otel_litellm.semconv.agentops import KIND as AGENTOPS_KIND
from agentops_otel_litellm.semconv.convention import Table, Vocabulary, prefixed
from agentops_otel_litellm.semconv.gen_ai import GEN_AI
from agentops_otel_litellm.semconv.llm import LLM
from agentops_otel_litellm.semconv.openinference import OPENINFERENCE
from agentops_otel_litellm.work import CacheLookup, Check, Guardrail, Prompt, Rejection, ToolUse, Work

# Kind of work → `openinference.span.kind`; other kinds are UNKNOWN.
_OPENINFERENCE_KINDS: Mapping[str, str] = {
    "guardrail": "GUARDRAIL",
    "tool": "TOOL",
    "agent": "AGENT",
    "prompt": "PROMPT",
}
# Kind of work → `agentops.span.kind`; other kinds are operations.
_AGENTOPS_KINDS: Mapping[str, str] = {"guardrail": "guardrail", "tool": "tool", "mcp": "tool"}


def _failures(vocabulary: Vocabulary) -> tuple[Table, ...]:
    """The table for failures: the same attributes as those of a failed call."""
    return tuple(table for table in vocabulary.tables if table.kind is Failure)


WORK: Mapping[str, Vocabulary] = {
    "gen_ai": Vocabulary(
        Table(
            ToolUse,
            {
                "gen_ai.tool.name": "name",
                "mcp.method.name": "method",
            },
        ),
        Table(
            Prompt,
            {
                "gen_ai.prompt.name": "name",
                "gen_ai.prompt.version": "version",
            },
        ),
        Table(Work, {"gen_ai.operation.name": "operation"}),
        *_failures(GEN_AI),
    ),
    "openinference": Vocabulary(
        Table(Work, {"openinference.span.kind": ("kind", lambda kind: _OPENINFERENCE_KINDS.get(kind, "UNKNOWN"))}),
        *_failures(OPENINFERENCE),
    ),
    "llm": Vocabulary(
        Table(Check, prefixed("litellm.check.", Check)),
        Table(Guardrail, prefixed("litellm.guardrail.", Guardrail)),
        Table(CacheLookup, {"litellm.cache.hit": "hit"}),
        Table(Prompt, {"litellm.prompt.integration": "integration"}),
        Table(
            ToolUse,
            {
                "litellm.mcp.server.name": "server",
                "litellm.mcp.tools_count": "count",
                "litellm.tool.is_error": "is_error",
            },
        ),
        *_failures(LLM),
    ),
    "agentops": Vocabulary(
        Table(Work, {AGENTOPS_KIND: ("kind", lambda kind: _AGENTOPS_KINDS.get(kind, "operation"))}),
        *_failures(AGENTOPS),
        records_success=True,
    ),
}
"""Name of a vocabulary → its attributes for work around calls."""

REJECTION = Vocabulary(
    Table(
        Rejection,
        {
            "error.type": "type",
            "litellm.rejection.category": "category",
            "litellm.rejection.reason": "reason",
        },
    ),
)
"""The attributes of the span of a request that the proxy has rejected."""


def work_vocabulary(vocabularies: Sequence[Vocabulary]) -> Vocabulary:
    """The attributes for work around calls, for the vocabularies that the user has chosen. Those of other packages have
    none.
    """
    own: dict[str, tuple[Vocabulary, ...]] = {"gen_ai": (GEN_AI,), "openinference": (OPENINFERENCE,), "llm": (LLM,)}
    own |= {"agentops": (AGENTOPS, AGENTOPS_WITHOUT_CONTENT)}
    chosen = [WORK[name] for name, each in own.items() if any(vocabulary in each for vocabulary in vocabularies)]
    return Vocabulary.merged(chosen) if chosen else Vocabulary()
