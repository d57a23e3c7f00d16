"""How AgentOps reads spans, when something is wrong with them: a reader that finds nothing says nothing."""

from __future__ import annotations

import litellm
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from agentops_otel_litellm.exporters.agentops_copies import SpanCopies
from agentops_otel_litellm.settings import Settings
from support import agentops_conformance
from support.apps import MESSAGES
from support.conformance import Emitted
from support.servers.openai_provider import OpenAIProvider

BROKEN = {
    "has no gen_ai.usage.total_tokens": {"gen_ai.usage.total_tokens"},
    "has no gen_ai.usage.total_cost": {"gen_ai.usage.total_cost"},
    "has no agentops.span.kind": {"agentops.span.kind"},
}
"""A finding → the attributes that a broken translation would lose."""


class LossyCopies(SpanCopies):
    """Copies for AgentOps that lose some attributes."""

    def __init__(self, lost: set[str]) -> None:
        super().__init__(Settings())
        self._lost = lost

    def copy(self, span: ReadableSpan, *, is_answered: bool = False) -> ReadableSpan:
        complete = super().copy(span, is_answered=is_answered)
        return ReadableSpan(
            name=complete.name,
            context=complete.context,
            resource=complete.resource,
            attributes={name: value for name, value in (complete.attributes or {}).items() if name not in self._lost},
            status=complete.status,
        )


@pytest.mark.parametrize("finding", BROKEN)
def test_every_call_is_read(
    provider: OpenAIProvider, emitted: Emitted, monkeypatch: pytest.MonkeyPatch, finding: str
) -> None:
    """A translation for AgentOps that loses an attribute is found with any call of the tests."""
    monkeypatch.setattr(agentops_conformance, "COPIES", LossyCopies(BROKEN[finding]))
    litellm.completion("openai/gpt-4o", MESSAGES, api_base=provider.base_url, api_key="sk-test")
    found = emitted.take()
    assert any(finding in each for each in found), found
