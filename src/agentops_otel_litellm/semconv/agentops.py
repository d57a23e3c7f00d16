"""AgentOps' names: the attributes that its backend reads to display a model call, as of its SDK 0.4.21.

The order of the rows matters, because the backend keeps the order of attributes: see `agentops_content`. Many of the
names are former names of OpenTelemetry's conventions; the backend does not read the current names.
"""

from __future__ import annotations

from agentops_otel_litellm.call import Call, Cost, Response, Target, Usage
from agentops_otel_litellm.call.content import Content
from agentops_otel_litellm.operations import BILLED, names_of
from agentops_otel_litellm.semconv import agentops_content as content
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary
from agentops_otel_litellm.semconv.gen_ai import provider_name

LLM_CALLS = names_of(*BILLED)
"""Operations that are billed, including searches: AgentOps sums the cost of spans that it recognises as model calls.
Excluded are operations that are free or whose cost is on nested calls: moderation, files, batches, routing.
"""


def _total(usage: Usage) -> int | None:
    """The total, computed if the provider reported only input and output."""
    if usage.total is not None or usage.input is None or usage.output is None:
        return usage.total
    return usage.input + usage.output


def _cache_read(usage: Usage) -> int | None:
    """Cached tokens, which are a part of the input. If the total were missing, AgentOps would add them to the input."""
    return None if _total(usage) is None else usage.cache_read


def _reasoning(usage: Usage) -> int | None:
    """Reasoning tokens, which are a part of the output. If the total were missing, AgentOps would add them to the
    output.
    """
    return None if _total(usage) is None else usage.reasoning


AGENTOPS = Vocabulary(
    Table(
        Content,
        {
            "gen_ai.prompt": Several(content.prompts),
            "gen_ai.completion": Several(content.completions),
        },
        of=LLM_CALLS,
    ),
    Table(
        Response,
        {
            "gen_ai.response.model": "model",
        },
        of=LLM_CALLS,
    ),
    Table(
        Cost,
        {
            "gen_ai.usage.prompt_cost": "input",
            "gen_ai.usage.completion_cost": "output",
            "gen_ai.usage.total_cost": "total",
        },
    ),
    Table(
        Usage,
        {
            "gen_ai.usage.prompt_tokens": "input",
            "gen_ai.usage.completion_tokens": "output",
        },
    ),
    Table(
        Target,
        {
            "gen_ai.system": ("provider", provider_name),
            "gen_ai.request.model": "model",
        },
        of=LLM_CALLS,
    ),
    Table(
        Call,
        {
            "gen_ai.usage.cache_read_input_tokens": ("usage", _cache_read),
            "gen_ai.usage.reasoning_tokens": ("usage", _reasoning),
            "gen_ai.usage.total_tokens": ("usage", _total),
            "agentops.span.kind": ("name", lambda name: "llm" if name in LLM_CALLS else "operation"),
        },
    ),
    records_success=True,
)
