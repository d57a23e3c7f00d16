"""The registry of vocabularies: the only place where attribute names begin."""

from __future__ import annotations

from collections.abc import Mapping

from agentops_otel_litellm.vocabularies.gen_ai import GEN_AI
from agentops_otel_litellm.vocabularies.llm import LLM
from agentops_otel_litellm.vocabularies.vocabulary import Table, Vocabulary

VOCABULARIES: Mapping[str, Vocabulary] = {
    "gen_ai": GEN_AI,
    "llm": LLM,
}

__all__ = ["VOCABULARIES", "Table", "Vocabulary"]
