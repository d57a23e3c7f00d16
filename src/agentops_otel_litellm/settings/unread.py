"""Variables with our prefix that nothing reads, usually because they are misspelt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import NamedTuple

from agentops_otel_litellm.processes import FIRST_PROCESS
from agentops_otel_litellm.settings import Settings

PREFIX = "AGENTOPS_"
# Variables of the AgentOps SDK, which are ignored here.
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
    """A variable that is set, but that nothing reads."""

    variable: str
    meant: str | None
    """The setting with the most similar name."""


def unread(environment: Mapping[str, str]) -> Iterator[Unread]:
    """The variables that are set but that nothing reads, by name. Their values are omitted, because they can be API
    keys.
    """
    declared = {each.metadata["variable"] for each in fields(Settings)}
    for variable in sorted({*environment} - declared - OF_THE_SDK - {FIRST_PROCESS}):
        if variable.startswith(PREFIX) and environment[variable]:
            yield Unread(variable, _nearest(variable, declared))


def _nearest(variable: str, declared: Collection[str]) -> str | None:
    """The setting whose name is most similar to a variable; `None` if no name is similar."""
    from difflib import get_close_matches  # few applications need it

    if variable.startswith(tuple(f"{each}_" for each in declared)):
        return None  # such as AGENTOPS_API_KEY_FILE, which is not a typing error
    # Without the prefix, which would make any two names similar.
    names = [each.removeprefix(PREFIX) for each in sorted(declared) if each.startswith(PREFIX)]
    close = get_close_matches(variable.removeprefix(PREFIX), names, n=1, cutoff=0.65)
    return f"{PREFIX}{close[0]}" if close else None
