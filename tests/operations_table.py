"""What is captured of each of LiteLLM's functions: a table made of the spans that the tests saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from types import FunctionType

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from agentops_otel_litellm.operations import DEFAULT, operation_of
from agentops_otel_litellm.patching import patches
from agentops_otel_litellm.version import SCOPE

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
_HEAD = """\
# What is captured of each operation

Every function of LiteLLM is traced, however it is imported. One that a later release adds is traced as well
(*default*): its span has a name, a model, a duration and an outcome. An empty cell means that there is nothing of the
kind, or that the spans beneath have it. The tests write this page (`pytest --write-operations`), of the spans they saw
with LiteLLM {release}.

"""
_TRACED = ("traced", "traced_async")
_FACTS = ("request", "response", "usage", "cost", "streamed")
_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "request": ("llm.request.", "gen_ai.request."),
    "response": ("llm.response.", "gen_ai.response.", "gen_ai.embeddings."),
    "usage": ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "llm.usage.total_tokens"),
    "cost": ("agentops.cost.total",),
    "streamed": ("llm.response.is_streaming",),
}
_OF_EVERY_CALL = (
    "llm.request.model",
    "llm.request.stream",
    "gen_ai.request.model",
    "gen_ai.request.stream",
    "llm.response.is_streaming",
    "llm.response.stream_",
    "llm.response.chunk",
    "llm.response.longest_chunk_gap",
    "gen_ai.response.time_to_first_chunk",
)


class SeenOperations(SpanProcessor):
    """Notes which facts the spans of each operation have."""

    def __init__(self) -> None:
        self.facts: dict[str, set[str]] = {}

    def on_end(self, span: ReadableSpan) -> None:
        if span.instrumentation_scope is None or span.instrumentation_scope.name != SCOPE:
            return
        seen = self.facts.setdefault(span.name.partition(" ")[0], set())
        for fact, prefixes in _PREFIXES.items():
            general = () if fact == "streamed" else _OF_EVERY_CALL
            if any(name.startswith(prefixes) and not name.startswith(general) for name in span.attributes or ()):
                seen.add(fact)


def page(seen: Mapping[str, set[str]]) -> str:
    """The page: of all functions that are traced now, and of the facts that were seen of each operation."""
    functions: dict[str, set[str]] = defaultdict(set)
    described = set()
    for function in traced_functions():
        row = operation_of(function)
        functions[row.name].add(_name(function, row.name))
        if row.api_format != DEFAULT.api_format:
            described.add(row.name)
    lines = [
        "| LiteLLM's functions | operation | traced | " + " | ".join(_FACTS) + " |",
        "|---|---|" + ":-:|" * (len(_FACTS) + 1),
    ]
    for operation, names in sorted(functions.items()):
        traced = "default" if operation not in described else "✓" if operation in seen else "untested"
        facts = ("✓" if fact in seen.get(operation, ()) else "" for fact in _FACTS)
        lines.append(f"| {', '.join(sorted(names))} | `{operation}` | {traced} | {' | '.join(facts)} |")
    return _HEAD.format(release=version("litellm")) + "\n".join(lines) + "\n"


def _name(function: FunctionType, operation: str) -> str:
    """What LiteLLM exports the function as: all that its factory makes have the same two names."""
    made = function.__name__.removesuffix("endpoint_func")
    return function.__name__ if made == function.__name__ else f"{'a' if made else ''}{operation}"


def traced_functions() -> Iterator[FunctionType]:
    """What the instrumentor has put in the place of LiteLLM's functions."""
    return (each for each in patches._originals if isinstance(each, FunctionType) and each.__code__.co_name in _TRACED)


def is_due(config: pytest.Config) -> bool:
    """Whether all tests were to run, on the LiteLLM that the page is about."""
    whole = config.args == config.getini("testpaths") and not config.getoption("keyword")
    return whole and PAGE.exists() and f"LiteLLM {version('litellm')}:" in PAGE.read_text("utf-8")
