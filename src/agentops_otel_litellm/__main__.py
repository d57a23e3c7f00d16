"""The `agentops-otel-litellm` command: `settings` prints every setting as a Markdown table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields

from agentops_otel_litellm.defaults import DEFAULTS
from agentops_otel_litellm.settings import Settings, shown
from agentops_otel_litellm.version import __version__
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


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="agentops-otel-litellm", description="OpenTelemetry for LiteLLM.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("settings", help="print every setting, its default and its meaning as a Markdown table")
    parser.parse_args(arguments)
    print(settings_table())  # noqa: T201 - printing is its job


if __name__ == "__main__":
    main()
