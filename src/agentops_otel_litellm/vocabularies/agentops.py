"""AgentOps' names: what its backend reads of a span, as of its SDK 0.4.21, to show a call of a model.

It keeps attributes in the order in which they come, and its order counts. Many of the names are OpenTelemetry's of
once; those of today it does not read.
"""

from __future__ import annotations

from agentops_otel_litellm.call import Call, Cost, Response, Target, Usage
from agentops_otel_litellm.call.content import Content
from agentops_otel_litellm.operations import BILLED, names_of
from agentops_otel_litellm.vocabularies import agentops_content as content
from agentops_otel_litellm.vocabularies.gen_ai import provider_name
from agentops_otel_litellm.vocabularies.vocabulary import Several, Table, Vocabulary

LLM_CALLS = names_of(*BILLED)
"""Operations that are billed, searches among them: AgentOps adds up the costs of what it takes for a model's call.
Operations that are free, or whose cost is on the calls beneath them, are not: moderation, files, batches, routes.
"""


def _total(usage: Usage) -> int | None:
    """Of what the provider counted but did not add up, the sum."""
    if usage.total is not None or usage.input is None or usage.output is None:
        return usage.total
    return usage.input + usage.output


def _cache_read(usage: Usage) -> int | None:
    """Tokens that the input has already: where there is no total, AgentOps would add them to it."""
    return None if _total(usage) is None else usage.cache_read


def _reasoning(usage: Usage) -> int | None:
    """Likewise, of the output."""
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
    tells_success=True,
)
