"""What a vocabulary is: attribute name → function of a record.

Rows are grouped by the record of a `Call` they read; the rows of a record that is not there are not asked.
A row that answers `None` leaves its attribute out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import TypeVar

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call import Call, Cost, Failure, Request, Response, Route, Stream, Target, Usage
from agentops_otel_litellm.guard import guard

Record = TypeVar("Record")
Rows = dict[str, Callable[[Record], AttributeValue | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Tables from records to attributes. Later groups are written later, and so are last to be evicted."""

    request: Rows[Request] = field(default_factory=dict)
    response: Rows[Response] = field(default_factory=dict)
    stream: Rows[Stream] = field(default_factory=dict)
    route: Rows[Route] = field(default_factory=dict)
    usage: Rows[Usage] = field(default_factory=dict)
    cost: Rows[Cost] = field(default_factory=dict)
    failure: Rows[Failure] = field(default_factory=dict)
    target: Rows[Target] = field(default_factory=dict)
    call: Rows[Call] = field(default_factory=dict)

    def attributes(self, call: Call) -> Mapping[str, AttributeValue]:
        """Everything this vocabulary says of `call`. A broken row loses its own attribute and no other."""
        with suppress(Exception):  # the fast path: a broken row is found, named and logged below
            return {
                name: value
                for rows, record in self._groups(call)
                for name, read in rows.items()
                if (value := read(record)) is not None
            }
        return self._row_by_row(call)

    def _groups(self, call: Call) -> Iterator[tuple[Rows[object], object]]:
        for group in GROUPS:
            record = call if group == "call" else getattr(call, group)
            if record is not None:
                yield getattr(self, group), record

    def _row_by_row(self, call: Call) -> Mapping[str, AttributeValue]:
        found: dict[str, AttributeValue] = {}
        for rows, record in self._groups(call):
            for name, read in rows.items():
                with guard(f"working out the attribute {name}"):
                    value = read(record)
                    if value is not None:
                        found[name] = value
        return found


GROUPS = tuple(group.name for group in fields(Vocabulary))
