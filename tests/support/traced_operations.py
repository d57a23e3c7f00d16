"""Which operations the tests have traced, compared with the table in docs/operations.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from packaging.version import Version

from agentops_otel_litellm.operations import BILLED, OPERATIONS, operation_of
from agentops_otel_litellm.patching import wrapping
from agentops_otel_litellm.readers import API_FORMATS
from agentops_otel_litellm.version import SCOPE
from support.releases import RELEASE

ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "tokens": frozenset({"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "llm.usage.total_tokens"}),
    "cost": frozenset({"agentops.cost.total"}),
}
_TRACED = ("traced", "traced_async")


class TracedOperations(SpanProcessor):
    """Records which facts the spans of each operation have."""

    def __init__(self) -> None:
        self.facts: dict[str, set[str]] = {}

    def on_end(self, span: ReadableSpan) -> None:
        if span.instrumentation_scope is None or span.instrumentation_scope.name != SCOPE:
            return
        facts = self.facts.setdefault(span.name.partition(" ")[0], set())
        facts |= {fact for fact, names in ATTRIBUTES.items() if not names.isdisjoint(span.attributes or ())}


def differences(seen: Mapping[str, set[str]]) -> list[str]:
    """Differences between the spans of a whole run and the table.

    A cost may be missing although the table allows it, since it needs a price.
    """
    found = []
    for row in OPERATIONS:
        tokens = API_FORMATS[row.api_format].counts_tokens
        for name in row.names:
            facts = seen.get(name)
            if facts is None:
                found.append(f"{name}: no test has traced it")
            elif ("tokens" in facts) != tokens:
                found.append(f"{name}: tokens are {'' if tokens else 'not '}documented")
            elif "cost" in facts and row.kind not in BILLED:
                found.append(f"{name}: its kind costs nothing")
    return found


def traced_functions() -> Iterator[FunctionType]:
    """The functions with which the instrumentor has replaced LiteLLM's."""
    return (each for each in wrapping._originals if isinstance(each, FunctionType) and each.__code__.co_name in _TRACED)


def names_outside_the_catalogue() -> frozenset[str]:
    """The names of LiteLLM's functions for which the catalogue has no row."""
    rows = map(operation_of, traced_functions())
    return frozenset(row.name for row in rows if not row.functions)


def is_due(config: pytest.Config) -> bool:
    """Whether all tests in this process run, and LiteLLM has all operations."""
    is_whole = {"tests/unit", "tests/wire"} <= {*config.args} and not any(
        config.getoption(name) for name in ("keyword", "collectonly")
    )
    return is_whole and Version("1.110") <= RELEASE
