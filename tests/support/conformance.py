"""Checks of all telemetry that the tests emit against OpenTelemetry's semantic conventions.

Recorders and OTLP receivers add what they receive to `EMITTED`. At the end of each test everything is checked, and the
test fails if there are findings. Tables in this module have our decisions where the conventions leave a choice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jsonschema import Draft202012Validator

from agentops_otel_litellm.operations import OPERATIONS
from support.conventions import (
    DEPRECATED,
    EVENTS,
    LATEST_METRICS,
    MEMBERS,
    METRICS,
    REFINEMENTS,
    SCHEMAS,
    SPANS,
    TYPES,
    Metric,
)
from support.servers import agentops_pages, agentops_reader
from support.traced_operations import names_outside_the_catalogue

Attributes = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    name: str
    kind: str
    """Such as `CLIENT`."""
    status: str
    """`UNSET`, `OK` or `ERROR`."""
    message: str = ""
    """The description of the status."""
    attributes: Attributes
    events: Sequence[tuple[str, Attributes]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    name: str
    kind: str
    """`histogram`, `sum` or `gauge`."""
    unit: str
    attributes: Attributes
    bounds: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    name: str
    severity: str
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOpsSpan:
    """The exporter's copy of a span for AgentOps, whichever vocabularies the test has chosen."""

    name: str
    status: str
    status_message: str
    trace_id: str
    span_id: str
    start_ns: int
    response_id: str | None
    attributes: Attributes


# --- decisions that the conventions leave open ------------------------------------------------------------

OUR_NAMESPACES = ("llm.", "litellm.", "agentops.")
# Namespaces of OpenInference, whose names have their own test, and of attributes that tests set.
FOREIGN_NAMESPACES = (
    "openinference.",
    "input.",
    "output.",
    "embedding.",
    "reranker.",
    "retrieval.",
    "tag.",
    "app.",
    "acme.",
    *("langfuse.", "langwatch.", "lmnr.", "posthog.", "$ai_"),
)
REFERENCES = frozenset(
    f"gen_ai.{name}_ref" for name in ("input.messages", "output.messages", "system_instructions", "tool.definitions")
)
"""References to uploaded content, which OpenTelemetry's hook `upload` adds."""
OLDER_NAMES = frozenset({"gen_ai.usage.cost", "gen_ai.usage.cache_creation.input_tokens"})
"""Names of the vocabulary `gen_ai_older`, which released backends read."""
OUR_NAMES = frozenset({"session.id", "user.id", "metadata", "mcp.method.name"}) | REFERENCES | OLDER_NAMES
"""Names of other conventions, of OpenInference and of hooks."""
# Names of an open proposal: open-telemetry/semantic-conventions-genai, issue 287.
PROPOSED = {
    "gen_ai.usage.cost.amount": "double",
    "gen_ai.usage.cost.currency": "string",
    "gen_ai.usage.cost.source": "string",
}
PROPOSED_METRICS = {"gen_ai.client.operation.cost"}
# Names that AgentOps reads and OpenTelemetry does not have: only on spans with the `agentops` vocabulary.
AGENTOPS = {
    agentops_reader.SYSTEM: "string",
    **dict.fromkeys(agentops_reader.TOKENS, "int"),
    **dict.fromkeys(agentops_reader.COSTS, "double"),
}
# Our own dimensions of metrics, with reasons. The number of their values must not grow with calls or users.
OUR_DIMENSIONS = {
    "llm.cache.hit": "a response from LiteLLM's cache takes no time at the provider",
}
KEYWORD = r"[A-Za-z0-9_.-]{1,64}"
RENAMED_PROVIDERS = (
    *("azure", "bedrock", "codestral", "cohere_", "gemini", "mistral", "moonshot", "vertex", "watsonx", "xai"),
    *("text-completion-", "anthropic_"),
)
"""Prefixes of LiteLLM's names for providers that have another name in the conventions."""
NONSTANDARD_FINISH_REASONS = frozenset({"MALFORMED_FUNCTION_CALL", "pause_turn"})
"""Finish reasons of providers that the conventions do not define."""
TEST_FUNCTIONS = frozenset({"<lambda>", "promise", "returning", "traced_function"})
"""Functions that tests trace in place of LiteLLM's; they call no provider."""
LOGGED_CALL_TYPES = frozenset({"pass_through_endpoint"})
"""Call types in LiteLLM's log that are not the name of a function."""
CATALOGUE_NAMES = frozenset(name for row in OPERATIONS for name in (*row.names, *row.functions))
"""Names of operations and functions, including functions written in Rust."""


def is_known_operation(name: str) -> bool:
    """Whether it is an operation of the catalogue, or the name of another function of LiteLLM."""
    return name in LOGGED_CALL_TYPES or name in CATALOGUE_NAMES or name in names_outside_the_catalogue()


# Attribute → whether a value that the conventions do not define is a documented one.
CUSTOM_VALUES: Mapping[str, Callable[[str], bool]] = {
    # Operations outside the conventions have LiteLLM's name: docs/operations.md lists them.
    "gen_ai.operation.name": lambda name: name in TEST_FUNCTIONS or is_known_operation(name),
    # Providers outside the conventions keep LiteLLM's name, or the application's for its own providers.
    "gen_ai.provider.name": lambda name: (
        re.fullmatch(KEYWORD, name) is not None and not name.startswith(RENAMED_PROVIDERS)
    ),
    "gen_ai.response.finish_reasons": lambda reason: reason in NONSTANDARD_FINISH_REASONS,
}
MAY_BE_MISSING: Mapping[str, Callable[[Attributes], bool]] = {
    # LiteLLM fails before it knows the provider of a model.
    "gen_ai.provider.name": lambda attributes: (
        ("error.type" in attributes and "llm.provider" not in attributes)
        or attributes.get("gen_ai.operation.name") in TEST_FUNCTIONS
    ),
    # The conventions require it for every call to Bedrock, but few calls have a guardrail.
    "aws.bedrock.guardrail.id": lambda _: True,
}
"""Required attribute → whether it may be missing beside these attributes."""


Condition = Callable[["Span"], bool]
# Attribute → the condition under which the conventions require it. `None`: it depends on parameters of the request, so
# tests that compare whole spans cover it.
CONDITIONS: Mapping[str, Condition | None] = {
    "error.type": lambda span: span.status == "ERROR",
    "gen_ai.agent.name": None,
    "gen_ai.conversation.id": None,
    "gen_ai.data_source.id": lambda span: "llm.request.data_source_id" in span.attributes,
    "gen_ai.output.type": None,
    "gen_ai.prompt.name": None,
    "gen_ai.prompt.version": None,
    "gen_ai.provider.name": lambda span: "llm.provider" in span.attributes,
    "gen_ai.request.choice.count": None,
    "gen_ai.request.model": lambda span: "llm.request.model" in span.attributes,
    "gen_ai.request.seed": None,
    "gen_ai.request.stream": lambda span: (
        span.attributes.get("llm.request.stream") is True or "llm.response.is_streaming" in span.attributes
    ),
    "gen_ai.request.stream_cursor": None,
    "gen_ai.request.top_k": None,
    "openai.request.service_tier": None,
    "openai.response.service_tier": None,
    "server.port": lambda span: "server.address" in span.attributes,
}
# Attribute → whether the conventions want the value to be recorded.
WORTH_RECORDING: Mapping[str, Callable[[object], bool]] = {
    "gen_ai.request.choice.count": lambda count: count != 1,
    "gen_ai.request.stream": lambda stream: stream is True,
    "openai.request.service_tier": lambda tier: tier != "auto",
    "server.address": lambda address: not re.search(r"[/?@\s]", str(address)),
}
PART_OF = {
    "gen_ai.usage.cache_read.input_tokens": "gen_ai.usage.input_tokens",
    "gen_ai.usage.cache_write.input_tokens": "gen_ai.usage.input_tokens",
    "gen_ai.usage.reasoning.output_tokens": "gen_ai.usage.output_tokens",
}
"""Count → the count that includes it."""


# --- the rules --------------------------------------------------------------------------------------------


def check_span(span: Span) -> Iterator[str]:
    """Deviations from the conventions."""
    if span.kind == "SERVER":
        yield from _check_request(span)
        return
    yield from check_attributes(span.attributes, content=str)
    yield from _check_operation(span)
    if agentops_reader.KIND in span.attributes:
        yield from agentops_reader.findings(span.attributes, status=span.status, message=span.message)
    elif span.status == "OK":
        yield "has the status OK, which is the app's to set"
    if "error.type" in span.attributes and span.status != "ERROR":
        yield "has an error.type, but not the status ERROR"
    for name, attributes in span.events:
        if name not in EVENTS and not name.startswith(OUR_NAMESPACES):
            yield f"has an event {name}, which is neither the conventions' nor ours"
        for finding in check_attributes(attributes, content=str):
            yield f"has an event {name} that {finding}"


# OpenTelemetry's conventions for HTTP servers: attribute → its type.
HTTP_SERVER = {
    "http.request.method": "string",
    "url.scheme": "string",
    "url.path": "string",
    "http.route": "string",
    "http.response.status_code": "int",
    "error.type": "string",
    "server.address": "string",
    "server.port": "int",
    "network.protocol.version": "string",
}
REQUIRED_OF_HTTP_SERVERS = ("http.request.method", "url.scheme", "url.path")


def _check_request(span: Span) -> Iterator[str]:
    """Deviations of a request to the proxy from the conventions for HTTP servers."""
    for name, value in span.attributes.items():
        if name not in HTTP_SERVER:
            yield f"has {name}, which is not in the conventions for HTTP servers"
        elif attribute_type(value) != HTTP_SERVER[name]:
            yield f"has {name} of the type {attribute_type(value)}"
    for name in REQUIRED_OF_HTTP_SERVERS:
        if name not in span.attributes:
            yield f"lacks {name}, which is required"
    parts = (span.attributes.get("http.request.method"), span.attributes.get("http.route"))
    expected = " ".join(str(part) for part in parts if part is not None)
    if span.name != expected:
        yield f"is not named {expected}"
    if (span.status == "ERROR") != ("error.type" in span.attributes):
        yield "has an error.type or the status ERROR, but not both"


def _check_operation(span: Span) -> Iterator[str]:
    operation = span.attributes.get("gen_ai.operation.name")
    if operation in TEST_FUNCTIONS:
        return
    if operation is None:
        if span.kind != "INTERNAL" and "mcp.method.name" not in span.attributes:  # a request to an MCP server
            yield f"has no operation, but the kind {span.kind}"
        return
    name = next((name for name, each in SPANS.items() if operation in each.operations), None)
    kind = "client" if name is None else SPANS[name].kind
    pattern = "{gen_ai.operation.name} {gen_ai.request.model}" if name is None else SPANS[name].name
    if span.kind != kind.upper():
        yield f"is {span.kind}, and not {kind.upper()}"
    expected_name = re.sub(r"\{([\w.]+)\}", lambda found: str(span.attributes.get(found[1], "")), pattern).strip()
    if span.name != expected_name:
        yield f"must have the name {expected_name!r}"
    if name is not None:
        yield from _check_required_attributes(span, name)


def _check_required_attributes(span: Span, name: str) -> Iterator[str]:
    """Findings for missing attributes that the conventions require."""
    levels = dict(SPANS[name].attributes)
    refinement = REFINEMENTS.get(str(span.attributes.get("gen_ai.provider.name")))
    if refinement is not None and refinement.of == name:
        levels |= refinement.attributes
    for attribute, level in levels.items():
        if attribute in span.attributes:
            continue
        if level == "required":
            may_be_missing = MAY_BE_MISSING.get(attribute)
            if may_be_missing is None or not may_be_missing(span.attributes):
                yield f"lacks {attribute}, which is required"
        elif level.startswith("conditionally_required"):
            condition = CONDITIONS[attribute]
            if condition is not None and condition(span):
                yield f"lacks {attribute}, which is {level}"


def check_attributes(attributes: Attributes, *, content: type) -> Iterator[str]:
    """Findings for names and values. The type of content is `str` for JSON, or `object` for structured values."""
    for name, value in attributes.items():
        kind = _type_of(name)
        if agentops_reader.KIND in attributes and agentops_reader.is_agentops(name):
            if attribute_type(value) != AGENTOPS.get(name, "string"):
                yield f"has {name} of the type {attribute_type(value)}"
        elif name in DEPRECATED:
            yield f"has {name}, which is deprecated: it is {DEPRECATED[name]} now"
        elif kind is None:
            yield f"has {name}, which is neither the conventions' nor in a namespace of ours"
        elif kind == "any":
            yield from _check_content(name, value, content)
        elif not _has_type(kind, value):
            yield f"has {name} of {value!r}, which is not of the type {kind or 'of any attribute'}"
        else:
            yield from _check_value(name, value)
    for part, whole in PART_OF.items():
        if part in attributes and whole in attributes and _exceeds(attributes[part], attributes[whole]):
            yield f"has more {part} than {whole}"


def _check_value(name: str, value: object) -> Iterator[str]:
    if value in {"", ()}:
        yield f"has {name}, which is empty"
    if name in WORTH_RECORDING and not WORTH_RECORDING[name](value):
        yield f"has {name} of {value!r}, which must not be recorded"
    if name in MEMBERS:
        for each in value if isinstance(value, tuple) else (value,):
            if each not in MEMBERS[name] and not _is_documented(name, str(each)):
                yield f"has {name} of {each!r}, which is neither well-known nor documented"
    if "_tokens" in name and isinstance(value, int | float) and value < 0:
        yield f"has {name} of {value}"


def _is_documented(name: str, value: str) -> bool:
    documented = CUSTOM_VALUES.get(name)
    return documented is not None and documented(value)


def _check_content(name: str, value: object, content: type) -> Iterator[str]:
    if content is str:
        try:
            value = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            yield f"has {name}, which is no JSON"
            return
        if isinstance(value, tuple):
            yield f"has {name} as an array, and not as JSON"
            return
    for error in _validator(name).iter_errors(_with_lists(value)):
        yield f"has {name} that is not to its schema, at {error.json_path}"  # without the value, which is content


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS.get(name, True))


def _with_lists(value: object) -> object:
    """The value with lists in place of the SDK's tuples, as in JSON."""
    if isinstance(value, Mapping):
        return {name: _with_lists(each) for name, each in value.items()}
    return [_with_lists(each) for each in value] if isinstance(value, list | tuple) else value


def _type_of(name: str) -> str | None:
    """The type in the conventions; an empty string for our own names, and `None` for other names."""
    attributes = TYPES.get(name) or PROPOSED.get(name)
    if attributes is not None:
        return attributes
    if name.startswith("gen_ai.prompt.variable."):
        return "string"
    return "" if name.startswith((*OUR_NAMESPACES, *FOREIGN_NAMESPACES)) or name in OUR_NAMES else None


def _has_type(kind: str, value: object) -> bool:
    return attribute_type(value) == kind if kind else attribute_type(value) is not None


ATTRIBUTE_TYPES: Mapping[type, str] = {str: "string", int: "int", float: "double", bool: "boolean"}


def attribute_type(value: object) -> str | None:
    """The name of the value's type in the conventions, or `None`."""
    if isinstance(value, tuple):
        kinds = {ATTRIBUTE_TYPES.get(type(each)) for each in value} or {"string"}
        return f"{kinds.pop()}[]" if len(kinds) == 1 and None not in kinds else None
    return ATTRIBUTE_TYPES.get(type(value))


def _exceeds(part: object, whole: object) -> bool:
    return isinstance(part, int) and isinstance(whole, int) and part > whole


def check_point(point: Point) -> Iterator[str]:
    """Deviations from the conventions."""
    yield from check_attributes(point.attributes, content=str)
    metric = METRICS.get(point.name) or LATEST_METRICS.get(point.name)
    if metric is None:
        if point.name not in PROPOSED_METRICS and not point.name.startswith(OUR_NAMESPACES):
            yield "is neither the conventions' nor ours"
        if not point.unit:
            yield "has no unit"
    else:
        yield from _check_metric(point, metric)


def _check_metric(point: Point, metric: Metric) -> Iterator[str]:
    instrument = {"histogram": "histogram", "counter": "sum"}[metric.instrument]
    if point.kind != instrument:
        yield f"is a {point.kind}, and not a {instrument}"
    if point.unit != metric.unit:
        yield f"is in {point.unit!r}, and not in {metric.unit!r}"
    if metric.buckets and tuple(point.bounds) != tuple(metric.buckets):
        yield "has other buckets"
    for name in point.attributes:
        if name not in metric.attributes and name not in OUR_DIMENSIONS:
            yield f"has {name}, which is no dimension of the metric"
    for name, level in metric.attributes.items():
        may_be_missing = MAY_BE_MISSING.get(name)
        required = level == "required" or name == "gen_ai.provider.name"  # every measured operation has a provider
        if required and name not in point.attributes and not (may_be_missing and may_be_missing(point.attributes)):
            yield f"lacks {name}, which is required"
    if "server.address" in point.attributes and "server.port" not in point.attributes:
        yield "lacks server.port, which is required with the address"


def check_log(log: Log) -> Iterator[str]:
    """Deviations from the conventions."""
    yield from check_attributes(log.attributes, content=object)
    event = EVENTS.get(log.name)
    if event is None:
        if not log.name.startswith(OUR_NAMESPACES):
            yield "is neither the conventions' nor ours"
        return
    if event.severity is not None and log.severity != event.severity:
        yield f"is of severity {log.severity}, and not {event.severity}"
    if "exception.type" in event.attributes and not log.attributes.keys() & {"exception.type", "exception.message"}:
        yield "has neither exception.type nor exception.message"
    levels = event.attributes if event.attributes_of is None else SPANS[event.attributes_of].attributes
    for name, level in levels.items():
        if level == "required" and name not in log.attributes:
            yield f"lacks {name}, which is required"


def check_agentops_span(span: AgentOpsSpan) -> Iterator[str]:
    """Attributes that AgentOps would drop or display wrong."""
    yield from agentops_reader.findings(span.attributes, status=span.status, message=span.status_message)
    yield from agentops_reader.findings_outside_calls(span.attributes)
    yield from agentops_pages.findings(span)


# --- emitted telemetry ------------------------------------------------------------------------------------


Item = Span | Point | Log | AgentOpsSpan


class Emitted:
    """Telemetry that was emitted since the last test, and its findings."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._findings: dict[str, None] = {}
        self._types: dict[str, str] = {}
        self._counted: dict[tuple[str, str], str] = {}
        """(trace, response) → the span with its tokens."""
        self.collecting: list[Callable[[], object]] = []
        """Functions that collect metrics which the test has not collected."""

    def add(self, items: Iterable[Item]) -> None:
        self._items.extend(items)

    def check(self) -> None:
        """Check the items that were added since the last check."""
        items, self._items = self._items, []
        for item in items:
            for finding in self._of(item):
                self._findings[f"{type(item).__name__} {item.name!r} {finding}"] = None

    def take(self) -> list[str]:
        """Return the new findings. A test fails if findings are left at its end."""
        functions, self.collecting = self.collecting, []
        for collect in functions:
            collect()
        self.check()
        findings, self._findings = list(self._findings), {}
        return findings

    def _of(self, item: Item) -> Iterator[str]:
        match item:
            case Span():
                yield from check_span(item)
            case Point():
                yield from check_point(item)
            case Log():
                yield from check_log(item)
            case AgentOpsSpan():
                yield from check_agentops_span(item)
                yield from self._of_count(item)
        for name, value in item.attributes.items():  # each attribute must have one type everywhere
            kind = attribute_type(value)
            if kind is not None and self._types.setdefault(name, kind) != kind:
                yield f"has {name} as {kind}, which is {self._types[name]} elsewhere"

    def _of_count(self, span: AgentOpsSpan) -> Iterator[str]:
        """A finding if two spans of a trace have the tokens of one response: AgentOps would count them twice."""
        if span.response_id is None or not any(
            span.attributes.get(name) for name in AGENTOPS.keys() - {"gen_ai.system"}
        ):
            return
        response = span.trace_id, span.response_id
        if self._counted.setdefault(response, span.span_id) != span.span_id:
            yield "has tokens that another span of the trace has"


EMITTED = Emitted()
