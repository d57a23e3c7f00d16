"""The logging objects of calls that are traced, or deliberately not traced, by a wrapped function of LiteLLM.

LiteLLM makes one logging object for each call. The callbacks record only calls whose object is not known here.
"""

from __future__ import annotations

from contextlib import suppress

from agentops_otel_litellm.weak_references import WeakObjects

KNOWN: WeakObjects[object] = WeakObjects()


def know(logging: object) -> None:
    """Add a logging object. What the application passes as one is ignored if it cannot be referenced weakly."""
    with suppress(TypeError):
        KNOWN.add(logging)
