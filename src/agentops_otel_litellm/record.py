"""Records: frozen dataclasses whose instances store only the known fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from typing_extensions import dataclass_transform

Class = TypeVar("Class")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[Class]) -> type[Class]:
    """Make `cls` a frozen, keyword-only dataclass whose instances store only the fields that are not `None`.

    `vars(instance)` has the known fields, and the other attributes are the class's defaults. A call has a dozen
    records, most of whose fields are unknown. One costs a tenth of a frozen, slotted dataclass, which sets each field.
    """
    decorated = dataclass(frozen=True, kw_only=True)(cls)
    decorated.__init__ = _store_known_fields  # type: ignore[method-assign]  # type checkers see the dataclass's own
    return decorated


def _store_known_fields(self: object, **fields: object) -> None:
    known = self.__dict__
    for name, value in fields.items():
        if value is not None:
            known[name] = value
