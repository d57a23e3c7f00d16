"""The console exporter: prints a line on stderr for each LiteLLM call as it ends, and totals at exit.

Exporters receive spans after they have ended, children before parents. The span processor `OpenSpans` has the spans
that are still open, so that the names of their open ancestors can be printed as dim headers above the calls. What a
line contains is in `console_lines.py`.
"""

from __future__ import annotations

import io
import os
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import TYPE_CHECKING, TextIO

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agentops_otel_litellm.exporters.console_lines import (
    GAP,
    HEADING,
    EndedCall,
    Line,
    Totals,
    draw,
    layout,
    printable,
)
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.settings.parsing import is_first_process
from agentops_otel_litellm.version import SCOPE

if TYPE_CHECKING:  # every process of the app pays for imports: rich is loaded when there is something to draw
    from rich.console import Console

HINT = (
    "agentops-otel-litellm: LiteLLM calls are printed here. "
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 sends them to a backend, "
    "OTEL_TRACES_EXPORTER=none switches this off."
)

UNLIMITED = 1_000  # a log file has no width, so nothing is truncated
DEPTH_LIMIT = 100
# Replacements of the same width, so that the columns stay aligned.
PLAIN = str.maketrans({"→": ">", "…": "."})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A span's position in its trace. The span id identifies it, because span ids are random."""

    span_id: int
    parent: int | None
    """`None` for the first span of this process, because a parent in a different process is not printed."""
    name: str | None
    """`None` for an unknown ancestor."""
    started: int

    @classmethod
    def of(cls, span: ReadableSpan) -> Node:
        parent = span.parent.span_id if span.parent and not span.parent.is_remote else None
        return cls(span_id=span.context.span_id, parent=parent, name=span.name, started=span.start_time or 0)


class OpenSpans(SpanProcessor):
    """Stores the nodes of open spans, and of spans that ended recently, whose children may be exported later.

    At most `limit` nodes of open spans and `limit` nodes of ended spans are stored; the oldest are dropped first.
    There is no lock, because a garbage collection can end a span on the thread that owns the lock. Both dictionaries
    are consistent after each step.
    """

    def __init__(self, limit: int = 1_024) -> None:
        self._limit = limit
        self._open: OrderedDict[int, Node] = OrderedDict()
        self._ended: OrderedDict[int, Node] = OrderedDict()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        self._store(self._open, Node.of(span))

    def on_end(self, span: ReadableSpan) -> None:
        node = self._open.get(span.context.span_id)
        self._store(self._ended, node if node is not None and node.name == span.name else Node.of(span))
        self._open.pop(span.context.span_id, None)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        return True  # OpenTelemetry 1.39's base class returns None, which stops the flush of the next processors

    def find(self, span_id: int) -> Node | None:
        return self._open.get(span_id) or self._ended.get(span_id)

    def _store(self, nodes: OrderedDict[int, Node], node: Node) -> None:
        nodes[node.span_id] = node
        if len(nodes) > self._limit:
            with suppress(KeyError):  # a span on a different thread has removed the oldest one
                nodes.popitem(last=False)


OPEN_SPANS = OpenSpans()
"""The instance that the configurator registers. The SDK creates exporters without arguments, so they import it."""


class ConsoleSpanExporter(SpanExporter):
    """Prints a line for each LiteLLM call, and the name of every other span as a header above the calls beneath it.

    It writes to `out`, by default to the current `sys.stderr`. If rich's `console` is passed, the lines are drawn on it
    in its width; a recording console can export a picture.
    """

    SHUTDOWN_LIMIT = 5.0
    """Seconds for which a shutdown waits while a different thread is printing."""

    def __init__(
        self, out: TextIO | None = None, *, console: Console | None = None, open_spans: OpenSpans = OPEN_SPANS
    ) -> None:
        self._out = out
        self._console = console
        self._open_spans = open_spans
        self._silent = False
        self._has_imported = console is not None
        self._start_empty()
        FORK.register("console", self._start_empty)
        with suppress(AttributeError, OSError, ValueError):  # no stderr, or one that is closed
            if not is_first_process():
                return
            if console is None:
                (out or sys.stderr).write(f"{HINT}\n")
            else:
                console.print(HINT, style="dim", markup=False, highlight=False)

    def _start_empty(self) -> None:
        """Start with nothing to print, also in the child of a fork: only the parent prints the parent's spans."""
        self._lock = Lock()
        self._printer: int | None = None
        self._waiting: deque[Sequence[ReadableSpan] | None] = deque()  # `None`: the totals
        self._above: list[int] = []  # ids of the spans in the lines above, under which the next call may be indented
        self._columns: list[str] = []
        self._totals = Totals()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._waiting.append(spans)
        self._print_waiting()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._waiting.append(None)
        self._print_waiting(timeout=self.SHUTDOWN_LIMIT)

    def _print_waiting(self, timeout: float = 0.0) -> None:
        """Print the waiting spans. If a different thread is still printing after `timeout` seconds, it prints these
        spans as well.

        The wait for the lock is limited, because it could deadlock: a garbage collection or a signal handler may have
        interrupted this thread while it was printing, and then ended a span here.
        """
        while self._waiting and self._lock.acquire(timeout=0 if self._printer == get_ident() else timeout):
            try:
                self._printer = get_ident()
                while self._waiting:
                    batch = self._waiting.popleft()
                    with guard("printing calls"):
                        self._print(list(self._total_lines() if batch is None else self._lines(batch)))
            finally:
                self._printer = None
                self._lock.release()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        return True

    def _total_lines(self) -> Iterator[Line]:
        totals, self._totals = self._totals, Totals()
        return totals.lines()

    def _lines(self, spans: Sequence[ReadableSpan]) -> Iterator[Line]:
        """The lines of the calls in a batch of spans, with the names of the spans above them."""
        batch = {span.context.span_id: Node.of(span) for span in spans}
        calls = {span.context.span_id: EndedCall(span) for span in spans if _is_call(span)}
        for call in calls.values():
            if not call.is_group:
                self._totals.add(call.model or "unknown model", call.tally(), call.trace_id)

        def find(span_id: int) -> Node | None:
            return batch.get(span_id) or self._open_spans.find(span_id)

        paths = [_path(batch[span_id], find) for span_id in calls]
        # Parents sort before their children, siblings by their start.
        for path in sorted(paths, key=lambda path: [(node.started, node.span_id) for node in path]):
            for depth, node in enumerate(path):
                # The ellipsis stands for an unknown parent. Without it the line would seem to belong to the line above.
                indent = "… " if depth == 1 and path[0].name is None else GAP * depth
                if node is path[-1]:
                    yield calls[node.span_id].line(indent)
                elif node.name is not None and node.span_id not in self._above:
                    yield Line(indent=indent, call=[(printable(node.name), "dim")])
            self._above = [node.span_id for node in path]

    def _print(self, lines: list[Line]) -> None:
        """Draw lines and print them. The heading is printed first, and whenever the columns have changed."""
        if self._silent or not lines:
            return
        if not self._has_imported:
            self._has_imported = True
            _import_rich()
        from rich.text import Text

        try:
            console = self._console or _console(self._out)
            width = console.width if self._console or console.is_terminal else UNLIMITED
            call_width, columns = layout(width)
            if columns != self._columns:
                self._columns = columns
                lines = [HEADING, *lines]
            drawn = [draw(line, width, call_width, columns) for line in lines]
            text = Text("\n").join(drawn)
            # Usually a file on Windows, to which Python would write `\u2192` for an arrow.
            if console.options.ascii_only:
                text.plain = text.plain.translate(PLAIN)
            console.print(text, soft_wrap=True)
        except (OSError, ValueError):  # the output is closed
            self._silent = True


def _is_call(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE


def _path(node: Node, find: Callable[[int], Node | None]) -> list[Node]:
    """The ancestors of a node in this process, the outermost first, and the node itself."""
    path = [node]
    while (parent := path[0].parent) is not None and len(path) < DEPTH_LIMIT:
        unknown = Node(span_id=parent, parent=None, name=None, started=path[0].started)
        path.insert(0, find(parent) or unknown)
    return path


def _import_rich() -> None:
    """Draw one line, so that rich and all modules that it imports lazily are imported. A fork waits for this."""
    with IMPORTS.delay_forks():
        from rich.console import Console
        from rich.text import Text

        line = Text("→…", "dim")  # not ASCII, so that rich imports its tables of character widths
        line.truncate(1, overflow="ellipsis")
        Console(file=io.StringIO()).print(line, soft_wrap=True)


def _console(out: TextIO | None) -> Console:
    """Return rich's console for `out`, or for stderr."""
    from rich.console import Console

    class Quiet(Console):
        """A console that does not end the application if the output is closed."""

        def on_broken_pipe(self) -> None:
            """Do nothing, because rich would end the application here."""
            raise BrokenPipeError

    # With NO_COLOR alone rich would still write escape sequences, for dim and bold.
    return Quiet(
        file=out,
        stderr=True,
        force_jupyter=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
