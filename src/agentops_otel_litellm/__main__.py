"""The command line `agentops-otel-litellm`, with the commands `bootstrap`, `doctor`, `run` and `settings`.

`settings` prints the settings of this package: as text on a terminal, otherwise as a Markdown table. The other commands
have modules in `cli`.

OpenTelemetry reads some variables on import. So this module imports nothing of OpenTelemetry that does so, and removes
invalid values before it imports the module of a command.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from shutil import get_terminal_size
from textwrap import fill

from agentops_otel_litellm.sdk.defaults import DEFAULTS
from agentops_otel_litellm.settings import AgentOpsSettings, CallSettings, ContentSettings, ProcessSettings, Settings
from agentops_otel_litellm.settings.gateways import GatewaySettings
from agentops_otel_litellm.settings.parsing import format_value
from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables, replace_unusable_variables
from agentops_otel_litellm.version import __version__

SettingsGroup = CallSettings | GatewaySettings | ContentSettings | AgentOpsSettings | ProcessSettings
INTERRUPTED = 130
"""The exit code that shells use for an interrupted command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. `run` does not return: the application replaces this process."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    """Parse the arguments, run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    command = options.app[1:] if getattr(options, "app", ())[:1] == ["--"] else getattr(options, "app", [])
    environment = dict(os.environ)
    # Invalid values are removed before OpenTelemetry is imported. `run` also logs them; `doctor` reports them, from
    # `environment`, which has the original values.
    (drop_unusable_variables if options.command == "run" else replace_unusable_variables)(os.environ)
    if options.command == "settings":
        return _print(settings_text() if sys.stdout.isatty() else settings_table())
    if options.command == "bootstrap":
        from agentops_otel_litellm.cli.bootstrap import bootstrap

        text, code = bootstrap(install=options.install)
        if text:
            _print(text)
        return code
    if options.command == "run":
        from agentops_otel_litellm.cli.run import run

        if not command:
            parser.error("run needs the command of your app: agentops-otel-litellm run -- python app.py")
        run(command)
    from agentops_otel_litellm.cli.doctor import doctor
    from agentops_otel_litellm.cli.report import Examined

    examined = Examined(
        variables=environment, command=tuple(command), imports_litellm=not options.quick, sends=options.send
    )
    text, code = doctor(examined, for_programs=options.json)
    _print(text)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentops-otel-litellm", description="OpenTelemetry for LiteLLM.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="report the setup, the problems that prevent tracing, and what to do")
    doctor.add_argument(
        "--send", action="store_true", help="send a span to each destination, and report the response of each"
    )
    doctor.add_argument("--quick", action="store_true", help="do not import LiteLLM, which takes seconds")
    doctor.add_argument("--json", action="store_true", help="print JSON, as docs/troubleshooting.md describes")
    doctor.add_argument(
        "app", nargs=argparse.REMAINDER, help="the command of your app, which is then checked too: -- python …"
    )
    run = commands.add_parser(
        "run", help="start your app as opentelemetry-instrument does, always with this package's distro"
    )
    run.add_argument("app", nargs=argparse.REMAINDER, help="the command of your app: -- python app.py")
    bootstrap = commands.add_parser(
        "bootstrap",
        help="list OpenTelemetry's instrumentations for your app's libraries, except any that would trace LLM calls",
    )
    bootstrap.add_argument("--install", action="store_true", help="install them with pip or uv")
    commands.add_parser("settings", help="print every setting, its default and its meaning")
    return parser


def settings_table() -> str:
    """A Markdown table of this package's settings, and of OpenTelemetry's variables that the distro sets by default."""
    return as_table([*rows_of(Settings), *rows_of_defaults()])


def settings_text(width: int | None = None) -> str:
    """The same settings as text for a terminal of this width, by default that of this process."""
    width = min(width or get_terminal_size().columns, 100)
    blocks: list[str] = []
    for row in [*rows_of(Settings), *rows_of_defaults()]:
        variable, default, meaning = (cell.strip().replace("`", "") for cell in row.strip("|").split(" | ", 2))
        heading = f"{variable} (default: {default})" if default else variable
        blocks.append(f"{heading}\n{fill(meaning, width, initial_indent='  ', subsequent_indent='  ')}")
    return "\n\n".join(blocks)


def rows_of(group: type[SettingsGroup]) -> list[str]:
    """A row of the table for each setting of a group of settings, such as `CallSettings`."""
    from agentops_otel_litellm.semconv import VOCABULARIES

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
    """A row of the table for each variable of OpenTelemetry that has a default of the distro."""
    return [_row(variable, default.values, default.help) for variable, default in DEFAULTS.items()]


def as_table(rows: Sequence[str]) -> str:
    """A Markdown table with these rows and a heading."""
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def _row(variable: str, values: Sequence[str], text: str) -> str:
    return f"| `{variable}` | {' or '.join(f'`{value}`' for value in values if value)} | {text} |"


def _print(text: str) -> int:
    """Print the output of a command. Returns 0, the exit code of success."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # the terminal's encoding may lack a character of the text
    try:
        print(text, flush=True)  # noqa: T201 - the command's output
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has ended; Python would raise again at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
