"""Writes the tables of these pages: settings, attributes, metrics and operations. Run it when they change."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from agentops_otel_litellm.__main__ import as_table, rows_of, rows_of_defaults
from agentops_otel_litellm.operations import BILLED, OPERATIONS
from agentops_otel_litellm.readers import API_FORMATS
from agentops_otel_litellm.readers.api_format import no_cost
from agentops_otel_litellm.readers.streams import Chunks
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary
from agentops_otel_litellm.semconv.gen_ai import EXCEPTION
from agentops_otel_litellm.semconv.instruments import METRICS, NEWEST, Metric
from agentops_otel_litellm.semconv.llm import ATTEMPT
from agentops_otel_litellm.settings import AgentOpsSettings, CallSettings, ContentSettings, ProcessSettings, Settings
from agentops_otel_litellm.settings.backends import BACKENDS
from agentops_otel_litellm.settings.gateways import GatewaySettings

HERE = Path(__file__).parent
GROUPS = {
    "Calls": CallSettings,
    "Gateways": GatewaySettings,
    "Content": ContentSettings,
    "AgentOps": AgentOpsSettings,
    "Processes": ProcessSettings,
}
EVENTS = {"litellm.attempt": ATTEMPT, "gen_ai.client.operation.exception": EXCEPTION}
TYPES = {"str": "string", "int": "int", "float": "double", "bool": "boolean", "tuple[str, ...]": "string[]"}


def settings() -> str:
    """Every setting, with its default and its meaning."""
    assert sum(len(fields(group)) for group in GROUPS.values()) == len(fields(Settings))
    rows = {title: rows_of(group) for title, group in GROUPS.items()}
    rows["OpenTelemetry's, with other defaults"] = rows_of_defaults()
    return "\n\n".join(f"## {title}\n\n{as_table(each)}" for title, each in rows.items())


def attributes() -> str:
    """Each field of the records of a call, and the attributes that have its value."""
    names: dict[type, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for vocabulary in VOCABULARIES.values():
        for table, attribute, field in _rows(vocabulary):
            if attribute not in names[table.kind][field]:
                names[table.kind][field].append(attribute)
    lines: list[str] = []
    for kind, by_field in names.items():
        meanings, types = _documented(kind)
        facts = {
            field: f"`{field}`: {meanings[field]}" if field in meanings else _code([field]) for field in [*types, ""]
        }
        rows = [(facts[field], types.get(field, ""), _code(by_field[field])) for field in facts if field in by_field]
        lines += [f"### {kind.__name__}\n", _table(("field", "type", "attributes"), rows), ""]
    for event, vocabulary in EVENTS.items():
        event_rows = [(_code([attribute]), _code([field])) for _, attribute, field in _rows(vocabulary)]
        lines += [f"### The event `{event}`\n", _table(("attribute", "field"), event_rows), ""]
    return "\n".join(lines).rstrip()


def metrics() -> str:
    """Every metric, by its released name."""
    return _metrics_table(METRICS)


def newest_metrics() -> str:
    """The metrics that replace them if the newest names of the conventions are chosen."""
    return _metrics_table(NEWEST)


def operations() -> str:
    """Each operation of the catalogue, and the telemetry that is recorded for it."""
    heads = ("operation", "LiteLLM's functions", "kind", "content", "tokens", "cost", "stream")
    rows = []
    for row in OPERATIONS:
        read = API_FORMATS[row.api_format]
        facts = (
            read.content is not None,
            read.counts_tokens,
            row.kind in BILLED and read.cost is not no_cost,
            read.chunks is not Chunks,
        )
        marks = ["✓" if is_recorded else "no" for is_recorded in facts]
        kind = row.kind.name.lower()
        if row.name == "route":
            rows.append((_code([row.name]), "methods of `litellm.Router`", kind, *marks))
        elif row.name:
            rows.append((_code([row.name]), _code(row.functions), kind, *marks))
        else:
            rows += [(_code([name]), _code([name]), kind, *marks) for name in row.functions]
    return _table(heads, sorted(rows))


def backends() -> str:
    """Each backend that `AGENTOPS_BACKEND` can name: its variables, its conventions, and what it does not show."""
    rows = []
    for name, row in BACKENDS.items():
        optional = [each for each in row.variables if each not in row.required]
        by_default = row.url or ("OTEL_EXPORTER_OTLP_ENDPOINT" if name == "otlp" else "")
        rows.append(
            (
                f"`{name}`: {row.title}",
                f"{by_default}{f' (`{row.path}`)' if row.url else ''}",
                _code(row.required),
                _code([*row.url_variables, *optional]),
                _code(row.conventions),
                "; ".join(row.lost),
            )
        )
    return _table(("backend", "URL", "required", "optional", "conventions", "does not show"), rows)


def _metrics_table(metrics: Iterable[Metric]) -> str:
    """A table of metrics. Rows with the same name are one row."""
    rows = {
        metric.name: (
            f"`{metric.name}`",
            metric.instrument if metric.instrument != "open streams" else "up-down counter",
            f"`{metric.unit}`",
            metric.description,
        )
        for metric in metrics
    }
    return _table(("metric", "instrument", "unit", "meaning"), rows.values())


def _rows(vocabulary: Vocabulary) -> Iterable[tuple[Table, str, str]]:
    """Each row of a vocabulary: its table, its attribute, and the name of its field. For a `Several`, the attribute is
    the common prefix, and the name of the field is empty.
    """
    for table in vocabulary.tables:
        for attribute, row in table.rows.items():
            if isinstance(row, Several):
                yield table, f"{attribute}.*", ""
            else:
                yield table, attribute, row if isinstance(row, str) else row[0]


def _documented(kind: type) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The docstrings of a record's fields, and the types of the fields."""
    (declared,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(declared, ast.ClassDef)
    meanings: dict[str, str] = {}
    types: dict[str, str] = {}
    name = ""
    for statement in declared.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            annotation = ast.unparse(statement.annotation).removesuffix(" | None")
            types[name] = TYPES.get(annotation, "")
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and name:
            meanings[name] = " ".join(str(statement.value.value).split())
    return meanings, types


def _code(values: Iterable[str]) -> str:
    return " ".join(f"`{value}`" for value in values if value)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


WRITTEN = {
    "configuration.md": {"settings": settings},
    "captured.md": {"attributes": attributes, "metrics": metrics, "newest metrics": newest_metrics},
    "operations.md": {"operations": operations},
    "backends.md": {"backends": backends},
}
"""Page → its parts, between `<!-- part -->` and `<!-- /part -->`."""


def page(name: str) -> str:
    """The text of a page with its current tables."""
    text = (HERE / name).read_text(encoding="utf-8")
    for part, write in WRITTEN[name].items():
        between = re.compile(rf"(?<=<!-- {part} -->\n\n).*?(?=\n\n<!-- /{part} -->)", re.DOTALL)
        assert between.search(text), f"{name} has no place for {part}"
        text = between.sub(write().replace("\\", r"\\"), text)
    return text


if __name__ == "__main__":
    stale = [name for name in WRITTEN if page(name) != (HERE / name).read_text(encoding="utf-8")]
    for name in stale:
        (HERE / name).write_text(page(name), encoding="utf-8")
    sys.stderr.write(f"written: {', '.join(stale) or 'nothing'}\n")
