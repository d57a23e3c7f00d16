"""Whether the app's command, where one is given, starts a Python that can be traced."""

from __future__ import annotations

from collections.abc import Iterator

from agentops_otel_litellm.commands.app_command import name_of, trouble_with
from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.record import Record, ok, problem


def check(examined: Examined) -> Iterator[Record]:
    if not examined.command:
        return
    trouble = trouble_with(examined.command, examined.given)
    name = name_of(examined.command)
    yield problem(name, *trouble) if trouble else ok(name, "starts a Python that can be traced, as far as can be seen")
