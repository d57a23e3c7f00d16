"""LiteLLM's shapes → records: the only place that knows them, and the only one where `Any` is at home.

What arrives here is whatever the app passed and whatever the installed LiteLLM made of it. Readers copy no
content, change nothing, and never import litellm. They may raise on a shape they have not seen: callers guard them.
"""

from agentops_otel_litellm.readers.failures import read_failure
from agentops_otel_litellm.readers.logged import (
    is_over,
    logged_cost,
    logged_parameters,
    logged_result,
    logged_timing,
    logged_usage,
    response_shape,
    was_made,
)
from agentops_otel_litellm.readers.shapes import BATCH, CHAT, DEFAULT, EMBEDDING, ROUTE, TEXT, Shape
from agentops_otel_litellm.readers.streams import Chunks, LiteLLMStream, is_stream
from agentops_otel_litellm.readers.target import read_cooldown_time, read_routing, read_target

__all__ = [
    "BATCH",
    "CHAT",
    "DEFAULT",
    "EMBEDDING",
    "ROUTE",
    "TEXT",
    "Chunks",
    "LiteLLMStream",
    "Shape",
    "is_over",
    "is_stream",
    "logged_cost",
    "logged_parameters",
    "logged_result",
    "logged_timing",
    "logged_usage",
    "read_cooldown_time",
    "read_failure",
    "read_routing",
    "read_target",
    "response_shape",
    "was_made",
]
