"""LiteLLM's logging objects, one for each call, of whose call it is known that it is seen or is not to be."""

from __future__ import annotations

from contextlib import suppress

from agentops_otel_litellm.weak_references import WeakObjects

KNOWN: WeakObjects[object] = WeakObjects()


def know(logging: object) -> None:
    """Of a call that is seen, or is not to be, whatever the app passed as its logging object."""
    with suppress(TypeError):  # LiteLLM's own can be referred to weakly
        KNOWN.add(logging)
