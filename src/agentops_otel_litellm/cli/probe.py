"""Probes: work of `doctor` that runs in a separate process, because importing LiteLLM and setting up exporters can
print, download, and start threads.

`python -m agentops_otel_litellm.cli.probe NAME` runs one of `PROBES`:

- `patch-points` imports LiteLLM, and looks up its functions that this package patches.
- `delivery` sets OpenTelemetry up as the launcher does, with the distro, the configurator and the chosen exporters.
  Then it sends a span, and reports the outcome: the exporter's return value, and the HTTP response or error.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import wraps
from importlib.metadata import entry_points
from threading import local
from time import monotonic, sleep
from types import ModuleType
from typing import Any

import requests
from opentelemetry import trace
from opentelemetry.instrumentation.auto_instrumentation import initialize
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import format_trace_id

from agentops_otel_litellm.cli.report import Examined
from agentops_otel_litellm.patching.patch_points import CONSEQUENCES, PATCH_POINTS, missing
from agentops_otel_litellm.settings.backends import BACKENDS, Target, target_of
from agentops_otel_litellm.settings.destinations import BACKENDS_EXPORTER, HTTP, destinations, entry_point_name

DELIVERY_PROBE, PATCH_POINT_PROBE = "delivery", "patch-points"
MARK = "agentops-otel-litellm: "
"""Prefix of the line of output that has the result."""
NOT_SAMPLED = "not sampled"
SPAN = "agentops-otel-litellm doctor"
FLUSH_MILLIS = 20_000
READ_SECONDS = 5.0
"""Maximum seconds for reading back a span that a backend has accepted."""
GRPC_STATUS = re.compile(r"StatusCode\.([A-Z_]+)")
ROOT_ERRORS = (
    *("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "ProxyError"),
    *("BadStatusLine", "NameResolutionError", "NewConnectionError", "ConnectionRefusedError"),
)
"""Classes of errors that can cause a `ConnectionError`, the most specific first."""


def run_probe(name: str, environment: Mapping[str, str], seconds: float) -> Any:  # noqa: ANN401 - JSON
    """Run a probe in a separate process, and return its result; `None` if it fails.

    Raises: `subprocess.TimeoutExpired` if it takes longer than `seconds`.
    """
    done = subprocess.run(  # noqa: S603 - it runs this module with this Python
        [sys.executable, "-m", "agentops_otel_litellm.cli.probe", name],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    result = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    return None if result is None else json.loads(result.removeprefix(MARK))


def _print_result(result: object) -> None:
    """Print the result on a separate line, for the process that has started this one."""
    print(f"\n{MARK}{json.dumps(result)}", flush=True)  # noqa: T201 - the parent process reads it


# --- patch points ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PatchPoints:
    """The names of the patch points in the installed LiteLLM."""

    found: list[str]
    absent: list[str]
    """Those that LiteLLM lacks although a feature needs them. Others belong to other versions of LiteLLM."""


def find_patch_points() -> PatchPoints:
    """Import the modules of all patch points, as far as LiteLLM has them, and look the patch points up."""
    importlib.import_module("litellm")
    modules = {point.module: _import_module(point.module) for point in PATCH_POINTS}
    found = [point for point in PATCH_POINTS if _has_attribute(modules[point.module], point.name)]
    absent = [point for feature in CONSEQUENCES for point in missing(feature, found)]
    return PatchPoints([*map(str, found)], [*map(str, absent)])


def _import_module(name: str) -> ModuleType | None:
    try:
        module = importlib.import_module(name)
    except Exception:  # noqa: BLE001 - this version lacks the module, or the module needs a package that is missing
        return None
    return module if module.__name__ == name else None  # LiteLLM has renamed the module, and `name` is the old name


def _has_attribute(module: ModuleType | None, dotted: str) -> bool:
    holder: object = module
    for name in dotted.split("."):
        if name not in getattr(holder, "__dict__", {}):
            return False
        holder = vars(holder)[name]
    return True


# --- delivery --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Attempt:
    """The outcome of the export to one destination."""

    exporter: str
    delivered: bool = False
    status: int | None = None
    """The status of the last HTTP response."""
    error: str = ""
    """The class of the last network error, or a gRPC status."""
    is_read_back: bool | None = None
    """Whether the backend returns the span that it has accepted; `None` if the span cannot be read back."""
    log_lines: list[str] = field(default_factory=list)
    """Warnings that this package logged during the export. Warnings of other packages are not kept, because they may
    quote the response of a server.
    """


class ExportRecorder(logging.Handler):
    """Records the outcome of each export. It wraps exporter classes, because the SDK offers no access to its exporters.

    Some exporters use an inner exporter, which they create in their constructor or during an export. An inner exporter
    has no separate outcome.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.attempts: list[Attempt] = []
        self.is_set_up = False
        self._running = local()
        self._wrapped: set[type[SpanExporter]] = set()
        self._exporters: list[SpanExporter] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Add a log record to the outcome of the export that is running on this thread."""
        attempt = self._current()
        if attempt is None:
            return
        text = record.getMessage()
        if record.name.startswith("agentops_otel_litellm"):
            attempt.log_lines.append(text)
        elif found := GRPC_STATUS.search(text):
            attempt.error = found[1]

    def wrap_exporter(self, name: str, kind: type[SpanExporter]) -> None:
        """Record the exports of an exporter class under the name that the user chose."""
        if kind in self._wrapped:
            return  # the user has listed this class under two names, for which the SDK creates one exporter
        self._wrapped.add(kind)
        init: Callable[..., None] = kind.__init__
        export = kind.export

        @wraps(init)
        def recorded_init(exporter: SpanExporter, *args: object, **options: object) -> None:
            # True for exporters that the SDK creates, false for inner exporters.
            if not self.is_set_up and not self._depth():
                self._exporters.append(exporter)
            with _Running(self._running, None):
                init(exporter, *args, **options)

        @wraps(export)
        def recorded_export(exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if not any(exporter is each for each in self._exporters):
                return export(exporter, spans)
            attempt = Attempt(getattr(exporter, "destination", name))
            self.attempts.append(attempt)
            with _Running(self._running, attempt):
                attempt.delivered = export(exporter, spans) is SpanExportResult.SUCCESS
            # The AgentOps exporter sends and logs on a different thread, so its log lines are not in this attempt.
            error = getattr(exporter, "last_error", None)
            attempt.log_lines += [] if error is None else [str(error)]
            return SpanExportResult.SUCCESS if attempt.delivered else SpanExportResult.FAILURE

        kind.__init__ = recorded_init  # type: ignore[assignment, method-assign]  # replaced on purpose
        kind.export = recorded_export  # type: ignore[assignment, method-assign]  # replaced on purpose

    def wrap_requests(self) -> None:
        """Record HTTP responses and errors. Of an error only the class is recorded, because its text may quote a URL
        with a password.
        """
        send = requests.Session.send

        @wraps(send)
        def recorded_send(
            session: requests.Session,
            request: requests.PreparedRequest,
            **options: Any,  # noqa: ANN401
        ) -> requests.Response:
            attempt = self._current() or Attempt("")
            try:
                response = send(session, request, **options)
            except Exception as error:
                # If there is no time left for a retry, requests raises a ValueError. The error before it is kept.
                if isinstance(error, requests.RequestException) or not attempt.error:
                    attempt.error, attempt.status = _error_name(error), None
                raise
            attempt.error, attempt.status = "", response.status_code
            return response

        requests.Session.send = recorded_send  # type: ignore[assignment, method-assign]  # replaced on purpose

    def _current(self) -> Attempt | None:
        stack = getattr(self._running, "stack", [])
        return stack[-1] if stack else None

    def _depth(self) -> int:
        return len(getattr(self._running, "stack", []))


class _Running:
    """A block in which an exporter's code runs on this thread. Such blocks can be nested, so they form a stack.

    `attempt` is the outcome of the export that runs; `None` for a constructor.
    """

    def __init__(self, running: local, attempt: Attempt | None) -> None:
        self._running = running
        self._attempt = attempt

    def __enter__(self) -> None:
        self._running.stack = [*getattr(self._running, "stack", []), self._attempt]

    def __exit__(self, *_error: object) -> None:
        self._running.stack = self._running.stack[:-1]


def _error_name(error: Exception) -> str:
    text = repr(error)
    return next((root for root in ROOT_ERRORS if root in text), type(error).__name__)


def send_span() -> list[Attempt]:
    """Set OpenTelemetry up, send one span, and return the outcome for each destination."""
    # The launcher imports this module first.
    from agentops_otel_litellm.sdk import distro_choice  # noqa: F401

    recorder = ExportRecorder()
    recorder.wrap_requests()
    environment = Examined(variables=dict(os.environ)).environment
    for name in destinations("TRACES", environment):
        wanted = entry_point_name("TRACES", name, environment)
        if wanted == BACKENDS_EXPORTER:  # in whose place the configurator creates an exporter for each backend
            from agentops_otel_litellm.exporters.backend_exporters import BackendSpanExporter

            recorder.wrap_exporter(name, BackendSpanExporter)
            continue
        for found in entry_points(group="opentelemetry_traces_exporter", name=wanted or ""):
            recorder.wrap_exporter(name, found.load())
    initialize()
    recorder.is_set_up = True
    for logger in ("agentops_otel_litellm", "opentelemetry"):
        logging.getLogger(logger).addHandler(recorder)
    provider = trace.get_tracer_provider()
    span = trace.get_tracer("agentops_otel_litellm.doctor").start_span(SPAN)
    span.end()
    if isinstance(provider, TracerProvider):
        if not span.is_recording() and not span.get_span_context().trace_flags.sampled:
            return [Attempt("--send", error=NOT_SAMPLED)]
        provider.force_flush(FLUSH_MILLIS)
    for attempt in recorder.attempts:
        if attempt.delivered and attempt.exporter in BACKENDS:
            attempt.is_read_back = _is_read_back(attempt.exporter, format_trace_id(span.get_span_context().trace_id))
    if any(attempt.delivered and attempt.exporter.startswith("otlp") for attempt in recorder.attempts):
        recorder.attempts += [*_rejected_signals(recorder, environment)]
    return recorder.attempts


def _is_read_back(name: str, trace_id: str) -> bool | None:
    """Whether a backend of AGENTOPS_BACKEND returns the span of a trace within `READ_SECONDS`. `None` if the table of
    backends has no path for that.
    """
    backend = BACKENDS[name]
    target = target_of(name, os.environ) if backend.read_back else None
    if not isinstance(target, Target):
        return None
    url = target.url.removesuffix(backend.path) + backend.read_back.replace("{trace}", trace_id)
    end = monotonic() + READ_SECONDS
    while monotonic() < end:
        try:
            response = requests.get(url, headers=dict(target.headers), timeout=READ_SECONDS)
        except requests.RequestException:
            return False
        if response.ok and SPAN in response.text:
            return True
        sleep(0.2)
    return False


def _rejected_signals(recorder: ExportRecorder, environment: Mapping[str, str]) -> Iterator[Attempt]:
    """Send empty metrics and logs to the OTLP destinations over HTTP, and return the exports that failed: some backends
    accept traces only. Nothing is returned for destinations that accept them.
    """
    for signal, module, kind in EMPTY_EXPORTS:
        if not any(entry_point_name(signal, name, environment) == HTTP for name in destinations(signal, environment)):
            continue
        attempt = Attempt(f"otlp {signal.lower()}")
        with _Running(recorder._running, attempt):  # noqa: SLF001 - same module
            exporter = getattr(importlib.import_module(module), kind)()
            empty: object = MetricsData(resource_metrics=[]) if signal == "METRICS" else []
            attempt.delivered = exporter.export(empty).name == "SUCCESS"
        if not attempt.delivered:
            yield attempt


EMPTY_EXPORTS = (
    ("METRICS", "opentelemetry.exporter.otlp.proto.http.metric_exporter", "OTLPMetricExporter"),
    ("LOGS", "opentelemetry.exporter.otlp.proto.http._log_exporter", "OTLPLogExporter"),
)
"""Signal → the module and the class of its OTLP exporter over HTTP."""


def _run(name: str) -> None:
    """Run a probe in this process, print its result, and end the process."""
    result = PROBES[name]()
    _print_result([asdict(each) for each in result] if isinstance(result, list) else asdict(result))
    sys.stderr.flush()
    os._exit(0)  # without a shutdown of the SDK, which could print and wait


PROBES: Mapping[str, Callable[[], PatchPoints | list[Attempt]]] = {
    DELIVERY_PROBE: send_span,
    PATCH_POINT_PROBE: find_patch_points,
}

if __name__ == "__main__":
    _run(sys.argv[1])
