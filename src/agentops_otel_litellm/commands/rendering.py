"""A report in words, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agentops_otel_litellm.commands.record import Record, Report, State

SCHEMA = 1
"""Of the JSON; a new number where names in it change or go, not where some are added."""
_MARKS = {State.OK: "  ", State.NOTICE: "- ", State.PROBLEM: "! "}


def as_text(report: Report) -> str:
    """One section for each check, and what to do first as the last line."""
    return "\n".join([*_lines(report), report.first])


def as_json(report: Report) -> str:
    return json.dumps(
        {
            "schema": SCHEMA,
            "state": report.state.value,
            "first": report.first,
            "checks": [
                {"check": section.check, "records": [_plain(record) for record in section.records]}
                for section in report.sections
            ],
        },
        indent=2,
    )


def _plain(record: Record) -> dict[str, str]:
    return {"name": record.name, "state": record.state.value, "text": record.text, "advice": record.advice}


def _lines(report: Report) -> Iterator[str]:
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
