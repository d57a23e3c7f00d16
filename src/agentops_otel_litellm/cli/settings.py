"""`settings`: prints every setting, its default and its meaning as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.settings import Settings, format_value
from agentops_otel_litellm.settings.agentops import AgentOpsSettings
from agentops_otel_litellm.settings.calls import CallSettings
from agentops_otel_litellm.settings.content import ContentSettings


def settings_table() -> str:
    """The settings of this package, and the OpenTelemetry variables for which the distro sets a default."""
    return as_table([*rows_of(Settings), *rows_of_defaults()])


def rows_of(group: type[CallSettings | ContentSettings | AgentOpsSettings]) -> list[str]:
    """A row for each setting."""
    vocabularies = ", ".join(f"`{name}`" for name in VOCABULARIES)
    return [
        _row(
            each.metadata["variable"],
            (format_value(each.default),),
            each.metadata["help"].format(vocabularies=vocabularies),
        )
        for each in fields(group)
    ]


def rows_of_defaults() -> list[str]:
    """A row for each variable of OpenTelemetry for which the distro sets a default."""
    return [_row(variable, default.values, default.help) for variable, default in DEFAULTS.items()]


def as_table(rows: Sequence[str]) -> str:
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def _row(variable: str, values: Sequence[str], text: str) -> str:
    return f"| `{variable}` | {' or '.join(f'`{value}`' for value in values if value)} | {text} |"
