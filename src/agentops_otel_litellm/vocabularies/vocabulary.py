"""What a vocabulary is: attribute name → a field of a record, or what a function makes of that field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any, TypeVar

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.guard import guard

Attributes = dict[str, AttributeValue]
Convert = Callable[[Any], AttributeValue | None]
Row = str | tuple[str, Convert]
Value = TypeVar("Value")


def always(value: Value) -> Callable[[object], Value]:
    """What a row makes of a field where it only matters that the field is known."""
    return lambda _: value


class Table:
    """The rows about one kind of record: `Table(Usage, {"llm.usage.total_tokens": "total"})`.

    A row is the name of a field, or that and a function of the field's value. The attribute is left out where the
    field is not known, and where the function answers `None`. A name that ends in `.*` is of as many attributes as the
    field, a mapping, has members; other rows come first.
    """

    def __init__(self, kind: type, rows: Mapping[str, Row]) -> None:
        """Raise a ValueError for a row that names a field which the record does not have."""
        self.kind = kind
        self.about = kind.__name__.lower()
        """The field that holds such a record, in one that does."""
        self.rows = rows
        # By field: a call knows few of a record's fields. Its code runs on a cold cache, between two milliseconds of
        # LiteLLM's, so what counts is how much memory is touched.
        self._copied: dict[str, tuple[str, ...]] = {}
        self._converted: dict[str, tuple[tuple[str, Convert], ...]] = {}
        self._spread: dict[str, str] = {}
        known = {field.name for field in fields(kind)}
        for attribute, row in rows.items():
            name = row if isinstance(row, str) else row[0]
            if name not in known:
                raise ValueError(f"{attribute} is to be {name!r}, which {kind.__name__} does not have")
            if attribute.endswith(".*"):
                self._spread[name] = attribute[:-1]
            elif isinstance(row, str):
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
        for name, prefix in self._spread.items():
            _spread(vars(record).get(name), prefix, attributes)

    def write_what_works(self, record: object, attributes: Attributes) -> None:
        """The same, where a row is broken: it is told of, and loses its own attribute and no other."""
        for attribute, row in self.rows.items():
            name, convert = (row, None) if isinstance(row, str) else row
            with guard(f"working out the attribute {attribute}"):
                known = vars(record).get(name)
                if attribute.endswith(".*"):
                    _spread(known, attribute[:-1], attributes)
                    continue
                value = known if convert is None or known is None else convert(known)
                if value is not None:
                    attributes[attribute] = value


def _spread(members: Mapping[str, AttributeValue] | None, prefix: str, attributes: Attributes) -> None:
    """Add an attribute for each of them, where there is none of that name."""
    for name, known in (members or {}).items():
        attributes.setdefault(prefix + name, known)


class Vocabulary:
    """Tables, in the order their attributes are written: of a span that has too many, the first are evicted first."""

    def __init__(self, *tables: Table) -> None:
        self.tables = tables

    def attributes(self, about: object) -> Attributes:
        """Everything this vocabulary says of a record (a `Call`, say) and of the records it holds."""
        records = {type(about).__name__.lower(): about, **vars(about)}
        attributes: Attributes = {}
        with suppress(Exception):  # a broken row is found and told of below
            for table in self.tables:
                if table.about in records:
                    table.write(records[table.about], attributes)
            return attributes
        for table in self.tables:
            if table.about in records:
                table.write_what_works(records[table.about], attributes)
        return attributes

    @classmethod
    def merged(cls, vocabularies: Sequence[Vocabulary]) -> Vocabulary:
        """One that says what all of them say. Where two have the same attribute, the first of them decides."""
        rows: dict[type, dict[str, Row]] = {}
        for vocabulary in reversed(vocabularies):
            for table in vocabulary.tables:
                rows.setdefault(table.kind, {}).update(table.rows)
        return cls(*(Table(kind, each) for kind, each in rows.items()))

    def __iter__(self) -> Iterator[str]:
        """The attribute names."""
        return (name for table in self.tables for name in table.rows)
