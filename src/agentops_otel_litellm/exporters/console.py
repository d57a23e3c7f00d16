"""The console exporter. It prints a line on stderr for each LiteLLM call when the call ends, and totals at exit.

Above a call, it prints the names of the spans around the call. These spans are usually still open, and an exporter
receives only spans that have ended. So the span processor `OpenSpans` keeps the open spans for the exporter.
`console_lines.py` composes the lines. Colors need rich (the extra `console`); without it, the lines are plain text.
"""

from __future__ import annotations

import io
import os
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from shutil import get_terminal_size
from threading import Lock, get_ident
from typing import TYPE_CHECKING, TextIO

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agentops_otel_litellm.exporters.console_lines import (
    GAP,
    HEADING,
    AnyText,
    EndedCall,
    Line,
    PlainText,
    Totals,
    draw,
    layout,
    printable,
)
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.settings.config_file import configuration_file
from agentops_otel_litellm.settings.parsing import is_first_process, masked
from agentops_otel_litellm.version import SCOPE

if TYPE_CHECKING:  # rich is optional, and imported only when there is a line to print, because the import takes long
    from rich.console import Console

HINT = (
    "agentops-otel-litellm: LiteLLM calls are printed here.\n"
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 sends them to a backend,\n"
    "OTEL_TRACES_EXPORTER=none switches this off."
)
"""The first lines. Each fits a terminal of 80 columns."""
FILE_HINT = "agentops-otel-litellm: LiteLLM calls are printed here: agentops_console in {}."
"""The first line, if the file in OTEL_CONFIG_FILE names this exporter. The variables in `HINT` have no effect then."""

UNLIMITED = 1_000  # the width for output that is not a terminal, such as a log file, in which nothing is truncated
DEPTH_LIMIT = 100  # maximum number of spans above a call
# Replacements for an output that accepts only ASCII. They have the same width, so the columns stay aligned.
PLAIN = str.maketrans({"→": ">", "…": "."})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The part of a span that is needed to print the spans around a call. Span ids are random, so an id identifies a
    span without its trace id.
    """

    span_id: int
    parent: int | None
    """The id of the parent. `None` if there is none in this process."""
    name: str | None
    """`None` if the span is unknown, and only its id is known from its child."""
    started: int

    @classmethod
    def of(cls, span: ReadableSpan) -> Node:
        parent = span.parent.span_id if span.parent and not span.parent.is_remote else None
        return cls(span_id=span.context.span_id, parent=parent, name=span.name, started=span.start_time or 0)


class OpenSpans(SpanProcessor):
    """Keeps the nodes of the open spans, and of recently ended spans, whose children may be exported later.

    It keeps at most `limit` open and `limit` ended spans, the latest ones. It uses no lock, because a garbage
    collection can end a span while the same thread holds the lock. Each operation on one of the dicts is atomic.
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
        return True  # OpenTelemetry 1.39's base class returns None, so the provider would not flush the next processors

    def find(self, span_id: int) -> Node | None:
        return self._open.get(span_id) or self._ended.get(span_id)

    def _store(self, nodes: OrderedDict[int, Node], node: Node) -> None:
        nodes[node.span_id] = node
        if len(nodes) > self._limit:
            with suppress(KeyError):  # a span on a different thread has removed the oldest one
                nodes.popitem(last=False)


OPEN_SPANS = OpenSpans()
"""The instance that the configurator adds to the provider. It is global, because the SDK creates the console exporter
without arguments.
"""


class ConsoleSpanExporter(SpanExporter):
    """Prints a line for each LiteLLM call. Above a call, it prints the names of the other spans that contain the call.

    It writes to `out`, by default to the current `sys.stderr`. If `console`, a console of rich, is passed, it prints
    there instead, for example to export a picture.
    """

    SHUTDOWN_LIMIT = 5.0
    """Maximum seconds for which a shutdown waits for a different thread that is printing."""

    def __init__(
        self, out: TextIO | None = None, *, console: Console | None = None, open_spans: OpenSpans = OPEN_SPANS
    ) -> None:
        self._out = out
        self._console = console
        self._open_spans = open_spans
        self._silent = False
        self._has_rich: bool | None = None if console is None else True
        """Whether rich is installed; `None` until the first line is printed."""
        self._start_empty()
        FORK.register("console", self._start_empty)
        with suppress(AttributeError, OSError, ValueError):  # no stderr, or one that is closed
            if not is_first_process():
                return
            file = configuration_file()
            hint = HINT if file is None else FILE_HINT.format(masked("OTEL_CONFIG_FILE", file.path))
            if console is None:
                (out or sys.stderr).write(f"{hint}\n")
            else:
                console.print(hint, style="dim", markup=False, highlight=False)

    def _start_empty(self) -> None:
        """Start with nothing to print, also in a forked process, because the parent prints its own spans."""
        self._lock = Lock()
        self._printer: int | None = None  # the id of the thread that is printing
        self._waiting: deque[Sequence[ReadableSpan] | None] = deque()  # batches to print; `None` stands for the totals
        self._above: list[int] = []  # ids of the spans around the latest printed call, which are not printed again
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
        """Print the waiting spans. If a different thread is still printing after `timeout` seconds, leave them to that
        thread.
        """
        # If this thread itself is printing, a garbage collection or a signal handler has interrupted it and ended a
        # span. Then it must not wait for its own lock.
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
        """Yield the lines of the calls in a batch of spans, each after the names of the spans around the call."""
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
                # The ellipsis stands for an unknown span around the call. Without it, the call would seem to be within
                # the span in the line above.
                indent = "… " if depth == 1 and path[0].name is None else GAP * depth
                if node is path[-1]:
                    yield calls[node.span_id].line(indent)
                elif node.name is not None and node.span_id not in self._above:
                    yield Line(indent=indent, call=[(printable(node.name), "dim")])
            self._above = [node.span_id for node in path]

    def _print(self, lines: list[Line]) -> None:
        """Print lines. Before the first line, and when the width has changed the columns, also print a heading."""
        if self._silent or not lines:
            return
        if self._has_rich is None:
            self._has_rich = _import_rich()
        try:
            if self._has_rich:
                self._print_styled(lines)
            else:
                self._print_plain(lines)
        except (OSError, ValueError):  # the output is closed
            self._silent = True

    def _print_styled(self, lines: list[Line]) -> None:
        """Print lines with rich."""
        from rich.text import Text

        console = self._console or _console(self._out)
        width = console.width if self._console or console.is_terminal else UNLIMITED
        text = Text("\n").join(self._drawn(lines, width, Text))
        # For example a file on Windows. Python would write `\u2192` in place of an arrow.
        if console.options.ascii_only:
            text.plain = text.plain.translate(PLAIN)
        console.print(text, soft_wrap=True)

    def _print_plain(self, lines: list[Line]) -> None:
        """Print lines without rich."""
        out = self._out or sys.stderr
        if out is None:  # a program without a terminal, such as pythonw on Windows
            return
        width = get_terminal_size().columns if out.isatty() else UNLIMITED
        text = "\n".join(each.plain for each in self._drawn(lines, width, PlainText))
        is_unicode = (getattr(out, "encoding", None) or "utf-8").lower().startswith("utf")
        out.write(f"{text if is_unicode else text.translate(PLAIN)}\n")
        out.flush()

    def _drawn(self, lines: list[Line], width: int, kind: type[AnyText]) -> list[AnyText]:
        """The lines as texts, after the heading if it must be printed."""
        call_width, columns = layout(width)
        if columns != self._columns:
            self._columns = columns
            lines = [HEADING, *lines]
        return [draw(line, width, call_width, columns, kind) for line in lines]


def print_after_cells(processor: SpanProcessor) -> None:
    """In a notebook, print the calls of each cell before the cell ends. `processor` is the console's span processor.

    A notebook shows output below the cell that is running, so what is printed later appears below the next cell.
    """
    with guard("printing calls after each cell of a notebook"):
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if shell is not None:
            shell.events.register("post_run_cell", lambda *_result: processor.force_flush(CELL_MILLIS))


CELL_MILLIS = 1_000
"""Maximum time for which the end of a cell waits."""


def _is_call(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE


def _path(node: Node, find: Callable[[int], Node | None]) -> list[Node]:
    """The spans of this process around a node, the outermost first, and then the node itself."""
    path = [node]
    while (parent := path[0].parent) is not None and len(path) < DEPTH_LIMIT:
        unknown = Node(span_id=parent, parent=None, name=None, started=path[0].started)
        path.insert(0, find(parent) or unknown)
    return path


def _import_rich() -> bool:
    """Import rich, and return whether that succeeds. A line is drawn, so that rich imports all modules that it imports
    lazily. Forks are delayed meanwhile, because a forked process could never complete an import.
    """
    with IMPORTS.delay_forks(), suppress(ImportError):
        from rich.console import Console
        from rich.text import Text

        line = Text("→…", "dim")  # not ASCII, so that rich imports its tables of character widths
        line.truncate(1, overflow="ellipsis")
        Console(file=io.StringIO()).print(line, soft_wrap=True)
        return True
    return False


def _console(out: TextIO | None) -> Console:
    """Return rich's console for `out`, or for stderr."""
    from rich.console import Console

    class Quiet(Console):
        """A console that raises an exception if the output is closed. Rich would end the application."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    # If only NO_COLOR is set, rich still writes escape sequences for dim and bold; with no color system it does not.
    return Quiet(
        file=out,
        stderr=True,
        force_jupyter=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
