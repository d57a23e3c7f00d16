"""The logging objects of calls that are traced, or deliberately not traced, by a wrapped function of LiteLLM.

LiteLLM makes one logging object for each call. The callbacks record only calls whose object is not known here.
"""

from __future__ import annotations

from contextlib import suppress

from agentops_otel_litellm.weak_references import WeakObjects

KNOWN: WeakObjects[object] = WeakObjects()


def mark_as_known(logging: object) -> None:
    """Add a logging object. An object of the application's that cannot be referenced weakly is ignored."""
    with suppress(TypeError):
        KNOWN.add(logging)
