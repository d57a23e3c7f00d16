"""WeakObjects: objects that are kept track of, and not kept alive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar
from weakref import ref

Kept = TypeVar("Kept", bound=object)


class WeakObjects(Generic[Kept]):
    """What `weakref.WeakSet` is, without code in Python that runs when an object is collected.

    Such code runs wherever the last reference is dropped, and an exception that a signal handler of the application's
    raises meanwhile, such as a time limit, is printed and lost.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: dict[ref[Kept], None] = {}

    def add(self, thing: Kept) -> None:
        """Raises `TypeError` if there cannot be weak references to it."""
        reference = ref(thing, self._references.__delitem__)
        if reference not in self._references:
            self._references[reference] = None

    def discard(self, thing: Kept) -> None:
        self._references.pop(ref(thing), None)

    def __contains__(self, thing: Kept) -> bool:
        try:
            return ref(thing) in self._references
        except TypeError:  # there cannot be weak references to it
            return False

    def __len__(self) -> int:
        return len(self._references)

    def __iter__(self) -> Iterator[Kept]:
        """Those that there are now: others may come and go meanwhile."""
        return (thing for reference in list(self._references) if (thing := reference()) is not None)
