"""Variables with a value that OpenTelemetry's SDK cannot use are reported and left out."""

from __future__ import annotations

import pytest

from agentops_otel_litellm.settings.sdk_variables import drop_unusable_variables, unusable_variables
from support.invalid_variables import INVALID
from support.logged_warnings import LoggedWarnings


@pytest.mark.parametrize("variable", sorted(INVALID.keys() - {"OTEL_LOGS_EXPORTER"}))
def test_value_is_left_out(variable: str, logged: LoggedWarnings) -> None:
    variables = {variable: INVALID[variable]}
    if variable == "OTEL_TRACES_SAMPLER_ARG":
        variables["OTEL_TRACES_SAMPLER"] = "traceidratio"
    if variable == "OTEL_TRACES_SAMPLER":
        variables[variable] = "nowhere"
    remaining = dict(variables)
    drop_unusable_variables(remaining)
    (line,) = logged.take()
    assert variable in line
    assert remaining.get(variable) != variables[variable]
    assert [*unusable_variables(remaining)] == []


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


def test_usable_part_of_a_list_is_kept(logged: LoggedWarnings) -> None:
    variables = {
        "OTEL_PROPAGATORS": "tracecontext,b3",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary-1,canary-2",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "9999",
    }
    drop_unusable_variables(variables)
    assert variables == {
        "OTEL_PROPAGATORS": "tracecontext",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary-1",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "2048",
    }
    assert logged.take() == [
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
            "URL-encoded). Using the other headers."
        ),
    ]
