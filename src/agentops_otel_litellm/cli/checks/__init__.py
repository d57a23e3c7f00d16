"""The checks of `doctor`: functions from the examined environment to records, the most important first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agentops_otel_litellm.cli.checks import (
    command,
    conflicts,
    delivery,
    destinations,
    installed,
    launching,
    patch_points,
    values,
)
from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.record import Record, Report, Section, problem
from agentops_otel_litellm.guard import place_of

Check = Callable[[Examined], Iterable[Record]]

CHECKS: Mapping[str, Check] = {
    "installed": installed.check,
    "what runs": launching.check,
    "command": command.check,
    "destinations": destinations.check,
    "conflicts": conflicts.check,
    "delivery": delivery.check,
    "patch points in LiteLLM": patch_points.check,
    "settings": values.check,
}


def examine(examined: Examined, checks: Mapping[str, Check] = CHECKS) -> Report:
    """Run all checks and return their findings. If a check raises, that is reported, and the other checks run."""
    return Report(tuple(Section(name, _records(name, check, examined)) for name, check in checks.items()))


def _records(name: str, check: Check, examined: Examined) -> tuple[Record, ...]:
    """Run one check. If it raises, its findings so far and a record about the error are returned."""
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
