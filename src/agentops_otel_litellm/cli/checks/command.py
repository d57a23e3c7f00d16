"""Checks whether the application's command, if the user passed one, starts a Python that can be traced."""

from __future__ import annotations

from collections.abc import Iterator

from agentops_otel_litellm.cli.app_command import display_name, find_problem
from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.record import Record, ok, problem


def check(examined: Examined) -> Iterator[Record]:
    if not examined.command:
        return
    found = find_problem(examined.command, examined.variables)
    name = display_name(examined.command)
    yield problem(name, *found) if found else ok(name, "found, and no option of Python that prevents tracing")
