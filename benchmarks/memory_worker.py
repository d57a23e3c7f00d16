"""The measured process of `memory.py`. Reads a request from stdin, a line of JSON for each, and prints the result."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from http_cases import CONTENT, prose
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.background import OPEN_STREAMS
from agentops_otel_litellm.exporters.batch_processor import CountingBatchSpanProcessor
from agentops_otel_litellm.metrics import Metrics

CONCURRENCY = 8
COLLECTION_INTERVAL = 1_000
"""Calls after which the metrics are collected."""
READ = 3
"""Chunks that are read before a stream is abandoned."""
FOREVER = 3_600_000
"""Milliseconds until the span processor exports a batch that is not full."""

Memory = dict[str, float]


class Discard(SpanExporter):
    """Reads the attributes of spans, as every exporter does, and drops the spans."""

    def __init__(self) -> None:
        self.count = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            assert span.attributes
        self.count += len(spans)
        return SpanExportResult.SUCCESS


class Traced:
    """Traces LiteLLM until `stop` is called. Spans and metrics stay in the process."""

    def __init__(self, *, waiting: int = 0, with_spans: bool = True, with_metrics: bool = True) -> None:
        """`waiting`: so many calls wait until `flush` is called. 0: the queues have their default sizes."""
        self.exporter, self._reader = Discard(), InMemoryMetricReader()
        self._spans = TracerProvider(sampler=ALWAYS_ON if with_spans else ALWAYS_OFF)
        sizes = {"max_queue_size": waiting + 1, "max_export_batch_size": waiting + 1} if waiting else {}
        interval = {"schedule_delay_millis": FOREVER} if waiting else {}
        self._spans.add_span_processor(CountingBatchSpanProcessor(self.exporter, **sizes, **interval))
        self._default_limit = Metrics.WAITING_LIMIT
        if waiting:
            Metrics.WAITING_LIMIT = sys.maxsize
        self._has_metrics = with_metrics
        self._instrumentor = LiteLLMInstrumentor()
        self._instrumentor.instrument(
            tracer_provider=self._spans,
            meter_provider=MeterProvider(metric_readers=[self._reader]) if with_metrics else NoOpMeterProvider(),
        )

    def flush(self) -> None:
        """Export the queued spans, and collect the metrics."""
        self._spans.force_flush()
        if self._has_metrics:
            self._reader.collect()

    def stop(self) -> None:
        self._instrumentor.uninstrument()
        self._spans.shutdown()
        Metrics.WAITING_LIMIT = self._default_limit


def memory() -> Memory:
    """Resident memory in MB (only Linux has it), and the allocated blocks of Python, after a garbage collection."""
    gc.collect()
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return {"megabytes": pages * os.sysconf("SC_PAGE_SIZE") / 1e6, "blocks": sys.getallocatedblocks()}


class Calls:
    """Calls and streams of one provider."""

    def __init__(self, url: str) -> None:
        self._provider = {"api_base": f"{url}/v1", "api_key": "sk-a-key"}

    async def one(self, text: str = "Will it rain in Paris?", model: str = "openai/gpt-4o-mini", **more: object) -> Any:  # noqa: ANN401 - a response of LiteLLM
        messages = [{"role": "user", "content": text}]
        return await litellm.acompletion(model=model, messages=messages, **self._provider, **more)

    async def many(self, texts: Sequence[str]) -> None:
        """Make a call for each text, some at the same time."""
        waiting = iter(texts)

        async def caller() -> None:
            for text in waiting:
                await self.one(text)

        await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))

    async def stream(self, count: int = READ, *, is_unfinished: bool = False) -> Any:  # noqa: ANN401 - as above
        """A stream of which so many chunks have been read."""
        model = "openai/gpt-4o-mini" + ("-unfinished" if is_unfinished else "")
        stream = await self.one(model=model, stream=True)
        for _ in range(count):
            await anext(stream)
        return stream

    async def drop(self) -> None:
        """The application drops its last reference to a stream that it has begun to read."""
        await self.stream()

    async def close(self) -> None:
        await (await self.stream()).aclose()

    async def break_out(self) -> None:
        async for _ in await self.stream(0):
            break

    async def cancel(self) -> None:
        """The task is cancelled while it waits for a chunk."""
        reading = asyncio.Event()

        async def read() -> None:
            stream = await self.stream(is_unfinished=True)
            reading.set()
            async for _ in stream:
                pass

        task = asyncio.create_task(read())
        await reading.wait()
        await asyncio.sleep(0.005)  # until the provider has sent all that it sends
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), "the stream ended before the task was cancelled"

    async def leave_unread(self) -> None:
        await self.stream(0)


class Measurements:
    """What `memory.py` requests."""

    def __init__(self, url: str) -> None:
        self._calls = Calls(url)

    async def grow(self, calls: int, points: int, *, is_traced: bool) -> list[Memory]:
        """The memory after each `calls / points` calls. The first of them warm up and are counted, too."""
        traced = Traced() if is_traced else None
        measured = []
        for _ in range(points):
            for begin in range(0, calls // points, COLLECTION_INTERVAL):
                await self._calls.many(["Will it rain in Paris?"] * min(COLLECTION_INTERVAL, calls // points - begin))
                if traced is not None:
                    traced.flush()
            measured.append(memory())
        if traced is not None:
            traced.stop()
            assert traced.exporter.count == calls // points * points, f"{traced.exporter.count} spans"
        return measured

    async def abandon(self, way: str, streams: int) -> dict[str, Memory]:
        """The memory before and after `streams` streams were abandoned, without those that warm up."""
        traced, abandon = Traced(), WAYS[way]
        await self._abandon(abandon, traced, max(streams // 10, 1))
        before, spans = memory(), traced.exporter.count
        await self._abandon(abandon, traced, streams)
        after = memory()
        traced.stop()
        assert traced.exporter.count - spans == streams, f"{traced.exporter.count - spans} spans"
        return {"before": before, "after": after}

    async def _abandon(self, way: Callable[[Calls], Awaitable[None]], traced: Traced, streams: int) -> None:
        for number in range(streams):
            await way(self._calls)
            if number % 100 == 0:
                gc.collect()
                await asyncio.sleep(0.01)
        gc.collect()  # streams that are part of a reference cycle
        await asyncio.sleep(0.1)  # finalizers of async generators
        OPEN_STREAMS.settle()
        traced.flush()

    async def wait(self, calls: int, *, with_spans: bool, with_metrics: bool, with_content: bool) -> dict[str, float]:
        """The bytes that are freed for each waiting call when the queues are emptied."""
        os.environ[CONTENT] = "SPAN_ONLY" if with_content else "NO_CONTENT"
        text = prose(1_000)
        traced = Traced(waiting=calls + CONCURRENCY, with_spans=with_spans, with_metrics=with_metrics)
        await self._calls.many([text] * CONCURRENCY)
        traced.flush()
        tracemalloc.start()
        # Each prompt is an object of its own, as those of an application.
        await self._calls.many([f"{number:06}{text[6:]}" for number in range(calls)])
        await asyncio.sleep(0.1)
        gc.collect()
        waiting = tracemalloc.get_traced_memory()[0]
        traced.flush()
        gc.collect()
        freed = waiting - tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        traced.stop()
        return {"bytes": freed / calls}


WAYS: dict[str, Callable[[Calls], Awaitable[None]]] = {
    "dropped": Calls.drop,
    "closed": Calls.close,
    "broken out of": Calls.break_out,
    "cancelled": Calls.cancel,
    "never read": Calls.leave_unread,
}


def main() -> None:
    loop, measurements = asyncio.new_event_loop(), Measurements(sys.argv[1])
    print('{"ready": true}', flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        measure = getattr(measurements, request.pop("measure"))
        print(json.dumps({"result": loop.run_until_complete(measure(**request))}), flush=True)


if __name__ == "__main__":
    main()
