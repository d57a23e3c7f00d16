"""Variables that begin as ours do and that nothing reads: misspelt, as a rule."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import NamedTuple

from agentops_otel_litellm.processes import FIRST_PROCESS
from agentops_otel_litellm.settings import Settings

PREFIX = "AGENTOPS_"
# Of the AgentOps SDK: nothing here reads them, and they do no harm.
OF_THE_SDK = frozenset(
    {
        "AGENTOPS_AUTO_INIT",
        "AGENTOPS_AUTO_START_SESSION",
        "AGENTOPS_ENV_DATA_OPT_OUT",
        "AGENTOPS_FAIL_SAFE",
        "AGENTOPS_INSTRUMENT_LLM_CALLS",
        "AGENTOPS_PREFETCH_JWT_TOKEN",
        "AGENTOPS_SKIP_AUTO_END_SESSION",
    }
)


class Unread(NamedTuple):
    variable: str
    meant: str | None
    """The setting that is nearly called so."""


def unread(environment: Mapping[str, str]) -> Iterator[Unread]:
    """Those that are set, by name. Their values are not told: each may be meant for a key."""
    declared = {each.metadata["variable"] for each in fields(Settings)}
    for variable in sorted({*environment} - declared - OF_THE_SDK - {FIRST_PROCESS}):
        if variable.startswith(PREFIX) and environment[variable]:
            yield Unread(variable, _nearest(variable, declared))


def _nearest(variable: str, declared: Collection[str]) -> str | None:
    from difflib import get_close_matches  # few apps need it

    if variable.startswith(tuple(f"{each}_" for each in declared)):
        return None  # such as AGENTOPS_API_KEY_FILE: what is added is somebody's intention
    # With what they all begin with, any two would be alike.
    names = [each.removeprefix(PREFIX) for each in sorted(declared) if each.startswith(PREFIX)]
    close = get_close_matches(variable.removeprefix(PREFIX), names, n=1, cutoff=0.65)
    return f"{PREFIX}{close[0]}" if close else None
