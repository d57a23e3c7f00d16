"""Variables with a value that OpenTelemetry's SDK cannot use: a line names each, and the application is traced."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support.invalid_variables import INVALID
from support.launching import LAUNCHER, environment
from support.servers.otlp_receiver import OTLPReceiver

USABLE = {"OTEL_TRACES_SAMPLER"}
"""Valid here: its argument is not."""
APP = """
from opentelemetry import trace
trace.get_tracer("app").start_span("work").end()
print("ran")
"""
STARTS = {
    "init": [sys.executable, "-c", f"import agentops_otel_litellm; agentops_otel_litellm.init()\n{APP}"],
    "run": [sys.executable, "-m", "agentops_otel_litellm", "run", "--", sys.executable, "-c", APP],
    "launcher": [str(LAUNCHER), sys.executable, "-c", APP],
}
# OpenTelemetry's launcher reads these itself, before anything of this package is loaded.
OF_THE_LAUNCHER = {"OTEL_PROPAGATORS", "OTEL_PYTHON_CONTEXT"}


@pytest.mark.parametrize("start", STARTS)
def test_application_runs_and_is_traced(start: str) -> None:
    """All of them at once."""
    given = {name: value for name, value in INVALID.items() if start != "launcher" or name not in OF_THE_LAUNCHER}
    with OTLPReceiver() as backend:
        done = subprocess.run(
            STARTS[start],
            env=environment(**given, OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
        assert [(span.name, span.resource["service.name"]) for span in backend.spans] == [("work", "caf?")]
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
    lines = done.stderr.splitlines()
    for variable in given.keys() - USABLE:
        assert len([line for line in lines if re.match(rf"(Invalid value for )?{variable}\b", line)]) == 1, (
            variable,
            done.stderr,
        )


def test_doctor_reports_each() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentops_otel_litellm", "doctor", "--quick", "--json"],
        env=environment(**INVALID, OTEL_EXPORTER_OTLP_CERTIFICATE="/nowhere.pem"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "canary" not in done.stdout
    problems = {record["name"] for record in records(json.loads(done.stdout)) if record["state"] == "problem"}
    expected = {*INVALID, "OTEL_EXPORTER_OTLP_CERTIFICATE", "logs"} - {*USABLE, "OTEL_LOGS_EXPORTER"}
    assert expected - problems == set()


def records(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (record for section in report["checks"] for record in section["records"])


def test_missing_certificate_is_named() -> None:
    """It is not left out: that would trust other certificates than the user wants."""
    done = subprocess.run(
        STARTS["launcher"],
        env=environment(
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
            OTEL_EXPORTER_OTLP_CERTIFICATE=os.devnull + "/nowhere",
            OTEL_SERVICE_NAME="a-test",
        ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "ran\n"
    assert "Invalid value for OTEL_EXPORTER_OTLP_CERTIFICATE: '/dev/null/nowhere' (no such file)." in done.stderr
