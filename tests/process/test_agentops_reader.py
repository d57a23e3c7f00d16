"""How AgentOps reads spans, when something is wrong with them: a reader that finds nothing says nothing."""

from __future__ import annotations

import litellm
import pytest

from agentops_otel_litellm.call import Call, Cost, Usage
from agentops_otel_litellm.semconv.convention import Table, Vocabulary, always
from support import agentops_conformance
from support.apps import MESSAGES
from support.conformance import Emitted
from support.servers.openai_provider import OpenAIProvider

BROKEN = {
    "has no gen_ai.usage.total_tokens": Table(
        Usage, {"gen_ai.usage.prompt_tokens": "input", "gen_ai.usage.completion_tokens": "output"}
    ),
    "has no gen_ai.usage.total_cost": Table(Cost, {"gen_ai.usage.prompt_cost": "total"}),
}


@pytest.mark.parametrize("finding", BROKEN)
def test_every_call_is_read(
    provider: OpenAIProvider, emitted: Emitted, monkeypatch: pytest.MonkeyPatch, finding: str
) -> None:
    """Whatever its test looks at: a vocabulary that says something wrong of it is found out."""
    kind = Table(Call, {"agentops.span.kind": ("name", always("llm"))})
    monkeypatch.setattr(agentops_conformance, "AGENTOPS", Vocabulary(kind, BROKEN[finding]))
    litellm.completion("openai/gpt-4o", MESSAGES, api_base=provider.base_url, api_key="sk-test")
    assert f"AgentOpsSpan 'chat' {finding}" in emitted.take()
