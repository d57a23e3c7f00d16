"""Renders a report as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agentops_otel_litellm.cli.record import Record, Report, State

SCHEMA = 1
"""Version of the JSON. It changes if keys are renamed or removed, not if keys are added."""
_MARKS = {State.OK: "  ", State.NOTICE: "- ", State.PROBLEM: "! "}


def as_text(report: Report) -> str:
    """The report as text: a section for each check. The last line states what to do first."""
    return "\n".join([*_lines(report), report.first])


def as_json(report: Report) -> str:
    """The report as JSON, in the format that docs/troubleshooting.md describes."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "state": report.state.value,
            "first": report.first,
            "checks": [
                {"check": section.check, "records": [_record_fields(record) for record in section.records]}
                for section in report.sections
            ],
        },
        indent=2,
    )


def _record_fields(record: Record) -> dict[str, str]:
    return {"name": record.name, "state": record.state.value, "text": record.text, "advice": record.advice}


def _lines(report: Report) -> Iterator[str]:
    """The lines of the sections that have records."""
    for section in report.sections:
        if not section.records:
            continue
        yield section.check[:1].upper() + section.check[1:]
        width = max(len(record.name) for record in section.records)
        for record in section.records:
            yield f"{_MARKS[record.state]}{record.name:{width}}  {record.text}".rstrip()
            if record.advice:
                yield f"{'':{width + 4}}-> {record.advice}"
        yield ""
