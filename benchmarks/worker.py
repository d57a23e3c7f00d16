"""One subject of `overhead.py`: reads orders from stdin, a line of JSON each, and answers with CPU times."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from agentops_otel_litellm import LiteLLMInstrumentor
from agentops_otel_litellm.metrics import METRICS

PEERS = {
    "openinference": "openinference.instrumentation.litellm",
    "openllmetry": "opentelemetry.instrumentation.litellm",
    "openlit": "openlit.instrumentation.litellm",
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

    def export(self, spans: object) -> SpanExportResult:
        *_, self.newest = spans  # type: ignore[misc]  # a sequence of spans
        return SpanExportResult.SUCCESS


class Handler(litellm.CustomLLM):  # type: ignore[misc, name-defined]  # not exported for types
    """A provider that answers at once."""

    chunks = 0

    def completion(self, *_args: object, **_kwargs: object) -> object:
        return litellm.ModelResponse(
            model="model",
            choices=[litellm.Choices(message=litellm.Message(content="An answer."))],
            usage=litellm.Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        )

    def streaming(self, *_args: object, **_kwargs: object) -> Iterator[object]:
        usage = {"prompt_tokens": 10, "completion_tokens": self.chunks, "total_tokens": 10 + self.chunks}
        for number in range(self.chunks):
            last = number == self.chunks - 1
            yield {
                "text": "word ",
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


def stream(_order: dict[str, int]) -> int:
    messages = [{"role": "user", "content": "x" * 100}]
    return sum(1 for _ in litellm.completion(model="bench/model", messages=messages, stream=True))


Run = Callable[[dict[str, int]], object]


def by_hand(run: Run, provider: TracerProvider, meters: MeterProvider, *, streamed: bool) -> Run:
    """`run` beneath a span made by hand, with the attributes and the metric values that we give it."""
    instrumentor = LiteLLMInstrumentor()
    instrumentor.instrument(tracer_provider=provider, meter_provider=meters)
    run({})
    provider.force_flush()
    instrumentor.uninstrument()
    assert EXPORTER.newest is not None
    attributes = dict(EXPORTER.newest.attributes or {})
    at_start = {name: value for name, value in attributes.items() if name in METRIC_ATTRIBUTES}
    tracer, meter = provider.get_tracer("floor"), meters.get_meter("floor")
    names = dict.fromkeys(row.name for row in METRICS)
    duration, tokens, first, between = (meter.create_histogram(name) for name in names)

    def made_by_hand(order: dict[str, int]) -> None:
        span = tracer.start_span("chat model", kind=trace.SpanKind.CLIENT, attributes=at_start)
        context = trace.set_span_in_context(span)
        with trace.use_span(span):
            count = run(order)
        span.set_attributes(attributes)
        duration.record(0.1, at_start, context)
        tokens.record(10, {**at_start, "gen_ai.token.type": "input"}, context)
        tokens.record(5, {**at_start, "gen_ai.token.type": "output"}, context)
        if streamed:
            first.record(0.1, at_start, context)
            for _ in range(int(str(count)) - 1):
                between.record(0.01, at_start, context)
        span.end()

    return made_by_hand


def prepared(subject: str) -> tuple[Run, Run]:
    """What runs a call and a stream of the subject. ImportError where the subject is not installed."""
    provider = TracerProvider(sampler=ALWAYS_OFF if subject == "ours, unsampled" else ALWAYS_ON)
    provider.add_span_processor(BatchSpanProcessor(EXPORTER))
    meters = MeterProvider(metric_readers=[READER])
    if subject == "floor":
        made_by_hand = by_hand(call, provider, meters, streamed=False)
        return made_by_hand, by_hand(stream, provider, meters, streamed=True)
    if subject.startswith("ours"):
        LiteLLMInstrumentor().instrument(tracer_provider=provider, meter_provider=meters)
    elif subject in PEERS:
        instrumentor = importlib.import_module(PEERS[subject]).LiteLLMInstrumentor()
        instrumentor.instrument(tracer_provider=provider, meter_provider=meters, skip_dep_check=True)
    return call, stream


def timed(order: dict[str, int], run: Run, times: int, units: int) -> dict[str, float]:
    thread, process = time.thread_time_ns(), time.process_time_ns()
    for _ in range(times):
        run(order)
    thread = time.thread_time_ns() - thread
    READER.collect()
    return {"thread": thread / 1e3 / units, "process": (time.process_time_ns() - process) / 1e3 / units}


def main() -> None:
    HANDLER.chunks = 5
    litellm.custom_provider_map = [{"provider": "bench", "custom_handler": HANDLER}]
    try:
        run_call, run_stream = prepared(sys.argv[1])
    except ImportError:
        print("{}", flush=True)
        return
    print('{"ready": true}', flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        HANDLER.chunks = order.get("chunks", 0)
        if "streams" in order:
            answer = timed(order, run_stream, order["streams"], order["streams"] * order["chunks"])
        else:
            answer = timed(order, run_call, order["calls"], order["calls"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
