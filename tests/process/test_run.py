"""`agentops-otel-litellm run`: the launcher with this distro, whatever else is chosen, and the app in its place."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from support.launching import environment
from support.servers.otlp_receiver import OTLPReceiver

RUN = [sys.executable, "-m", "agentops_otel_litellm", "run"]
APP = """
import os, sys
from opentelemetry import trace
trace.get_tracer("app").start_span("a span").end()
print(os.getpid(), sys.stdin.read(), *sys.argv[1:])
sys.exit(7)
"""


def start(*command: str, **variables: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*RUN, *command], env=environment(**variables), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


def test_the_app_takes_its_place() -> None:
    """The process, its input, its exit code and its arguments are the app's, also those the launcher has options for;
    it is traced by this distro where the user's environment has another one.
    """
    with OTLPReceiver() as backend:
        variables = {
            "OTEL_PYTHON_DISTRO": "distro",
            "OTEL_PYTHON_CONFIGURATOR": "configurator",
            "OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint,
            "OTEL_SERVICE_NAME": "a-test",
        }
        running = start("--", sys.executable, "-c", APP, "--config", "a.yaml", "--", "-c", **variables)
        out, _ = running.communicate("the input", timeout=60)
    assert (out, running.returncode) == (f"{running.pid} the input --config a.yaml -- -c\n", 7)
    assert [span.resource["telemetry.distro.name"] for span in backend.spans] == ["agentops-otel-litellm"]


def test_signals_are_the_apps() -> None:
    """What ends the process ends the app."""
    code = "import signal; print('ready', flush=True); signal.pause()"
    with start("--", sys.executable, "-c", code, OTEL_TRACES_EXPORTER="none") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("variables", "command", "line"),
    [
        ({}, ["-I"], "Python is started with -I, which ignores PYTHONPATH: nothing is traced. Remove"),
        ({}, ["-uE"], "Python is started with -E, which ignores PYTHONPATH: nothing is traced. Remove"),
        ({}, ["-S"], "Python is started with -S, which does not import `site`: nothing is traced. Remove"),
        ({"OTEL_SDK_DISABLED": "true"}, [], "OTEL_SDK_DISABLED=true: nothing is traced. Unset OTEL_SDK_DISABLED."),
    ],
    ids=["-I", "-E", "-S", "disabled"],
)
def test_an_app_that_cannot_be_traced(variables: dict[str, str], command: list[str], line: str) -> None:
    """One line says so, with what to do; the app runs. The dashes may be left out."""
    running = start(sys.executable, *command, "-c", "print('the app ran')", **variables)
    out, said = running.communicate(timeout=60)
    assert (out, running.returncode) == ("the app ran\n", 0)
    ours = [each for each in said.splitlines() if each.startswith("agentops-otel-litellm: ")]
    assert len(ours) == 1
    assert ours[0].startswith(f"agentops-otel-litellm: {line}")


@pytest.mark.parametrize(
    ("command", "code", "line"),
    [
        (["--", "none-such"], 127, "agentops-otel-litellm: The command 'none-such' is not found."),
        (
            ["--", "AGENTOPS_API_KEY=canary", "python", "app.py"],
            127,
            "agentops-otel-litellm: AGENTOPS_API_KEY=… is an environment variable, not a command. Put variables before",
        ),
        (["--"], 2, "agentops-otel-litellm: error: run needs the command of your app"),
        ([], 2, "agentops-otel-litellm: error: run needs the command of your app"),
    ],
    ids=["not found", "a variable", "dashes alone", "nothing"],
)
def test_there_is_no_app(command: list[str], code: int, line: str) -> None:
    """Exit codes are those of shells and of commands that are not understood; there is no traceback."""
    running = start(*command, OTEL_SDK_DISABLED="true")
    out, said = running.communicate(timeout=60)
    assert (out, running.returncode) == ("", code)
    assert said.splitlines()[-1].startswith(line)
    assert "canary" not in said
    assert "Traceback" not in said


def test_no_stderr() -> None:
    """What would be told there is not told on stdout, which is the app's."""
    command = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *RUN, "--", "none-such"]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("", 127)
