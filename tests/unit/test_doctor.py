"""`agentops-otel-litellm doctor`: its records for each environment, the masking of secrets, and failing checks."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from agentops_otel_litellm.__main__ import main
from agentops_otel_litellm.cli.configuration_checks import check_conflicts, check_destinations, check_settings
from agentops_otel_litellm.cli.doctor import CHECKS, Check, as_text, doctor, examine
from agentops_otel_litellm.cli.installation_checks import check_launch, check_litellm
from agentops_otel_litellm.cli.report import Examined, Record, Report, Section, State, notice, ok, problem
from agentops_otel_litellm.cli.run import find_problem
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
        ({"OTEL_TRACES_EXPORTER": "none"}, [("traces", "problem", "Unset OTEL_TRACES_EXPORTER, or set OTEL_EXP")]),
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
    """The four checks that are not in the table above have other tests."""
    assert {
        *EXPECTED_RECORDS,
        *(CHECKS[name] for name in ("installed", "command", "delivery", "patch points in LiteLLM")),
    } == {*CHECKS.values()}


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
    """Problems and notices are marked and followed by their advice; the last line has the first advice."""
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
        "2 problems. First: Mend it.",
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
