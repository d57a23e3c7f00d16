"""One subject of `overhead.py`: reads orders from stdin, a line of JSON each, and answers with CPU times."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.types.utils import ChatCompletionUsageBlock, GenericStreamingChunk
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.vocabularies.metrics import RELEASED

PEERS = {
    "openinference": "openinference.instrumentation.litellm",
    "openllmetry": "opentelemetry.instrumentation.litellm",
}
METRIC_ATTRIBUTES = {
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
}


class Kept(SpanExporter):
    """Exports to nowhere, and keeps the newest span."""

    newest: ReadableSpan | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.newest = spans[-1]
        return SpanExportResult.SUCCESS


class Handler(litellm.CustomLLM):
    """A provider that answers at once."""

    chunks = 0

    def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
        return litellm.ModelResponse(
            model="model",
            choices=[litellm.Choices(message=litellm.Message(content="An answer."))],
            usage=litellm.Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        )

    def streaming(self, *_args: object, **_kwargs: object) -> Iterator[GenericStreamingChunk]:
        usage = ChatCompletionUsageBlock(prompt_tokens=10, completion_tokens=self.chunks, total_tokens=10 + self.chunks)
        for number in range(self.chunks):
            last = number == self.chunks - 1
            yield {
                "text": f"word {number} ",  # the same text too often is an error to LiteLLM
                "is_finished": last,
                "finish_reason": "stop" if last else "",
                "usage": usage if last else None,
                "index": 0,
                "tool_use": None,
            }


HANDLER = Handler()
EXPORTER = Kept()
READER = InMemoryMetricReader()


def call(order: dict[str, int]) -> None:
    text = "x" * order.get("characters", 100)
    count = order.get("messages", 1)
    messages = [{"role": "user" if i % 2 == 0 else "assistant", "content": text} for i in range(count)]
    litellm.completion(model="bench/model", messages=messages, temperature=0.5, max_tokens=100)


def stream(order: dict[str, int], received: Callable[[], None] = lambda: None) -> int:
    """Nanoseconds of the thread's time that the chunks take which are neither the first nor the last: opening and
    closing a stream are a call's cost.
    """
    messages = [{"role": "user", "content": "x" * 100}]
    chunks = iter(litellm.completion(model="bench/model", messages=messages, stream=True))
    next(chunks)
    started = time.thread_time_ns()
    for _ in range(order.get("chunks", 3) - 2):
        next(chunks)
        received()
    taken = time.thread_time_ns() - started
    rest = list(chunks)
    assert rest, "the last chunk was among those that were timed"
    return taken


Times = dict[str, float]
Run = Callable[[dict[str, int]], int | None]
Patches = dict[tuple[ModuleType, str], tuple[object, object]]
PATCHED_MODULES = (litellm, litellm.main, litellm.utils)
litellm.disable_streaming_logging = True  # a thread of LiteLLM's for each chunk, which makes too much noise
litellm.completion = litellm.main.completion  # LiteLLM would do so at the first use, and keep what it finds then


def names() -> dict[tuple[ModuleType, str], object]:
    return {(module, name): value for module in PATCHED_MODULES for name, value in vars(module).items()}


def patches(instrument: Callable[[], object]) -> Patches:
    """What instrumenting changes in LiteLLM: each name, and its value before and after."""
    before = names()
    instrument()
    return {where: (before.get(where), after) for where, after in names().items() if before.get(where) is not after}


class Subject:
    """What is measured, and how to have it and not to have it: in one process, for two processes differ by more
    than is to be measured.
    """

    def __init__(self, name: str) -> None:
        self.provider = TracerProvider(sampler=ALWAYS_OFF if name == "ours, unsampled" else ALWAYS_ON)
        self.provider.add_span_processor(BatchSpanProcessor(EXPORTER))
        self.meters = MeterProvider(metric_readers=[READER])
        self.patches: Patches = {}
        self.call: Run = call
        self.stream: Run = stream
        if name == "floor":
            self.call, self.stream = self.by_hand(call, streamed=False), self.by_hand(stream, streamed=True)
        elif name != "nothing":
            self.patches = patches(lambda: self.instrument(name))
            assert self.patches, f"{name} patched nothing"

    def instrument(self, name: str) -> None:
        if name == "openlit":  # takes the global providers
            trace.set_tracer_provider(self.provider)
            metrics.set_meter_provider(self.meters)
            set_logger_provider(LoggerProvider())
            importlib.import_module("openlit").init(
                pricing_json="{}", capture_message_content=False, disable_events=True
            )
            return
        instrumentor = importlib.import_module(PEERS.get(name, "agentops_otel_litellm")).LiteLLMInstrumentor()
        instrumentor.instrument(tracer_provider=self.provider, meter_provider=self.meters, skip_dep_check=True)

    def by_hand(self, run: Run, *, streamed: bool) -> Run:
        """`run` beneath a span made by hand, with the attributes, events and metric values that we give it."""
        instrumentor = LiteLLMInstrumentor()
        instrumentor.instrument(tracer_provider=self.provider, meter_provider=self.meters)
        run({})
        self.provider.force_flush()
        instrumentor.uninstrument()
        assert EXPORTER.newest is not None
        attributes, events = dict(EXPORTER.newest.attributes or {}), EXPORTER.newest.events
        at_start = {name: value for name, value in attributes.items() if name in METRIC_ATTRIBUTES}
        tracer, meter = self.provider.get_tracer("floor"), self.meters.get_meter("floor")
        instruments = dict.fromkeys(row.name for row in RELEASED)
        duration, tokens, first, between = (meter.create_histogram(name) for name in instruments)
        cost, attempts = meter.create_histogram("cost"), meter.create_counter("attempts")

        def made_by_hand(order: dict[str, int]) -> int | None:
            span = tracer.start_span("chat model", kind=trace.SpanKind.CLIENT, attributes=at_start)
            context = trace.set_span_in_context(span)
            with trace.use_span(span):
                taken = stream(order, lambda: between.record(0.01, at_start, context)) if streamed else run(order)
            span.set_attributes(attributes)
            for event in events:
                span.add_event(event.name, event.attributes)
            duration.record(0.1, at_start, context)
            tokens.record(10, {**at_start, "gen_ai.token.type": "input"}, context)
            tokens.record(5, {**at_start, "gen_ai.token.type": "output"}, context)
            attempts.add(1, at_start, context)
            if "gen_ai.usage.cost.amount" in attributes:
                cost.record(0.1, at_start, context)
            if streamed:
                first.record(0.1, at_start, context)
            span.end()
            return taken

        return made_by_hand

    def pairs(self, order: dict[str, int]) -> dict[str, list[Times]]:
        """Batches without and with, in turns, and each first as often as second."""
        self.without(order)  # the processor has just been somebody else's
        taken: dict[str, list[Times]] = {"without": [], "with": []}
        for number in range(order["pairs"]):
            sides = [("without", self.without), ("with", self.with_it)]
            for side, run in reversed(sides) if number % 2 else sides:
                taken[side].append(run(order))
        return taken

    def without(self, order: dict[str, int]) -> Times:
        for (module, name), (before, _) in self.patches.items():
            setattr(module, name, before)
        return self._timed(order, call, stream)

    def with_it(self, order: dict[str, int]) -> Times:
        for (module, name), (_, after) in self.patches.items():
            setattr(module, name, after)
        return self._timed(order, self.call, self.stream)

    def _timed(self, order: dict[str, int], call: Run, stream: Run) -> Times:
        """CPU microseconds: `thread` of the calling thread, `process` with what is exported and collected after."""
        HANDLER.chunks = order.get("chunks", 0)
        thread, process = time.thread_time_ns(), time.process_time_ns()
        if "chunks" in order:
            units = order["chunks"]
            thread = (stream(order) or 0) * units // (units - 2)
        else:
            units = order["calls"]
            for _ in range(units):
                call(order)
            thread = time.thread_time_ns() - thread
        self.provider.force_flush()
        READER.collect()
        return {"thread": thread / 1e3 / units, "process": (time.process_time_ns() - process) / 1e3 / units}


def main() -> None:
    HANDLER.chunks = 5
    litellm.custom_provider_map = [{"provider": "bench", "custom_handler": HANDLER}]
    try:
        subject = Subject(sys.argv[1])
    except ImportError:
        print("{}", flush=True)
        return
    print('{"ready": true}', flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(subject.pairs(order)), flush=True)


if __name__ == "__main__":
    main()
