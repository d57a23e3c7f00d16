"""What a vocabulary is: attribute name → a field of a record, or what a function makes of that field."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.guard import guard, ignored_faults

Attributes = dict[str, AttributeValue]
Convert = Callable[[Any], AttributeValue | None]
Value = TypeVar("Value")

_IGNORING = ignored_faults()
UNLIMITED = sys.maxsize
WRITTEN = (
    "content",
    *("request", "response", "stream", "saved", "attempts", "routing", "estimate", "app"),
    *("cost", "usage", "failure", "target", "call"),
)
"""Records, in the order in which they are written: of a span that has too many attributes, the first are evicted."""
_OTHERS = WRITTEN.index("cost")


@dataclass(frozen=True, slots=True)
class Several:
    """A row that gives any number of attributes: `Several(names_of_tools)` as the row `llm.tools`, say, gives
    `llm.tools.0.tool.name` and so on.

    The function is given the record, and how many attributes there is room for; it says what comes after
    `llm.tools.`, and the values.
    """

    write: Callable[[Any, int], Mapping[str, AttributeValue]]


Row = str | tuple[str, Convert] | Several


def always(value: Value) -> Callable[[object], Value]:
    """What a row makes of a field where it only matters that the field is known."""
    return lambda _: value


class Table:
    """The rows about one kind of record: `Table(Usage, {"llm.usage.total_tokens": "total"})`.

    A row is the name of a field, or that and a function of the field's value. The attribute is left out where the
    field is not known, and where the function answers `None`. Where not all that rows of `Several` attributes say has
    room, those further down go first.
    """

    def __init__(self, kind: type, rows: Mapping[str, Row], *, of: Collection[str] | None = None) -> None:
        """Raise a ValueError for a row that names a field which the record does not have.

        `of` are the operations of whose calls alone the table tells, by the names that calls have.
        """
        self.kind = kind
        self.about = kind.__name__.lower()
        """The field that holds such a record, in one that does."""
        self.of = None if of is None else frozenset(of)
        self.rows = rows
        self.several = {attribute: row for attribute, row in rows.items() if isinstance(row, Several)}
        # By field: a call knows few of a record's fields. Its code runs on a cold cache, between two milliseconds of
        # LiteLLM's, so what counts is how much memory is touched.
        self._copied: dict[str, tuple[str, ...]] = {}
        self._converted: dict[str, tuple[tuple[str, Convert], ...]] = {}
        known = {field.name for field in fields(kind)}
        for attribute, row in rows.items():
            if isinstance(row, Several):
                continue
            name = row if isinstance(row, str) else row[0]
            if name not in known:
                raise ValueError(f"{attribute} is to be {name!r}, which {kind.__name__} does not have")
            if isinstance(row, str):
                self._copied[name] = (*self._copied.get(name, ()), attribute)
            else:
                self._converted[name] = (*self._converted.get(name, ()), (attribute, row[1]))

    def write(self, record: object, attributes: Attributes) -> None:
        """Add what the rows say of `record`; raise what a broken row raises."""
        copied, converted = self._copied, self._converted
        for name, known in vars(record).items():
            if name in copied:
                for attribute in copied[name]:
                    attributes[attribute] = known
            if name in converted:
                for attribute, convert in converted[name]:
                    value = convert(known)
                    if value is not None:
                        attributes[attribute] = value

    def write_what_works(self, record: object, attributes: Attributes) -> None:
        """The same, where a row is broken: it is told of, and loses its own attribute and no other."""
        for attribute, row in self.rows.items():
            if isinstance(row, Several):
                continue
            name, convert = (row, None) if isinstance(row, str) else row
            with guard(f"working out the attribute {attribute}"):
                known = vars(record).get(name)
                value = known if convert is None or known is None else convert(known)
                if value is not None:
                    attributes[attribute] = value

    def write_out(self, record: object, room: int) -> Attributes:
        """What the rows of `Several` attributes say, in their order, as far as there is room."""
        found: list[Attributes] = []
        for attribute, several in reversed(self.several.items()):
            with guard(f"working out the attributes {attribute}"):
                if room > 0:
                    said = several.write(record, room)
                    found.append({f"{attribute}.{name}": value for name, value in said.items()})
                    room -= len(said)
        return {name: value for each in reversed(found) for name, value in each.items()}


class Vocabulary:
    """Tables, in whichever order: their attributes are written in that of `WRITTEN`."""

    def __init__(self, *tables: Table, tells_success: bool = False) -> None:
        self.tables = tuple(sorted(tables, key=_place))
        self.tells_success = tells_success
        """Whether its readers know that a call went well only where the span's status says so: OpenTelemetry's
        conventions leave that to the app.
        """
        self._several = tuple(table for table in self.tables if table.several)

    def attributes(self, about: object, room: int = UNLIMITED) -> Attributes:
        """Everything this vocabulary says of a record (a `Call`, say) and of the records it holds.

        Of what takes several attributes there is as much as there is `room` for, beside all others.
        """
        records = {type(about).__name__.lower(): about, **vars(about)}
        attributes = self._single(records)
        several = self._written_out(records, room - len(attributes)) if self._several else None
        return {**several, **attributes} if several else attributes

    def _written_out(self, records: Mapping[str, object], room: int) -> Attributes:
        """What takes several attributes. Where not all has room, tables share it."""
        tables = [table for table in self._several if _tells_of(table, records)]
        said = [table.write_out(records[table.about], room) for table in tables]
        if sum(map(len, said)) > room:
            by_need = sorted(range(len(tables)), key=lambda index: (len(said[index]), -index))
            for served, index in enumerate(by_need):
                share = room // (len(tables) - served)
                if len(said[index]) > share:
                    said[index] = tables[index].write_out(records[tables[index].about], share)
                room -= len(said[index])
        return {name: value for each in said for name, value in each.items()}

    def _single(self, records: Mapping[str, object]) -> Attributes:
        attributes: Attributes = {}
        with _IGNORING:  # a broken row is found and told of below
            for table in self.tables:
                about = table.about
                if about in records and (table.of is None or _tells_of(table, records)):
                    table.write(records[about], attributes)
            return attributes
        for table in self.tables:
            if _tells_of(table, records):
                table.write_what_works(records[table.about], attributes)
        return attributes

    @classmethod
    def merged(cls, vocabularies: Sequence[Vocabulary]) -> Vocabulary:
        """One that says what all of them say. Where two have the same attribute, the first of them decides."""
        rows: dict[tuple[type, frozenset[str] | None], dict[str, Row]] = {}
        for vocabulary in reversed(vocabularies):
            for table in vocabulary.tables:
                for (_, of), others in rows.items():
                    if table.of is None or (of is not None and of <= table.of):
                        _take_out(table.rows, others)
                rows.setdefault((table.kind, table.of), {}).update(table.rows)
        tables = (Table(kind, each, of=of) for (kind, of), each in rows.items() if each)
        return cls(*tables, tells_success=any(vocabulary.tells_success for vocabulary in vocabularies))

    def __iter__(self) -> Iterator[str]:
        """The attribute names; of what takes several, what they begin with."""
        return (name for table in self.tables for name in table.rows)


def _place(table: Table) -> tuple[int, bool]:
    """Where a table's turn is. One that tells of some operations alone knows better than one that tells of all."""
    return WRITTEN.index(table.about) if table.about in WRITTEN else _OTHERS, table.of is not None


def _tells_of(table: Table, records: Mapping[str, object]) -> bool:
    return table.about in records and (table.of is None or records.get("name") in table.of)


def _take_out(names: Mapping[str, object], rows: dict[str, Row]) -> None:
    for name in names.keys() & rows.keys():
        del rows[name]
