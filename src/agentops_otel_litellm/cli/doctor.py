"""`doctor`: reports the installed packages, the components that would run, the destinations, and all problems.

A check is a function from `Examined`, the environment, to `Record`s, its findings. The checks are in
`installation_checks.py`, `configuration_checks.py` and `conflict_checks.py`. `CHECKS` has the order in which they run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from agentops_otel_litellm.cli.configuration_checks import (
    check_delivery,
    check_destinations,
    check_settings,
)
from agentops_otel_litellm.cli.conflict_checks import check_conflicts
from agentops_otel_litellm.cli.installation_checks import (
    check_command,
    check_env_file,
    check_installed_packages,
    check_launch,
    check_patch_points,
)
from agentops_otel_litellm.cli.report import Examined, Record, Report, Section, State, problem
from agentops_otel_litellm.guard import place_of

Check = Callable[[Examined], Iterable[Record]]

CHECKS: Mapping[str, Check] = {
    "installed": check_installed_packages,
    "what runs": check_launch,
    "command": check_command,
    "environment file": check_env_file,
    "destinations": check_destinations,
    "conflicts": check_conflicts,
    "delivery": check_delivery,
    "patch points in LiteLLM": check_patch_points,
    "settings": check_settings,
}
"""Title of a section of the report → its check. Checks of causes precede checks of their consequences."""

SCHEMA = 1
"""Version of the JSON report. It changes if keys are renamed or removed, not if keys are added."""
_MARKS = {State.OK: "  ", State.NOTICE: "- ", State.PROBLEM: "! "}


def doctor(examined: Examined, *, for_programs: bool) -> tuple[str, int]:
    """Run all checks. Returns the report, as JSON or as text, and the exit code, which is 1 if there is a problem."""
    # Suppresses the package's warnings, because the report has the same findings.
    logging.getLogger("agentops_otel_litellm").addHandler(logging.NullHandler())
    report = examine(examined)
    return as_json(report) if for_programs else as_text(report), int(report.state is State.PROBLEM)


def examine(examined: Examined, checks: Mapping[str, Check] = CHECKS) -> Report:
    """Run all checks and return their findings. If a check raises, the report has a record about that."""
    return Report(tuple(Section(name, _records(name, check, examined)) for name, check in checks.items()))


def _records(name: str, check: Check, examined: Examined) -> tuple[Record, ...]:
    """Run one check and return its findings. If it raises, the last record is about the error."""
    found: list[Record] = []
    try:
        found.extend(check(examined))
    except Exception as error:  # noqa: BLE001 - a broken environment can raise anything
        found.append(
            problem(
                name,
                f"This check failed ({type(error).__name__} at {place_of(error)}), so its other findings are missing.",
                "Please report this error.",
            )
        )
    return tuple(found)


def as_text(report: Report) -> str:
    """The report as text: a section for each check. The last line states what to do first."""
    return "\n".join([*_lines(report), report.conclusion])


def as_json(report: Report) -> str:
    """The report as JSON, in the format that docs/troubleshooting.md describes."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "state": report.state.value,
            "first": report.conclusion,
            "checks": [
                {"check": section.check, "records": [_record_fields(record) for record in section.records]}
                for section in report.sections
            ],
        },
        indent=2,
    )


def _record_fields(record: Record) -> dict[str, str | None]:
    """The fields of a record. Only records of settings have a value and a source."""
    setting = {} if record.source is None else {"value": record.value, "source": record.source}
    return {"name": record.name, "state": record.state.value, "text": record.text, "advice": record.advice, **setting}


def _lines(report: Report) -> Iterator[str]:
    """The lines of the sections that have records, without settings that have their default."""
    for section in report.sections:
        records = [record for record in section.records if not record.is_as_usual]
        left_out = len(section.records) - len(records)
        if not section.records:
            continue
        yield section.check[:1].upper() + section.check[1:]
        width = max((len(record.name) for record in records), default=0)
        for record in records:
            yield f"{_MARKS[record.state]}{record.name:{width}}  {record.text}".rstrip()
            if record.advice:
                yield f"{'':{width + 4}}-> {record.advice}"
        if left_out:
            yield f"  {left_out}{' others' if records else ''} have their defaults: --json lists them"
        yield ""
