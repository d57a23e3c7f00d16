"""Sends a span as an app in this environment would, and tells what came of it: `doctor --send` runs this as a program.

The launcher's own start-up makes the pipeline: the distro, the configurator and the exporters that are chosen. What
comes of an export is what the exporter gives back, and the answers that came over HTTP meanwhile.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import wraps
from importlib.metadata import entry_points
from threading import local
from typing import Any

import requests
from opentelemetry import trace
from opentelemetry.instrumentation.auto_instrumentation import initialize
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agentops_otel_litellm.commands.examined import Examined
from agentops_otel_litellm.commands.other_process import answer
from agentops_otel_litellm.destinations import destinations
from agentops_otel_litellm.launch.named_exporters import entry_point_name

NOT_SAMPLED = "not sampled"
SPAN = "agentops-otel-litellm doctor"
FLUSH_MILLIS = 20_000
GRPC_STATUS = re.compile(r"StatusCode\.([A-Z_]+)")
ROOTS = ("BadStatusLine", "NameResolutionError", "NewConnectionError", "ConnectionRefusedError")
"""What a `ConnectionError` may come from, the most telling first."""


@dataclass(slots=True)
class Attempt:
    """What came of the export to one destination."""

    exporter: str
    delivered: bool = False
    status: int | None = None
    """Of the last answer over HTTP."""
    error: str = ""
    """The kind of the last error of the network, or a status of gRPC's."""
    said: list[str] = field(default_factory=list)
    """What this package logged meanwhile: others may quote what a server says."""


class Tap(logging.Handler):
    """Notes what exporters do, by their class: the pipeline is not ours to look into.

    An exporter that another one makes, then or when it sends, is a part of that.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.attempts: list[Attempt] = []
        self.is_set_up = False
        self._inside = local()
        self._kinds: set[type[SpanExporter]] = set()
        self._exporters: list[SpanExporter] = []

    def emit(self, record: logging.LogRecord) -> None:
        attempt = self._current()
        if attempt is None:
            return
        text = record.getMessage()
        if record.name.startswith("agentops_otel_litellm"):
            attempt.said.append(text)
        elif found := GRPC_STATUS.search(text):
            attempt.error = found[1]

    def exporter(self, name: str, kind: type[SpanExporter]) -> None:
        """Have a kind of exporter noted under the name that the user gave."""
        if kind in self._kinds:
            return  # under another name: the SDK makes one of them
        self._kinds.add(kind)
        made: Callable[..., None] = kind.__init__
        export = kind.export

        @wraps(made)
        def making(exporter: SpanExporter, *args: object, **options: object) -> None:
            if not self.is_set_up and not self._depth():
                self._exporters.append(exporter)
            with _Inside(self._inside, None):
                made(exporter, *args, **options)

        @wraps(export)
        def exporting(exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if not any(exporter is each for each in self._exporters):
                return export(exporter, spans)
            attempt = Attempt(name)
            self.attempts.append(attempt)
            with _Inside(self._inside, attempt):
                attempt.delivered = export(exporter, spans) is SpanExportResult.SUCCESS
            trouble = getattr(exporter, "last_error", None)  # of the one that sends on a thread of its own
            attempt.said += [] if trouble is None else [str(trouble)]
            return SpanExportResult.SUCCESS if attempt.delivered else SpanExportResult.FAILURE

        kind.__init__ = making  # type: ignore[assignment, method-assign]  # that is what is meant
        kind.export = exporting  # type: ignore[assignment, method-assign]  # (the same)

    def requests(self) -> None:
        """Have answers over HTTP noted, and errors by their kind: their text may quote a URL with a password."""
        send = requests.Session.send

        @wraps(send)
        def sending(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401
            attempt = self._current() or Attempt("")
            try:
                response = send(session, request, **options)
            except Exception as error:
                attempt.error, attempt.status = _kind(error), None
                raise
            attempt.error, attempt.status = "", response.status_code
            return response

        requests.Session.send = sending  # type: ignore[assignment, method-assign]  # (the same)

    def _current(self) -> Attempt | None:
        stack = getattr(self._inside, "stack", [])
        return stack[-1] if stack else None

    def _depth(self) -> int:
        return len(getattr(self._inside, "stack", []))


class _Inside:
    """What runs on this thread is an exporter's."""

    def __init__(self, of: local, attempt: Attempt | None) -> None:
        self._of = of
        self._attempt = attempt

    def __enter__(self) -> None:
        self._of.stack = [*getattr(self._of, "stack", []), self._attempt]

    def __exit__(self, *_error: object) -> None:
        self._of.stack = self._of.stack[:-1]


def _kind(error: Exception) -> str:
    text = repr(error)
    return next((root for root in ROOTS if root in text), type(error).__name__)


def probe() -> list[Attempt]:
    """Make the pipeline, send one span through it, and wait for what comes of it."""
    from agentops_otel_litellm import environment_variables  # noqa: F401 - the launcher reads it first of all

    tap = Tap()
    tap.requests()
    environment = Examined(given=dict(os.environ)).environment
    for name in destinations("TRACES", environment):
        wanted = entry_point_name("TRACES", name, environment)
        for found in entry_points(group="opentelemetry_traces_exporter", name=wanted or ""):
            tap.exporter(name, found.load())
    initialize()
    tap.is_set_up = True
    for logger in ("agentops_otel_litellm", "opentelemetry"):
        logging.getLogger(logger).addHandler(tap)
    provider = trace.get_tracer_provider()
    span = trace.get_tracer("agentops_otel_litellm.doctor").start_span(SPAN)
    span.end()
    if isinstance(provider, TracerProvider):
        if not span.is_recording() and not span.get_span_context().trace_flags.sampled:
            return [Attempt("--send", error=NOT_SAMPLED)]
        provider.force_flush(FLUSH_MILLIS)
    return tap.attempts


if __name__ == "__main__":
    answer([asdict(each) for each in probe()])
    sys.stderr.flush()
    os._exit(0)  # what else the pipeline has to say at its end is nobody's
