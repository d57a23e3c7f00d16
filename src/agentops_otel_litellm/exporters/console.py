"""A readable line on stderr for each LiteLLM call as it ends, beneath its parents, and totals at exit.

An exporter sees spans only once they have ended, children before parents. `OpenSpans` knows the ones still
open, so that a call is shown in its tree: its ancestors as dim headers above it.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, TextIO

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.version import SCOPE

if TYPE_CHECKING:  # every process of the app pays for imports: rich is loaded when there is something to draw
    from rich.console import Console
    from rich.text import Text

HINT = (
    "agentops-otel-litellm: LiteLLM calls are shown here. "
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 sends them to a backend, "
    "OTEL_TRACES_EXPORTER=none switches this off."
)

# Figure → its format. The call itself stands before the figures, its outcome after them.
FIGURES = {"provider": "<15.15", "time": ">8", "1st token": ">9", "tokens": ">12", "cost": ">9"}
FIRST_TO_GO = ("provider", "1st token", "tokens", "cost")
CALL_WIDTHS = (26, 36)  # at least, before figures go; at most, before they move
OUTCOME_WIDTH = 9
GAP = "  "
UNLIMITED = 1_000  # a log file has no width: every figure is kept, nothing is cut
TEXT_LIMIT = 200
DEPTH_LIMIT = 100
MODELS_KEPT, MODELS_SHOWN = 1_000, 8

Styled = tuple[str, str]
"""Text, and the style to draw it in."""
Tally = dict[str, float]
"""What one call used, or several: calls, failed, unpriced, input, output, cost. Absent is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A span's place in its trace. Span ids alone are random enough to tell all spans apart."""

    span_id: int
    parent: int | None
    """`None` at the top of this process: what called it from elsewhere is not shown."""
    name: str | None
    """`None` for an ancestor of which nothing is known."""
    started: int

    @classmethod
    def of(cls, span: ReadableSpan) -> Node:
        parent = span.parent.span_id if span.parent and not span.parent.is_remote else None
        return cls(span_id=span.context.span_id, parent=parent, name=span.name, started=span.start_time or 0)


class OpenSpans(SpanProcessor):
    """The places of spans that are open, and of those that ended lately: their children may be shown later.

    At most `limit` of each are kept; the oldest go first.
    """

    def __init__(self, limit: int = 1_024) -> None:
        self._limit = limit
        self._lock = Lock()
        self._open: dict[int, Node] = {}
        self._ended: dict[int, Node] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
        with self._lock:
            self._keep(self._open, Node.of(span))

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            node = self._open.pop(span.context.span_id, None)
            self._keep(self._ended, node if node is not None and node.name == span.name else Node.of(span))

    def find(self, span_id: int) -> Node | None:
        with self._lock:
            return self._open.get(span_id) or self._ended.get(span_id)

    def _keep(self, nodes: dict[int, Node], node: Node) -> None:
        nodes[node.span_id] = node
        if len(nodes) > self._limit:
            del nodes[next(iter(nodes))]


OPEN_SPANS = OpenSpans()
"""The one a configurator registers: the SDK makes exporters without arguments, so both find it here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line to draw, not yet fitted to a width."""

    indent: str = ""
    call: Sequence[Styled]
    figures: Mapping[str, str] = field(default_factory=dict)
    outcome: Styled = ("", "")


HEADING = Line(call=[("call", "dim")], figures={name: name for name in FIGURES}, outcome=("outcome", "dim"))


class EndedCall:
    """A call's span, read for people: text that is safe to print, and `None` for what it does not say."""

    def __init__(self, span: ReadableSpan) -> None:
        self._span = span
        self._attributes = span.attributes or {}
        self.model = self._text("gen_ai.request.model") or self._text("gen_ai.response.model")
        self.outcome = self._outcome()
        self.is_group = span.kind is SpanKind.INTERNAL  # a route or a batch: the calls beneath it are counted

    def line(self, indent: str) -> Line:
        call = [(printable(self._span.name), "")]
        if operation := self._text("gen_ai.operation.name"):
            call = [(f"{operation} ", ""), (self.model or "", "bold")]
        started, ended = self._span.start_time, self._span.end_time
        figures = {
            "provider": self._text("gen_ai.provider.name") or "",
            "time": duration((ended - started) / 1e9 if started and ended else None),
            "1st token": duration(self._number("gen_ai.response.time_to_first_chunk")),
            **_spent(self.used()),
        }
        return Line(indent=indent, call=call, figures=figures, outcome=self.outcome)

    def used(self) -> Tally:
        used = {
            "calls": 1,
            "failed": int(self.outcome[1] == "red"),
            "input": self._number("gen_ai.usage.input_tokens"),
            "output": self._number("gen_ai.usage.output_tokens"),
            "cost": self._number("gen_ai.usage.cost.amount"),
        }
        used["unpriced"] = int(used["cost"] is None and bool(used["input"] or used["output"]))
        return {name: amount for name, amount in used.items() if amount is not None}

    def _outcome(self) -> Styled:
        stream, error = self._text("llm.response.stream_outcome"), self._text("error.type")
        if stream is not None and stream not in {"completed", "failed"}:
            return stream, "yellow"
        if error or stream == "failed" or self._span.status.status_code is StatusCode.ERROR:
            status = self._number("llm.error.status_code")
            words = [] if status is None else [f"{status:.0f}"]  # first: what is last, a narrow terminal cuts
            kind = (error or "error").rpartition(".")[2]
            return " ".join(dict.fromkeys([*words, kind])), "red"
        return ("cached", "blue") if self._attributes.get("llm.cache.hit") is True else ("ok", "green")

    def _text(self, name: str) -> str | None:
        value = self._attributes.get(name)
        return printable(value) or None if isinstance(value, str) else None

    def _number(self, name: str) -> float | None:
        value = self._attributes.get(name)
        return value if isinstance(value, int | float) and math.isfinite(value) else None


class ConsoleSpanExporter(SpanExporter):
    """Prints the calls among the spans it is given; of other spans, headers above the calls beneath them.

    It writes to `out`, by default to what `sys.stderr` is at the time. A `console` is drawn on instead, at
    whatever width it has: one that records makes a picture.
    """

    def __init__(
        self, out: TextIO | None = None, *, console: Console | None = None, open_spans: OpenSpans = OPEN_SPANS
    ) -> None:
        self._out = out
        self._console = console
        self._open_spans = open_spans
        self._lock = Lock()
        self._above: list[int] = []  # ids of the lines that the next indented one would seem to hang from
        self._columns: list[str] = []
        self._used: dict[str, Tally] = {}
        self._silent = False
        with suppress(AttributeError, OSError, ValueError):  # no stderr, or one that is closed
            if console is None:
                (out or sys.stderr).write(f"{HINT}\n")
            else:
                console.print(HINT, style="dim", markup=False, highlight=False)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock, guard("printing calls"):
            self._print(list(self._lines(spans)))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        with self._lock, guard("printing totals"):
            used, self._used = self._used, {}
            self._print(list(_totals(used)))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        return True

    def _lines(self, spans: Sequence[ReadableSpan]) -> Iterator[Line]:
        batch = {span.context.span_id: Node.of(span) for span in spans}
        calls = {span.context.span_id: EndedCall(span) for span in spans if _is_call(span)}
        for call in calls.values():
            self._count(call)

        def find(span_id: int) -> Node | None:
            return batch.get(span_id) or self._open_spans.find(span_id)

        paths = [_path(batch[span_id], find) for span_id in calls]
        # Parents sort before their children, siblings by their start.
        for path in sorted(paths, key=lambda path: [(node.started, node.span_id) for node in path]):
            for depth, node in enumerate(path):
                # Beneath an unknown parent, lest the line seem to belong to the one above.
                indent = "… " if depth == 1 and path[0].name is None else GAP * depth
                if node is path[-1]:
                    yield calls[node.span_id].line(indent)
                elif node.name is not None and node.span_id not in self._above:
                    yield Line(indent=indent, call=[(printable(node.name), "dim")])
            self._above = [node.span_id for node in path]

    def _count(self, call: EndedCall) -> None:
        if call.is_group:
            return
        model = call.model or "unknown model"
        if model not in self._used and len(self._used) >= MODELS_KEPT:
            model = "other models"
        self._used[model] = _sum(self._used.get(model, {}), call.used())

    def _print(self, lines: list[Line]) -> None:
        if self._silent or not lines:
            return
        from rich.text import Text

        try:
            console = self._console or _console(self._out)
            width = console.width if self._console or console.is_terminal else UNLIMITED
            call_width, columns = _layout(width)
            if columns != self._columns:
                self._columns = columns
                lines = [HEADING, *lines]
            drawn = [_draw(line, width, call_width, columns) for line in lines]
            console.print(Text("\n").join(drawn), soft_wrap=True)
        except (OSError, ValueError):  # closed: nobody is reading any more
            self._silent = True


def _is_call(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE


def _path(node: Node, find: Callable[[int], Node | None]) -> list[Node]:
    """The node beneath its ancestors in this process, the uppermost first."""
    path = [node]
    while (parent := path[0].parent) is not None and len(path) < DEPTH_LIMIT:
        unknown = Node(span_id=parent, parent=None, name=None, started=path[0].started)
        path.insert(0, find(parent) or unknown)
    return path


def _totals(used: Mapping[str, Tally]) -> Iterator[Line]:
    def line(name: str, tally: Tally, style: str = "") -> Line:
        failed = f"{tally['failed']:,} failed" if tally["failed"] else ""
        return Line(call=[(name, style)], figures=_spent(tally), outcome=(failed, "red"))

    total = _sum(*used.values())
    if total:
        yield Line(call=[])
        yield line(_calls(total["calls"]), total, "bold")
    if len(used) > 1:
        ranked = sorted(used, key=lambda model: (-used[model].get("cost", 0), -used[model]["calls"], model))
        for model in ranked[:MODELS_SHOWN]:
            yield line(f"{GAP}{used[model]['calls']:,} {model}", used[model])
        if len(ranked) > MODELS_SHOWN:
            yield Line(call=[(f"{GAP}{len(ranked) - MODELS_SHOWN:,} more", "dim")])
    if total.get("unpriced"):
        yield Line(call=[(f"({_calls(total['unpriced'])} without a known price)", "dim")])


def _layout(width: int) -> tuple[int, list[str]]:
    """The call's width, and the figures that there is room for."""
    for gone in range(len(FIRST_TO_GO) + 1):
        columns = [name for name in FIGURES if name not in FIRST_TO_GO[:gone]]
        room = width - len(_figures({}, columns) + GAP) - OUTCOME_WIDTH
        if room >= CALL_WIDTHS[0]:
            break
    return min(room, CALL_WIDTHS[1]), columns


def _figures(known: Mapping[str, str], columns: Sequence[str]) -> str:
    return "".join(f"{GAP}{known.get(name, ''):{FIGURES[name]}}" for name in columns)


def _draw(line: Line, width: int, call_width: int, columns: Sequence[str]) -> Text:
    """The line, at most `width` wide: the call is cut first; an error may take the place of blank figures."""
    from rich.text import Text

    outcome, style = line.outcome
    figures = _figures(line.figures, columns)
    if call_width + len(figures + GAP + outcome) > width:
        figures = figures.rstrip()
    room = width - len(figures + GAP)
    call_width = max(min(call_width, room - OUTCOME_WIDTH), 1)
    text = Text.assemble(line.indent[: max(call_width - CALL_WIDTHS[0] // 2, len(GAP))], *line.call)
    if line.figures:
        text.truncate(max(call_width, room - max(OUTCOME_WIDTH, len(outcome))), overflow="ellipsis")
        text.pad_right(max(call_width - text.cell_len, 0))
        text.append(figures, "dim" if line is HEADING else None).append(GAP).append(outcome, style)
        text.rstrip()
    text.truncate(width, overflow="ellipsis")
    return text


def _console(out: TextIO | None) -> Console:
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end the app here."""
            raise BrokenPipeError

    # With NO_COLOR alone rich would still write escape sequences, for dim and bold.
    return Quiet(
        file=out,
        stderr=True,
        force_jupyter=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )


def _calls(number: float) -> str:
    return f"{number:,} call{'' if number == 1 else 's'}"


def _sum(*tallies: Tally) -> Tally:
    total: Tally = {}
    for name, amount in chain.from_iterable(tally.items() for tally in tallies):
        total[name] = total.get(name, 0) + amount
    return total


def _spent(tally: Tally) -> dict[str, str]:
    sent, received = (f"{tally[name]:,.0f}" if name in tally else "" for name in ("input", "output"))
    return {"tokens": f"{sent}→{received}" if sent or received else "", "cost": dollars(tally.get("cost"))}


def printable(text: str) -> str:
    """Text from elsewhere without what a terminal would obey: escapes, line ends, changes of direction."""
    return "".join(filter(str.isprintable, text[:TEXT_LIMIT]))


def dollars(amount: float | None) -> str:
    """`$1.24`, `$0.034100`, `$0.000070`, `$0.00000015`: two significant digits however small."""
    if not amount:
        return "" if amount is None else "$0.00"
    decimals = 2 if abs(amount) >= 1 else max(6, 1 - math.floor(math.log10(abs(amount))))
    return f"${amount:,.{decimals}f}"


def duration(seconds: float | None) -> str:
    """`12 ms`, `1.24 s`, `2 m 05 s`."""
    if seconds is None or seconds < 0:
        return ""
    milliseconds = round(seconds * 1_000)
    if milliseconds < 1_000:  # noqa: PLR2004
        return f"{milliseconds} ms" if milliseconds else "<1 ms"
    if milliseconds < 60_000:  # noqa: PLR2004
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02d} s"
