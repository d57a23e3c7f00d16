"""The options in the file of OTEL_CONFIG_FILE: every setting has one, and messages name its line."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from agentops_otel_litellm.cli.doctor import CHECKS, examine
from agentops_otel_litellm.cli.report import Examined, Record
from agentops_otel_litellm.exporters.console import ConsoleSpanExporter
from agentops_otel_litellm.sdk.distro import AgentOpsDistro
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.settings.config_file import Option, configuration_file, describe_error, is_configured_by_file
from agentops_otel_litellm.settings.destinations import exporters, sends_to_agentops
from support.logged_warnings import LoggedWarnings
from support.project import ROOT
from support.requirements import FILE, is_installed
from support.settings_environment import no_earlier_warnings  # noqa: F401 - a fixture

pytestmark = pytest.mark.skipif(
    not (is_installed("opentelemetry.configuration") and is_configured_by_file({FILE: "a.yaml"})),
    reason="this release of OpenTelemetry's SDK reads no file",
)

Configured = Callable[..., dict[str, str]]
"""Function that writes the options of this package to a file, and returns the environment that names it."""

HEAD = 'file_format: "1.0"\ninstrumentation/development:\n  python:\n    agentops_litellm:\n'
FIRST = HEAD.count("\n") + 1
"""The line of the first option."""

# Option → its value in YAML, and the value of the variable that means the same.
OPTIONS: dict[str, tuple[str, str]] = {
    "semconv": ("[gen_ai, openinference]", "gen_ai,openinference"),
    "model_providers": ("{acme-: openai, our-claude: anthropic}", "acme-=openai,our-claude=anthropic"),
    "stream_usage": ("true", "true"),
    "estimate_usage": ("yes", "true"),
    "prices": ("prices.json", "prices.json"),
    "live_prices": ("'true'", "true"),
    "metadata_keys": ("\n        - tenant\n        - feature", "tenant,feature"),
    "baggage_keys": ("tenant,user.id", "tenant,user.id"),
    "litellm_builtin": ("true", "true"),
    "backend": ("[langfuse, otlp]", "langfuse,otlp"),
    "inner_calls": ("none", "none"),
    "capture_message_content": ("SPAN_AND_EVENT", "SPAN_AND_EVENT"),
    "emit_event": ("false", "false"),
    "completion_hook": ("upload", "upload"),
    "propagate_to": ("[gateway.example.com]", "gateway.example.com"),
    "propagate_baggage": ("true", "true"),
    "proxy_counts": ("true", "true"),
    "redact": ("[key, email]", "key,email"),
    "redactor": ("package.module:function", "package.module:function"),
    "content_part_limit": ("1_000", "1000"),
    "content_call_limit": ("'2000'", "2000"),
    "capture_media": ("true", "true"),
    "content_media_limit": ("4000", "4000"),
    "api_key": ("00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000000"),
    "api_endpoint": ("http://localhost:1", "http://localhost:1"),
    "exporter_endpoint": ("http://localhost:2/v1/traces", "http://localhost:2/v1/traces"),
    "app_url": ("http://localhost:3", "http://localhost:3"),
    "log_session_replay_url": ("false", "false"),
    "trace_name": ("nightly", "nightly"),
    "auto_start_session": ("true", "true"),
    "default_tags": ("[nightly, eu]", "nightly,eu"),
    "service_name": ("a-service", "a-service"),
    "environment": ("production", "production"),
    "export_flush_interval": ("300", "300"),
    "max_queue_size": ("64", "64"),
    "max_wait_time": ("700", "700"),
    "log_level": ("debug", "DEBUG"),
    "flush_on_signal": ("false", "false"),
}
VARIABLES = {each.metadata["option"]: each.metadata["variable"] for each in fields(Settings)}
DEFAULT = Settings()


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    def write(options: str, head: str = HEAD) -> dict[str, str]:
        file = tmp_path / "otel.yaml"
        lines = [f"      {line}" if line and not line.startswith("        ") else line for line in options.split("\n")]
        file.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
        return {FILE: str(file)}

    return write


def settings_checks(environment: dict[str, str]) -> list[Record]:
    (section,) = examine(Examined(variables=environment), {"settings": CHECKS["settings"]}).sections
    return [*section.records]


def test_every_setting_has_an_option() -> None:
    assert sorted(VARIABLES) == sorted(OPTIONS)
    assert len({*VARIABLES}) == len(fields(Settings))


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_means_the_same_as_its_variable(option: str, configured: Configured) -> None:
    written, text = OPTIONS[option]
    by_file = Settings.from_environment(configured(f"{option}: {written}"))
    assert by_file == Settings.from_environment({VARIABLES[option]: text})
    assert by_file != DEFAULT


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_priority_over_its_variable(option: str, configured: Configured) -> None:
    """An option without a value is none."""
    written, text = OPTIONS[option]
    variable = {VARIABLES[option]: text}
    both = {**configured(f"{option}: {written}"), VARIABLES[option]: "invalid, but not read"}
    assert Settings.from_environment(both) == Settings.from_environment(variable)
    assert Settings.from_environment({**configured(f"{option}:"), **variable}) == Settings.from_environment(variable)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("written", ["[[a]]", "{a: {b: c}}", "['a,b']"])
def test_a_value_of_another_form_is_reported_with_its_line(
    option: str, written: str, configured: Configured, logged: LoggedWarnings
) -> None:
    environment = configured(f"enabled: true\n{option}: {written}")
    for _ in range(2):
        Settings.from_environment(environment)
    (line,) = logged.take()
    assert line.startswith(f"Invalid value for {option} ({environment[FILE]}, line {FIRST + 1})")
    assert next(each.state.value for each in settings_checks(environment) if each.name == VARIABLES[option]) == (
        "problem"
    )


INVALID = {
    "stream_usage: maybe": "'maybe' (expected true or false). The value is ignored.",
    "content_part_limit: 0": "'0' (expected a number of characters, 1 or more). Using 32768.",
    "max_queue_size: 1.5": "'1.5' (expected a number of spans, 1 or more). Using 512.",
    "log_level: [DEBUG]": "'DEBUG' (expected a single value). The value is ignored.",
    "redact: [key, addresses]": "'key,addresses' (expected a comma-separated choice of key, token, email, phone, card, "
    "or none). Using key,token,email,phone,card.",
    "model_providers: [acme-]": "'acme-' (expected a mapping of single values without commas). The value is ignored.",
}


@pytest.mark.parametrize("written", INVALID)
def test_an_invalid_value_is_reported_with_its_line(
    written: str, configured: Configured, logged: LoggedWarnings
) -> None:
    """And replaced by the default; the other options are kept."""
    environment = configured(f"{written}\ntrace_name: nightly")
    settings = Settings.from_environment(environment)
    option = written.partition(":")[0]
    assert logged.take() == [f"Invalid value for {option} ({environment[FILE]}, line {FIRST}): {INVALID[written]}"]
    assert settings == Settings.from_environment({"AGENTOPS_TRACE_NAME": "nightly"})
    (found,) = (each for each in settings_checks(environment) if each.name == VARIABLES[option])
    assert f"{option} in {environment[FILE]}, line {FIRST}" in found.text


def test_a_secret_is_never_quoted(configured: Configured, logged: LoggedWarnings) -> None:
    environment = configured("api_key: [canary]\nexporter_endpoint: 'ftp://user:canary@host'")
    Settings.from_environment(environment)
    lines = [*logged.take(), *map(str, settings_checks(environment))]
    assert len([line for line in lines if "Invalid value" in line]) == 2
    assert "canary" not in "".join(lines)


def test_unknown_conventions_are_reported_with_their_line(
    configured: Configured, logged: LoggedWarnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are checked later than other settings."""
    environment = configured("semconv: [traceloop]")
    monkeypatch.setenv(FILE, environment[FILE])
    assert Settings.from_environment(environment).vocabularies(["gen_ai"]) is None
    (line,) = logged.take()
    assert line.startswith(f"Invalid value for semconv ({environment[FILE]}, line {FIRST}): 'traceloop'")


def test_an_unknown_option_is_reported_with_its_line(configured: Configured, logged: LoggedWarnings) -> None:
    environment = configured("semcov: gen_ai\nxyz: 1\nenabled: 'no'")
    for _ in range(2):
        assert Settings.from_environment(environment) == DEFAULT
    path = environment[FILE]
    ignored = "is not an option of agentops_litellm, so it is ignored."
    assert logged.take() == [
        f"'semcov' ({path}, line {FIRST}) {ignored} Did you mean semconv?",
        f"'xyz' ({path}, line {FIRST + 1}) {ignored}",
        f"Invalid value for enabled ({path}, line {FIRST + 2}) (expected true or false). Using true.",
    ]
    assert [each.name for each in settings_checks(environment) if each.state.value == "problem"] == [
        *("semcov", "xyz", "enabled"),
    ]


def test_an_empty_list_is_a_choice(configured: Configured) -> None:
    settings = Settings.from_environment(configured("redact: []\nbaggage_keys: []"))
    assert (settings.redact, settings.baggage_keys) == ((), ())


def test_references_to_variables(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the SDK reads them: the type of a reference is that of the value, and an unset variable is no value."""
    monkeypatch.setenv("CANARY", "TRUE")
    monkeypatch.delenv("MISSING", raising=False)
    written = "stream_usage: ${CANARY}\ntrace_name: a ${CANARY} $${CANARY}\nmax_queue_size: ${MISSING:-8}"
    settings = Settings.from_environment(configured(f"{written}\nenvironment: ${{MISSING}}"))
    assert (settings.stream_usage, settings.trace_name) == (True, "a TRUE ${CANARY}")
    assert (settings.max_queue_size, settings.environment) == (8, None)


def test_merged_mappings(configured: Configured) -> None:
    head = HEAD.replace("instrumentation", "x-common: &common {trace_name: nightly}\ninstrumentation", 1)
    settings = Settings.from_environment(configured("<<: *common\nmax_queue_size: 8", head))
    assert (settings.trace_name, settings.max_queue_size) == ("nightly", 8)


def test_a_json_file(tmp_path: Path, logged: LoggedWarnings) -> None:
    """Also indented by tabs, and with a character outside Unicode's first plane, which JSON escapes in two parts."""
    file = tmp_path / "otel.json"
    options = {"trace_name": "nightly \N{ROCKET}", "redact": ["key"], "max_queue_size": "x"}
    configuration = {"file_format": "1.0", "instrumentation/development": {"python": {"agentops_litellm": options}}}
    file.write_text(json.dumps(configuration, indent="\t"), "utf-8")
    settings = Settings.from_environment({FILE: str(file)})
    assert (settings.trace_name, settings.redact) == ("nightly \N{ROCKET}", ("key",))
    assert f"({file}, line " in logged.take()[0]


@pytest.mark.parametrize("text", ["", "a: [", "- a", "instrumentation/development: [a]", "\0"])
def test_a_broken_file_has_no_options(text: str, tmp_path: Path) -> None:
    """The SDK reports why it cannot read it."""
    file = tmp_path / "otel.yaml"
    file.write_text(text, "utf-8")
    found = configuration_file({FILE: str(file)})
    assert found is not None
    assert found.options == {}
    assert Settings.from_environment({FILE: str(file)}) == DEFAULT


ENABLED = {"true": False, "false": True, "no": True, "'false'": True, "maybe": False, "[false]": False}


@pytest.mark.parametrize("written", ENABLED)
def test_enabled(written: str, configured: Configured) -> None:
    found = configuration_file(configured(f"enabled: {written}"))
    assert found is not None
    assert found.disables("agentops_litellm") is ENABLED[written]
    assert not found.disables("httpx")


ERRORS = {
    "a: [": "{file}, line 1, is not valid YAML",
    'file_format: "1.0"\ntracer_provider:\n  processors:\n    - batch: 1': (
        "tracer_provider.processors.0.batch in {file}, line 4: expected object"
    ),
    'file_format: "1.0"\nmeter_provider:\n  canary: 1': "meter_provider in {file}, line 2: unknown key",
    'file_format: "1.0"\npropagator:\n  composite: [{canary: x}, {}]': (
        "propagator.composite.1 in {file}, line 3: does not match the schema"
    ),
    "resource: {}": "{file}, line 1: requires ['file_format']",
}


@pytest.mark.parametrize("text", ERRORS)
def test_why_the_sdk_cannot_use_a_file(text: str, tmp_path: Path) -> None:
    """The line, without values, which may be keys."""
    from opentelemetry.configuration import ConfigurationError, load_config_file

    file = tmp_path / "otel.yaml"
    file.write_text(text, "utf-8")
    logging.getLogger("opentelemetry.configuration").setLevel(logging.CRITICAL)
    with pytest.raises(ConfigurationError) as raised:
        load_config_file(str(file))
    assert describe_error(raised.value, {FILE: str(file)}) == ERRORS[text].format(file=file)


def test_the_distro_loads_no_disabled_instrumentation(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    head = HEAD.replace("    agentops", "    httpx: {enabled: false}\n    agentops")
    monkeypatch.setenv(FILE, configured("enabled: true", head)[FILE])
    loaded: list[str] = []

    class EntryPoint:
        def __init__(self, name: str) -> None:
            self.name = name

        def load(self) -> Callable[[], object]:
            return lambda: self

        def instrument(self) -> None:
            loaded.append(self.name)

    for name in ("httpx", "requests"):
        AgentOpsDistro().load_instrumentor(EntryPoint(name))  # type: ignore[arg-type]
    assert loaded == ["requests"]


PROVIDERS = """
tracer_provider:
  processors:
    - batch: {exporter: {otlp_http: {}}}
    - simple: {exporter: {agentops: }}
meter_provider:
  readers:
    - periodic: {exporter: {console: {}}}
    - pull: {exporter: {prometheus/development: {}}}
"""


def test_the_exporters_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "otel.yaml"
    file.write_text(f'file_format: "1.0"{PROVIDERS}', "utf-8")
    environment = {FILE: str(file), "OTEL_TRACES_EXPORTER": "console"}
    assert [exporters(signal, environment) for signal in ("TRACES", "METRICS", "LOGS")] == [
        ("otlp_http", "agentops"),
        ("console", "prometheus/development"),
        (),
    ]
    assert sends_to_agentops(environment)


def test_a_key_in_the_file_sends_to_agentops(configured: Configured) -> None:
    environment = configured("api_key: 00000000-0000-4000-8000-000000000000")
    assert sends_to_agentops(environment)
    assert not sends_to_agentops({**environment, "OTEL_TRACES_EXPORTER": "none"})
    assert not sends_to_agentops(configured("api_key: ${MISSING_CANARY}"))


def test_the_documented_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file and the second one are valid, and the SDK accepts them. The second one has every option."""
    from opentelemetry.configuration import load_config_file

    page = (ROOT / "docs/configuration.md").read_text("utf-8")
    first, text = re.findall(r"```yaml\n(file_format.*?)```", page, re.DOTALL)
    start = tmp_path / "start.yaml"
    start.write_text(first, "utf-8")
    assert [each.text for each in settings_checks({FILE: str(start)}) if each.state.value == "problem"] == []
    assert load_config_file(str(start)).tracer_provider is not None
    monkeypatch.setenv("AGENTOPS_API_KEY", OPTIONS["api_key"][1])
    monkeypatch.chdir(tmp_path)
    Path("prices.json").write_text('{"a-model": {"input_cost_per_token": 1e-6}}', "utf-8")
    file = tmp_path / "otel.yaml"
    file.write_text(text, "utf-8")
    found = configuration_file({FILE: str(file)})
    assert found is not None
    assert sorted(found.options) == sorted(OPTIONS)
    assert found.enabled.keys() == {"agentops_litellm", "httpx"}
    assert found.options["api_key"] == Option(text=OPTIONS["api_key"][1], line=found.options["api_key"].line)
    assert [each.text for each in settings_checks({FILE: str(file)}) if each.state.value == "problem"] == []
    assert load_config_file(str(file)).tracer_provider is not None


def test_the_hint_names_the_configuration_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file, the variables that the other hint names have no effect."""
    file = tmp_path / "otel.yaml"
    file.write_text('file_format: "1.0"\n', "utf-8")
    monkeypatch.setenv("OTEL_CONFIG_FILE", str(file))
    out = io.StringIO()
    ConsoleSpanExporter(out)
    assert out.getvalue() == f"agentops-otel-litellm: LiteLLM calls are printed here: agentops_console in {file}.\n"
