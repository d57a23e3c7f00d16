"""The table of backends: URLs, headers, messages; and what backends with a published mapper show."""

from __future__ import annotations

import re
from base64 import b64decode

import pytest

from agentops_otel_litellm.semconv import VOCABULARIES, default_names
from agentops_otel_litellm.settings.backends import (
    BACKENDS,
    WITH_OWN_EXPORTER,
    Fault,
    Target,
    backend_names,
    chosen_backends,
    target_of,
)
from agentops_otel_litellm.settings.destinations import default_exporter, unusable_backends
from agentops_otel_litellm.settings.parsing import is_secret
from support.backend_mappers import DEFAULT, FACTS, MAPPERS, emitted, states, table
from support.project import ROOT

SENT = [name for name in BACKENDS if name not in WITH_OWN_EXPORTER]


def variables_of(name: str) -> dict[str, str]:
    """All variables of a backend, each with a value."""
    backend = BACKENDS[name]
    urls = {} if backend.url else dict.fromkeys(backend.url_variables, "https://example.com")
    return {**{each: f"value-of-{each}" for each in backend.variables}, **urls}


@pytest.mark.parametrize("name", BACKENDS)
def test_each_row_names_conventions(name: str) -> None:
    assert set(BACKENDS[name].conventions) <= VOCABULARIES.keys()
    assert list(BACKENDS[name].headers).count("Authorization") <= 1


@pytest.mark.parametrize("name", SENT)
def test_each_backend_has_a_target(name: str) -> None:
    """All its variables are used, and nothing is left to fill in."""
    target = target_of(name, variables_of(name))
    assert isinstance(target, Target)
    assert re.fullmatch(r"https?://[^{}]+[a-z]", target.url)
    sent = " ".join([target.url, *target.headers.values()])
    encoded = [value.removeprefix("Basic ") for value in target.headers.values() if value.startswith("Basic ")]
    sent += " ".join(b64decode(each).decode() for each in encoded)
    assert [each for each in variables_of(name).values() if each not in sent and "example" not in each] == []


@pytest.mark.parametrize("name", SENT)
def test_a_missing_variable_is_named(name: str) -> None:
    for missing in BACKENDS[name].required:
        fault = target_of(name, {each: value for each, value in variables_of(name).items() if each != missing})
        assert isinstance(fault, Fault)
        assert fault.variable == missing
        assert missing in fault.text
        assert "value-of" not in fault.text


@pytest.mark.parametrize(
    ("variables", "name", "url"),
    [
        ({"LANGFUSE_HOST": "https://lf.example/"}, "langfuse", "https://lf.example/api/public/otel/v1/traces"),
        (
            {"LANGFUSE_BASE_URL": "https://us.example", "LANGFUSE_HOST": "https://lf.example"},
            "langfuse",
            "https://us.example/api/public/otel/v1/traces",
        ),
        ({"DD_SITE": "datadoghq.eu"}, "datadog", "https://otlp.datadoghq.eu/v1/traces"),
        ({"PHOENIX_COLLECTOR_ENDPOINT": "http://host:1/v1/traces"}, "phoenix", "http://host:1/v1/traces"),
        ({}, "mlflow", "http://localhost:5000/v1/traces"),
        ({"OPENOBSERVE_ORG": "acme"}, "openobserve", "http://localhost:5080/api/acme/v1/traces"),
    ],
)
def test_urls(variables: dict[str, str], name: str, url: str) -> None:
    required = dict.fromkeys(BACKENDS[name].required, "key")
    target = target_of(name, {**required, **variables})
    assert isinstance(target, Target)
    assert target.url == url


def test_optional_headers_are_left_out() -> None:
    target = target_of("mlflow", {})
    assert isinstance(target, Target)
    assert target.headers == {"x-mlflow-experiment-id": "0"}


def test_names_are_a_choice() -> None:
    assert backend_names("otlp, Langfuse,langfuse") == ("langfuse", "otlp")
    with pytest.raises(ValueError, match="a comma-separated choice of agentops, langfuse"):
        backend_names("langfuze")
    assert chosen_backends({"AGENTOPS_BACKEND": "langfuze"}) == ()
    assert chosen_backends({}) == ()


@pytest.mark.parametrize(
    ("variables", "exporters", "conventions"),
    [
        ({}, "agentops_console", DEFAULT),
        ({"AGENTOPS_BACKEND": "langfuse"}, "agentops_backends", ("gen_ai", "llm", "langfuse")),
        ({"AGENTOPS_BACKEND": "phoenix"}, "agentops_backends", ("openinference", "llm")),
        ({"AGENTOPS_BACKEND": "otlp"}, "otlp", DEFAULT),
        ({"AGENTOPS_BACKEND": "agentops"}, "agentops", ("gen_ai", "llm", "agentops")),
        ({"AGENTOPS_BACKEND": "phoenix,otlp"}, "otlp,agentops_backends", ("gen_ai", "openinference", "llm")),
        (
            {"AGENTOPS_BACKEND": "phoenix", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"},
            "otlp,agentops_backends",
            ("gen_ai", "openinference", "llm"),
        ),
        (
            {"AGENTOPS_BACKEND": "langfuse", "AGENTOPS_API_KEY": "key"},
            "agentops_backends,agentops",
            ("gen_ai", "llm", "agentops", "langfuse"),
        ),
    ],
)
def test_exporters_and_conventions(variables: dict[str, str], exporters: str, conventions: tuple[str, ...]) -> None:
    assert default_exporter("TRACES", variables) == exporters
    assert default_names(variables) == conventions


def test_the_users_exporters_have_priority() -> None:
    """A conflict is a message, and the conventions of the named backend are not written."""
    variables = {"AGENTOPS_BACKEND": "langfuse", "OTEL_TRACES_EXPORTER": "otlp"}
    assert default_names(variables) == DEFAULT
    assert [each.name for each in unusable_backends(variables)] == ["AGENTOPS_BACKEND"]
    same = {
        "AGENTOPS_BACKEND": "phoenix",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:6006",
    }
    (twice,) = unusable_backends(same)
    assert twice.text == (
        "OTEL_EXPORTER_OTLP_ENDPOINT and AGENTOPS_BACKEND=phoenix name the same server, to which each span is sent "
        "twice."
    )


def test_keys_are_masked_everywhere() -> None:
    """Of each required variable, a key has a name that the masking of settings recognises."""
    public = {"LANGFUSE_PUBLIC_KEY", "BRAINTRUST_PARENT", "GRAFANA_CLOUD_INSTANCE_ID"}
    required = {each for backend in BACKENDS.values() for each in backend.required}
    assert {each for each in required - public if not is_secret(each)} == set()


# --- what backends show ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAPPERS)
def test_nothing_is_wrong(name: str) -> None:
    """With its conventions, no fact that the default shows is lost, and none is wrong."""
    before, after = states(name, DEFAULT), states(name, MAPPERS[name].conventions)
    assert "wrong" not in after.values()
    assert [fact for fact in FACTS if before[fact] == "correct" and after[fact] != "correct"] == []


@pytest.mark.parametrize("name", MAPPERS)
def test_every_fact_that_the_mapper_reads_by_a_public_name_is_written(name: str) -> None:
    after = states(name, MAPPERS[name].conventions)
    own = "lmnr.", "langwatch."
    read = {fact for fact, names in MAPPERS[name].reads.items() if not all(each.startswith(own) for each in names)}
    assert [fact for fact in sorted(read) if after[fact] == "absent"] == []


@pytest.mark.parametrize("name", MAPPERS)
def test_a_scalar_cost_is_never_beside_a_nested_one(name: str) -> None:
    written = emitted(MAPPERS[name].conventions)
    assert not ("gen_ai.usage.cost" in written and any(each.startswith("gen_ai.usage.cost.") for each in written))


def test_the_page_has_the_table() -> None:
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    assert f"<!-- facts -->\n\n{table()}\n\n<!-- /facts -->" in page
