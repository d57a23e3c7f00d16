"""OpenTelemetry for LiteLLM: every call traced, measured and priced, with no change to the app.

Importing this imports neither litellm nor the OpenTelemetry SDK.
"""

from agentops_otel_litellm.instrumentor import LiteLLMInstrumentor
from agentops_otel_litellm.version import __version__

__all__ = ["LiteLLMInstrumentor", "__version__"]
