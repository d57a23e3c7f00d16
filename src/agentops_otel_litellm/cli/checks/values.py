"""Reports every setting with its value and the origin of the value, and checks the value. Secrets are masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields
from importlib.metadata import entry_points
from typing import Any

from agentops_otel_litellm.cli.examined import Examined
from agentops_otel_litellm.cli.record import Record, notice, ok, problem
from agentops_otel_litellm.pricing.user_prices import why_unusable
from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.sdk.sdk_variables import unusable_variables
from agentops_otel_litellm.semconv import ENTRY_POINTS, VOCABULARIES, default_names
from agentops_otel_litellm.settings import Settings, fault_in_choice, format_value
from agentops_otel_litellm.settings.declaring import hides_its_value, instead, quoted
from agentops_otel_litellm.settings.masking import MASK, masked
from agentops_otel_litellm.settings.unread import OF_THE_SDK, Unread, unread

DECLARED: dict[str, Field[Any]] = {declared.metadata["variable"]: declared for declared in fields(Settings)}


def check(examined: Examined) -> Iterator[Record]:
    """Report all settings of this package, and the variables of OpenTelemetry that are set or have a default."""
    for declared in DECLARED.values():
        yield _check_setting(declared, examined)
    unusable = {found.variable: found for found in unusable_variables(examined.variables)}
    for found in unusable.values():
        yield problem(found.variable, f"{found.text} {found.instead}", f"Correct or unset {found.variable}.")
    for variable in [name for name in DEFAULTS if name not in unusable]:
        yield _check_default(variable, examined)
    for variable, text in sorted(examined.variables.items()):
        if variable in {*DECLARED, *DEFAULTS, *unusable} or not text:
            continue
        if variable.startswith("OTEL_"):
            yield ok(variable, f"{masked(variable, text)} (environment)")
        elif variable in OF_THE_SDK:
            yield ok(
                variable, f"{MASK} (environment; a variable of the AgentOps SDK, which this package does not read)"
            )
    yield from map(_as_record, unread(examined.variables))


def _check_setting(declared: Field[Any], examined: Examined) -> Record:
    """Report the value of a setting of this package, and its origin."""
    variable = declared.metadata["variable"]
    text = examined.variables.get(variable, "").strip()
    if not text:
        default = default_names(examined.environment) if declared.name == "semconv" else declared.default
        return ok(variable, _with_origin(format_value(default), "default"))
    expected = _expected_value(declared, text)
    if expected is None:
        return ok(variable, _with_origin(masked(variable, text), "environment"))
    value = quoted(declared, text)
    text = f"invalid value{f': {value}' if value else ''}. {instead(declared)}"
    return problem(variable, text, f"Correct {variable}." if hides_its_value(declared) else f"Expected {expected}.")


def _expected_value(declared: Field[Any], text: str) -> str | None:
    """The values that a setting accepts, if its value is invalid; otherwise `None`."""
    try:
        value = declared.metadata["parse"](text)
    except ValueError as accepted:
        return str(accepted)
    if declared.name == "semconv":
        return fault_in_choice(value, offered_vocabularies())
    why = why_unusable(text) if declared.name == "prices" else None
    return why and f"the path of a JSON file of prices, but {text} {why}"


def offered_vocabularies() -> list[str]:
    """The names of this package's vocabularies, and of those in installed packages, which are not loaded."""
    return [*VOCABULARIES, *(each.name for each in entry_points(group=ENTRY_POINTS))]


def _check_default(variable: str, examined: Examined) -> Record:
    text = examined.variables.get(variable)
    if text:
        return ok(variable, _with_origin(masked(variable, text), "environment"))
    return ok(variable, _with_origin(examined.environment.get(variable, ""), "set by this distro"))


def _with_origin(value: str, origin: str) -> str:
    return f"{value} ({origin})" if value else "not set"


def _as_record(found: Unread) -> Record:
    """The record of a variable that nothing reads. It is a problem if a setting has a similar name. Otherwise it is a
    notice, because the variable may belong to a different program.
    """
    text = "nothing reads this variable"
    if found.meant is not None:
        return problem(found.variable, text, f"Rename {found.variable} to {found.meant}, if you mean this setting.")
    return notice(found.variable, text, "`agentops-otel-litellm settings` prints all settings.")
