"""LiteLLM's logging objects, one for each call, of whose call it is known that it is seen or is not to be."""

from __future__ import annotations

from weakref import WeakSet

KNOWN: WeakSet[object] = WeakSet()
