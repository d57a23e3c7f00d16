"""How late an event loop wakes up while spans are exported: this package's batch span processor and the SDK's.

    python benchmarks/pauses.py

Both processors export full batches of spans over HTTP to an OTLP receiver in another process, with the same exporter,
in turns. The spans are new ones of this package in each turn: calls of LiteLLM over HTTP, whose attributes are computed
during the export. Meanwhile, a task in an event loop sleeps for 1 ms at a time, and records how much later it wakes up.
`no export` is the delay of the same task while nothing is exported.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Sequence

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from processes import provider

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.exporters.batch_processor import CountingBatchSpanProcessor

PROCESSORS = {"ours": CountingBatchSpanProcessor, "SDK": BatchSpanProcessor}
INTERVAL = 0.001
"""Seconds for which the task sleeps."""
TIME_LIMIT = 60
"""Seconds until an export must have ended."""


class Observed(SpanExporter):
    """The OTLP exporter, which also records whether an export is running, and the number of exported spans."""

    def __init__(self, url: str) -> None:
        self._exporter = OTLPSpanExporter(f"{url}/v1/traces", compression=Compression.Gzip)
        self.is_exporting = False
        self.exported = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.is_exporting = True
        try:
            result = self._exporter.export(spans)
        finally:
            self.is_exporting = False
        assert result is SpanExportResult.SUCCESS, "the receiver rejected the spans"
        self.exported += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # untyped upstream


class Holding(BatchSpanProcessor):
    """Keeps ended spans. It is a batch span processor, so that their attributes are not computed yet."""

    def __init__(self, exporter: SpanExporter) -> None:
        super().__init__(exporter)
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def new_spans(count: int, url: str, receiver: str) -> list[ReadableSpan]:
    """The spans of so many calls of LiteLLM. Their attributes are not computed yet."""
    holding, tracer_provider = Holding(Observed(receiver)), TracerProvider()
    tracer_provider.add_span_processor(holding)
    instrumentor = LiteLLMInstrumentor()
    instrumentor.instrument(tracer_provider=tracer_provider, meter_provider=MeterProvider())
    try:
        for _ in range(count):
            messages = [{"role": "user", "content": "Will it rain in Paris?"}]
            litellm.completion("openai/gpt-4o-mini", messages, api_base=f"{url}/v1", api_key="sk-a-key")
    finally:
        instrumentor.uninstrument()
        tracer_provider.shutdown()
    assert len(holding.spans) == count, f"{len(holding.spans)} spans of {count} calls"
    return holding.spans


async def delays(is_measured: Callable[[], bool], is_finished: Callable[[], bool]) -> list[float]:
    """Milliseconds by which each sleep took too long, of the sleeps that began while `is_measured()`."""
    late, limit = [], time.monotonic() + TIME_LIMIT
    while not is_finished():
        assert time.monotonic() < limit, "the export has not ended"
        measured, started = is_measured(), time.perf_counter()
        await asyncio.sleep(INTERVAL)
        if measured:
            late.append((time.perf_counter() - started - INTERVAL) * 1_000)
    return late


def during_export(name: str, spans: Sequence[ReadableSpan], receiver: str) -> list[float]:
    """The delays while a processor exports the spans as one full batch."""
    exporter = Observed(receiver)
    processor = PROCESSORS[name](
        exporter, max_queue_size=len(spans), max_export_batch_size=len(spans), schedule_delay_millis=3_600_000
    )
    try:
        # The last span fills the batch, so that the thread of the processor exports it.
        for span in spans:
            processor.on_end(span)
        return asyncio.run(delays(lambda: exporter.is_exporting, lambda: exporter.exported == len(spans)))
    finally:
        processor.shutdown()


def without_export(seconds: float) -> list[float]:
    until = time.monotonic() + seconds
    return asyncio.run(delays(lambda: True, lambda: time.monotonic() > until))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="exports of each processor (default: 10)")
    parser.add_argument("--spans", type=int, default=512, help="spans of a batch (default: 512)")
    options = parser.parse_args(arguments)
    measured: dict[str, list[float]] = {name: [] for name in (*PROCESSORS, "no export")}
    with provider() as url, provider() as receiver:
        for number in range(options.rounds):
            # Each is first as often as the other.
            for name in sorted(PROCESSORS, reverse=bool(number % 2)):
                spans = new_spans(options.spans, url, receiver)
                measured[name] += during_export(name, spans, receiver)
            measured["no export"] += without_export(0.1)
    print("| batch span processor | wake-ups during exports | median delay, ms | p99 delay, ms |\n|---|--:|--:|--:|")
    for name, late in measured.items():
        p99 = sorted(late)[int(len(late) * 0.99)]
        print(f"| {name} | {len(late):,} | {statistics.median(late):.2f} | {p99:.2f} |")


if __name__ == "__main__":
    main()
