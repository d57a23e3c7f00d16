"""Totals of calls, tokens and cost: of each model and of all calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import chain

from agentops_otel_litellm.exporters.console.formatting import dollars, tokens
from agentops_otel_litellm.exporters.console.line import GAP, Line

MODELS_KEPT, MODELS_PRINTED = 1_000, 8
TRACES_KEPT = 1_000

Tally = dict[str, float]
"""Sums for one or several calls: calls, failed, unpriced, input, output, cost. An absent key is unknown."""


class TraceCosts:
    """The cost of each trace. Of older traces, only their number, the sum of their costs and the maximum are stored."""

    def __init__(self) -> None:
        self._costs: OrderedDict[int, float] = OrderedDict()
        self._dropped_traces, self._sum, self._max_cost = 0, 0.0, 0.0

    def add(self, trace_id: int, cost: float) -> None:
        self._costs[trace_id] = cost_of_trace = self._costs.pop(trace_id, 0) + cost
        self._sum, self._max_cost = self._sum + cost, max(self._max_cost, cost_of_trace)
        if len(self._costs) > TRACES_KEPT:
            self._costs.popitem(last=False)
            self._dropped_traces += 1

    def line(self, call_count: float) -> str | None:
        """The average and maximum cost of a trace, if there are several traces and some have several calls."""
        traces = self._dropped_traces + len(self._costs)
        if not 1 < traces < call_count or not self._sum:
            return None
        return f"({traces:,} traces, {dollars(self._sum / traces)} each on average, {dollars(self._max_cost)} at most)"


class Totals:
    """The tallies of all finished calls, by model."""

    def __init__(self) -> None:
        self._used: dict[str, Tally] = {}
        self._traces = TraceCosts()

    def add(self, model: str, used: Tally, trace_id: int) -> None:
        self._traces.add(trace_id, used.get("cost", 0))
        if model not in self._used and len(self._used) >= MODELS_KEPT:
            model = "other models"
        self._used[model] = _sum(self._used.get(model, {}), used)

    def lines(self) -> Iterator[Line]:
        """A line for all calls, then one for each model if there are several, the most expensive first."""
        used = self._used
        total = _sum(*used.values())
        if total:
            yield Line(call=[])
            yield _line(_call_count_text(total["calls"]), total, "bold")
        if len(used) > 1:
            ranked = sorted(used, key=lambda model: (-used[model].get("cost", 0), -used[model]["calls"], model))
            for model in ranked[:MODELS_PRINTED]:
                yield _line(f"{GAP}{used[model]['calls']:,} {model}", used[model])
            if len(ranked) > MODELS_PRINTED:
                yield Line(call=[(f"{GAP}{len(ranked) - MODELS_PRINTED:,} more", "dim")])
        traces = self._traces.line(total["calls"]) if total else None
        if traces is not None:
            yield Line(call=[(traces, "dim")])
        if total.get("unpriced"):
            yield Line(call=[(f"({_call_count_text(total['unpriced'])} without a known price)", "dim")])


def format_usage(tally: Tally) -> dict[str, str]:
    """The cells of a line with the tokens and the cost of a tally."""
    return {"tokens": tokens(tally.get("input"), tally.get("output")), "cost": dollars(tally.get("cost"))}


def _line(name: str, tally: Tally, style: str = "") -> Line:
    failed = f"{tally['failed']:,} failed" if tally["failed"] else ""
    return Line(call=[(name, style)], cells=format_usage(tally), outcome=(failed, "red"))


def _call_count_text(number: float) -> str:
    return f"{number:,} call{'' if number == 1 else 's'}"


def _sum(*tallies: Mapping[str, float]) -> Tally:
    total: Tally = {}
    for name, amount in chain.from_iterable(tally.items() for tally in tallies):
        total[name] = total.get(name, 0) + amount
    return total
