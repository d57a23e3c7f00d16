"""A model of how AgentOps reads spans, and checks for attributes that it would drop or display wrong.

Its store keeps attributes as strings, sorted by name. Its API makes a tree of their names, and its web page walks that
tree. Findings name attributes, and never quote message content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

Attributes = Mapping[str, object]
"""An array is a list or a tuple."""

KIND = "agentops.span.kind"
_PARTS = (
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.reasoning_tokens",
)
_TOTAL = "gen_ai.usage.total_tokens"
TOKENS = (*_PARTS, _TOTAL)
_TOTAL_COST = "gen_ai.usage.total_cost"
COSTS = ("gen_ai.usage.prompt_cost", "gen_ai.usage.completion_cost", _TOTAL_COST)
SYSTEM = "gen_ai.system"
NAMES = frozenset({SYSTEM, *TOKENS, *COSTS})
"""Attributes that AgentOps alone reads, without those of messages."""
MESSAGE_ATTRIBUTE = re.compile(r"gen_ai\.(prompt|completion)\.(\d+)\.((?:tool_calls\.\d+\.)?\w+)")

_TYPES = {"gen_ai": "request", "agent": "agent", "tool": "tool"}
"""A segment of an attribute's name → the type that the page displays. The first match decides."""


class Span(Protocol):
    """A received span."""

    @property
    def name(self) -> str: ...
    @property
    def trace_id(self) -> str: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def status_message(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayedSpan:
    """The fields of a span that the page displays."""

    type: str
    """`request` is a model call."""
    system: str
    request_model: str
    response_model: str
    tokens: Mapping[str, int]
    """By the last segment of their names, such as `prompt_tokens`; missing counts are 0."""
    cost: float | None
    """`None` if AgentOps calculates the cost with its own prices."""
    prompts: Sequence[tuple[str, str]]
    """Role and content."""
    completions: Sequence[str]
    """Content; tool calls as `look({"at": "it"})`."""


def displayed_span(attributes: Attributes) -> DisplayedSpan:
    """What the page displays of a span with these attributes; ValueError if AgentOps cannot read them."""
    stored = {name: _stored(value) for name, value in sorted(attributes.items())}
    names = tree(stored)
    messages = _mapping_at(names, "gen_ai")
    tokens = {name: int(stored.get(name) or 0) for name in TOKENS}
    if not stored.get(_TOTAL):
        tokens[_TOTAL] = sum(tokens[name] for name in _PARTS)
    return DisplayedSpan(
        type=_type_of(names) or "other",
        system=stored.get(SYSTEM, ""),
        request_model=stored.get("gen_ai.request.model", ""),
        response_model=stored.get("gen_ai.response.model", ""),
        tokens={name.rpartition(".")[2]: count for name, count in tokens.items()},
        cost=float(stored[_TOTAL_COST]) if stored.get(_TOTAL_COST) else None,
        prompts=[*_prompts(messages.get("prompt"))],
        completions=[*_completions(messages.get("completion"))],
    )


def _stored(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def tree(stored: Mapping[str, str]) -> dict[str, object]:
    """`{"a.0.b": "c"}` → `{"a": [{"b": "c"}]}`. Numbers below a name make a list if 0 is the first; others are lost."""
    root: dict[str, object] = {}
    for name, value in stored.items():
        pieces = name.split(".")
        leaf = pieces[-1]
        node: object = root
        for branch, next_key in pairwise(pieces):
            node = _child(node, branch, next_key)
        if isinstance(node, list) and leaf.isdigit():
            node.extend([None] * (int(leaf) + 1 - len(node)))
            node[int(leaf)] = value
        elif isinstance(node, dict) and not _is_digit(leaf):
            node[leaf] = value
    return root


def _child(node: object, key: str, next_key: str) -> object:
    """The child of a node, created if it is missing; `None` if the node cannot have it."""
    if isinstance(node, list) and key.isdigit():
        node.extend([] if next_key.isdigit() else {} for _ in range(int(key) + 1 - len(node)))
        return node[int(key)]
    if isinstance(node, dict) and not _is_digit(key):
        return node.setdefault(key, [] if next_key == "0" else {})
    return None


def _is_digit(key: str) -> bool:
    return key.isdigit() and len(key) == 1


def _mapping_at(names: Mapping[str, object], name: str) -> Mapping[str, object]:
    branch = names.get(name)
    return branch if isinstance(branch, dict) else {}


def _type_of(names: object) -> str | None:
    if isinstance(names, dict):
        for name, children in names.items():
            found = _TYPES.get(name) or _type_of(children)
            if found is not None:
                return found
    if isinstance(names, list):
        return next(filter(None, map(_type_of, names)), None)
    return None


def _prompts(prompts: object) -> Iterator[tuple[str, str]]:
    for prompt in prompts if isinstance(prompts, list) else [prompts]:
        if isinstance(prompt, dict) and "content" in prompt:
            yield prompt.get("role", "user"), prompt["content"]


def _completions(completions: object) -> Iterator[str]:
    for completion in completions if isinstance(completions, list) else [completions]:
        if not isinstance(completion, dict) or not completion:
            continue
        calls = completion.get("tool_calls")
        if not isinstance(calls, list):
            first = next(iter(completion.values()))
            yield from [first] if first else []
            continue
        yield from [completion["content"]] if completion.get("content") else []
        for call in calls:
            yield f"{call['name']}({call.get('arguments', '')})" if call.get("name") else json.dumps(call)


# --- findings ---------------------------------------------------------------------------------------------


def findings(attributes: Attributes, *, status: str, message: str) -> Iterator[str]:
    """Attributes of a span that AgentOps would drop or display wrong."""
    if status == "UNSET" and not str(attributes.get("gen_ai.completion.0.content", "")).startswith("Failed"):
        yield "has no status, and is displayed as indeterminate"
    if status == "ERROR" and not message:
        yield "has failed, but has no message"
    if attributes.get(KIND) != "llm":
        for name in attributes:
            if is_agentops(name):
                yield f"has {name}, but is no model call"
        return
    yield from _check_names(attributes)
    broken = [*_check_tokens(attributes), *_check_costs(attributes)]
    yield from broken
    if not broken:
        yield from _check_displayed_span(attributes)


def findings_outside_calls(attributes: Attributes) -> Iterator[str]:
    """OpenTelemetry's names on a span of AgentOps' vocabulary alone that is no model call: the page displays it as one.

    `findings` has the mistakes that do not depend on the vocabulary.
    """
    if attributes.get(KIND) == "llm":
        return
    for name in attributes:
        if name.startswith("gen_ai.") and not is_agentops(name):
            yield f"has {name}, but is no model call"


def is_agentops(name: str) -> bool:
    """Whether only model calls have the name, and OpenTelemetry's conventions do not have it."""
    return name in NAMES or MESSAGE_ATTRIBUTE.fullmatch(name) is not None


def _check_names(attributes: Attributes) -> Iterator[str]:
    for name in ("gen_ai.prompt", "gen_ai.completion"):
        if name in attributes:
            yield f"has {name}, in place of numbered names"
    if "gen_ai.provider.name" in attributes and SYSTEM not in attributes:
        yield f"has no {SYSTEM}"
    for side in ("prompt", "completion"):
        keys = _keys(attributes, side)
        if list(keys) != list(range(len(keys))):
            yield f"has {side}s that are not numbered from 0 on"
        for number, known in keys.items():
            if not {"role", "content"} <= set(known):
                yield f"has a {side} {number} without role or content"
            if side == "completion" and known[0] != "content":
                yield f"has a completion {number} of which {known[0]} is displayed"


def _keys(attributes: Attributes, side: str) -> dict[int, list[str]]:
    """Number of a message → the last segments of its attributes, in order."""
    keys: dict[int, list[str]] = {}
    for name in attributes:
        match = MESSAGE_ATTRIBUTE.fullmatch(name)
        if match is not None and match[1] == side:
            keys.setdefault(int(match[2]), []).append(match[3])
    return keys


def _check_tokens(attributes: Attributes) -> Iterator[str]:
    counts = {name: attributes[name] for name in TOKENS if name in attributes}
    for name, count in counts.items():
        if type(count) is not int or count < 0:
            yield f"has {name} of {count!r}, which is displayed as none"
    if _TOTAL not in counts:
        for name in _PARTS[2:]:
            if name in counts:
                yield f"has {name} without a total, and they are counted twice"
        if {*_PARTS[:2]} <= counts.keys():
            yield f"has no {_TOTAL}"


def _check_costs(attributes: Attributes) -> Iterator[str]:
    costs = {name: attributes[name] for name in COSTS if name in attributes}
    for name, cost in costs.items():
        if type(cost) not in {int, float} or not isinstance(cost, int | float) or cost < 0:
            yield f"has {name} of {cost!r}"
    if costs and _TOTAL_COST not in costs:
        yield f"has no {_TOTAL_COST}"


def _check_displayed_span(attributes: Attributes) -> Iterator[str]:
    read = displayed_span(attributes)
    if read.type != "request" and any(name.startswith("gen_ai.") for name in attributes):
        yield f"is displayed as a {read.type}"
    if len(read.prompts) != len(_keys(attributes, "prompt")):
        yield "has prompts that are not displayed"


# --- traces -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayedTrace:
    name: str
    tags: Sequence[str]
    status: str
    """`UNSET` is displayed as indeterminate."""
    tokens: int
    cost: float
    calls: int
    """The number of spans that are displayed as model calls."""


def displayed_trace(spans: Iterable[Span]) -> DisplayedTrace:
    """What the page displays of the spans of one trace."""
    in_order = sorted(spans, key=lambda span: span.start_ns)
    read = [displayed_span(span.attributes) for span in in_order]
    tags = in_order[0].attributes.get("agentops.tags", [])
    return DisplayedTrace(
        name=in_order[0].name.rpartition(".")[0] or in_order[0].name,
        tags=tags if isinstance(tags, list) else [],
        status=in_order[-1].status,
        tokens=sum(each.tokens["total_tokens"] for each in read),
        cost=sum(each.cost or 0 for each in read),
        calls=sum(span.attributes.get(KIND) == "llm" for span in in_order),
    )
