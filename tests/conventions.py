"""OpenTelemetry's conventions as data: what tests hold names, types, units and buckets against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    unit: str
    buckets: Sequence[float] | None
    """`None` is a counter."""
    attributes: Sequence[str]


_FACTS = json.loads(Path(__file__).with_name("data").joinpath("semantic_conventions.json").read_text("utf-8"))

TYPES: Mapping[str, str] = {
    name: kind for group in ("released", "added") for kind, names in _FACTS[group].items() for name in names
}
"""Attribute → its type, in the conventions' own terms."""
MEMBERS: Mapping[str, frozenset[str]] = {name: frozenset(members) for name, members in _FACTS["enums"].items()}
"""Attribute → its well-known values."""
METRICS: Mapping[str, Metric] = {name: Metric(**facts) for name, facts in _FACTS["metrics"].items()}
NEWEST_METRICS: Mapping[str, Metric] = {name: Metric(**facts) for name, facts in _FACTS["newest_metrics"].items()}
EVENTS: frozenset[str] = frozenset(_FACTS["events"])
