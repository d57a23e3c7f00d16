"""OpenTelemetry's semantic conventions as tables of names, types, requirement levels, units and buckets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Levels = Mapping[str, str]
"""Attribute → requirement level: `required`, `conditionally_required: If available.`, `recommended`, `opt_in`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    instrument: str
    unit: str
    buckets: Sequence[float]
    """Empty if the conventions do not define them."""
    attributes: Levels


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanType:
    kind: str
    name: str
    """Such as `{gen_ai.operation.name} {gen_ai.request.model}`."""
    operations: Sequence[str]
    attributes: Levels
    sampling_relevant: Sequence[str]
    """Attributes that must be set at the start of the span, if they are set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """Differences of one type of span for one provider."""

    of: str
    attributes: Levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    severity: str | None
    attributes: Levels = field(default_factory=dict)
    attributes_of: str | None = None
    """The type of span with the same attributes."""


_DATA = Path(__file__).with_name("data")
_FACTS = json.loads(_DATA.joinpath("semantic_conventions.json").read_text("utf-8"))

TYPES: Mapping[str, str] = {
    name: kind for group in ("released", "added") for kind, names in _FACTS[group].items() for name in names
}
"""Attribute → type in the conventions."""
DEPRECATED: Mapping[str, str] = _FACTS["deprecated"]
"""Deprecated attribute → replacement."""
MEMBERS: Mapping[str, frozenset[str]] = {name: frozenset(members) for name, members in _FACTS["enums"].items()}
"""Attribute → its well-known values."""
SPANS: Mapping[str, SpanType] = {name: SpanType(**facts) for name, facts in _FACTS["spans"].items()}
REFINEMENTS: Mapping[str, Refinement] = {name: Refinement(**facts) for name, facts in _FACTS["refinements"].items()}
"""By `gen_ai.provider.name`."""
METRICS: Mapping[str, Metric] = {name: Metric(**facts) for name, facts in _FACTS["metrics"].items()}
"""Metrics of the released conventions."""
LATEST_METRICS: Mapping[str, Metric] = {name: Metric(**facts) for name, facts in _FACTS["latest_metrics"].items()}
"""Metrics that will replace them."""
EVENTS: Mapping[str, Event] = {name: Event(**facts) for name, facts in _FACTS["events"].items()}
SCHEMAS: Mapping[str, Mapping[str, object]] = {
    name: json.loads(_DATA.joinpath("schemas", file).read_text("utf-8")) for name, file in _FACTS["schemas"].items()
}
"""Content attribute → JSON schema."""
