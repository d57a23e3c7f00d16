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

from agentops_otel_litellm.sdk.sdk_variables import NAMES, VALUES, drop_unusable_variables, unusable_variables
from conftest import Told
from servers.otlp_receiver import OTLPReceiver
from test_zero_code import LAUNCHER, environment

# Variable → a value that the SDK cannot use.
INVALID = {
    **dict.fromkeys(VALUES, "-1"),
    **dict.fromkeys(NAMES, "nowhere"),
    "OTEL_TRACES_SAMPLER": "traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "half",
    "OTEL_BSP_SCHEDULE_DELAY": "soon",
    "OTEL_BLRP_MAX_QUEUE_SIZE": "many",
    "OTEL_EXPORTER_OTLP_HEADERS": "canary-key",
    "OTEL_SERVICE_NAME": "caf\udce9",
    "OTEL_LOGS_EXPORTER": "otlp,nowhere",
}
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


@pytest.mark.parametrize("variable", sorted(INVALID.keys() - {"OTEL_LOGS_EXPORTER"}))
def test_value_is_left_out(variable: str, told: Told) -> None:
    given = {variable: INVALID[variable]}
    if variable == "OTEL_TRACES_SAMPLER_ARG":
        given["OTEL_TRACES_SAMPLER"] = "traceidratio"
    if variable == "OTEL_TRACES_SAMPLER":
        given[variable] = "nowhere"
    left = dict(given)
    drop_unusable_variables(left)
    (line,) = told.take()
    assert variable in line
    assert left.get(variable) != given[variable]
    assert [*unusable_variables(left)] == []


VALID = {
    "OTEL_PROPAGATORS": ["tracecontext", "baggage, tracecontext", "none", "None", ""],
    "OTEL_TRACES_SAMPLER": ["always_off", "parentbased_traceidratio"],
    "OTEL_TRACES_SAMPLER_ARG": ["anything"],
    "OTEL_SPAN_EVENT_COUNT_LIMIT": ["0", "128", ""],
    "OTEL_METRIC_EXPORT_INTERVAL": ["500", "1e3"],
    "OTEL_EXPORTER_OTLP_TIMEOUT": ["0.5", "10"],
    "OTEL_EXPORTER_OTLP_COMPRESSION": ["none", "GZIP"],
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": ["DELTA", "lowmemory"],
    "OTEL_METRICS_EXEMPLAR_FILTER": ["always_on"],
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": ["*", "process,os"],
    "OTEL_EXPORTER_OTLP_HEADERS": ["authorization=Basic%20abc,x-team=a b", "api-key=a=b"],
    "OTEL_RESOURCE_ATTRIBUTES": ["team=café"],
    "OTEL_PYTHON_DISTRO": ["agentops"],
    "OTEL_BLRP_MAX_QUEUE_SIZE": ["10000"],
}


@pytest.mark.parametrize(("variable", "value"), [(name, value) for name, values in VALID.items() for value in values])
def test_value_is_kept(variable: str, value: str) -> None:
    assert [*unusable_variables({variable: value})] == []


def test_usable_part_of_a_list_is_kept(told: Told) -> None:
    given = {
        "OTEL_PROPAGATORS": "tracecontext,b3",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary-1,canary-2",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "9999",
    }
    drop_unusable_variables(given)
    assert given == {
        "OTEL_PROPAGATORS": "tracecontext",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary-1",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "2048",
    }
    assert told.take() == [
        (
            "Invalid value for OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: 9999 "
            "(expected at most OTEL_BLRP_MAX_QUEUE_SIZE, 2048). Using 2048."
        ),
        (
            "Invalid value for OTEL_PROPAGATORS: 'tracecontext,b3' (not installed: b3; installed: baggage, none, "
            "tracecontext). To use it, pip install opentelemetry-propagator-b3. Using tracecontext."
        ),
        (
            "Invalid value for OTEL_EXPORTER_OTLP_HEADERS (expected name=value, separated by commas, and values "
            "URL-encoded). Using the others."
        ),
    ]


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
