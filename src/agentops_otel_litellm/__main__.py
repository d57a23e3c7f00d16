"""The `agentops-otel-litellm` command: `doctor`, `run` and `settings`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from agentops_otel_litellm.launch.sdk_variables import drop_unusable_variables, mend_variables
from agentops_otel_litellm.version import __version__

INTERRUPTED = 130
"""As shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the code to exit with. `run` does not come back: the app takes its place."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    command = given.app[1:] if getattr(given, "app", ())[:1] == ["--"] else getattr(given, "app", [])
    environment = dict(os.environ)
    # Before OpenTelemetry is imported, which reads variables on import. What `doctor` examines is as it was given.
    (drop_unusable_variables if given.command == "run" else mend_variables)(os.environ)
    if given.command == "settings":
        from agentops_otel_litellm.commands.settings import settings_table

        return _print(settings_table())
    if given.command == "run":
        from agentops_otel_litellm.commands.run import run

        if not command:
            parser.error("run takes the command of an app: agentops-otel-litellm run -- python app.py")
        run(command)
    from agentops_otel_litellm.commands.doctor import doctor
    from agentops_otel_litellm.commands.examined import Examined

    examined = Examined(given=environment, command=tuple(command), imports_litellm=not given.quick, sends=given.send)
    text, code = doctor(examined, for_programs=given.json)
    _print(text)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentops-otel-litellm", description="OpenTelemetry for LiteLLM.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="say what is set up, what is in the way of tracing, and what to do")
    doctor.add_argument("--send", action="store_true", help="send a span to each destination, and say what it answers")
    doctor.add_argument("--quick", action="store_true", help="do not import LiteLLM, which takes seconds")
    doctor.add_argument("--json", action="store_true", help="write JSON, in the shape that docs/troubleshooting.md has")
    doctor.add_argument(
        "app", nargs=argparse.REMAINDER, help="the command of your app, which is looked at: -- python …"
    )
    run = commands.add_parser("run", help="start an app as opentelemetry-instrument does, always with this distro")
    run.add_argument("app", nargs=argparse.REMAINDER, help="the command of your app: -- python app.py")
    commands.add_parser("settings", help="print every setting, its default and its meaning as a Markdown table")
    return parser


def _print(text: str) -> int:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a value may have any letter, a terminal may not
    try:
        print(text, flush=True)  # noqa: T201 - printing is its job
    except BrokenPipeError:  # into `head`, say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
