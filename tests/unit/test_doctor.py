"""`agentops-otel-litellm doctor`: its records for each environment, the masking of secrets, and failing checks."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from agentops_otel_litellm.__main__ import main, settings_text
from agentops_otel_litellm.cli.configuration_checks import check_destinations, check_settings
from agentops_otel_litellm.cli.conflict_checks import check_conflicts
from agentops_otel_litellm.cli.doctor import CHECKS, Check, as_text, doctor, examine
from agentops_otel_litellm.cli.installation_checks import (
    _proxy_callbacks,
    check_env_file,
    check_launch,
    check_litellm,
)
from agentops_otel_litellm.cli.report import Examined, Record, Report, Section, State, notice, ok, problem
from agentops_otel_litellm.cli.run import find_problem, without_launcher
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.parsing import masked
from support.doctor_environment import environment_of_an_app  # noqa: F401 - a fixture
from support.launching import environment
from support.requirements import needs_files
from support.servers.agentops_platform import AgentOpsPlatform

KEY = AgentOpsPlatform.KEY
AGENTOPS = {"OTEL_TRACES_EXPORTER": "agentops"}
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
OTHER = EntryPoint("other", "other:Distro", "opentelemetry_distro")
# Check → environment variables, and the expected records that are not OK: name, state, and words of the text or advice.
EXPECTED_RECORDS: dict[Check, list[tuple[dict[str, str], list[tuple[str, str, str]]]]] = {
    check_launch: [
        ({}, []),
        ({"OTEL_PYTHON_DISTRO": "agentops"}, []),
        ({"OTEL_SDK_DISABLED": " True"}, [("SDK", "problem", "Unset OTEL_SDK_DISABLED.")]),
        (
            {"OTEL_PYTHON_DISTRO": "none-such", "OTEL_PYTHON_CONFIGURATOR": "agentops"},
            [("distro", "problem", "OTEL_PYTHON_DISTRO names 'none-such', which is not installed")],
        ),
        (
            {"OTEL_PYTHON_DISTRO": "distro", "OTEL_PYTHON_CONFIGURATOR": "agentops"},
            [("distro", "problem", "agentops-otel-litellm run -- python app.py")],
        ),
        (
            {"OTEL_PYTHON_CONFIGURATOR": "none-such"},
            [("configurator", "problem", "'none-such', which is not installed: agentops")],
        ),
        ({"OTEL_PYTHON_CONFIGURATOR": "configurator"}, [("configurator", "notice", "set by OTEL_PYTHON_CONFIGURATOR")]),
        ({"OTEL_CONFIG_FILE": "no.yaml"}, [("OTEL_CONFIG_FILE", "problem", "OTEL_CONFIG_FILE")]),
        (
            {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "a, *"},
            [("instrumentation", "problem", "LiteLLM is not traced")],
        ),
        ({"PATH": "/nowhere"}, [("opentelemetry-instrument", "notice", "the launcher is not on PATH")]),
    ],
    check_destinations: [
        ({}, [("traces", "notice", "the app's stderr; by default")]),
        ({"OTEL_TRACES_EXPORTER": "console"}, [("traces", "notice", "the app's stdout; set by OTEL_TRACES_EXPORTER")]),
        ({"OTEL_TRACES_EXPORTER": "none"}, [("traces", "problem", "Unset OTEL_TRACES_EXPORTER, and set OTEL_EXP")]),
        ({"OTEL_CONFIG_FILE": "a.yaml", "OTEL_TRACES_EXPORTER": "nonsense"}, []),
        ({"OTEL_PYTHON_DISTRO": "distro", "OTEL_TRACES_EXPORTER": "nonsense"}, []),
        ({**ENDPOINT, "OTEL_SERVICE_NAME": "app"}, []),
        (ENDPOINT, [("service.name", "notice", "unknown_service")]),
        ({**ENDPOINT, "AGENTOPS_SERVICE_NAME": "app"}, []),
        ({**ENDPOINT, "OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=app"}, []),
        ({**AGENTOPS, "OTEL_SERVICE_NAME": "app"}, [("AGENTOPS_API_KEY", "problem", "no key is set")]),
        (
            {"AGENTOPS_API_KEY": KEY, "OTEL_TRACES_EXPORTER": "console"},
            [("service.name", "notice", "unknown_service")],
        ),
        ({**ENDPOINT, "OTEL_RESOURCE_ATTRIBUTES": "service.name"}, [("service.name", "notice", "unknown_service")]),
        ({"AGENTOPS_API_KEY": KEY, **AGENTOPS, "OTEL_SERVICE_NAME": "app"}, []),
        ({"AGENTOPS_API_KEY": "k", "OTEL_SERVICE_NAME": "app"}, [("AGENTOPS_API_KEY", "problem", "is not a UUID")]),
        (
            {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_SERVICE_NAME": "app", "OTEL_TRACES_EXPORTER": "console"},
            [
                ("traces", "notice", "stdout"),
                ("metrics", "problem", "pip install opentelemetry-exporter-prometheus"),
            ],
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317", "OTEL_SERVICE_NAME": "app"},
            [("OTEL_EXPORTER_OTLP_ENDPOINT", "problem", "4318")],
        ),
    ],
    check_conflicts: [
        ({}, []),
        ({"AGENTOPS_SEMCONV": "llm"}, []),
        ({"AGENTOPS_API_KEY": KEY}, []),
        ({"AGENTOPS_SEMCONV": "llm,agentops", "AGENTOPS_API_KEY": KEY}, []),
        ({"AGENTOPS_SEMCONV": "genai", "AGENTOPS_API_KEY": KEY}, []),  # invalid, so the default is used
        (
            {"AGENTOPS_SEMCONV": "llm", "AGENTOPS_API_KEY": KEY},
            [("AGENTOPS_SEMCONV", "problem", "AGENTOPS_SEMCONV=agentops,llm, or unset it.")],
        ),
        ({CONTENT: "true"}, []),
        ({CONTENT: "true", "AGENTOPS_REDACT": "none", "AGENTOPS_REDACTOR": "a:b"}, []),
        ({CONTENT: "true", "AGENTOPS_REDACT": "none"}, [("AGENTOPS_REDACT", "notice", "with all keys and addresses")]),
        (
            {"AGENTOPS_LITELLM_BUILTIN": "true"},
            [("AGENTOPS_LITELLM_BUILTIN", "notice", "exports every call a second time")],
        ),
    ],
    check_settings: [
        ({}, []),
        ({"AGENTOPS_AUTO_INIT": "true", "AGENTOPS_REDACT": "none"}, []),
        ({"AGENTOPS_APIKEY": "canary"}, [("AGENTOPS_APIKEY", "problem", "Rename AGENTOPS_APIKEY to AGENTOPS_API_KEY")]),
        ({"AGENTOPS_UMBRELLA": "canary"}, [("AGENTOPS_UMBRELLA", "notice", "agentops-otel-litellm settings")]),
        (
            {"AGENTOPS_SEMCONV": "gen_ai,traceloop"},
            [("AGENTOPS_SEMCONV", "problem", "invalid value: 'gen_ai,traceloop'. The value is ignored.")],
        ),
        ({"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BSP_EXPORT_TIMEOUT": "30000"}, []),
        (
            {"OTEL_BSP_MAX_QUEUE_SIZE": "abc", "OTEL_BSP_EXPORT_TIMEOUT": "30s", "OTEL_BSP_SCHEDULE_DELAY": "0"},
            [
                ("OTEL_BSP_SCHEDULE_DELAY", "problem", ": '0' (expected a number of milliseconds"),
                ("OTEL_BSP_EXPORT_TIMEOUT", "problem", ": '30s' (expected a number of milliseconds"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "problem", ": 'abc' (expected a number of spans, 1 or more)."),
            ],
        ),
        (
            {"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "200"},
            [
                (
                    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
                    "problem",
                    "(expected at most OTEL_BSP_MAX_QUEUE_SIZE, 100). Using 100.",
                )
            ],
        ),
        ({"AGENTOPS_PRICES": "/nowhere"}, [("AGENTOPS_PRICES", "problem", "Expected the path of a JSON file")]),
        ({"AGENTOPS_PRICES": __file__}, [("AGENTOPS_PRICES", "problem", f"{__file__} is not JSON: line 1")]),
        (
            {"AGENTOPS_API_ENDPOINT": "me:canary@agentops.ai"},
            [("AGENTOPS_API_ENDPOINT", "problem", "invalid value. Nothing is sent to AgentOps.")],
        ),
        (
            {"AGENTOPS_API_ENDPOINT": "canary"},
            [("AGENTOPS_API_ENDPOINT", "problem", "invalid value. Nothing is sent to AgentOps.")],
        ),
    ],
}
ENVIRONMENTS = [(check, variables, found) for check, rows in EXPECTED_RECORDS.items() for variables, found in rows]


def examined(variables: dict[str, str]) -> Examined:
    return Examined(variables=environment(**variables), imports_litellm=False)


def not_ok(records: Iterable[Record]) -> list[Record]:
    """Records that are not OK, without the one about the other distro in the tests' environment."""
    return [each for each in records if each.state is not State.OK and "also installed" not in each.text]


def test_a_file_without_the_package_that_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_files(["OTEL_CONFIG_FILE"])
    monkeypatch.setitem(sys.modules, "opentelemetry.configuration", None)
    (found,) = not_ok(check_launch(examined({"OTEL_CONFIG_FILE": "no.yaml"})))
    assert found.advice == "pip install opentelemetry-configuration, or unset OTEL_CONFIG_FILE."


@pytest.mark.parametrize(
    ("check", "variables", "expected"),
    ENVIRONMENTS,
    ids=[f"{check.__module__.rpartition('.')[2]} {variables}" for check, variables, _ in ENVIRONMENTS],
)
def test_records_of_each_check(check: Check, variables: dict[str, str], expected: list[tuple[str, str, str]]) -> None:
    """Each record that is not OK has advice or is a notice, and no record has a key."""
    needs_files(variables)
    found = not_ok(check(examined(variables)))
    assert [(each.name, each.state.value) for each in found] == [each[:2] for each in expected]
    for record, (_, _, words) in zip(found, expected, strict=True):
        assert words in f"{record.text} {record.advice}"
        assert record.advice or record.state is State.NOTICE
    assert "canary" not in str(found)


def test_every_check_has_a_test() -> None:
    """The five checks that are not in the table above have other tests."""
    assert {
        *EXPECTED_RECORDS,
        check_env_file,
        *(CHECKS[name] for name in ("installed", "command", "delivery", "patch points in LiteLLM")),
    } == {*CHECKS.values()}


# Mistake → environment variables, the application's command, and what the last line says: the mistake, and the remedy.
MISTAKES: dict[str, tuple[dict[str, str], str, str, str]] = {
    "headers with a colon": (
        {"OTEL_EXPORTER_OTLP_HEADERS": "Authorization: Bearer canary"},
        "",
        "expected name=value",
        "Correct or unset OTEL_EXPORTER_OTLP_HEADERS.",
    ),
    "a sampler that does not exist": (
        {"OTEL_TRACES_SAMPLER": "ratio:0.1"},
        "",
        "not installed: ratio:0.1",
        "Correct or unset OTEL_TRACES_SAMPLER.",
    ),
    "a ratio in percent": (
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10"},
        "",
        "expected a number from 0 to 1",
        "Correct or unset OTEL_TRACES_SAMPLER_ARG.",
    ),
    "few attributes": (
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "10"},
        "",
        "more than 10 attributes: the SDK drops the others",
        "set it to 128 or more",
    ),
    "a limit that is no number": (
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"},
        "",
        "expected an integer",
        "Correct or unset OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT.",
    ),
    "an SDK that is not disabled": (
        {"OTEL_SDK_DISABLED": "1"},
        "",
        "'1' has no effect, so calls are traced",
        "Set OTEL_SDK_DISABLED=true",
    ),
    "an interval that is no number": (
        {"OTEL_METRIC_EXPORT_INTERVAL": "never"},
        "",
        "'never' (expected a number of milliseconds",
        "Correct or unset OTEL_METRIC_EXPORT_INTERVAL.",
    ),
    "the name of no instrumentation": (
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "litellm-none"},
        "",
        "no installed instrumentation has the name 'litellm-none'",
        "Write agentops_litellm to switch off this package",
    ),
    "an option that the launcher rejects": (
        {},
        "opentelemetry-instrument python --config cfg.yaml",
        "several of its own options begin with --config",
        "opentelemetry-instrument -- python",
    ),
    "traces switched off, with a key": (
        {"AGENTOPS_API_KEY": KEY, "OTEL_TRACES_EXPORTER": "none"},
        "",
        "not sent, set by OTEL_TRACES_EXPORTER",
        "Unset OTEL_TRACES_EXPORTER.",
    ),
    "an HTTP proxy for a local backend": (
        {**ENDPOINT, "HTTP_PROXY": "http://me:canary@proxy:3128", "NO_PROXY": "example.com"},
        "",
        "localhost is sent through the HTTP proxy in HTTP_PROXY",
        "Add localhost to NO_PROXY",
    ),
    # Mistakes beyond those that users have reported.
    "quotes in a name": ({"OTEL_SERVICE_NAME": "'app'"}, "", "the value has quotes", "Remove the quotes"),
    "a placeholder for a key": (
        {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer <your-key>"},
        "",
        "the value is a placeholder",
        "Set OTEL_EXPORTER_OTLP_HEADERS to the key of your backend.",
    ),
    "no value for a variable in a template": (
        {"OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=${API_KEY}"},
        "",
        "the value is a placeholder",
        "Set OTEL_EXPORTER_OTLP_HEADERS",
    ),
    "a timeout in milliseconds": (
        {"OTEL_EXPORTER_OTLP_TIMEOUT": "10000"},
        "",
        "in seconds: 10000 s",
        "Set OTEL_EXPORTER_OTLP_TIMEOUT in seconds, such as 10.",
    ),
    "a sampler that drops everything": (
        {"OTEL_TRACES_SAMPLER": "always_off"},
        "",
        "no trace is recorded",
        "Unset OTEL_TRACES_SAMPLER.",
    ),
    "a ratio of 0": (
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.0"},
        "",
        "no trace is recorded",
        "Unset OTEL_TRACES_SAMPLER_ARG.",
    ),
    "a ratio without a sampler": (
        {"OTEL_TRACES_SAMPLER_ARG": "0.1"},
        "",
        "nothing uses the ratio, because OTEL_TRACES_SAMPLER is not set",
        "Set OTEL_TRACES_SAMPLER=parentbased_traceidratio",
    ),
    "a ratio with a different sampler": (
        {"OTEL_TRACES_SAMPLER": "parentbased_always_on", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
        "",
        "because OTEL_TRACES_SAMPLER is parentbased_always_on",
        "Set OTEL_TRACES_SAMPLER=parentbased_traceidratio",
    ),
    "short texts": (
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "12"},
        "",
        "texts are cut to 12 characters",
        "set it to 256 or more",
    ),
    "a misspelt variable of OpenTelemetry": (
        {"OTEL_TRACE_EXPORTER": "otlp"},
        "",
        "OpenTelemetry has no such variable, so nothing reads it",
        "Rename OTEL_TRACE_EXPORTER to OTEL_TRACES_EXPORTER",
    ),
    "the path of a signal in the base URL": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318/v1/traces"},
        "",
        "is a base URL, to which /v1/traces and so on are appended",
        "Remove /v1/traces from its end.",
    ),
    "no path in the URL of a signal": (
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318"},
        "",
        "is used without changes, but has no path",
        "Append /v1/traces",
    ),
    "the port of gRPC": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"},
        "",
        "has port 4317, the port of OTLP over gRPC",
        "Use the port of OTLP over HTTP, usually 4318",
    ),
    "an endpoint without a scheme": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
        "",
        "is not a URL that begins with http:// or https://",
        "Set it as in OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_last_line_has_the_mistake_and_the_remedy(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no other problem, and the exit code is 1."""
    monkeypatch.chdir(tmp_path)
    variables, command, text, remedy = MISTAKES[mistake]
    monkeypatch.setattr("agentops_otel_litellm.cli.installation_checks.other_python", lambda *_: None)
    report, code = doctor(
        Examined(
            variables=environment(OTEL_SERVICE_NAME="app", **variables)
            if "OTEL_SERVICE_NAME" not in variables
            else environment(**variables),
            command=tuple(command.split()),
            imports_litellm=False,
        ),
        for_programs=False,
    )
    last = report.splitlines()[-1]
    assert last.startswith("1 problem: ")
    assert text in last
    assert remedy in last
    assert "canary" not in report
    assert code == 1


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_SDK_DISABLED": "False"},
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "128", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "4096"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT": "10", "OTEL_METRIC_EXPORT_INTERVAL": "60000"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ""},
        {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer 0123"},
        {**ENDPOINT, "HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "localhost"},
        {**ENDPOINT, "HTTPS_PROXY": "http://proxy:3128"},
        {"OTEL_PYTHON_LOG_CORRELATION": "true", "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS": "x"},
    ],
    ids=str,
)
def test_usual_values_are_no_mistakes(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [each for each in check_conflicts(examined(variables)) if each.state is State.PROBLEM] == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OTEL_PROPAGATORS": "none"}, "traces end at the borders of processes"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "60"}, "metrics are exported every 60 ms"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "5"}, "the delay is in milliseconds"),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "c=d"},
            "without the headers in OTEL_EXPORTER_OTLP_HEADERS",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otlp.example.com", "https_proxy": "http://proxy:3128"},
            "otlp.example.com is sent through the HTTP proxy in https_proxy",
        ),
    ],
)
def test_unusual_values_are_notices(variables: dict[str, str], words: str) -> None:
    (found,) = not_ok(check_conflicts(examined(variables)))
    assert found.state is State.NOTICE
    assert words in found.text
    assert found.advice


def test_a_file_of_variables_that_nothing_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application may load it, but only after OpenTelemetry was started."""
    monkeypatch.chdir(tmp_path)
    assert list(check_env_file(examined({}))) == []
    lines = "# a comment\nexport OTEL_SERVICE_NAME=app\nAGENTOPS_API_KEY = canary\nOPENAI_API_KEY=canary\n"
    (tmp_path / ".env").write_text(lines, "utf-8")
    (found,) = check_env_file(examined({}))
    assert found.state is State.PROBLEM
    assert found.text.startswith("this file sets AGENTOPS_API_KEY, OTEL_SERVICE_NAME, but nothing has loaded it")
    assert "set -a; . ./.env; set +a" in found.advice
    assert "canary" not in found.text
    (found,) = check_env_file(examined({"AGENTOPS_API_KEY": KEY}))
    assert "sets OTEL_SERVICE_NAME, but" in found.text
    assert list(check_env_file(examined({"AGENTOPS_API_KEY": KEY, "OTEL_SERVICE_NAME": "app"}))) == []


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("  callbacks: [otel]", "otel"),
        ("  callbacks: otel", "otel"),
        ("  success_callback:\n  - langfuse_otel\n  - prometheus", "langfuse_otel"),
        ("  failure_callback: [arize, otel]", "arize, otel"),
        ("  callbacks: [prometheus]", None),
        ("  drop_params: true", None),
        ("  callbacks: {a: [", None),
    ],
)
def test_callbacks_of_the_proxy_that_export_again(settings: str, named: str | None, tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="LiteLLM's proxy requires it")
    file = tmp_path / "config.yaml"
    file.write_text(f"litellm_settings:\n{settings}\n", "utf-8")
    for command in (["litellm", "--config", str(file)], ["litellm", "-c", str(file)], ["litellm", f"--config={file}"]):
        found = list(_proxy_callbacks(command))
        assert [each.name for each in found] == (["config.yaml"] if named else [])
        if named:
            assert found[0].text == f"LiteLLM's own callbacks {named} export every call a second time"
            assert named in found[0].advice
    assert list(_proxy_callbacks(["litellm", "--config", "none.yaml"])) == []
    assert list(_proxy_callbacks(["litellm", "--config"])) == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python app.py --config x", ("python app.py --config x", None)),
        ("opentelemetry-instrument python app.py", ("python app.py", None)),
        ("opentelemetry-instrument --traces_exporter otlp python app.py", ("python app.py", None)),
        (
            "opentelemetry-instrument --traces_exporter=otlp -- python app.py --config x",
            ("python app.py --config x", None),
        ),
        ("/a/opentelemetry-instrument litellm --config x", ("litellm --config x", "--config")),
        ("opentelemetry-instrument litellm -c x --port 4000", ("litellm -c x --port 4000", None)),
        ("opentelemetry-instrument python -m app -- --config x", ("python -m app -- --config x", None)),
    ],
)
def test_the_launcher_and_its_options(command: str, expected: tuple[str, str | None]) -> None:
    """Only the beginning of several options is ambiguous for the launcher."""
    rest, refused = without_launcher(command.split())
    assert (" ".join(rest), refused) == expected


def test_the_report_leaves_out_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text has what is wrong and what the user has set. JSON has the value and the source of each setting."""
    monkeypatch.chdir(tmp_path)
    found = Examined(variables=environment(OTEL_SERVICE_NAME="app", AGENTOPS_MAX_QUEUE_SIZE="9"), imports_litellm=False)
    text, _ = doctor(found, for_programs=False)
    assert "AGENTOPS_MAX_QUEUE_SIZE" in text
    assert "9 (environment)" in text
    assert "(default)" not in text
    assert "(set by this distro)" not in text
    assert "others have their defaults: --json lists them" in text
    report = json.loads(doctor(found, for_programs=True)[0])
    (settings,) = (check["records"] for check in report["checks"] if check["check"] == "settings")
    known = {each["name"]: (each["value"], each["source"]) for each in settings}
    assert known["AGENTOPS_MAX_QUEUE_SIZE"] == ("9", "environment")
    assert known["AGENTOPS_SEMCONV"] == ("gen_ai,llm", "default")
    assert known["AGENTOPS_PRICES"] == (None, "default")
    assert known["OTEL_EXPORTER_OTLP_COMPRESSION"] == ("gzip", "set by this distro")


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("AGENTOPS_API_KEY", "canary", "***"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer canary,x=y", "***"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "canary", "***"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:canary@host:4318/a", "https://***@host:4318/a"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:can/ary@host", "https://***@host"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "canary@host:4318", "***@host:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://host/v1?api_key=canary", "https://host/v1?***"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "canary", "***"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://host/canary0123456789/v1", "https://host/***/v1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://host/api/otlp/v1/traces", "https://host/api/otlp/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://host/;key=canary", "https://host/;***"),
        (
            "AGENTOPS_PRICES",
            "https://me:canary@host/prices-2026-canary.json?sig=canary",
            "https://***@host/prices-2026-canary.json?***",
        ),
        ("AGENTOPS_REDACTOR", "https://host/#canary", "https://host/#***"),
        ("OTEL_SERVICE_NAME", "sk-canary0123456789canary", "***"),
        ("OTEL_SERVICE_NAME", "app password=canary0123", "app password=***"),
        ("AGENTOPS_SEMCONV", "gen_ai,http://me:canary@a,http://me:canary@b", "***@b"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "host:4317", "host:4317"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=app, api.key=canary,canary", "service.name=app,api.key=***,***"),
        ("AGENTOPS_METADATA_KEYS", "tenant,feature", "tenant,feature"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/path/of/a.pem", "/path/of/a.pem"),
        ("OTEL_SERVICE_NAME", "my\x1b[31m app", "'my\\x1b[31m app'"),
        ("OTEL_SERVICE_NAME", "", ""),
    ],
)
def test_secrets_in_values_are_masked(variable: str, text: str, expected: str) -> None:
    """Keys, headers and credentials in URLs are masked; names and paths are not. Control characters are escaped."""
    assert masked(variable, text) == expected


def test_every_setting_is_listed_with_its_origin() -> None:
    """The origin is the environment, the default or this distro. Other OpenTelemetry variables follow."""
    variables = {
        "AGENTOPS_STREAM_USAGE": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:canary@localhost:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "key=canary",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "9",
    }
    found = {each.name: each.text for each in check_settings(examined(variables))}
    assert {variable: found[variable] for variable in [*variables, "AGENTOPS_SEMCONV", "AGENTOPS_PRICES"]} == {
        "AGENTOPS_STREAM_USAGE": "true (environment)",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://***@localhost:4318 (environment)",
        "OTEL_EXPORTER_OTLP_HEADERS": "*** (environment)",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "9 (environment)",
        "AGENTOPS_SEMCONV": "gen_ai,llm (default)",
        "AGENTOPS_PRICES": "not set",
    }
    assert found["OTEL_TRACES_EXPORTER"] == "otlp (set by this distro)"
    assert {each.metadata["variable"] for each in Settings.__dataclass_fields__.values()} <= found.keys()


def test_destinations_of_the_signals() -> None:
    """Each has its masked address and the variable that selects it; AgentOps needs only a key."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:canary@localhost:4318",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://localhost:9/v1/metrics",
        "OTEL_LOGS_EXPORTER": "none",
        "AGENTOPS_API_KEY": KEY,
    }
    traces, metrics, logs, *_ = check_destinations(examined(variables))
    otlp = "OTLP over HTTP to http://***@localhost:4318 (OTEL_EXPORTER_OTLP_ENDPOINT)"
    assert (traces.text, metrics.text, logs.text) == (
        f"{otlp}, AgentOps (https://otlp.agentops.ai/v1/traces); by default",
        "OTLP over HTTP to http://localhost:9/v1/metrics (OTEL_EXPORTER_OTLP_METRICS_ENDPOINT); by default",
        "not sent, set by OTEL_LOGS_EXPORTER",
    )


@pytest.mark.parametrize(
    "setup", [{"OTEL_CONFIG_FILE": "a.yaml"}, {"OTEL_PYTHON_DISTRO": "distro"}], ids=["a file", "another distro"]
)
def test_agentops_is_reported_beside_another_setup(setup: dict[str, str]) -> None:
    """The instrumentor adds AgentOps, unless traces or the instrumentor are disabled."""
    needs_files(setup)
    agentops = "also AgentOps (https://otlp.agentops.ai/v1/traces), unless OTEL_TRACES_EXPORTER is none"
    for more, expected_texts in [
        ({}, []),
        ({"AGENTOPS_API_KEY": KEY}, [agentops]),
        ({"AGENTOPS_API_KEY": "k"}, [agentops, "the key is not a UUID: AgentOps accepts no spans"]),
        ({"AGENTOPS_API_KEY": KEY, "OTEL_TRACES_EXPORTER": "none"}, []),
        ({"AGENTOPS_API_KEY": KEY, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}, []),
    ]:
        _, *found = check_destinations(examined({**setup, **more}))
        assert [each.text for each in found] == expected_texts


def test_other_installed_distros_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record names the others, and its advice selects this distro."""
    ours = [each for each in examined({}).distros if each.name == "agentops"]
    monkeypatch.setattr(Examined, "distros", [OTHER, *ours])
    (found,) = (each for each in check_launch(examined({})) if each.name == "distro")
    assert found.state is State.NOTICE
    assert "also installed: other (other:Distro)" in found.text
    assert found.advice.endswith("agentops-otel-litellm run -- python app.py")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (None, "not installed for this Python"),
        ("1.71.3", "1.71.3 is too old"),
        ("1.107.2", "1.107.2 is a compromised release"),
        ("1.82.8", "1.82.8 is a compromised release"),
        ("1.72.0rc1", "1.72.0rc1 is a pre-release"),
    ],
)
def test_an_unsupported_litellm_is_a_problem(
    version: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No LiteLLM, an old release, compromised releases and a pre-release."""
    if version is None:
        monkeypatch.setattr("agentops_otel_litellm.cli.installation_checks.installed_version", lambda _name: None)
    else:
        metadata = tmp_path / f"litellm-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: litellm\nVersion: {version}\n", "utf-8")
        monkeypatch.syspath_prepend(tmp_path)
    found = check_litellm()
    assert (found.state, "pip install" in found.advice) == (State.PROBLEM, True)
    assert words in found.text


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["python", "app.py"], None),
        (["python", "-X", "I", "-W", "E", "-u", "app.py", "-I"], None),
        (["python", "-m", "-I"], None),
        (["python", "-Xutf8", "-c", "-S"], None),
        (["python", "--check-hash-based-pycs", "always", "-I"], "-I"),
        (["python3", "-BI", "app.py"], "Remove -I from the command."),
        (["python", "-u", "-E", "app.py"], "-E, which ignores PYTHONPATH"),
        (["python", "-OS"], "-S, which does not import `site`"),
        (["script", "-I"], None),
        (["isolated"], "Remove -E from the first line of "),
        (["by-env"], "Remove -I from the first line of "),
        (["none-such"], "The command 'none-such' is not found."),
        (["./app.py", "-v"], "./app.py cannot be executed as a command. Run it with Python: python ./app.py"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_that_ignore_the_launcher_are_problems(command: list[str], words: str | None, tmp_path: Path) -> None:
    """Python ignores the launcher with -I, -E or -S, as an option or in a script's first line."""
    scripts = {
        "python": "",
        "python3": "",
        "script": "#!/usr/bin/python3\n",
        "isolated": "#! /usr/bin/python3 -Es\n",
        "by-env": "#!/usr/bin/env -S python3 -I\n",
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text, "utf-8")
        (tmp_path / name).chmod(0o755)
    found = find_problem(command, {"PATH": str(tmp_path)})
    assert (found is None) == (words is None)
    assert found is None or words is None or words in " ".join(found)


def test_a_variable_in_place_of_a_command_is_a_problem() -> None:
    """The record names the variable without its value, which may be a key, and where to put it."""
    examined = Examined(variables=environment(), command=("AGENTOPS_API_KEY=canary", "python", "app.py"))
    (found,) = CHECKS["command"](examined)
    assert found == problem(
        "AGENTOPS_API_KEY",
        "AGENTOPS_API_KEY=… is an environment variable, not a command.",
        "Put variables before agentops-otel-litellm.",
    )


def test_a_failing_check_does_not_stop_the_others() -> None:
    """Its section has the records so far and a problem with the type, file and line of the fault."""

    def failing(_examined: Examined) -> Iterator[Record]:
        yield ok("a", "b")
        raise KeyError("canary")

    report = examine(examined({}), {"one": failing, "two": lambda _: [ok("c", "d")]})
    assert [[each.name for each in section.records] for section in report.sections] == [["a", "one"], ["c"]]
    (fault,) = report.problems
    assert fault.text.startswith("This check failed (KeyError at test_doctor.py:")
    assert "canary" not in as_text(report)


def test_the_text_of_a_report() -> None:
    """Problems and notices are marked and followed by their advice; the last line has the first problem."""
    well = Section("first", (ok("a", "is well"), notice("long name", "is odd", "Look at it.")))
    ill = Section("then LiteLLM", (problem("b", "is broken", "Mend it."), problem("c", "is lost", "Find it.")))
    assert as_text(Report((well, Section("nothing", ()), ill))).splitlines() == [
        "First",
        "  a          is well",
        "- long name  is odd",
        "             -> Look at it.",
        "",
        "Then LiteLLM",
        "! b  is broken",
        "     -> Mend it.",
        "! c  is lost",
        "     -> Find it.",
        "",
        "2 problems. First: b: is broken. Mend it.",
    ]
    assert as_text(Report((well,))).splitlines()[-1] == (
        "No problems. Start your app with: opentelemetry-instrument python app.py"
    )


@pytest.mark.parametrize(("variables", "code"), [({}, 0), ({"OTEL_SDK_DISABLED": "true"}, 1)])
def test_the_exit_code_is_1_with_a_problem(variables: dict[str, str], code: int) -> None:
    """Notices alone lead to 0."""
    text, exit_code = doctor(examined(variables), for_programs=True)
    assert exit_code == code
    assert (json.loads(text)["state"] == "problem") == bool(code)
    logger = logging.getLogger("agentops_otel_litellm")
    for handler in [each for each in logger.handlers if type(each) is logging.NullHandler]:
        logger.removeHandler(handler)


def test_an_interruption_ends_the_command_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """130 is the exit code of shells for SIGINT; there is no traceback."""

    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agentops_otel_litellm.cli.doctor.examine", interrupt)
    assert main(["doctor"]) == 130


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_terminal_gets_settings_without_markdown(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each setting has its default and its meaning. A file or a pipe gets the table of the documentation."""
    text = settings_text(width)
    variables = [each.metadata["variable"] for each in Settings.__dataclass_fields__.values()]
    assert [line.split()[0] for line in text.splitlines() if line.startswith("AGENTOPS_")] == [
        each for each in variables if each.startswith("AGENTOPS_")
    ]
    assert "AGENTOPS_MAX_QUEUE_SIZE (default: 512)" in text
    assert "|" not in text
    assert "`" not in text
    assert all(len(line) <= 100 for line in text.splitlines() if line.startswith("  "))
    for is_terminal in (True, False):
        monkeypatch.setattr("sys.stdout.isatty", lambda is_terminal=is_terminal: is_terminal, raising=False)
        assert main(["settings"]) == 0
        assert capsys.readouterr().out.startswith("| variable") is not is_terminal


def install(directory: Path, name: str, version: str, entry_points: str = "") -> None:
    """Write the metadata of an installed package."""
    metadata = directory / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    (metadata / "entry_points.txt").write_text(entry_points, "utf-8")


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({}, "=agentops_litellm; or this instrumentation: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=smolagents"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "redis"}, "=redis,agentops_litellm; or this instrumentation: "),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "smolagents"}, None),
    ],
    ids=["both", "both, and a list", "one"],
)
def test_an_instrumentation_of_a_framework_is_reported(
    variables: dict[str, str], remedy: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "openinference.instrumentation.smolagents:SmolagentsInstrumentor"
    entry_points = f"[opentelemetry_instrumentor]\nsmolagents = {value}\n"
    install(tmp_path, "openinference-instrumentation-smolagents", "0.1.43", entry_points)
    monkeypatch.syspath_prepend(tmp_path)
    found = [each for each in check_conflicts(examined(variables)) if each.name == "OpenInference for smolagents"]
    assert [each.state for each in found] == ([] if remedy is None else [State.NOTICE])
    assert remedy is None or remedy in found[0].advice


@pytest.mark.parametrize("name", ["strands-agents", "google-adk", "lmnr"])
def test_a_framework_that_records_its_calls_is_reported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, name, "1.0")
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = (each for each in check_conflicts(examined({})) if each.name == name)
    assert found.advice.endswith("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=agentops_litellm")


@pytest.mark.parametrize(
    ("name", "version", "remedy"),
    [
        ("crewai", "1.15.30", "is_litellm=True"),
        ("crewai", "0.203.1", None),
        ("dspy", "3.4.1", 'engine="litellm"'),
        ("dspy", "3.3.0", None),
        ("mem0ai", "2.2.1", '"provider": "litellm"'),
        ("pydantic-ai-slim", "2.68.0", "LiteLLMProvider"),
    ],
)
def test_libraries_that_bypass_litellm_are_reported(
    name: str, version: str, remedy: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only in the releases that do, and with the way to use LiteLLM."""
    install(tmp_path, name, version)
    monkeypatch.syspath_prepend(tmp_path)
    found = [each for each in check_conflicts(examined({})) if each.name == name]
    assert [(each.state, each.text.split()[0]) for each in found] == (
        [] if remedy is None else [(State.NOTICE, version)]
    )
    if remedy is not None:
        assert "bypass LiteLLM" in found[0].text
        assert remedy in found[0].advice
