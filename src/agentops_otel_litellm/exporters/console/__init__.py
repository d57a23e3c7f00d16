"""The console exporter: a readable line on stderr for each LiteLLM call as it ends, and totals at exit."""

from agentops_otel_litellm.exporters.console.exporter import ConsoleSpanExporter

__all__ = ["ConsoleSpanExporter"]
