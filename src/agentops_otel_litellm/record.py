"""What a record is: a frozen dataclass that holds what is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from typing_extensions import dataclass_transform

Class = TypeVar("Class")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[Class]) -> type[Class]:
    """Make `cls` a frozen, keyword-only dataclass whose instances hold only the fields that are not `None`.

    So `vars(instance)` is what is known, and the other fields answer with their default. A call makes a dozen
    records of which most fields are unknown: made this way one costs a tenth of a frozen, slotted dataclass,
    which sets every field on its own.
    """
    made = dataclass(frozen=True, kw_only=True)(cls)
    made.__init__ = _hold_known  # type: ignore[method-assign]  # type checkers see the dataclass's own
    return made


def _hold_known(self: object, **fields: object) -> None:
    known = self.__dict__
    for name, value in fields.items():
        if value is not None:
            known[name] = value
