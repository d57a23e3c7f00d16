"""Vocabularies: tables from attribute names to the fields of records, with optional functions that convert a field."""

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
"""Records, in the order in which they are written. If a span has too many attributes, the SDK evicts the first ones."""
_OTHERS = WRITTEN.index("cost")


@dataclass(frozen=True, slots=True)
class Several:
    """A row that writes any number of attributes: `Several(names_of_tools)` as the row `llm.tools` can write
    `llm.tools.0.tool.name` and so on.

    The function receives the record and the maximum number of attributes. It returns the names after `llm.tools.`, and
    the values.
    """

    write: Callable[[Any, int], Mapping[str, AttributeValue]]


Row = str | tuple[str, Convert] | Several


def always(value: Value) -> Callable[[object], Value]:
    """Return a function for a row whose attribute always has the same value.

    With the row `"llm.vendor": ("name", always("litellm"))`, the value is `litellm` for every call that has a `name`.
    """
    return lambda _: value


class Table:
    """The rows for one kind of record: `Table(Usage, {"llm.usage.total_tokens": "total"})`.

    A row is the name of a field, a tuple of a field's name and a function of its value, or a `Several`. The attribute
    is absent if the field is unknown or the function returns `None`. If the attributes of `Several` rows exceed the
    maximum number, the last row has priority.
    """

    def __init__(self, kind: type, rows: Mapping[str, Row], *, of: Collection[str] | None = None) -> None:
        """Raises a ValueError if a row names a field that the record does not have.

        `of` limits the table to these operations, by the names of their calls. By default it is for all calls.
        """
        self.kind = kind
        self.about = kind.__name__.lower()
        """The name of the field of a `Call` that has the record."""
        self.of = None if of is None else frozenset(of)
        self.rows = rows
        self.several = {attribute: row for attribute, row in rows.items() if isinstance(row, Several)}
        # Indexed by field, because only a few fields of a record are known for a call. The CPU's caches are cold after
        # LiteLLM's work, so the cost depends on how much memory is read.
        self._copied: dict[str, tuple[str, ...]] = {}
        self._converted: dict[str, tuple[tuple[str, Convert], ...]] = {}
        known = {field.name for field in fields(kind)}
        for attribute, row in rows.items():
            if isinstance(row, Several):
                continue
            name = row if isinstance(row, str) else row[0]
            if name not in known:
                raise ValueError(f"The row {attribute} names the field {name!r}, which {kind.__name__} does not have")
            if isinstance(row, str):
                self._copied[name] = (*self._copied.get(name, ()), attribute)
            else:
                self._converted[name] = (*self._converted.get(name, ()), (attribute, row[1]))

    def write(self, record: object, attributes: Attributes) -> None:
        """Add the attributes of `record`, whose unknown fields are not in `vars(record)`. Exceptions of a `convert`
        function are raised.
        """
        copied, converted = self._copied, self._converted
        for name, field_value in vars(record).items():
            if name in copied:
                for attribute in copied[name]:
                    attributes[attribute] = field_value
            if name in converted:
                for attribute, convert in converted[name]:
                    value = convert(field_value)
                    if value is not None:
                        attributes[attribute] = value

    def write_guarded(self, record: object, attributes: Attributes) -> None:
        """Add the attributes of `record`. If a row's function raises, it is logged and its attribute is absent."""
        for attribute, row in self.rows.items():
            if isinstance(row, Several):
                continue
            name, convert = (row, None) if isinstance(row, str) else row
            with guard(f"computing the attribute {attribute}"):
                known = vars(record).get(name)
                value = known if convert is None or known is None else convert(known)
                if value is not None:
                    attributes[attribute] = value

    def write_several(self, record: object, room: int) -> Attributes:
        """At most `room` attributes of the `Several` rows, in the order of the rows. The last row has priority."""
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

    def __init__(self, *tables: Table, records_success: bool = False) -> None:
        self.tables = tuple(sorted(tables, key=_write_order))
        self.records_success = records_success
        """Whether a successful call sets the span's status to OK, because backends need it. By OpenTelemetry's
        conventions only applications set it.
        """
        self._several = tuple(table for table in self.tables if table.several)

    def attributes(self, about: object, room: int = UNLIMITED) -> Attributes:
        """All attributes of a record, such as a `Call`, and of the records in its fields.

        `room` is the maximum number of attributes. Only the attributes of `Several` rows are limited.
        """
        records = {type(about).__name__.lower(): about, **vars(about)}
        attributes = self._write_single(records)
        several = self._write_several(records, room - len(attributes)) if self._several else None
        return {**several, **attributes} if several else attributes

    def _write_several(self, records: Mapping[str, object], room: int) -> Attributes:
        """At most `room` attributes of the `Several` rows of all tables. If there are more, each table gets a fair
        share: the attributes that one table does not need are for the others.
        """
        tables = [table for table in self._several if _applies_to(table, records)]
        written = [table.write_several(records[table.about], room) for table in tables]
        if sum(map(len, written)) > room:
            by_need = sorted(range(len(tables)), key=lambda index: (len(written[index]), -index))
            for served, index in enumerate(by_need):
                share = room // (len(tables) - served)
                if len(written[index]) > share:
                    written[index] = tables[index].write_several(records[tables[index].about], share)
                room -= len(written[index])
        return {name: value for each in written for name, value in each.items()}

    def _write_single(self, records: Mapping[str, object]) -> Attributes:
        """The attributes of all rows except `Several` rows."""
        attributes: Attributes = {}
        with _IGNORING:  # a row that raises is logged below
            for table in self.tables:
                about = table.about
                if about in records and (table.of is None or _applies_to(table, records)):
                    table.write(records[about], attributes)
            return attributes
        for table in self.tables:
            if _applies_to(table, records):
                table.write_guarded(records[table.about], attributes)
        return attributes

    @classmethod
    def merged(cls, vocabularies: Sequence[Vocabulary]) -> Vocabulary:
        """A vocabulary with the attributes of all `vocabularies`. If two have the same attribute, it is from the first
        one.
        """
        rows: dict[tuple[type, frozenset[str] | None], dict[str, Row]] = {}
        for vocabulary in reversed(vocabularies):
            for table in vocabulary.tables:
                for (_, of), others in rows.items():
                    if table.of is None or (of is not None and of <= table.of):
                        _remove(table.rows, others)
                rows.setdefault((table.kind, table.of), {}).update(table.rows)
        tables = (Table(kind, each, of=of) for (kind, of), each in rows.items() if each)
        return cls(*tables, records_success=any(vocabulary.records_success for vocabulary in vocabularies))

    def __iter__(self) -> Iterator[str]:
        """The attribute names; of `Several` rows, the common prefix."""
        return (name for table in self.tables for name in table.rows)


def _write_order(table: Table) -> tuple[int, bool]:
    """The sort key of a table. A table for some operations is written after a table for all operations, and so
    overrides the attributes of that table.
    """
    return WRITTEN.index(table.about) if table.about in WRITTEN else _OTHERS, table.of is not None


def _applies_to(table: Table, records: Mapping[str, object]) -> bool:
    return table.about in records and (table.of is None or records.get("name") in table.of)


def _remove(names: Mapping[str, object], rows: dict[str, Row]) -> None:
    for name in names.keys() & rows.keys():
        del rows[name]
