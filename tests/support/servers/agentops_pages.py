"""A model of AgentOps' pages: what its collector stores of received spans, and what its API and web pages make of that.

The rules are those of AgentOps' published repository. The collector replaces costs by its own prices and stores
attributes as strings, sorted by name. The API has no page for a trace with a count that is no integer. The web pages
cut every name at its last dot.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from .agentops_reader import KIND, Span, tree

PRICES: Mapping[str, tuple[Decimal, Decimal]] = {
    name: (Decimal("0.000005"), Decimal("0.000015"))
    for name in ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4.1", "gpt-4.1-2024-08-06", "gemini-2.5-flash")
}
"""Model → the collector's price of a token of the prompt, and of one of the completion. No test's provider has them."""

_USAGE = "gen_ai.usage."
_COUNTS = ("prompt_tokens", "completion_tokens", "cache_read_input_tokens", "reasoning_tokens")
_HAS_METRICS = {
    *("gen_ai.completion", "gen_ai.prompt", "gen_ai.usage", "llm.request.model", "llm.response.model"),
    *(f"{_USAGE}{name}" for name in (*_COUNTS, "total_tokens", "prompt_cost", "completion_cost", "total_cost")),
}
_TYPES = {"gen_ai": "request", "agent": "agent", "tool": "tool"}
_SUFFIXES = ("session", "agent", "operation", "task", "workflow", "tool")


class ServerError(Exception):
    """The API responds with the status 500 for the whole trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSpan:
    """A span on the page of its trace."""

    name: str
    """The name without its suffix."""
    label: str
    """The suffix of the name, by which the header chooses its heading."""
    kind: str
    """The kind in the timeline, the tree and the graph: `llm`, `tool`, `error`, …"""
    preview: str
    """The text in the timeline."""
    model: str
    tokens: Mapping[str, int]
    cost: Decimal
    prompts: Sequence[tuple[str, str]]
    """Role and content."""
    completions: Sequence[str]
    tool: Mapping[str, str]
    status: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A trace in the list of traces."""

    name: str
    tags: Sequence[str]
    has_failed: bool
    duration: int
    """Nanoseconds; 0 is displayed as N/A."""
    cost: Decimal
    model_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The totals of a project."""

    cost: Decimal
    tokens: int
    failed_traces: int
    indeterminate_traces: int


def stored(span: Span) -> dict[str, str]:
    """The attributes in the store: with the collector's costs, if it has a price for the response's model."""
    attributes = dict(span.attributes)
    prices = PRICES.get(str(attributes.get("gen_ai.response.model")))
    for side, price in zip(("prompt", "completion"), prices or (), strict=False):
        if f"{_USAGE}{side}_tokens" in attributes:
            attributes[f"{_USAGE}{side}_cost"] = float(int(str(attributes[f"{_USAGE}{side}_tokens"])) * price)
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in sorted(attributes.items())}


def page_span(span: Span) -> PageSpan:
    """The span on the page of its trace. Raises: ServerError."""
    attributes = stored(span)
    nested = tree(attributes)
    kind_by_type = _type_of(nested) if attributes else None
    if kind_by_type is None:
        raise ServerError("the tree and the graph fail for a span without attributes")
    gen_ai = nested.get("gen_ai")
    visual, preview = _kind_and_preview(span, nested, kind_by_type)
    before, dot, after = span.name.rpartition(".")
    request = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model", "")
    return PageSpan(
        name=before if dot else span.name,
        label=after if dot else "",
        kind=visual,
        preview=preview.rpartition(".")[0] if "." in preview else preview,
        model=request,
        tokens=_tokens(attributes),
        cost=_cost(attributes),
        prompts=_prompts(gen_ai),
        completions=_completions(gen_ai),
        tool={name: str(value) for name, value in _mapping(nested.get("tool")).items()},
        status=span.status,
        message=span.status_message,
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _type_of(names: object) -> str:
    found = "other"
    if isinstance(names, dict):
        for name, children in names.items():
            found = _TYPES.get(name) or _type_of(children)
            if found != "other":
                break
    elif isinstance(names, list):
        found = next((each for each in map(_type_of, names) if each != "other"), "other")
    return found


def _kind_and_preview(span: Span, nested: Mapping[str, object], kind_by_type: str) -> tuple[str, str]:
    suffix, preview = span.name.rpartition(".")[2], span.name
    agent, tool, gen_ai = (_mapping(nested.get(name)) for name in ("agent", "tool", "gen_ai"))
    if suffix in _SUFFIXES:
        kind = suffix
        if kind == "agent":
            preview = str(agent.get("input") or agent.get("name") or preview)
        elif kind == "tool":
            preview = str(tool.get("input") or tool.get("name") or preview)
    elif gen_ai:
        kind, preview = "llm", _preview(gen_ai) or preview
    else:
        kind = kind_by_type
    if span.status == "ERROR":
        kind, preview = "error", span.status_message or "Error"
    return kind, preview


def _preview(gen_ai: Mapping[str, object]) -> str:
    for name in ("completion", "prompt"):
        messages = gen_ai.get(name)
        if isinstance(messages, list) and messages and _mapping(messages[0]).get("content"):
            return str(messages[0]["content"])
    return ""


def _prompts(gen_ai: object) -> list[tuple[str, str]]:
    prompts = _mapping(gen_ai).get("prompt")
    return [
        (str(each.get("role", "user")), str(each["content"]))
        for each in (prompts if isinstance(prompts, list) else [prompts])
        if isinstance(each, dict) and "content" in each
    ]


def _completions(gen_ai: object) -> list[str]:
    shown: list[str] = []
    completions = _mapping(gen_ai).get("completion")
    for each in completions if isinstance(completions, list) else []:
        calls = each.get("tool_calls")
        if isinstance(calls, list):
            shown += [each["content"]] if each.get("content") else []
            shown += [f"{call['name']}({call.get('arguments', '')})" for call in calls]
        elif next(iter(each.values()), ""):
            shown.append(str(next(iter(each.values()))))
    return shown


def _integer(text: str) -> int:
    try:
        return int(text or 0)
    except ValueError as error:
        raise ServerError(f"{text!r} is no integer") from error


def _tokens(attributes: Mapping[str, str]) -> dict[str, int]:
    tokens = {name: _integer(attributes.get(f"{_USAGE}{name}", "")) for name in _COUNTS}
    total = attributes.get(f"{_USAGE}total_tokens", "")
    return {**tokens, "total_tokens": _integer(total) if total else sum(tokens.values())}


def _split(attributes: Mapping[str, str]) -> Decimal:
    """Prompt and completion cost; for a missing one, AgentOps calculates one with its prices."""
    model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model", "")
    total = Decimal(0)
    for side, price in zip(("prompt", "completion"), PRICES.get(model, (Decimal(0), Decimal(0))), strict=True):
        known = attributes.get(f"{_USAGE}{side}_cost")
        total += Decimal(known) if known else _integer(attributes.get(f"{_USAGE}{side}_tokens", "")) * price
    return total


def _cost(attributes: Mapping[str, str]) -> Decimal:
    total = attributes.get(f"{_USAGE}total_cost")
    return Decimal(total) if total else _split(attributes)


def rows(spans: Iterable[Span]) -> list[Row]:
    """The list of traces, in the order of their start."""
    in_order = sorted(spans, key=lambda span: (span.trace_id, span.start_ns))
    traces = [[*trace] for _, trace in groupby(in_order, key=lambda span: span.trace_id)]
    return [
        Row(
            name=trace[0].name.rpartition(".")[0] or trace[0].name,
            tags=json.loads(stored(trace[0]).get("agentops.tags", "[]")),
            has_failed=any(span.status == "ERROR" for span in trace),
            duration=trace[-1].start_ns - trace[0].start_ns,
            cost=sum((_cost(stored(span)) for span in trace), Decimal(0)),
            model_calls=sum(any(name.startswith("gen_ai.") for name in span.attributes) for span in trace),
        )
        for trace in sorted(traces, key=lambda trace: trace[0].start_ns)
    ]


def project(spans: Iterable[Span]) -> Project:
    """The totals of the project. The cost is the sum of prompt and completion costs, without the total costs."""
    known = [*spans]
    latest = {span.trace_id: span.status for span in sorted(known, key=lambda span: span.start_ns)}
    return Project(
        cost=sum((_split(stored(span)) for span in known), Decimal(0)),
        tokens=sum(_tokens(stored(span))["total_tokens"] for span in known),
        failed_traces=sum(status == "ERROR" for status in latest.values()),
        indeterminate_traces=sum(status == "UNSET" for status in latest.values()),
    )


def findings(span: Span) -> Iterator[str]:
    """Why a page would not display the span as it should."""
    if not isinstance(span.attributes.get(KIND), str):
        yield f"has no {KIND}"
        return
    try:
        page = page_span(span)
    except ServerError as error:
        yield str(error)
        return
    if page.label != span.attributes[KIND]:
        yield f"is displayed with the label {page.label!r}"
    if page.status == "UNSET" and not page.preview.startswith("Failed"):
        yield "is displayed as indeterminate"
    if page.status == "ERROR" and (not page.message or page.preview not in {page.message, page.message[:-1]}):
        yield "is displayed with a part of its message"
    is_model_call = any(name.startswith("gen_ai.") for name in span.attributes)
    if is_model_call != (span.attributes[KIND] == "llm"):
        yield f"is a {span.attributes[KIND]}, and counted as a call of a model: {is_model_call}"
    total = stored(span).get(f"{_USAGE}total_cost")
    if total and abs(Decimal(total) - _split(stored(span))) > Decimal("1e-9"):
        yield "has a cost that the project's total does not have"
