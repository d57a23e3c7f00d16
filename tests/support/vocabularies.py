"""The vocabularies of the tests' telemetry."""

from __future__ import annotations

from agentops_otel_litellm.semconv import VOCABULARIES

GENERAL = [VOCABULARIES[name] for name in ("gen_ai", "openinference", "llm", "agentops")]
"""Those that are not for a single backend. The others replace some of their attributes."""
