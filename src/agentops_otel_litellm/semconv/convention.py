"""Vocabularies: tables that name the attribute for each field of a record, and may have a function that converts the
field's value.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.guard import guard, ignored_faults

Attributes = dict[str, AttributeValue]
Convert = Callable[[Any], AttributeValue | None]
Value = TypeVar("Value")

UNLIMITED = sys.maxsize
WRITTEN = (
    "content",
    *("request", "response", "response_headers", "stream", "saved", "attempts", "routing", "estimate", "app"),
    *("cost", "usage", "failure", "target", "call"),
)
"""Fields of a call, in the order in which their attributes are written; the least important first. If a span has too
many attributes, the SDK evicts the first ones.
"""
_CAPITAL = re.compile(r"(?<=.)(?=[A-Z])")
"""The place before each capital letter but the first."""
_OTHERS = WRITTEN.index("cost")
"""The position of records that are not in `WRITTEN`."""


@dataclass(frozen=True, slots=True)
class Several:
    """A row that writes any number of attributes: the row `"llm.tools": Several(name_tools)` can write
    `llm.tools.0.name`, `llm.tools.1.name` and so on.

    The function receives the record and the maximum number of attributes. It returns a mapping: the rest of the name,
    such as `0.name`, → the value.
    """

    write: Callable[[Any, int], Mapping[str, AttributeValue]]


Row = str | tuple[str, Convert] | Several


@dataclass(frozen=True, slots=True)
class _Always(Generic[Value]):
    """A function that returns the same value for each argument. `Vocabulary` reads `value` instead of calling it."""

    value: Value

    def __call__(self, _field_value: object) -> Value:
        return self.value


def always(value: Value) -> Callable[[object], Value]:
    """Return a function for a row whose attribute always has the same value.

    With the row `"llm.vendor": ("name", always("litellm"))`, the value is `litellm` for every call that has a `name`.
    """
    return _Always(value)


def prefixed(prefix: str, kind: type, *, without: Collection[str] = ()) -> dict[str, str]:
    """Return a row for each field of the record class `kind`, except the fields in `without`. The name of the attribute
    is `prefix` followed by the name of the field.
    """
    return {f"{prefix}{field.name}": field.name for field in fields(kind) if field.name not in without}


class Table:
    """The rows for one class of records: `Table(Usage, {"llm.usage.total_tokens": "total"})`.

    A row is an attribute name with one of these: the name of a field; a tuple of the name and a function that converts
    the field's value; a `Several`. The attribute is absent if the field is unknown or the function returns `None`. If
    the attributes of `Several` rows exceed the maximum number, the last row has priority.
    """

    def __init__(self, kind: type, rows: Mapping[str, Row], *, of: Collection[str] | None = None) -> None:
        """Raises a ValueError if a row names a field that the record does not have.

        `kind` is the class of the records, such as `Usage`. `of` are the operations for which the table is used, by
        their names in `Call.name`: `{"chat", "embeddings"}`. By default, it is used for all calls.
        """
        self.kind = kind
        self.about = _CAPITAL.sub("_", kind.__name__).lower()
        """The field of `Call` that contains the record: `response_headers` for `ResponseHeaders`."""
        self.of = None if of is None else frozenset(of)
        self.rows = rows
        self.several = {attribute: row for attribute, row in rows.items() if isinstance(row, Several)}
        self.by_field: dict[str, tuple[tuple[str, Convert | None], ...]] = {}
        """Field → its attributes, each with the function that converts the field, or `None`.

        With this index, only the rows of known fields are read, which are few. That matters because LiteLLM's work has
        filled the CPU's caches, so that each row is read from memory.
        """
        known = {field.name for field in fields(kind)}
        for attribute, row in rows.items():
            if isinstance(row, Several):
                continue
            name, convert = (row, None) if isinstance(row, str) else row
            if name not in known:
                raise ValueError(f"The row {attribute} names the field {name!r}, which {kind.__name__} does not have")
            self.by_field[name] = (*self.by_field.get(name, ()), (attribute, convert))

    def write_guarded(self, record: object, attributes: Attributes) -> None:
        """Add the attributes of `record` to `attributes`. If the function of a row raises, that is logged, and only the
        attribute of this row is absent.
        """
        known = vars(record)
        for name, rows in self.by_field.items():
            for attribute, convert in rows if name in known else ():
                with guard(f"computing the attribute {attribute}"):
                    value = known[name] if convert is None else convert(known[name])
                    if value is not None:
                        attributes[attribute] = value

    def write_several(self, record: object, room: int) -> Attributes:
        """At most `room` attributes of the `Several` rows, in the order of the rows. The last row gets its attributes
        first, the other rows share the rest.
        """
        found: list[Attributes] = []
        for attribute, several in reversed(self.several.items()):
            with guard(f"computing the attributes {attribute}"):
                if room > 0:
                    written = several.write(record, room)
                    found.append({f"{attribute}.{name}": value for name, value in written.items()})
                    room -= len(written)
        return {name: value for each in reversed(found) for name, value in each.items()}


class Vocabulary:
    """Tables in any order. Their attributes are written in the order of `WRITTEN`."""

    def __init__(self, *tables: Table, records_success: bool = False, replaces: Sequence[str] = ()) -> None:
        self.tables = tuple(sorted(tables, key=_write_order))
        self.replaces = tuple(replaces)
        """Beginnings of attribute names that `merged` leaves out of other vocabularies, because this one has the same
        facts by other names, and its backends would read them twice.
        """
        self.records_success = records_success
        """Whether the status of a successful call's span is set to OK, because the backend needs that. OpenTelemetry
        leaves this status to applications.
        """

    def attributes(self, about: object, room: int = UNLIMITED) -> Attributes:
        """All attributes of a record, such as a `Call`, and of the records in its fields.

        `room` is the maximum number of attributes. If there are more, attributes of `Several` rows are left out.
        """
        records = {type(about).__name__.lower(): about, **vars(about)}
        operation = records.get("name")
        attributes: Attributes = {}
        several: list[tuple[Table, object]] = []
        try:  # instead of a guard for each row: `try` costs nothing if no row raises
            for table in self.tables:
                if table.about not in records or (table.of is not None and operation not in table.of):
                    continue
                record, by_field = records[table.about], table.by_field
                for field, known in vars(record).items():
                    for attribute, convert in by_field.get(field, ()):
                        if convert is None:
                            attributes[attribute] = known
                        elif type(convert) is _Always:
                            attributes[attribute] = convert.value
                        elif (value := convert(known)) is not None:
                            attributes[attribute] = value
                if table.several:
                    several.append((table, record))
        except Exception:
            with ignored_faults():
                raise  # only an exception of the application's signal handler leaves this block
            attributes, several = self._write_guarded(records)
        return {**_write_several(several, room - len(attributes)), **attributes} if several else attributes

    def _write_guarded(self, records: Mapping[str, object]) -> tuple[Attributes, list[tuple[Table, object]]]:
        """Write the attributes again after a row has raised, each row in its own guard. Return the attributes, and each
        table that has `Several` rows with its record.
        """
        attributes: Attributes = {}
        several: list[tuple[Table, object]] = []
        for table in self.tables:
            if table.about in records and (table.of is None or records.get("name") in table.of):
                table.write_guarded(records[table.about], attributes)
                if table.several:
                    several.append((table, records[table.about]))
        return attributes, several

    @classmethod
    def merged(cls, vocabularies: Sequence[Vocabulary]) -> Vocabulary:
        """A vocabulary with the attributes of all `vocabularies`. If two have the same attribute, the row of the first
        one is used. Attributes that another vocabulary `replaces` are left out.
        """
        rows: dict[tuple[type, frozenset[str] | None], dict[str, Row]] = {}
        for vocabulary in reversed(vocabularies):
            others = (each for each in vocabularies if each is not vocabulary)
            replaced = tuple(beginning for each in others for beginning in each.replaces)
            for table in vocabulary.tables if not replaced else _tables_without(vocabulary, replaced):
                for (_, of), other_rows in rows.items():
                    # This table is for all operations of the other table, so its rows replace those of the other table.
                    if table.of is None or (of is not None and of <= table.of):
                        for name in table.rows.keys() & other_rows.keys():
                            del other_rows[name]
                rows.setdefault((table.kind, table.of), {}).update(table.rows)
        tables = (Table(kind, each, of=of) for (kind, of), each in rows.items() if each)
        return cls(*tables, records_success=any(vocabulary.records_success for vocabulary in vocabularies))

    def beside_others(self) -> Vocabulary:
        """Return the same vocabulary, except that it replaces no attributes of others."""
        return Vocabulary(*self.tables, records_success=self.records_success) if self.replaces else self

    def __iter__(self) -> Iterator[str]:
        """The attribute names; for a `Several` row, the common prefix of its attributes."""
        return (name for table in self.tables for name in table.rows)


def _tables_without(vocabulary: Vocabulary, beginnings: tuple[str, ...]) -> Iterator[Table]:
    """The vocabulary's tables without the attributes whose names begin with one of `beginnings`."""
    for table in vocabulary.tables:
        kept = {name: row for name, row in table.rows.items() if not name.startswith(beginnings)}
        yield table if len(kept) == len(table.rows) else Table(table.kind, kept, of=table.of)


def _write_order(table: Table) -> tuple[int, bool]:
    """The sort key of a table. For the same record, a table for some operations comes after a table for all operations,
    so that its attributes override those of the other table.
    """
    return WRITTEN.index(table.about) if table.about in WRITTEN else _OTHERS, table.of is not None


def _write_several(tables: Sequence[tuple[Table, object]], room: int) -> Attributes:
    """At most `room` attributes of the `Several` rows of these tables, each with its record.

    If there are more, each table gets an equal share of `room`. If a table needs less, the others share the rest.
    """
    written = [table.write_several(record, room) for table, record in tables]
    if sum(map(len, written)) > room:
        # The tables with the fewest attributes first, so that what they leave is known for the others.
        by_need = sorted(range(len(tables)), key=lambda index: (len(written[index]), -index))
        for served, index in enumerate(by_need):
            share = room // (len(tables) - served)
            if len(written[index]) > share:
                table, record = tables[index]
                written[index] = table.write_several(record, share)
            room -= len(written[index])
    return {name: value for each in written for name, value in each.items()}
