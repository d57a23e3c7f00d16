"""Every setting, its value, and where that came from; secrets are masked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import Field, fields
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.record import Record, notice, ok, problem
from agentops_otel_litellm.launch.batching import unusable_batching
from agentops_otel_litellm.launch.defaults import DEFAULTS
from agentops_otel_litellm.settings import Settings, fault_in_choice, shown
from agentops_otel_litellm.settings.declaring import instead, is_kept_quiet, quoted
from agentops_otel_litellm.settings.masking import MASK, masked
from agentops_otel_litellm.vocabularies import ENTRY_POINTS, VOCABULARIES, usual

DECLARED: dict[str, Field[Any]] = {declared.metadata["variable"]: declared for declared in fields(Settings)}
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


def check(examined: Examined) -> Iterator[Record]:
    for declared in DECLARED.values():
        yield _ours(declared, examined)
    batching = {found.variable: found for found in unusable_batching(examined.given)}
    for found in batching.values():
        yield problem(found.variable, found.text, f"{found.instead} Correct or unset {found.variable}.")
    for variable in [name for name in DEFAULTS if name not in batching]:
        yield _with_a_default(variable, examined)
    for variable, text in sorted(examined.given.items()):
        if variable in {*DECLARED, *DEFAULTS, *batching} or not text:
            continue
        if variable.startswith("OTEL_"):
            yield ok(variable, f"{masked(variable, text)} (environment)")
        elif variable.startswith("AGENTOPS_"):
            yield _unknown(variable)


def _ours(declared: Field[Any], examined: Examined) -> Record:
    variable = declared.metadata["variable"]
    text = examined.given.get(variable, "").strip()
    if not text:
        default = usual(examined.environment) if declared.name == "semconv" else declared.default
        return ok(variable, _from(shown(default), "default"))
    fault = _fault(declared, text)
    if fault is None:
        return ok(variable, _from(masked(variable, text), "environment"))
    text = f"{quoted(declared, text)} is not usable. {instead(declared)}".lstrip()
    return problem(variable, text, f"Correct {variable}." if is_kept_quiet(declared) else f"It takes {fault}.")


def _fault(declared: Field[Any], text: str) -> str | None:
    """What a setting takes, where its text is something else."""
    try:
        value = declared.metadata["parse"](text)
    except ValueError as accepted:
        return str(accepted)
    if declared.name == "semconv":
        offered = [*VOCABULARIES, *(each.name for each in entry_points(group=ENTRY_POINTS))]
        return fault_in_choice(value, offered)
    if declared.name == "prices" and not os.access(text, os.R_OK):
        return "the path of a file that can be read"
    return None


def _with_a_default(variable: str, examined: Examined) -> Record:
    text = examined.given.get(variable)
    if text:
        return ok(variable, _from(masked(variable, text), "environment"))
    return ok(variable, _from(examined.environment.get(variable, ""), "set by this distro"))


def _from(value: str, origin: str) -> str:
    return f"{value} ({origin})" if value else "not set"


def _unknown(variable: str) -> Record:
    """Its value is not shown: it may be meant for a key."""
    if variable in OF_THE_SDK:
        return ok(variable, f"{MASK} (environment; the AgentOps SDK's, which nothing here reads)")
    close = get_close_matches(variable, DECLARED, n=1, cutoff=0.8)
    advice = f"Is {close[0]} meant?" if close else "`agentops-otel-litellm settings` shows those that there are."
    return notice(variable, "nothing reads this variable", advice)
