"""LiteLLM's shapes → records: the only place that knows them, and the only one where `Any` is at home.

What arrives here is whatever the app passed and whatever the installed LiteLLM made of it. Readers copy no
content, change nothing, and never import litellm. They may raise on a shape they have not seen: callers guard them.
"""

from agentops_otel_litellm.readers.audio import SPEECH, TRANSCRIPTION
from agentops_otel_litellm.readers.failures import read_failure
from agentops_otel_litellm.readers.images import IMAGE
from agentops_otel_litellm.readers.moderation import MODERATION
from agentops_otel_litellm.readers.realtime import REALTIME, read_session_end
from agentops_otel_litellm.readers.shapes import BATCH, CHAT, DEFAULT, EMBEDDING, ROUTE, TEXT, Shape
from agentops_otel_litellm.readers.streams import Chunks, LiteLLMStream, is_stream
from agentops_otel_litellm.readers.target import read_cooldown_time, read_routing, read_target
from agentops_otel_litellm.readers.video import VIDEO

__all__ = [
    "BATCH",
    "CHAT",
    "DEFAULT",
    "EMBEDDING",
    "IMAGE",
    "MODERATION",
    "REALTIME",
    "ROUTE",
    "SPEECH",
    "TEXT",
    "TRANSCRIPTION",
    "VIDEO",
    "Chunks",
    "LiteLLMStream",
    "Shape",
    "is_stream",
    "read_cooldown_time",
    "read_failure",
    "read_routing",
    "read_session_end",
    "read_target",
]
