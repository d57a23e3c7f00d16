"""What a vocabulary is: attribute name → a field of a record, or a function of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Generic, Protocol, TypeVar

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call import Call
from agentops_otel_litellm.guard import guard

Record = TypeVar("Record")
Attributes = dict[str, AttributeValue]
Row = str | Callable[[Record], AttributeValue | None]


class Table(Generic[Record]):
    """The rows about one kind of record: `Table(Usage, {"llm.usage.total_tokens": "total"})`.

    A row is the name of a field, or a function of the record. A field that is not known leaves its attribute out,
    and so does a function that answers `None`.
    """

    def __init__(self, kind: type[Record], rows: Mapping[str, Row[Record]]) -> None:
        """Raise a ValueError for a row that names a field which the record does not have."""
        self.about = kind.__name__.lower()
        """The field of a `Call` that holds the record; `call` is the call itself."""
        self._named = [(attribute, row) for attribute, row in rows.items() if isinstance(row, str)]
        self._computed = [(attribute, row) for attribute, row in rows.items() if not isinstance(row, str)]
        self.rows = rows
        known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # records are dataclasses
        for attribute, name in self._named:
            if name not in known:
                raise ValueError(f"{attribute} is to be {name!r}, which {kind.__name__} does not have")

    def write(self, record: Record, attributes: Attributes) -> None:
        """Add what the rows say of `record`; raise what a broken row raises."""
        known = vars(record)
        for attribute, name in self._named:
            if name in known:
                attributes[attribute] = known[name]
        for attribute, work_out in self._computed:
            value = work_out(record)
            if value is not None:
                attributes[attribute] = value

    def write_what_works(self, record: Record, attributes: Attributes) -> None:
        """The same, where a row is broken: it is told of, and loses its own attribute and no other."""
        for attribute, row in self.rows.items():
            with guard(f"working out the attribute {attribute}"):
                value = vars(record).get(row) if isinstance(row, str) else row(record)
                if value is not None:
                    attributes[attribute] = value


class AnyTable(Protocol):
    """A table about whichever kind of record."""

    @property
    def about(self) -> str: ...
    @property
    def rows(self) -> Mapping[str, object]: ...
    @property
    def write(self) -> Callable[..., None]: ...
    @property
    def write_what_works(self) -> Callable[..., None]: ...


class Vocabulary:
    """Tables, in the order their attributes are written: of a span that has too many, the first are evicted first."""

    def __init__(self, *tables: AnyTable) -> None:
        self.tables = tables

    def write(self, call: Call, attributes: Attributes) -> None:
        """Add everything this vocabulary says of `call`."""
        records = {"call": call, **vars(call)}
        with suppress(Exception):  # a broken row is found and told of below
            for table in self.tables:
                if table.about in records:
                    table.write(records[table.about], attributes)
            return
        for table in self.tables:
            if table.about in records:
                table.write_what_works(records[table.about], attributes)

    def __iter__(self) -> Iterator[str]:
        """The attribute names."""
        return (name for table in self.tables for name in table.rows)
