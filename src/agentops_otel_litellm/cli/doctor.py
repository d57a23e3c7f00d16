"""`doctor`: reports the installed packages, the components that would run, the destinations, and all problems."""

from __future__ import annotations

import logging

from agentops_otel_litellm.cli.checks import examine
from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.record import State
from agentops_otel_litellm.cli.rendering import as_json, as_text


def doctor(examined: Examined, *, for_programs: bool) -> tuple[str, int]:
    """The report, as text or as JSON, and the exit code: 1 if there is a problem."""
    # The report contains what the package would log.
    logging.getLogger("agentops_otel_litellm").addHandler(logging.NullHandler())
    report = examine(examined)
    return as_json(report) if for_programs else as_text(report), int(report.state is State.PROBLEM)
