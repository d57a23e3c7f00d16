"""Delivery to AgentOps: the API key is exchanged for a token, and spans are queued until they are delivered."""

from agentops_otel_litellm.exporters.agentops.delivery_errors import DeliveryError
from agentops_otel_litellm.exporters.agentops.exporter import AgentOpsSpanExporter
from agentops_otel_litellm.exporters.agentops.processor import AgentOpsSpanProcessor

__all__ = ["AgentOpsSpanExporter", "AgentOpsSpanProcessor", "DeliveryError"]
