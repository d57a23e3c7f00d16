"""`agentops-otel-litellm doctor`: what it finds in which environment, what it shows of it, and that it never breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from agentops_otel_litellm.cli import installation_checks
from agentops_otel_litellm.cli.installation_checks import check_patch_points
from agentops_otel_litellm.cli.report import Examined, State
from agentops_otel_litellm.patching.patch_points import PATCH_POINTS
from agentops_otel_litellm.sdk.defaults import CHILD_PROCESSES
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.sdk_variables import NAMES
from support.doctor_environment import environment_of_an_app  # noqa: F401 - a fixture
from support.launching import environment, launch


def asked(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentops_otel_litellm", *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command() -> None:
    """All of it, on a terminal that has ASCII alone: LiteLLM's patch points are found, and nothing is on stderr."""
    done = asked("doctor", "--", sys.executable, "-I", "app.py", PYTHONIOENCODING="ascii", AGENTOPS_REDACT="names")
    assert (done.returncode, done.stderr) == (1, "")
    assert f" of {len(PATCH_POINTS)} patch points found" in done.stdout
    assert "- litellm." not in done.stdout
    last = "2 problems. First: {}: Python is started with -I, which ignores PYTHONPATH: nothing is traced. {}"
    assert done.stdout.splitlines()[-1] == last.format(sys.executable, "Remove -I from the command.")


def test_the_python_of_another_environment(tmp_path: Path) -> None:
    """It has neither this package nor LiteLLM, so OpenTelemetry cannot be started there."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "other"], check=True, timeout=60)
    other = tmp_path / "other/bin/python"
    script = tmp_path / "serve"
    script.write_text(f"#!{other}\n", "utf-8")
    script.chmod(0o755)
    for command in ([str(other), "app.py"], [str(script)], ["opentelemetry-instrument", str(other), "app.py"]):
        done = asked("doctor", "--quick", "--", *command, PYTHONPATH="", OTEL_SERVICE_NAME="app")
        last = done.stdout.splitlines()[-1]
        assert done.returncode == 1
        assert f"{other} does not have agentops-otel-litellm and litellm: nothing is traced." in last
        assert f"Use the Python in which they are installed, {sys.executable}, or install them" in last
    done = asked("doctor", "--quick", "--", sys.executable, "app.py", OTEL_SERVICE_NAME="app")
    assert done.returncode == 0


def test_a_litellm_whose_import_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container with little CPU, the import may take minutes. That is no problem, and nothing to report."""
    (tmp_path / "litellm.py").write_text("import time\ntime.sleep(60)", "utf-8")
    monkeypatch.setattr(installation_checks, "IMPORT_SECONDS", 1)
    examined = Examined(variables=environment(PYTHONPATH=f"{tmp_path}:{environment().get('PYTHONPATH', '')}"))
    (found,) = check_patch_points(examined)
    assert (found.state, "takes more than 1 s" in found.text) == (State.NOTICE, True)
    assert "doctor --quick" in found.advice


def test_a_litellm_that_cannot_be_imported(tmp_path: Path) -> None:
    """It is said, with how to see why."""
    (tmp_path / "litellm.py").write_text("raise ImportError('canary')", "utf-8")
    examined = Examined(variables=environment(PYTHONPATH=f"{tmp_path}:{environment().get('PYTHONPATH', '')}"))
    (found,) = check_patch_points(examined)
    assert (found.state, found.text) == (State.PROBLEM, "cannot be imported")


def test_a_command_that_is_not_understood() -> None:
    """Its exit code is 2, and the line says what is wrong."""
    done = asked("doctor", "--sned")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--sned" in done.stderr or "arguments" in done.stderr


def test_under_the_launcher() -> None:
    """It says that it should not be, and its own processes are not: OpenTelemetry is not started in them twice."""
    done = launch(sys.executable, "-m", "agentops_otel_litellm", "doctor", "--quick", "--json")
    (found,) = (
        record
        for check in json.loads(done.stdout)["checks"]
        for record in check["records"]
        if record["name"] == "opentelemetry-instrument"
    )
    assert (found["state"], found["text"]) == ("notice", "doctor runs under opentelemetry-instrument")
    ours = CHILD_PROCESSES
    path = os.pathsep.join(["/a/opentelemetry/instrumentation/auto_instrumentation", str(ours), "/b"])
    assert Examined(variables={"PYTHONPATH": path, "A": "b"}).subprocess_environment == {"PYTHONPATH": "/b", "A": "b"}


def test_no_app_imports_it() -> None:
    """A traced program pays for none of the commands."""
    code = "import sys; print([name for name in sys.modules if name.startswith('agentops_otel_litellm.cli')])"
    assert launch(sys.executable, "-c", code).stdout == "[]\n"


SECRET_FORMS = (
    "https://me:canary@host.example/x",
    "https://host.example/canary0123456789/v1?key=canary",
    "https://host.example/;key=canary",
    "https://host.example/#canary",
    "me:canary@host.example:4317",
    "sk-canary0123456789",
    "password=canary0123456789",
)
"""Values that have a secret, in variables that should have none."""


SETTINGS_VARIABLES = [
    declared.metadata["variable"]
    for declared in fields(Settings)
    if declared.metadata["variable"] != "AGENTOPS_LOG_LEVEL"
]
SDK_VARIABLES = (
    *(*NAMES, "OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_TRACES_EXPORTER"),
    *("OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
    "OTEL_BSP_MAX_QUEUE_SIZE",
)


@pytest.mark.parametrize("form", SECRET_FORMS)
def test_the_report_has_no_secrets(form: str) -> None:
    """Whatever variable has them."""
    report = asked("doctor", **dict.fromkeys((*SETTINGS_VARIABLES, *SDK_VARIABLES), form), OTEL_LOGS_EXPORTER="otlp")
    assert "AGENTOPS_PRICES" in report.stdout
    assert "canary" not in report.stdout + report.stderr


@pytest.mark.parametrize("form", SECRET_FORMS[:2])
def test_the_start_of_an_app_prints_no_secrets(form: str) -> None:
    """By the command `run`. (OpenTelemetry's SDK itself quotes an endpoint that it cannot use.)"""
    program = "import litellm; litellm.completion('openai/m', [], mock_response='x')"
    variables = dict.fromkeys((*SETTINGS_VARIABLES, "OTEL_SERVICE_NAME"), form)
    started = asked("run", sys.executable, "-c", program, **variables, OTEL_TRACES_EXPORTER="none")
    assert "AGENTOPS_PRICES" in started.stderr
    assert "canary" not in started.stdout + started.stderr
