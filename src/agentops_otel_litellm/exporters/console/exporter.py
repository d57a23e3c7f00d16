"""Which lines are printed, where and when.

An exporter sees spans only once they have ended, children before parents. `OpenSpans` knows the ones still
open, so that a call is shown in its tree: its ancestors as dim headers above it.
"""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Lock, get_ident
from typing import TYPE_CHECKING, TextIO

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agentops_otel_litellm.exporters.console.ended_call import EndedCall
from agentops_otel_litellm.exporters.console.figures import printable
from agentops_otel_litellm.exporters.console.line import GAP, HEADING, Line, draw, layout
from agentops_otel_litellm.exporters.console.totals import Totals
from agentops_otel_litellm.fork import FORK, IMPORTS
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.open_spans import OPEN_SPANS, Node, OpenSpans
from agentops_otel_litellm.processes import is_first_process
from agentops_otel_litellm.version import SCOPE

if TYPE_CHECKING:  # every process of the app pays for imports: rich is loaded when there is something to draw
    from rich.console import Console

HINT = (
    "agentops-otel-litellm: LiteLLM calls are shown here. "
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 sends them to a backend, "
    "OTEL_TRACES_EXPORTER=none switches this off."
)

UNLIMITED = 1_000  # a log file has no width: every figure is kept, nothing is cut
DEPTH_LIMIT = 100
# As wide, so that columns and styles hold.
PLAIN = str.maketrans({"→": ">", "…": "."})


class ConsoleSpanExporter(SpanExporter):
    """Prints the calls among the spans it is given; of other spans, headers above the calls beneath them.

    It writes to `out`, by default to what `sys.stderr` is at the time. A `console` is drawn on instead, at
    whatever width it has: one that records makes a picture.
    """

    SHUTDOWN_LIMIT = 5.0
    """Seconds that a shutdown waits for another thread that is printing."""

    def __init__(
        self, out: TextIO | None = None, *, console: Console | None = None, open_spans: OpenSpans = OPEN_SPANS
    ) -> None:
        self._out = out
        self._console = console
        self._open_spans = open_spans
        self._silent = False
        self._has_imported = console is not None
        self._start_empty()
        FORK.renews("console", self._start_empty)
        with suppress(AttributeError, OSError, ValueError):  # no stderr, or one that is closed
            if not is_first_process():
                return
            if console is None:
                (out or sys.stderr).write(f"{HINT}\n")
            else:
                console.print(HINT, style="dim", markup=False, highlight=False)

    def _start_empty(self) -> None:
        """With nothing to print. After a fork, what the parent has to print is the parent's."""
        self._lock = Lock()
        self._printer: int | None = None
        self._waiting: deque[Sequence[ReadableSpan] | None] = deque()  # `None`: the totals
        self._above: list[int] = []  # ids of the lines that the next indented one would seem to hang from
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
        """Print what waits, unless another thread is printing after so many seconds: it prints this too.

        Waiting for the lock without a limit could last for ever: the code that holds it may be further up on this
        thread, where a garbage collection or a signal handler has just ended a span.
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
        batch = {span.context.span_id: Node.of(span) for span in spans}
        calls = {span.context.span_id: EndedCall(span) for span in spans if _is_call(span)}
        for call in calls.values():
            if not call.is_group:
                self._totals.add(call.model or "unknown model", call.used(), call.trace_id)

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

    def _print(self, lines: list[Line]) -> None:
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
            if console.options.ascii_only:  # a file on Windows, as a rule: there stderr writes `\u2192`
                text.plain = text.plain.translate(PLAIN)
            console.print(text, soft_wrap=True)
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


def _import_rich() -> None:
    """Import rich, and what it imports lazily, which is all that one line needs. A fork waits for it."""
    with IMPORTS.here():
        from rich.console import Console
        from rich.text import Text

        line = Text("→…", "dim")  # other than ASCII: rich has tables of their widths
        line.truncate(1, overflow="ellipsis")
        Console(file=io.StringIO()).print(line, soft_wrap=True)


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
