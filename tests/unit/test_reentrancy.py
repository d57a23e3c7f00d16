"""Calls that end in a finalizer or a signal handler, while the interrupted code may hold our locks."""

from __future__ import annotations

import gc
import io
import threading
from collections.abc import Generator

import litellm  # noqa: F401 - instrumented: what is patched is known
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

from agentops_otel_litellm import background
from agentops_otel_litellm.background import OPEN_STREAMS, Background, ReentrantEvent
from agentops_otel_litellm.exporters.console import ConsoleSpanExporter
from agentops_otel_litellm.patching import callbacks
from agentops_otel_litellm.patching.traced_functions import Tracing
from agentops_otel_litellm.semconv import choose_vocabularies
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry
from support.logged_warnings import LoggedWarnings

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


class RecordingExporter(SpanExporter):
    """Records the thread of each export, and the status of each span."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.outcomes: list[str] = []

    def export(self, spans: object) -> SpanExportResult:
        self.names.append(threading.current_thread().name)
        self.outcomes += [str(span.status.status_code.name) for span in spans]  # type: ignore[attr-defined]
        return SpanExportResult.SUCCESS


def test_a_garbage_collected_call_ends_on_the_background_thread() -> None:
    """The garbage collector may run while the thread holds locks that an exporter needs."""
    exporter = RecordingExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = Settings()
    tracing = Tracing(Telemetry(choose_vocabularies(settings), settings=settings, tracer_provider=provider))

    class Suspended:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def function(**_: object) -> None:
        await Suspended()

    call = tracing.trace(function)()
    call.send(None)
    del call
    gc.collect()
    OPEN_STREAMS.settle(10)
    assert exporter.names == [background.THREAD_NAME]


def test_background_work_is_done_in_order() -> None:
    work, done, reached = Background(), [], ReentrantEvent()
    for number in range(100):
        work.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    work.submit(reached.set)
    assert reached.wait(10)
    assert reached.wait(0)  # it remains set
    assert done == list(range(100))


def test_failing_background_work_does_not_end_the_thread(logged: LoggedWarnings) -> None:
    work, reached = Background(), ReentrantEvent()

    def fail() -> None:
        raise ValueError

    work.submit(fail)
    work.submit(reached.set)
    assert reached.wait(10)
    (line,) = logged.take()
    assert line.startswith("Working in the background failed (ValueError")


def test_only_one_background_thread_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if a signal handler submits work while the thread is started."""
    started: list[str] = []
    work = Background()

    def start(run: object, name: str) -> None:
        started.append(name)
        if len(started) == 1:
            work.submit(lambda: None)
        background_start(run, name)  # type: ignore[arg-type]

    background_start = background.start_thread
    monkeypatch.setattr(background, "start_thread", start)
    reached = ReentrantEvent()
    work.submit(reached.set)
    assert reached.wait(10)
    assert started == [background.THREAD_NAME]


def test_the_console_is_shut_down_while_it_prints() -> None:
    """A signal handler may shut the provider down while this thread prints; the totals are printed too."""

    class Interrupting(io.StringIO):
        was_interrupted = False

        def write(self, text: str) -> int:
            if exporter is not None and not self.was_interrupted:
                self.was_interrupted = True
                exporter.shutdown()
            return super().write(text)

    exporter: ConsoleSpanExporter | None = None
    out = Interrupting()
    exporter = ConsoleSpanExporter(out)
    ended: list[ReadableSpan] = []
    provider = TracerProvider(shutdown_on_exit=False)

    class CollectingExporter(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            ended.extend(spans)  # type: ignore[arg-type]
            return SpanExportResult.SUCCESS

    provider.add_span_processor(SimpleSpanProcessor(CollectingExporter()))
    provider.get_tracer("agentops_otel_litellm").start_span("chat m", kind=SpanKind.CLIENT, attributes=CALL).end()
    exporter.export(ended)
    assert out.was_interrupted
    assert "chat m" in out.getvalue()
    assert "1 call" in out.getvalue()


def test_a_logged_call_is_claimed_once() -> None:
    """LiteLLM may log the end of a call several times, concurrently and nested."""

    class Logging:
        pass

    logging = Logging()
    claimed: list[bool] = []
    start = threading.Barrier(8)

    def claim() -> None:
        start.wait()
        claimed.append(callbacks._claim(logging))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [False] * 7 + [True]
    assert callbacks._claims == {}
