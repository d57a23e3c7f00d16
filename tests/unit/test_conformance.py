"""The checks in `support.conformance` find deviations from OpenTelemetry's conventions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import SpanKind

from agentops_otel_litellm.version import SCOPE
from support.conformance import (
    CONDITIONS,
    MAY_BE_MISSING,
    OUR_DIMENSIONS,
    PROPOSED,
    PROPOSED_METRICS,
    Emitted,
    Log,
    Point,
    Span,
    check_log,
    check_point,
    check_span,
)
from support.conventions import DEPRECATED, EVENTS, LATEST_METRICS, MEMBERS, METRICS, REFINEMENTS, SCHEMAS, SPANS, TYPES
from support.recorder import Recorder

SPAN = Span(
    name="chat gpt-4o",
    kind="CLIENT",
    status="UNSET",
    attributes={
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ("stop", "tool_call"),
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.cache_read.input_tokens": 9,
        "gen_ai.usage.cost.amount": 0.1,
        "llm.request.model": "openai/gpt-4o",
        "llm.response.is_streaming": True,
        "llm.request.modalities": ("text",),
        "server.address": "localhost",
        "server.port": 443,
        "session.id": "session",
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]),
    },
    events=[("litellm.attempt", {"litellm.attempt.number": 1})],
)
REMOVED = object()


def with_attributes(span: Span, **others: object) -> Span:
    """The span with other attributes (`__` for dots), and without those that are `REMOVED`."""
    changes = {name.replace("__", "."): value for name, value in others.items()}
    return replace(span, attributes=with_changes(span.attributes, changes))


def with_changes(attributes: Mapping[str, object], others: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**attributes, **others}.items() if value is not REMOVED}


def test_correct_spans_have_no_findings() -> None:
    """Also for a call that failed before its provider was known, a route, and an operation outside the conventions."""
    assert [*check_span(SPAN)] == []
    failed = with_attributes(
        replace(SPAN, status="ERROR"),
        gen_ai__provider__name=REMOVED,
        error__type="BadRequestError",
    )
    assert [*check_span(failed)] == []
    assert [*check_span(Span(name="route fast", kind="INTERNAL", status="UNSET", attributes={"llm.vendor": "x"}))] == []
    ours = {"gen_ai.operation.name": "rerank", "gen_ai.provider.name": "jina_ai", "gen_ai.request.model": "jina"}
    assert [*check_span(Span(name="rerank jina", kind="CLIENT", status="UNSET", attributes=ours))] == []


@pytest.mark.parametrize(
    ("attribute", "value", "finding"),
    [
        ("gen_ai.operation.name", "talk", "neither well-known nor documented"),
        ("gen_ai.operation.name", REMOVED, "has no operation, but the kind CLIENT"),
        ("gen_ai.provider.name", REMOVED, "lacks gen_ai.provider.name, which is required"),
        ("gen_ai.provider.name", "azure", "neither well-known nor documented"),
        ("gen_ai.provider.name", "https://example.com", "neither well-known nor documented"),
        ("gen_ai.request.model", REMOVED, "lacks gen_ai.request.model"),
        ("gen_ai.request.model", "gpt-5", "must have the name 'chat gpt-5'"),
        ("gen_ai.request.model", "", "is empty"),
        ("gen_ai.request.stream", REMOVED, "lacks gen_ai.request.stream"),
        ("gen_ai.request.stream", False, "must not be recorded"),
        ("gen_ai.request.choice.count", 1, "must not be recorded"),
        ("gen_ai.request.temperature", 1, "not of the type double"),
        ("gen_ai.request.seed", 1.0, "not of the type int"),
        ("gen_ai.request.seed", True, "not of the type int"),
        ("gen_ai.request.stop_sequences", "stop", "not of the type string[]"),
        ("gen_ai.request.stop_sequences", ("stop", 1), "not of the type string[]"),
        ("gen_ai.response.finish_reasons", ("tool_calls",), "neither well-known nor documented"),
        ("gen_ai.response.finish_reasons", (), "is empty"),
        ("gen_ai.output.type", "xml", "neither well-known nor documented"),
        ("gen_ai.usage.input_tokens", 8, "has more gen_ai.usage.cache_read.input_tokens"),
        ("gen_ai.usage.output_tokens", -1, "has gen_ai.usage.output_tokens of -1"),
        ("gen_ai.usage.cost.amount", "0.1", "not of the type double"),
        ("gen_ai.usage.cost.total", 0.1, "neither the conventions' nor in a namespace of ours"),
        ("gen_ai.cost", 0.1, "neither the conventions' nor in a namespace of ours"),
        ("temperature", 0.1, "neither the conventions' nor in a namespace of ours"),
        ("gen_ai.system", "openai", "is deprecated: it is gen_ai.provider.name now"),
        ("gen_ai.usage.prompt_tokens", 9, "is deprecated: it is gen_ai.usage.input_tokens now"),
        ("llm.request.modalities", ("text", 1), "of any attribute"),
        ("server.address", "https://localhost/v1", "must not be recorded"),
        ("server.port", REMOVED, "lacks server.port"),
        ("error.type", "Timeout", "has an error.type, but not the status ERROR"),
        ("gen_ai.input.messages", "hello", "is no JSON"),
        ("gen_ai.input.messages", ("hello",), "as an array, and not as JSON"),
        ("gen_ai.input.messages", '[{"role": "user"}]', "not to its schema, at $[0]"),
        ("gen_ai.tool.definitions", '{"name": "search"}', "not to its schema, at $"),
    ],
)
def test_wrong_attributes_are_found(attribute: str, value: object, finding: str) -> None:
    """Names, types, requirement levels, values and schemas of content are checked."""
    found = [*check_span(replace(SPAN, attributes=with_changes(SPAN.attributes, {attribute: value})))]
    assert any(finding in each for each in found), found


@pytest.mark.parametrize(
    ("span", "finding"),
    [
        (replace(SPAN, name="chat"), "must have the name 'chat gpt-4o'"),
        (replace(SPAN, kind="INTERNAL"), "is INTERNAL, and not CLIENT"),
        (replace(SPAN, status="OK"), "has the status OK"),
        (replace(SPAN, status="ERROR"), "lacks error.type"),
        (replace(SPAN, events=[("exception", {})]), "has an event exception, which is neither"),
        (replace(SPAN, events=[("litellm.attempt", {"number": 1})]), "has an event litellm.attempt that has number"),
        (
            Span(
                name="fetch_response",
                kind="CLIENT",
                status="UNSET",
                attributes={"gen_ai.operation.name": "fetch_response", "gen_ai.provider.name": "openai"},
            ),
            "lacks gen_ai.response.id, which is required",
        ),
    ],
)
def test_wrong_spans_are_found(span: Span, finding: str) -> None:
    """Name, kind, status and events are checked."""
    found = [*check_span(span)]
    assert any(finding in each for each in found), found


DURATION = METRICS["gen_ai.client.operation.duration"]
POINT = Point(
    name="gen_ai.client.operation.duration",
    kind="histogram",
    unit="s",
    attributes={"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "llm.cache.hit": True},
    bounds=tuple(DURATION.buckets),
)


@pytest.mark.parametrize(
    ("point", "finding"),
    [
        (replace(POINT, name="gen_ai.client.operation.price"), "is neither the conventions' nor ours"),
        (replace(POINT, name="agentops.price", unit=""), "has no unit"),
        (replace(POINT, unit="ms"), "is in 'ms', and not in 's'"),
        (replace(POINT, kind="sum"), "is a sum, and not a histogram"),
        (replace(POINT, bounds=(1.0, 2.0)), "has other buckets"),
        (
            replace(POINT, attributes={**POINT.attributes, "gen_ai.response.id": "1"}),
            "which is no dimension of the metric",
        ),
        (replace(POINT, attributes={**POINT.attributes, "user.id": "1"}), "which is no dimension of the metric"),
        (replace(POINT, attributes={"gen_ai.operation.name": "chat"}), "lacks gen_ai.provider.name"),
        (replace(POINT, attributes={"gen_ai.provider.name": "openai"}), "lacks gen_ai.operation.name"),
        (replace(POINT, attributes={**POINT.attributes, "server.address": "localhost"}), "lacks server.port"),
        (replace(POINT, attributes={**POINT.attributes, "gen_ai.operation.name": "talk"}), "neither well-known"),
    ],
)
def test_wrong_metrics_are_found(point: Point, finding: str) -> None:
    """Name, unit, kind, buckets and dimensions are checked."""
    assert [*check_point(POINT)] == []
    found = [*check_point(point)]
    assert any(finding in each for each in found), found


LOG = Log(
    name="gen_ai.client.operation.exception",
    severity="WARN",
    attributes={"exception.type": "litellm.exceptions.Timeout"},
)


@pytest.mark.parametrize(
    ("log", "finding"),
    [
        (replace(LOG, name="exception"), "is neither the conventions' nor ours"),
        (replace(LOG, severity="ERROR"), "is of severity ERROR, and not WARN"),
        (replace(LOG, attributes={}), "has neither exception.type nor exception.message"),
        (replace(LOG, attributes={"exception.type": 1}), "not of the type string"),
        (
            Log(name="gen_ai.client.inference.operation.details", severity="DEBUG", attributes={}),
            "lacks gen_ai.operation.name, which is required",
        ),
        (
            Log(
                name="gen_ai.client.inference.operation.details",
                severity="DEBUG",
                attributes={"gen_ai.input.messages": [{"role": "user"}]},
            ),
            "not to its schema, at $[0]",
        ),
    ],
)
def test_wrong_events_are_found(log: Log, finding: str) -> None:
    """Name, severity, attributes and structured content are checked."""
    assert [*check_log(LOG)] == []
    found = [*check_log(log)]
    assert any(finding in each for each in found), found


def test_findings_quote_no_content() -> None:
    """Findings are printed in test reports."""
    found = [*check_span(with_attributes(SPAN, gen_ai__input__messages='[{"role": "canary"}]'))]
    assert found
    assert "canary" not in str(found)


def test_an_attribute_with_two_types_is_found() -> None:
    """Also if two tests set it."""
    emitted = Emitted()
    emitted.add([with_attributes(SPAN, llm__request__speed=1.0)])
    assert emitted.take() == []
    emitted.add([with_attributes(SPAN, llm__request__speed=1)])
    assert emitted.take() == ["Span 'chat gpt-4o' has llm.request.speed as int, which is double elsewhere"]


def test_all_telemetry_of_our_scope_is_checked(emitted: Emitted) -> None:
    """Spans, logs, and metrics that the test has not collected; other scopes are not checked."""
    recorder = Recorder()
    for scope in (SCOPE, "the app"):
        recorder.tracer_provider.get_tracer(scope).start_span("planted", kind=SpanKind.CLIENT).end()
        recorder.meter_provider.get_meter(scope).create_histogram("planted").record(1)
        recorder.logger_provider.get_logger(scope).emit(
            LogRecord(event_name="planted", severity_number=SeverityNumber.WARN)
        )
    assert emitted.take() == [
        "Span 'planted' has no operation, but the kind CLIENT",
        "Log 'planted' is neither the conventions' nor ours",
        "Point 'planted' is neither the conventions' nor ours",
        "Point 'planted' has no unit",
    ]
    assert emitted.take() == []


SPAN_LEVELS = [*(each.attributes for each in SPANS.values()), *(each.attributes for each in REFINEMENTS.values())]
METRIC_LEVELS = [each.attributes for each in (*METRICS.values(), *LATEST_METRICS.values())]
ALL_LEVELS = [*SPAN_LEVELS, *METRIC_LEVELS, *(each.attributes for each in EVENTS.values())]


def test_the_tables_of_the_conventions_are_consistent() -> None:
    """Each attribute has a type, each operation a type of span, and deprecated attributes have replacements."""
    levels = {(name, level.partition(":")[0]) for each in ALL_LEVELS for name, level in each.items()}
    assert {name for name, _ in levels} <= TYPES.keys()
    assert {level for _, level in levels} == {"required", "conditionally_required", "recommended", "opt_in"}
    operations = [operation for each in SPANS.values() for operation in each.operations]
    assert set(operations) == MEMBERS["gen_ai.operation.name"]
    assert not TYPES.keys() & DEPRECATED.keys()
    assert DEPRECATED.keys() - TYPES.keys() == DEPRECATED.keys()
    assert set(DEPRECATED.values()) | MEMBERS.keys() | SCHEMAS.keys() <= TYPES.keys()
    assert {name for name, kind in TYPES.items() if kind == "any"} == SCHEMAS.keys()


def test_our_exceptions_do_not_contradict_the_conventions() -> None:
    """And each condition of the conventions has a row in `CONDITIONS`."""
    assert not PROPOSED.keys() & TYPES.keys()
    assert not PROPOSED_METRICS & (METRICS.keys() | LATEST_METRICS.keys())
    assert not OUR_DIMENSIONS.keys() & {name for each in METRIC_LEVELS for name in each}
    ours = ("gen_ai.client.inference", "gen_ai.embeddings.client", "gen_ai.fetch_response.client")
    levels = [*(SPANS[name].attributes for name in ours), *(each.attributes for each in REFINEMENTS.values())]
    conditional = {name for each in levels for name, level in each.items() if level.startswith("conditionally")}
    assert conditional <= CONDITIONS.keys()
    assert MAY_BE_MISSING.keys() <= {name for each in SPAN_LEVELS for name in each}
