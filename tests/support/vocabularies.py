"""The vocabularies of the tests' telemetry."""

from __future__ import annotations

from agentops_otel_litellm.semconv import VOCABULARIES

GENERAL_NAMES = ("gen_ai", "openinference", "llm", "agentops")
GENERAL = [VOCABULARIES[name] for name in GENERAL_NAMES]
"""Those that are not for a single backend. The others replace some of their attributes."""
