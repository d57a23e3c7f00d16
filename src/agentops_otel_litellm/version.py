"""The version, in its one place (the build reads it from here), and the scope that carries it."""

__version__ = "0.1.0"

SCOPE = "agentops_otel_litellm"
"""The instrumentation scope of everything this package emits."""
