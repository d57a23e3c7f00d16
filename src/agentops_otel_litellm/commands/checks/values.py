"""Every setting, its value, and where that came from; secrets are masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields
from importlib.metadata import entry_points
from typing import Any

from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.record import Record, notice, ok, problem
from agentops_otel_litellm.launch.defaults import DEFAULTS
from agentops_otel_litellm.launch.sdk_variables import unusable_variables
from agentops_otel_litellm.prices.user import why_unusable
from agentops_otel_litellm.settings import Settings, fault_in_choice, shown
from agentops_otel_litellm.settings.declaring import instead, is_kept_quiet, quoted
from agentops_otel_litellm.settings.masking import MASK, masked
from agentops_otel_litellm.settings.unread import OF_THE_SDK, Unread, unread
from agentops_otel_litellm.vocabularies import ENTRY_POINTS, VOCABULARIES, usual

DECLARED: dict[str, Field[Any]] = {declared.metadata["variable"]: declared for declared in fields(Settings)}


def check(examined: Examined) -> Iterator[Record]:
    for declared in DECLARED.values():
        yield _ours(declared, examined)
    unusable = {found.variable: found for found in unusable_variables(examined.given)}
    for found in unusable.values():
        yield problem(found.variable, f"{found.text} {found.instead}", f"Correct or unset {found.variable}.")
    for variable in [name for name in DEFAULTS if name not in unusable]:
        yield _with_a_default(variable, examined)
    for variable, text in sorted(examined.given.items()):
        if variable in {*DECLARED, *DEFAULTS, *unusable} or not text:
            continue
        if variable.startswith("OTEL_"):
            yield ok(variable, f"{masked(variable, text)} (environment)")
        elif variable in OF_THE_SDK:
            yield ok(variable, f"{MASK} (environment; the AgentOps SDK's, which nothing here reads)")
    yield from map(_unread, unread(examined.given))


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
        return fault_in_choice(value, offered_vocabularies())
    why = why_unusable(text) if declared.name == "prices" else None
    return why and f"the path of a JSON file of prices, and {text} {why}"


def offered_vocabularies() -> list[str]:
    """Ours, and those of installed packages, none of which is loaded for it."""
    return [*VOCABULARIES, *(each.name for each in entry_points(group=ENTRY_POINTS))]


def _with_a_default(variable: str, examined: Examined) -> Record:
    text = examined.given.get(variable)
    if text:
        return ok(variable, _from(masked(variable, text), "environment"))
    return ok(variable, _from(examined.environment.get(variable, ""), "set by this distro"))


def _from(value: str, origin: str) -> str:
    return f"{value} ({origin})" if value else "not set"


def _unread(found: Unread) -> Record:
    """What is set in vain is a problem where it is plain what for; else it may be another program's."""
    text = "nothing reads this variable"
    if found.meant is not None:
        return problem(found.variable, text, f"Rename {found.variable} to {found.meant}, if that is meant.")
    return notice(found.variable, text, "`agentops-otel-litellm settings` shows those that there are.")
