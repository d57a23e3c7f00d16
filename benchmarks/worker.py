"""One subject of `overhead.py`. Reads a request from stdin, a line of JSON for each, and prints CPU times."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.types.utils import ChatCompletionUsageBlock, GenericStreamingChunk
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from subjects import AT_START, PEERS, Pipeline

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.semconv.instruments import RELEASED


class Handler(litellm.CustomLLM):
    """A provider that returns a response at once."""

    chunks = 0

    def completion(self, *_args: object, **_kwargs: object) -> litellm.ModelResponse:
        return litellm.ModelResponse(
            model="model",
            choices=[litellm.Choices(message=litellm.Message(content="A response."))],
            usage=litellm.Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        )

    def streaming(self, *_args: object, **_kwargs: object) -> Iterator[GenericStreamingChunk]:
        usage = ChatCompletionUsageBlock(prompt_tokens=10, completion_tokens=self.chunks, total_tokens=10 + self.chunks)
        for number in range(self.chunks):
            last = number == self.chunks - 1
            yield {
                "text": f"word {number} ",  # LiteLLM fails a stream that repeats one text too often
                "is_finished": last,
                "finish_reason": "stop" if last else "",
                "usage": usage if last else None,
                "index": 0,
                "tool_use": None,
            }


HANDLER = Handler()


def call(order: dict[str, int]) -> None:
    text = "x" * order.get("characters", 100)
    count = order.get("messages", 1)
    messages = [{"role": "user" if i % 2 == 0 else "assistant", "content": text} for i in range(count)]
    litellm.completion(model="bench/model", messages=messages, temperature=0.5, max_tokens=100)


def stream(order: dict[str, int], received: Callable[[], None] = lambda: None) -> int:
    """Nanoseconds of the thread's CPU time for the chunks between the first and the last, without opening and ending
    the stream.
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
    assert rest, "the last chunk was measured"
    return taken


Times = dict[str, float]
Run = Callable[[dict[str, int]], int | None]
Patches = dict[tuple[ModuleType, str], tuple[object, object]]
PATCHED_MODULES = (litellm, litellm.main, litellm.utils)
# Otherwise LiteLLM logs each chunk on another thread, which is too much noise.
litellm.disable_streaming_logging = True
# LiteLLM sets this attribute when it is first read. It is set now, so that it never keeps a patched function.
litellm.completion = litellm.main.completion


def names() -> dict[tuple[ModuleType, str], object]:
    return {(module, name): value for module in PATCHED_MODULES for name, value in vars(module).items()}


def patches(instrument: Callable[[], object]) -> Patches:
    """The names in LiteLLM's modules that `instrument` changes → the value before and the value after."""
    before = names()
    instrument()
    return {where: (before.get(where), after) for where, after in names().items() if before.get(where) is not after}


def instrument(name: str, pipeline: Pipeline) -> None:
    """Instrument LiteLLM with the subject `name`, which records with `pipeline`."""
    if name == "openlit":  # it uses the global providers
        trace.set_tracer_provider(pipeline.spans)
        metrics.set_meter_provider(pipeline.metrics)
        set_logger_provider(LoggerProvider())
        importlib.import_module("openlit").init(pricing_json="{}", capture_message_content=False, disable_events=True)
        return
    instrumentor = importlib.import_module(PEERS.get(name, "agentops_otel_litellm")).LiteLLMInstrumentor()
    instrumentor.instrument(tracer_provider=pipeline.spans, meter_provider=pipeline.metrics, skip_dep_check=True)


def by_hand(run: Run, *, pipeline: Pipeline, streamed: bool) -> Run:
    """A function that makes `run`'s call in a span made by hand, with the attributes, events and metric values that
    this package records.
    """
    instrumentor = LiteLLMInstrumentor()
    instrumentor.instrument(tracer_provider=pipeline.spans, meter_provider=pipeline.metrics)
    run({})
    pipeline.flush()
    instrumentor.uninstrument()
    span = pipeline.exporter.newest[-1]
    attributes, events = dict(span.attributes or {}), span.events
    at_start = {name: value for name, value in attributes.items() if name in AT_START}
    tracer, meter = pipeline.spans.get_tracer("floor"), pipeline.metrics.get_meter("floor")
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


class Side(NamedTuple):
    """One of the three sides that take turns: how it makes a call and a stream, and what it records with."""

    call: Run
    stream: Run
    pipeline: Pipeline
    patched: bool = False

    def timed(self, order: dict[str, int]) -> Times:
        """CPU microseconds for a call or a chunk: `thread` of the calling thread, `process` of all threads, with
        encoding the spans and collecting the metrics.
        """
        HANDLER.chunks = order.get("chunks", 0)
        thread, process = time.thread_time_ns(), time.process_time_ns()
        if "chunks" in order:
            units = order["chunks"]
            thread = (self.stream(order) or 0) * units // (units - 2)
        else:
            units = order["calls"]
            for _ in range(units):
                self.call(order)
            thread = time.thread_time_ns() - thread
        self.pipeline.flush()
        return {"thread": thread / 1e3 / units, "process": (time.process_time_ns() - process) / 1e3 / units}


class Subject:
    """The three sides: with the subject, with the floor, and without both. They share a process, because two processes
    differ by more than the measured times.
    """

    def __init__(self, name: str) -> None:
        floor, own = Pipeline(), Pipeline(ALWAYS_OFF if name == "ours, unsampled" else ALWAYS_ON)
        calls, streams = (
            by_hand(run, pipeline=floor, streamed=streamed) for run, streamed in ((call, False), (stream, True))
        )
        self.sides = {
            "without": Side(call, stream, floor),
            "floor": Side(calls, streams, floor),
            "with": Side(call, stream, own, patched=True),
        }
        self.patches: Patches = {}
        if name != "nothing":
            self.patches = patches(lambda: instrument(name, own))
            assert self.patches, f"{name} patched nothing"

    def turns(self, order: dict[str, int]) -> dict[str, list[Times]]:
        """`order["turns"]` batches of each side. Each side is the first, the second and the third equally often."""
        sides = deque(self.sides.items())
        sides[0][1].timed(order)  # warms up the caches of the CPU, which other processes have used
        taken: dict[str, list[Times]] = {side: [] for side in self.sides}
        for _ in range(order["turns"]):
            for name, side in sides:
                self.patch(patched=side.patched)
                taken[name].append(side.timed(order))
            sides.rotate()
        return taken

    def patch(self, *, patched: bool) -> None:
        for (module, name), values in self.patches.items():
            setattr(module, name, values[patched])


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
        print(json.dumps(subject.turns(order)), flush=True)


if __name__ == "__main__":
    main()
