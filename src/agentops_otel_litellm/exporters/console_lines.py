"""The lines that the console exporter prints: one for each call that has ended, and those with the totals of all calls.

`EndedCall` reads a line from the attributes of a call's span, whichever conventions they are from. `Totals` sums
the calls. `layout` and `draw` fit a line to a width. The functions at the end format numbers; unknown values are blank.
"""

from __future__ import annotations

import math
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

if TYPE_CHECKING:  # rich is optional, and imported only when there is a line to print, because the import takes long
    from rich.text import Text

# Part of a line → the attributes that may have it. The first attribute that the span has is used.
ATTRIBUTES = {
    "operation": ("gen_ai.operation.name",),
    "model": (
        *("gen_ai.request.model", "llm.request.model", "gen_ai.response.model", "llm.response.model"),
        *("llm.model_name", "embedding.model_name", "reranker.model_name"),
    ),
    "provider": ("gen_ai.provider.name", "llm.provider"),
    "first token": ("llm.response.time_to_first_token",),
    "first chunk": ("gen_ai.response.time_to_first_chunk",),
    "trace cost": ("agentops.trace.cost",),
    "input": ("gen_ai.usage.input_tokens", "llm.usage.prompt_tokens", "llm.token_count.prompt"),
    "output": ("gen_ai.usage.output_tokens", "llm.usage.completion_tokens", "llm.token_count.completion"),
    "cost": ("gen_ai.usage.cost.amount", "llm.usage.cost", "llm.cost.total"),
    "error": ("error.type", "llm.error.type"),
    "error status": ("llm.error.status_code",),
    "stream outcome": ("llm.response.stream_outcome",),
    "cache hit": ("llm.cache.hit",),
    "retries": ("llm.retry.count",),
    "fallback": ("llm.fallback.used",),
    # Shows whether the span has the attributes of the convention `llm`. Only these have the time of the first token and
    # the outcome of a stream. Without them, a line has the time of the first chunk, and shows no success of a stream.
    "has llm": ("llm.vendor",),
    "stream": ("gen_ai.request.stream", "gen_ai.response.time_to_first_chunk"),
}

# Column → the format of its cells. The name and model of a call are printed before these columns, its outcome after.
COLUMNS = {"provider": "<15.15", "time": ">8", "1st token": ">9", "tokens": ">12", "cost": ">9"}
OMITTED_FIRST = ("provider", "1st token", "tokens", "cost")  # columns that a narrow terminal omits, in this order
MIN_CALL_WIDTH, MAX_CALL_WIDTH = 26, 36  # columns are omitted until the call has at least the minimum
OUTCOME_WIDTH = 9
GAP = "  "

MODELS_KEPT, MODELS_PRINTED = 1_000, 8
TRACES_KEPT = 1_000
TEXT_LIMIT = 200
SMALLEST = 0.0001  # dollars; the span has the exact cost

Styled = tuple[str, str]
"""A text and its style."""

Tally = dict[str, float]
"""Sums for one or several calls, by name: calls, failed, unpriced, input, output, cost. An absent one is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line to draw, not yet fitted to a width."""

    indent: str = ""
    call: Sequence[Styled]
    cells: Mapping[str, str] = field(default_factory=dict)
    """Column → text."""
    outcome: Styled = ("", "")


HEADING = Line(call=[("call", "dim")], cells={name: name for name in COLUMNS}, outcome=("outcome", "dim"))


class EndedCall:
    """Reads the parts of a call's line from its span, as text that is safe to print."""

    def __init__(self, span: ReadableSpan) -> None:
        self._span = span
        self._attributes = span.attributes or {}
        self._has_llm = self._text("has llm") is not None
        self.model = self._text("model")
        self.trace_id = span.context.trace_id
        self.outcome = self._outcome()
        # A route or a batch, which consists of calls with their own spans. Only those calls are added to the totals.
        self.is_group = span.kind is SpanKind.INTERNAL

    def line(self, indent: str) -> Line:
        """The line of the call, not yet fitted to a width."""
        call = [(printable(self._span.name), "")]
        if operation := self._text("operation"):
            call = [(f"{operation} ", ""), (self.model or "", "bold")]
        started, ended = self._span.start_time, self._span.end_time
        cells = {
            "provider": self._text("provider") or "",
            "time": duration((ended - started) / 1e9 if started and ended else None),
            "1st token": duration(self._number("first token" if self._has_llm else "first chunk")),
            **format_usage(self.tally()),
        }
        if self.is_group:  # the cost is the sum of the costs of its calls
            cells["cost"] = dollars(self._number("trace cost"))
        return Line(indent=indent, call=call, cells=cells, outcome=self.outcome)

    def tally(self) -> Tally:
        """The numbers that this call adds to the totals. `unpriced` is 1 if it has tokens but no cost."""
        has_failed = self.outcome[1] == "red"
        amounts = {
            "calls": 1,
            "failed": int(has_failed),
            **{name: self._number(name) for name in ("input", "output", "cost")},
        }
        amounts["unpriced"] = int(amounts["cost"] is None and bool(amounts["input"] or amounts["output"]))
        return {name: amount for name, amount in amounts.items() if amount is not None}

    def _outcome(self) -> Styled:
        """The outcome of the call with its color; an empty text if it is unknown."""
        stream, error = self._text("stream outcome"), self._text("error")
        if stream is not None and stream not in {"completed", "failed"}:
            return stream, "yellow"
        if error or stream == "failed" or self._span.status.status_code is StatusCode.ERROR:
            status = self._number("error status")
            words = [] if status is None else [f"{status:.0f}"]  # before the class, which a narrow terminal truncates
            kind = (error or "error").rpartition(".")[2]
            return " ".join(dict.fromkeys([*words, kind])), "red"
        if True in self._values("cache hit"):
            return "cached", "blue"
        is_no_stream = self._text("operation") and not self._values("stream")
        if not (stream or self._has_llm or is_no_stream):
            return "", ""
        return ", ".join(["ok", *self._detours()]), "green"

    def _detours(self) -> Iterator[str]:
        """What LiteLLM needed for a success: `1 retry`, `2 retries`, `fallback`."""
        retries = self._number("retries")
        if retries:
            yield f"{retries:.0f} {'retry' if retries == 1 else 'retries'}"
        if True in self._values("fallback"):
            yield "fallback"

    def _text(self, fact: str) -> str | None:
        texts = (printable(value) for value in self._values(fact) if isinstance(value, str))
        return next(filter(None, texts), None)

    def _number(self, fact: str) -> float | None:
        values = (value for value in self._values(fact) if isinstance(value, int | float))
        return next(filter(math.isfinite, values), None)

    def _values(self, fact: str) -> list[AttributeValue]:
        return [self._attributes[name] for name in ATTRIBUTES[fact] if name in self._attributes]


class Totals:
    """Sums the tallies of all finished calls, by model."""

    def __init__(self) -> None:
        self._used: dict[str, Tally] = {}
        self._traces = TraceCosts()

    def add(self, model: str, used: Tally, trace_id: int) -> None:
        self._traces.add(trace_id, used.get("cost", 0))
        if model not in self._used and len(self._used) >= MODELS_KEPT:
            model = "other models"
        self._used[model] = _add_tallies(self._used.get(model, {}), used)

    def lines(self) -> Iterator[Line]:
        """A line for all calls, then one for each model if there are several, the most expensive first."""
        used = self._used
        total = _add_tallies(*used.values())
        if total:
            yield Line(call=[])
            yield _totals_line(_call_count_text(total["calls"]), total, "bold")
        if len(used) > 1:
            ranked = sorted(used, key=lambda model: (-used[model].get("cost", 0), -used[model]["calls"], model))
            for model in ranked[:MODELS_PRINTED]:
                yield _totals_line(f"{GAP}{used[model]['calls']:,} {model}", used[model])
            if len(ranked) > MODELS_PRINTED:
                yield Line(call=[(f"{GAP}{len(ranked) - MODELS_PRINTED:,} more", "dim")])
        traces = self._traces.line(total["calls"]) if total else None
        if traces is not None:
            yield Line(call=[(traces, "dim")])
        if total.get("unpriced"):
            yield Line(call=[(f"({_call_count_text(total['unpriced'])} without a known price)", "dim")])


class TraceCosts:
    """Sums the costs of each trace. For traces beyond the latest `TRACES_KEPT`, it keeps only their number, and their
    part of the sum and the maximum of all traces.
    """

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
        """A text with the average and maximum cost of a trace; `None` if there is only one trace, or if no trace has
        several calls.
        """
        traces = self._dropped_traces + len(self._costs)
        if not 1 < traces < call_count or not self._sum:
            return None
        return f"({traces:,} traces, {dollars(self._sum / traces)} each on average, {dollars(self._max_cost)} at most)"


def layout(width: int) -> tuple[int, list[str]]:
    """For a terminal of this width: the width of the call in a line, and the names of the columns that fit after it."""
    for omitted in range(len(OMITTED_FIRST) + 1):
        columns = [name for name in COLUMNS if name not in OMITTED_FIRST[:omitted]]
        available = width - len(_format_cells({}, columns) + GAP) - OUTCOME_WIDTH
        if available >= MIN_CALL_WIDTH:
            break
    return min(available, MAX_CALL_WIDTH), columns


class PlainText:
    """A text without styles, for installations without rich. It has the methods of rich's `Text` that are used here.
    A width is a number of cells of the terminal: most letters of East Asian languages have two.
    """

    def __init__(self, plain: str = "") -> None:
        self.plain = plain

    @classmethod
    def assemble(cls, *parts: str | Styled) -> PlainText:
        return cls("".join(part if isinstance(part, str) else part[0] for part in parts))

    @property
    def cell_len(self) -> int:
        return sum(map(_cells, self.plain))

    def append(self, text: str, _style: str | None = None) -> PlainText:
        self.plain += text
        return self

    def pad_right(self, count: int) -> None:
        self.plain += " " * count

    def rstrip(self) -> None:
        self.plain = self.plain.rstrip()

    def truncate(self, max_width: int, *, overflow: str) -> None:  # noqa: ARG002 - rich's, here always an ellipsis
        """Replace the end by an ellipsis, if the text is too wide."""
        if self.cell_len > max_width:
            while self.plain and self.cell_len >= max_width:
                self.plain = self.plain[:-1]
            self.plain += "…"


def _cells(character: str) -> int:
    """The width of a character in cells of the terminal."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


AnyText = TypeVar("AnyText", "Text", PlainText)


def draw(line: Line, width: int, call_width: int, columns: Sequence[str], kind: type[AnyText]) -> AnyText:
    """Return the line as text of at most `width` characters. `kind` is the class of the text, rich's or `PlainText`.

    If the line is too long, the call is truncated first. A long outcome, such as the name of an error, also covers the
    cells before it if these are blank.
    """
    outcome, style = line.outcome
    cells = _format_cells(line.cells, columns)
    if call_width + len(cells + GAP + outcome) > width:
        cells = cells.rstrip()
    available = width - len(cells + GAP)
    call_width = max(min(call_width, available - OUTCOME_WIDTH), 1)
    max_indent = max(call_width - MIN_CALL_WIDTH // 2, len(GAP))  # at least half of the minimum width is for the call
    text = kind.assemble(line.indent[:max_indent], *line.call)
    if line.cells:
        text.truncate(max(call_width, available - max(OUTCOME_WIDTH, len(outcome))), overflow="ellipsis")
        text.pad_right(max(call_width - text.cell_len, 0))
        text.append(cells, "dim" if line is HEADING else None)
        text.append(GAP)
        text.append(outcome, style)
        text.rstrip()
    text.truncate(width, overflow="ellipsis")
    return text


def _format_cells(cells: Mapping[str, str], columns: Sequence[str]) -> str:
    return "".join(f"{GAP}{cells.get(name, ''):{COLUMNS[name]}}" for name in columns)


def format_usage(tally: Tally) -> dict[str, str]:
    """The cells of a line with the tokens and the cost of a tally."""
    return {"tokens": tokens(tally.get("input"), tally.get("output")), "cost": dollars(tally.get("cost"))}


def _totals_line(name: str, tally: Tally, style: str = "") -> Line:
    failed = f"{tally['failed']:,} failed" if tally["failed"] else ""
    return Line(call=[(name, style)], cells=format_usage(tally), outcome=(failed, "red"))


def _call_count_text(number: float) -> str:
    return f"{number:,} call{'' if number == 1 else 's'}"


def _add_tallies(*tallies: Mapping[str, float]) -> Tally:
    total: Tally = {}
    for name, amount in chain.from_iterable(tally.items() for tally in tallies):
        total[name] = total.get(name, 0) + amount
    return total


def printable(text: str) -> str:
    """Remove the characters that control a terminal: escape sequences, line ends, changes of the text direction."""
    return "".join(filter(str.isprintable, text[:TEXT_LIMIT]))


def tokens(sent: float | None, received: float | None) -> str:
    """Input and output tokens: `1,204→145`."""
    sides = ["" if number is None else f"{number:,.0f}" for number in (sent, received)]
    return "→".join(sides) if any(sides) else ""


def dollars(amount: float | None) -> str:
    """An amount of money, as people write it: `$1.24`, `$0.0341`, `< $0.0001`."""
    if not amount:
        return "" if amount is None else "$0.00"
    if 0 < amount < SMALLEST:
        return f"< ${SMALLEST}"
    return f"${amount:,.{2 if abs(amount) >= 1 else 4}f}"


def duration(seconds: float | None) -> str:
    """A duration: `12 ms`, `1.24 s`, `2 m 05 s`."""
    if seconds is None or seconds < 0:
        return ""
    milliseconds = round(seconds * 1_000)
    if milliseconds < 1_000:  # noqa: PLR2004
        return f"{milliseconds} ms" if milliseconds else "<1 ms"
    if milliseconds < 60_000:  # noqa: PLR2004
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02d} s"
