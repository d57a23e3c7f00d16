"""`settings`: every setting, its default and its meaning, as a Markdown table."""

from __future__ import annotations

from dataclasses import fields

from agentops_otel_litellm.launch.defaults import DEFAULTS
from agentops_otel_litellm.settings import Settings, shown
from agentops_otel_litellm.vocabularies import VOCABULARIES


def settings_table() -> str:
    """Our own settings, and the OpenTelemetry variables to which the distro gives a default."""
    vocabularies = ", ".join(f"`{name}`" for name in VOCABULARIES)
    rows: list[tuple[str, tuple[str, ...], str]] = []
    for setting in fields(Settings):
        text = setting.metadata["help"].format(vocabularies=vocabularies)
        rows.append((setting.metadata["variable"], (shown(setting.default),), text))
    rows += [(variable, default.values, default.help) for variable, default in DEFAULTS.items()]
    lines = [
        f"| `{variable}` | {' or '.join(f'`{value}`' for value in values if value)} | {text} |"
        for variable, values, text in rows
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *lines])
