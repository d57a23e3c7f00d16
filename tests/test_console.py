"""The console exporter, driven by the real SDK: whole texts, as a reader would see them."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from textwrap import dedent

import pytest
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace import set_span_in_context as in_context
from opentelemetry.util.types import AttributeValue
from rich.console import Console

from agentops_otel_litellm.exporters.console import (
    HINT,
    MODELS_KEPT,
    ConsoleSpanExporter,
    OpenSpans,
    dollars,
    duration,
    printable,
)

Processor = type[BatchSpanProcessor] | type[SimpleSpanProcessor]

EPOCH = 1_700_000_000_000_000_000
CALL: dict[str, AttributeValue] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.provider.name": "openai",
    "gen_ai.usage.input_tokens": 1204,
    "gen_ai.usage.output_tokens": 145,
    "gen_ai.usage.cost.amount": 0.0002676,
    "gen_ai.response.time_to_first_chunk": 0.31,
    "llm.response.stream_outcome": "completed",
}
FAILURE: dict[str, AttributeValue] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.provider.name": "azure.ai.openai",
    "error.type": "litellm.exceptions.RateLimitError",
    "llm.error.status_code": 429,
}


@dataclass
class App:
    """Makes spans with times in seconds, and shows what became of them."""

    provider: TracerProvider
    out: io.StringIO
    clock: float = field(default=0.0)

    def start(
        self, name: str, parent: Span | None = None, *, scope: str = "app", kind: SpanKind = SpanKind.INTERNAL
    ) -> Span:
        self.clock += 1
        span = self.provider.get_tracer(scope).start_span(
            name,
            context=in_context(parent) if parent else None,
            kind=kind,
            start_time=EPOCH + int(self.clock * 1e9),
        )
        assert isinstance(span, Span)
        return span

    def call(
        self, attributes: dict[str, AttributeValue], parent: Span | None = None, *, seconds: float = 1.24
    ) -> Span:
        span = self.start("chat x", parent, scope="agentops_otel_litellm", kind=SpanKind.CLIENT)
        span.set_attributes(attributes)
        self.end(span, seconds)
        return span

    def end(self, span: Span, seconds: float = 1.0) -> None:
        assert span.start_time is not None
        span.end(span.start_time + int(seconds * 1e9))

    def text(self) -> str:
        """All that was printed after the hint."""
        self.provider.force_flush()
        return self.out.getvalue().partition("switches this off.\n")[2]

    def calls(self) -> list[str]:
        """The printed lines, cut after the call's own column, without the heading."""
        return [line[:32].rstrip() for line in self.text().splitlines()[1:]]


Start = Callable[..., App]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start an app that prints, by default to a file and in batches."""
    providers: list[TracerProvider] = []

    def start(
        *, width: int | None = None, processor: Processor = BatchSpanProcessor, open_spans: OpenSpans | None = None
    ) -> App:
        out, known = io.StringIO(), open_spans or OpenSpans()
        console = Console(file=out, width=width) if width else None
        exporter = ConsoleSpanExporter(out, console=console, open_spans=known)
        app = App(_provider(exporter, processor, known if open_spans is None else None), out)
        providers.append(app.provider)
        return app

    yield start
    for provider in providers:
        provider.shutdown()


def _provider(
    exporter: SpanExporter, processor: Processor = SimpleSpanProcessor, open_spans: OpenSpans | None = None
) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    if open_spans is not None:
        provider.add_span_processor(open_spans)
    provider.add_span_processor(processor(exporter))
    return provider


def _research(app: App) -> None:
    """A request that plans, and routes a question until somebody answers."""
    request = app.start("POST /research")
    plan = app.start("agent.plan", request)
    app.call(CALL, plan)
    app.end(plan)
    app.end(app.start("SELECT", request))
    route = app.start("route smart", request, scope="agentops_otel_litellm")
    app.call(FAILURE, route, seconds=0.22)
    app.call({**CALL, "gen_ai.request.model": "claude-sonnet-4", "gen_ai.usage.input_tokens": 12345}, route, seconds=125)
    app.end(route, 126)
    app.call({**CALL, "gen_ai.usage.cost.amount": 0.0, "llm.cache.hit": True}, request, seconds=0.0003)
    app.end(request, 140)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            None,
            """\
            call                                  provider             time  1st token        tokens       cost  outcome
            POST /research
              agent.plan
                chat gpt-4o-mini                  openai             1.24 s     310 ms     1,204→145  $0.000268  ok
              route smart                                        2 m 06 s                                      ok
                chat gpt-4o                       azure.ai.openai    220 ms                                      429 RateLimitError
                chat claude-sonnet-4              openai           2 m 05 s     310 ms    12,345→145  $0.000268  ok
              chat gpt-4o-mini                    openai              <1 ms     310 ms     1,204→145      $0.00  cached
            """,
        ),
    ],
)
def test_a(width: int | None, expected: str, start: Start) -> None:
    app = start(width=width)
    _research(app)
    app.provider.shutdown()
    print(app.out.getvalue())
    for w in (100, 60):
        app = start(width=w); _research(app); app.provider.shutdown(); print(app.out.getvalue())
    app = start(processor=SimpleSpanProcessor); _research(app); app.provider.shutdown(); print(app.out.getvalue())
