"""WeakObjects: a set of weak references to objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar
from weakref import ref

Object = TypeVar("Object", bound=object)


class WeakObjects(Generic[Object]):
    """A `weakref.WeakSet` that runs no Python code when an object is collected.

    An object is collected wherever its last reference is dropped. If Python code ran there, and a signal handler of the
    application raised an exception during that code, such as a time limit, Python would print the exception and drop
    it.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: dict[ref[Object], None] = {}

    def add(self, thing: Object) -> None:
        """Add an object. Raises: `TypeError` if it cannot be referenced weakly."""
        reference = ref(thing, self._references.__delitem__)
        if reference not in self._references:
            self._references[reference] = None

    def discard(self, thing: Object) -> None:
        self._references.pop(ref(thing), None)

    def __contains__(self, thing: Object) -> bool:
        try:
            return ref(thing) in self._references
        except TypeError:  # it cannot be referenced weakly
            return False

    def __len__(self) -> int:
        return len(self._references)

    def __iter__(self) -> Iterator[Object]:
        """Iterate over the present objects. Objects may be added and collected meanwhile."""
        return (thing for reference in list(self._references) if (thing := reference()) is not None)
