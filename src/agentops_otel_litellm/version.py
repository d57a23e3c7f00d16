"""The version, which the build reads from here, and the name of the instrumentation scope."""

__version__ = "0.1.0"

SCOPE = "agentops_otel_litellm"
"""The instrumentation scope of everything this package emits."""
