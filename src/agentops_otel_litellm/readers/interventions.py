"""Exceptions with which a guardrail has blocked a request.

Their classes are general, such as FastAPI's `HTTPException`, so the functions that run guardrails mark them.
"""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakSet

INTERVENTION = "GuardrailIntervention"
"""A name that `read_failure` adds to the classes of a marked exception. Its category is `content_filter`."""

_marked: WeakSet[BaseException] = WeakSet()


def mark_intervention(error: BaseException) -> None:
    """Mark an exception with which a guardrail has blocked a request. Python's own exceptions, such as a `ValueError`,
    cannot be marked, because no weak reference to them is possible.
    """
    with suppress(TypeError):
        _marked.add(error)


def added_names(error: BaseException) -> tuple[str, ...]:
    """The name to add to the classes of an exception: `INTERVENTION` if it is marked."""
    if _marked:
        with suppress(TypeError):  # the application's exception may have no hash
            return (INTERVENTION,) if error in _marked else ()
    return ()
