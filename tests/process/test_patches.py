"""What is put in LiteLLM's place, and taken away again."""

from __future__ import annotations

import subprocess
import sys


def test_programs_without_litellm_are_left_alone() -> None:
    """One that uses OpenAI's client or websockets without LiteLLM loads nothing that traces, and is not patched."""
    code = """
import sys
from agentops_otel_litellm import LiteLLMInstrumentor
LiteLLMInstrumentor().instrument()
import openai._base_client, websockets.asyncio.client
print("agentops_otel_litellm.patching.traced_functions" in sys.modules,
      hasattr(openai._base_client.SyncAPIClient._sleep_for_retry, "__wrapped__"))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
