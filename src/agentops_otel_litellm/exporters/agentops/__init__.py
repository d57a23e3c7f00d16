"""Delivery to AgentOps: a token is bought with the API key, spans are held until they are delivered."""

from agentops_otel_litellm.exporters.agentops.exporter import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.agentops.processor import AgentOpsSpanProcessor
from agentops_otel_litellm.exporters.agentops.trouble import Trouble

__all__ = ["AgentOpsSpanExporter", "AgentOpsSpanProcessor", "Trouble"]
