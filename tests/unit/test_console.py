"""The console exporter, used by the real SDK; tests compare the printed text."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as AnySpan
from opentelemetry.util.types import AttributeValue
from rich.cells import cell_len
from rich.console import Console

from agentops_otel_litellm.call import (
    Call,
    Cost,
    Failure,
    Request,
    Response,
    Stream,
    StreamOutcome,
    Target,
    Timing,
    Usage,
)
from agentops_otel_litellm.exporters import console_lines
from agentops_otel_litellm.exporters.console import HINT, OPEN_SPANS, ConsoleSpanExporter, OpenSpans
from agentops_otel_litellm.exporters.console_lines import ATTRIBUTES, COLUMNS, dollars, duration, printable, tokens
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.convention import Vocabulary
from support.console_environment import plain_environment  # noqa: F401 - a fixture

Attributes = dict[str, AttributeValue]
EPOCH = 1_700_000_000_000_000_000
CHAT: Attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.provider.name": "openai",
    "gen_ai.usage.input_tokens": 1204,
    "gen_ai.usage.output_tokens": 145,
    "gen_ai.usage.cost.amount": 0.0002676,
    "gen_ai.response.time_to_first_chunk": 0.31,
    "llm.response.stream_outcome": "completed",
}
CLAUDE: Attributes = {**CHAT, "gen_ai.request.model": "claude-sonnet-4", "gen_ai.usage.cost.amount": 0.0123}
FAILED: Attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.provider.name": "azure.ai.openai",
    "error.type": "litellm.exceptions.Timeout",
}


@dataclass
class App:
    """A traced application. Its clock advances by a second for each span that it starts."""

    provider: TracerProvider
    out: io.StringIO
    has_colors: bool = True
    """Whether rich is installed."""
    seconds: int = 0

    def start(self, name: str, parent: AnySpan | None = None, kind: SpanKind | None = None) -> Span:
        """A span of the application, or one of this package if `kind` is set."""
        self.seconds += 1
        span = self.provider.get_tracer("agentops_otel_litellm" if kind else "app").start_span(
            name,
            context=set_span_in_context(parent) if parent is not None else None,
            kind=kind or SpanKind.INTERNAL,
            start_time=EPOCH + self.seconds * 10**9,
        )
        assert isinstance(span, Span)
        return span

    def end(self, span: Span, *, lasting: float = 1) -> None:
        assert span.start_time is not None
        span.end(span.start_time + round(lasting * 1e9))

    def call(self, attributes: Attributes, parent: AnySpan | None = None, *, lasting: float = 1.24) -> None:
        span = self.start("chat", parent, SpanKind.CLIENT)
        span.set_attributes(attributes)
        self.end(span, lasting=lasting)

    def printed(self) -> list[str]:
        """The lines since the last call of this method."""
        self.provider.force_flush()
        text = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        return text.splitlines()

    def tree(self) -> list[str]:
        """The names of calls and headers, without other columns."""
        return [line[:36].rstrip() for line in self.printed() if not line.startswith("call ")]

    def totals(self) -> list[str]:
        self.printed()
        self.provider.shutdown()
        return self.printed()


AppStart = Callable[..., App]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=["rich", "plain"])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppStart]:
    """Start an app that prints what it exports, by default in batches and to a file; with rich, and without it."""
    providers: list[TracerProvider] = []
    is_plain = request.param == "plain"
    if is_plain:
        monkeypatch.setitem(sys.modules, "rich.console", None)

    def start(
        *,
        width: int | None = None,
        at_once: bool = False,
        out: io.StringIO | None = None,
        open_spans: OpenSpans | None = None,
    ) -> App:
        out = out or (Terminal() if width and is_plain else io.StringIO())
        if width:
            monkeypatch.setenv("COLUMNS", str(width))
        console = Console(file=out, width=width) if width and not is_plain else None
        own_spans = OpenSpans()
        exporter = ConsoleSpanExporter(out, console=console, open_spans=open_spans or own_spans)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(own_spans)
        processor = SimpleSpanProcessor if at_once else BatchSpanProcessor
        provider.add_span_processor(processor(exporter))
        providers.append(provider)
        app = App(provider, out, has_colors=not is_plain)
        app.printed()
        return app

    yield start
    for provider in providers:
        provider.shutdown()


def handle_request(app: App) -> None:
    """A request with a nested call, a route of two calls, and a cached call."""
    request = app.start("POST /research")
    plan = app.start("agent.plan", request)
    app.call(CHAT, plan)
    app.end(plan)
    app.end(app.start("SELECT", request))
    route = app.start("route smart", request, SpanKind.INTERNAL)
    route.set_attribute("llm.vendor", "litellm")
    app.call(FAILED, route, lasting=0.22)
    app.call(CLAUDE, route, lasting=125)
    app.end(route, lasting=126)
    app.call({**CHAT, "gen_ai.usage.cost.amount": 0.0, "llm.cache.hit": True}, request, lasting=0.0003)
    app.end(request)


WITHOUT_WIDTH = """\
call                                  provider             time  1st token        tokens       cost  outcome
POST /research
  agent.plan
    chat gpt-4o-mini                  openai             1.24 s     310 ms     1,204→145    $0.0003  ok
  route smart                                          2 m 06 s                                      ok
    chat gpt-4o                       azure.ai.openai    220 ms                                      Timeout
    chat claude-sonnet-4              openai           2 m 05 s     310 ms     1,204→145    $0.0123  ok
  chat gpt-4o-mini                    openai              <1 ms     310 ms     1,204→145      $0.00  cached

4 calls                                                                        3,612→435    $0.0126  1 failed
  1 claude-sonnet-4                                                            1,204→145    $0.0123
  2 gpt-4o-mini                                                                2,408→290    $0.0003
  1 gpt-4o                                                                                           1 failed
"""
AT_100_COLUMNS = """\
call                        provider             time  1st token        tokens       cost  outcome
POST /research
  agent.plan
    chat gpt-4o-mini        openai             1.24 s     310 ms     1,204→145    $0.0003  ok
  route smart                                2 m 06 s                                      ok
    chat gpt-4o             azure.ai.openai    220 ms                                      Timeout
    chat claude-sonnet-4    openai           2 m 05 s     310 ms     1,204→145    $0.0123  ok
  chat gpt-4o-mini          openai              <1 ms     310 ms     1,204→145      $0.00  cached

4 calls                                                              3,612→435    $0.0126  1 failed
  1 claude-sonnet-4                                                  1,204→145    $0.0123
  2 gpt-4o-mini                                                      2,408→290    $0.0003
  1 gpt-4o                                                                                 1 failed
"""
AT_60_COLUMNS = """\
call                              time       cost  outcome
POST /research
  agent.plan
    chat gpt-4o-mini            1.24 s    $0.0003  ok
  route smart                 2 m 06 s             ok
    chat gpt-4o                 220 ms             Timeout
    chat claude-sonnet-4      2 m 05 s    $0.0123  ok
  chat gpt-4o-mini               <1 ms      $0.00  cached

4 calls                                   $0.0126  1 failed
  1 claude-sonnet-4                       $0.0123
  2 gpt-4o-mini                           $0.0003
  1 gpt-4o                                         1 failed
"""


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (None, WITHOUT_WIDTH),
        (100, AT_100_COLUMNS),
        (60, AT_60_COLUMNS),
    ],
)
def test_a_batch_is_printed_as_a_tree(width: int | None, expected: str, start: AppStart) -> None:
    """With as many columns as fit the width, and followed by totals."""
    app = start(width=width)
    handle_request(app)
    app.provider.shutdown()
    assert app.out.getvalue() == expected


def test_spans_that_are_exported_one_by_one(start: AppStart) -> None:
    """A call with children is printed first as their header, and at its end as a line."""
    app = start(at_once=True)
    handle_request(app)
    lines = WITHOUT_WIDTH.splitlines()[:8]
    route = lines.pop(4)
    lines.insert(4, "  route smart")
    lines.insert(7, route)
    assert app.printed() == lines


@pytest.mark.parametrize("at_once", [False, True])
def test_nested_calls_are_indented(start: AppStart, *, at_once: bool) -> None:
    """Whichever of parent and child is exported first."""
    app = start(at_once=at_once)
    batch = app.start("batch_completion gpt-4o-mini", None, SpanKind.INTERNAL)
    app.call(CHAT, batch)
    app.call(CHAT, batch)
    app.end(batch)
    tree = ["batch_completion gpt-4o-mini", "  chat gpt-4o-mini", "  chat gpt-4o-mini"]
    assert app.tree() == (tree + tree[:1] if at_once else tree)


def test_siblings_are_in_the_order_of_their_start(start: AppStart) -> None:
    """Within a batch, and not in the order of their end."""
    app = start()
    root = app.start("root")
    first, second = (app.start(name, root, SpanKind.CLIENT) for name in ("first", "second"))
    app.end(second)
    app.end(first)
    assert app.tree() == ["root", "  first", "  second"]


def test_a_header_is_printed_once(start: AppStart) -> None:
    """It is repeated after lines of another trace."""
    app = start()
    root, other = app.start("root"), app.start("other")
    printed = []
    for parent in (root, root, other, root):
        app.call(CHAT, parent)
        printed.append(app.tree())
    call = "  chat gpt-4o-mini"
    assert printed == [["root", call], [call], ["other", call], ["root", call]]


def test_the_header_of_an_ended_span(start: AppStart) -> None:
    """It is the name of the span at its end, also if its child is in a later batch."""
    app = start()
    root = app.start("HTTP POST")
    root.update_name("POST /research")
    app.end(root)
    app.provider.force_flush()
    app.call(CHAT, root)
    assert app.tree() == ["POST /research", "  chat gpt-4o-mini"]


def test_spans_without_calls_are_not_printed(start: AppStart) -> None:
    """The heading is not printed either."""
    app = start()
    app.end(app.start("SELECT", app.start("root")))
    assert app.printed() == []


def test_a_call_with_an_unknown_parent_is_marked(start: AppStart) -> None:
    """So that it does not appear as a child of the line above."""
    app = start(open_spans=OpenSpans())
    app.call(CHAT)
    app.call(CHAT, app.start("root"))
    assert app.tree() == ["chat gpt-4o-mini", "… chat gpt-4o-mini"]


def test_a_parent_in_the_batch_is_found(start: AppStart) -> None:
    """Also if open spans are unknown."""
    app = start(open_spans=OpenSpans())
    root = app.start("root")
    app.call(CHAT, root)
    app.end(root)
    assert app.tree() == ["root", "  chat gpt-4o-mini"]


def test_a_remote_parent_is_not_printed(start: AppStart) -> None:
    """It belongs to another process."""
    app = start()
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    app.call(CHAT, NonRecordingSpan(remote))
    assert app.tree() == ["chat gpt-4o-mini"]


def test_a_cycle_of_parents_ends(start: AppStart) -> None:
    """A generator of constant ids makes a span its own ancestor."""
    app = start(width=60)
    local = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    app.provider.id_generator.generate_span_id = lambda: 2  # type: ignore[method-assign] # an odd generator
    app.call(CHAT, NonRecordingSpan(local))
    assert app.printed()[0].startswith("call ")


def test_unknown_values_are_blank(start: AppStart) -> None:
    """So are values of an unexpected type."""
    app = start(width=100)
    operation: Attributes = {"gen_ai.operation.name": "rerank"}
    app.call({})
    app.call({**operation, "gen_ai.response.model": "rerank-v3", "gen_ai.usage.output_tokens": 7})
    app.call({**operation, "gen_ai.usage.input_tokens": "7", "error.type": ""}, lasting=-1)
    assert app.printed()[1:] == [
        "chat                                           1.24 s",
        "rerank rerank-v3                               1.24 s                       →7             ok",
        "rerank                                                                                     ok",
    ]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, "ok"),
        ({"llm.response.stream_outcome": "completed"}, "ok"),
        ({"llm.cache.hit": True}, "cached"),
        ({"llm.cache.hit": False}, "ok"),
        ({"llm.response.stream_outcome": "closed"}, "closed"),
        ({"llm.response.stream_outcome": "abandoned"}, "abandoned"),
        ({"llm.response.stream_outcome": "cancelled", "error.type": "CancelledError"}, "cancelled"),
        ({"llm.response.stream_outcome": "failed"}, "error"),
        ({"llm.response.stream_outcome": "failed", "error.type": "APIError"}, "APIError"),
        ({"error.type": "openai.RateLimitError", "llm.error.status_code": 429}, "429 RateLimitError"),
        ({"error.type": "503", "llm.error.status_code": 503}, "503"),
    ],
)
def test_the_outcome_of_a_call(attributes: Attributes, expected: str, start: AppStart) -> None:
    """In the last column; only failed calls count as failed in the totals."""
    app = start()
    app.call({"gen_ai.operation.name": "chat", **attributes})
    assert app.printed()[1][101:] == expected
    failed = "error" in expected.lower() or expected == "503"
    assert app.totals()[1][101:] == ("1 failed" if failed else "")


def attributes_in(names: str, call: Call) -> Attributes:
    """The attributes of a call in some vocabularies."""
    return Vocabulary.merged([VOCABULARIES[name] for name in names.split(",")]).attributes(call)


def example_call(outcome: StreamOutcome | None) -> Call:
    """A plain call, or a stream with that outcome."""
    return Call(
        name="chat",
        operation="chat",
        target=Target(provider="openai", model="gpt-4o"),
        timing=Timing(started_at=EPOCH),
        request=Request(model="gpt-4o", stream=outcome is not None),
        response=Response(model="gpt-4o", finish_reasons=("stop",)),
        usage=Usage(input=1204, output=145, total=1349),
        cost=Cost(total=0.0002676, source="litellm"),
        stream=outcome and Stream(outcome=outcome, chunk_count=2, first_chunk=0.3102, first_token=0.3104),
    )


@pytest.mark.parametrize("names", ["gen_ai", "llm", "openinference", "gen_ai,llm", "llm,gen_ai"])
def test_values_are_found_in_every_vocabulary(names: str, start: AppStart) -> None:
    """For the line and for the totals."""
    app = start(width=100)
    app.call(attributes_in(names, example_call("completed")))
    outcome = "ok" if "llm" in names else ""
    call = "chat gpt-4o" if "gen_ai" in names else "chat"  # the name of the test's span has no model
    first = "" if names == "openinference" else "310 ms"
    columns = f"openai             1.24 s     {first:6}     1,204→145    $0.0003"
    assert app.printed()[1:] == [f"{call:28}{columns}  {outcome}".rstrip()]
    assert app.totals()[1].split() == ["1", "call", "1,204→145", "$0.0003"]


@pytest.mark.parametrize(
    ("names", "outcome", "expected"),
    [
        ("gen_ai", None, "ok"),
        ("gen_ai", "completed", ""),
        ("gen_ai", "abandoned", ""),
        ("llm", None, "ok"),
        ("llm", "completed", "ok"),
        ("llm", "abandoned", "abandoned"),
        ("gen_ai,llm", None, "ok"),
        ("gen_ai,llm", "completed", "ok"),
        ("gen_ai,llm", "abandoned", "abandoned"),
    ],
)
def test_a_stream_without_known_outcome_is_not_ok(
    names: str, outcome: StreamOutcome | None, expected: str, start: AppStart
) -> None:
    """The vocabulary `gen_ai` has no outcome of a stream."""
    app = start()
    app.call(attributes_in(names, example_call(outcome)))
    assert app.printed()[1][101:] == expected


@pytest.mark.parametrize(("names", "expected"), [("gen_ai", "310 ms"), ("llm", ""), ("gen_ai,llm", "")])
def test_the_first_chunk_is_the_first_token_if_unknown(names: str, expected: str, start: AppStart) -> None:
    """If `llm` is recorded, a missing first token means that there was none."""
    app = start()
    app.call(
        attributes_in(
            names,
            replace(example_call("abandoned"), stream=Stream(outcome="abandoned", chunk_count=1, first_chunk=0.31)),
        )
    )
    assert app.printed()[1][65:74].strip() == expected


@pytest.mark.parametrize(("names", "expected"), [("gen_ai", "Timeout"), ("llm", "408 Timeout")])
def test_a_failure_is_found_in_every_vocabulary(names: str, expected: str, start: AppStart) -> None:
    app = start()
    failure = Failure(type="Timeout", ancestry=("Timeout",), status_code=408)
    app.call(
        attributes_in(
            names, Call(name="chat", operation="chat", target=Target(), timing=Timing(started_at=1), failure=failure)
        )
    )
    assert app.printed()[1][101:] == expected


def test_every_attribute_is_in_a_vocabulary() -> None:
    """Each attribute that the exporter reads."""
    written = {name for vocabulary in VOCABULARIES.values() for name in vocabulary}
    assert {name for names in ATTRIBUTES.values() for name in names} <= written


class Collecting(io.StringIO):
    """A file during whose `write` another span ends, as in a garbage collection."""

    app: App | None = None

    def write(self, text: str) -> int:
        app, self.app = self.app, None
        if app is not None:
            app.call(CLAUDE)
        return super().write(text)


def test_a_span_that_ends_during_printing_is_printed_next(start: AppStart) -> None:
    """Without a deadlock."""
    out = Collecting()
    app = start(at_once=True, out=out)
    out.app = app
    app.call(CHAT)
    assert app.tree() == ["chat gpt-4o-mini", "chat claude-sonnet-4"]


def test_an_error_status_without_type_is_an_error(start: AppStart) -> None:
    """The outcome is `error`."""
    app = start()
    span = app.start("chat", None, SpanKind.CLIENT)
    span.set_status(StatusCode.ERROR)
    app.end(span)
    assert app.printed()[1].endswith("  error")


def test_a_long_error_is_cut(start: AppStart) -> None:
    """After it has used the space of blank columns."""
    app = start(width=60)
    app.call({**FAILED, "llm.error.status_code": 429, "error.type": "RateLimitError"})
    app.call({**FAILED, "llm.error.status_code": 400, "error.type": "ContextWindowExceededError"})
    app.call({**CHAT, "error.type": "MidStreamFallbackError"})
    assert app.printed()[1:] == [
        "chat gpt-4o                     1.24 s  429 RateLimitError",
        "chat gpt-4o                     1.24 s  400 ContextWindowEx…",
        "chat gpt-4o-mini                1.24 s    $0.0003  MidStrea…",
    ]


def test_wide_values_are_not_cut(start: AppStart) -> None:
    """They use the space of the name of the call."""
    app = start(width=60)
    app.call({**CHAT, "gen_ai.usage.cost.amount": 123456789.5})
    app.call({**CHAT, "gen_ai.usage.cost.amount": 1234567890123456.5, "gen_ai.request.model": "claude-sonnet-4"})
    assert app.printed()[1:] == [
        "chat gpt-4o-mini          1.24 s  $123,456,789.50  ok",
        "chat claude…    1.24 s  $1,234,567,890,123,456.50  ok",
    ]


@pytest.mark.parametrize(
    ("attributes", "outcome"),
    [
        ({"llm.retry.count": 0, "llm.fallback.used": False}, "ok"),
        ({"llm.retry.count": 1, "llm.fallback.used": False}, "ok, 1 retry"),
        ({"llm.retry.count": 2}, "ok, 2 retries"),
        ({"llm.retry.count": 0, "llm.fallback.used": True}, "ok, fallback"),
        ({"llm.retry.count": 3, "llm.fallback.used": True}, "ok, 3 retries, fallback"),
        ({"llm.retry.count": 2, "error.type": "Timeout"}, "Timeout"),
    ],
)
def test_retries_and_fallbacks_of_a_success(start: AppStart, attributes: Attributes, outcome: str) -> None:
    app = start(width=140)
    app.call({**CHAT, **attributes})
    assert app.printed()[1].endswith(f"  {outcome}")


def test_deep_calls_keep_half_of_their_column(start: AppStart) -> None:
    """Headers may use the whole width."""
    app = start(width=60)
    deep: Span | None = None
    for depth in range(1, 9):
        deep = app.start(f"handle the request with middleware number {depth}", deep)
    app.call(CHAT, deep)
    assert app.printed()[-2:] == [
        "              handle the request with middleware number 8",
        "               chat gpt-4o-…    1.24 s    $0.0003  ok",
    ]


@pytest.mark.parametrize("width", range(1, 130))
def test_no_line_exceeds_the_width(width: int, start: AppStart) -> None:
    """At any width."""
    app = start(width=width)
    deep: Span | None = None
    for depth in range(12):
        deep = app.start(f"a span at the depth of {depth}", deep)
    app.call({**CHAT, "gen_ai.request.model": "日本語のモデル" * 5, "gen_ai.provider.name": "p" * 30}, deep)
    app.call({**CHAT, "gen_ai.usage.input_tokens": 10**15, "gen_ai.usage.cost.amount": 1e-15}, deep)
    app.call({**CHAT, "error.type": "E" * 300}, deep)
    app.call(FAILED)
    app.provider.shutdown()
    assert [line for line in app.printed() if cell_len(line) > width] == []


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (200, ["provider", "time", "1st token", "tokens", "cost"]),
        (100, ["provider", "time", "1st token", "tokens", "cost"]),
        (99, ["time", "1st token", "tokens", "cost"]),
        (80, ["time", "tokens", "cost"]),
        (60, ["time", "cost"]),
        (50, ["time"]),
    ],
)
def test_narrow_terminals_omit_columns(width: int, names: list[str], start: AppStart) -> None:
    """The least important columns first."""
    app = start(width=width)
    app.call(CHAT)
    heading = app.printed()[0]
    assert [name for name in COLUMNS if name in heading] == names


def test_the_heading_is_repeated_after_a_change_of_columns(monkeypatch: pytest.MonkeyPatch, start: AppStart) -> None:
    app = start(out=Terminal())
    headings = []
    for columns in ("100", "100", "60"):
        monkeypatch.setenv("COLUMNS", columns)
        app.call(CHAT)
        headings.append(len(app.printed()) - 1)
    assert headings == [1, 0, 1]


class Windows1252(io.StringIO):
    """stderr on Windows, redirected to a file."""

    encoding = "cp1252"


def test_arrows_are_ascii_in_other_encodings(start: AppStart) -> None:
    """With the same width, so that the encoding does not escape them."""
    app = start(out=Windows1252())
    app.call(CHAT)
    lines = app.printed()
    assert lines == [line.replace("→", ">") for line in lines_for(start, CHAT)]
    assert " 1,204>145 " in lines[-1]


def lines_for(start: AppStart, attributes: Attributes) -> list[str]:
    app = start()
    app.call(attributes)
    return app.printed()


def test_no_totals_without_calls(start: AppStart) -> None:
    app = start()
    app.end(app.start("SELECT"))
    app.end(app.start("route smart", None, SpanKind.INTERNAL))
    assert app.totals() == []


def test_totals_of_one_model_have_no_table(start: AppStart) -> None:
    """They are printed once."""
    app = start()
    app.call(CHAT)
    assert app.totals() == [
        "",
        "1 call                                                                         1,204→145    $0.0003",
    ]
    app.provider.shutdown()
    assert app.printed() == []


def test_unknown_totals_are_blank(start: AppStart) -> None:
    """They are not zero."""
    app = start()
    app.call({})
    app.call({})
    assert app.totals() == ["", "2 calls"]


def test_calls_without_a_price_are_counted(start: AppStart) -> None:
    """Unless they used no tokens, as failed calls."""
    app = start(width=80)
    unpriced: Attributes = {"gen_ai.request.model": "llama", "gen_ai.usage.input_tokens": 100}
    for attributes in (CHAT, unpriced, unpriced, FAILED):
        app.call(attributes)
    assert app.totals() == [
        "",
        "4 calls                                          1,404→145    $0.0003  1 failed",
        "  1 gpt-4o-mini                                  1,204→145    $0.0003",
        "  2 llama                                             200→",
        "  1 gpt-4o                                                             1 failed",
        "(2 calls without a known price)",
    ]


def test_the_cost_of_a_route_is_not_in_the_totals(start: AppStart) -> None:
    """A route has the sum of its calls in its line."""
    app = start(width=100)
    for calls in (1, 2):
        route = app.start("route smart", None, SpanKind.INTERNAL)
        for _ in range(calls):
            app.call(CHAT, route)
        route.set_attributes({"llm.vendor": "litellm", "agentops.trace.cost": calls * 0.0002676})
        app.end(route)
    routes = [line.split() for line in app.printed() if line.startswith("route")]
    assert [[word for word in words if word.startswith("$")] for words in routes] == [["$0.0003"], ["$0.0005"]]
    assert [line.split() for line in app.totals()[1:2]] == [["3", "calls", "3,612→435", "$0.0008"]]


def test_totals_have_the_cost_of_traces(start: AppStart, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values cover all traces, although only some are kept."""
    monkeypatch.setattr(console_lines, "TRACES_KEPT", 2)
    app = start(width=100)
    for _ in range(5):
        route = app.start("route smart", None, SpanKind.INTERNAL)
        for _ in range(2):
            app.call(CHAT, route)
        app.end(route)
    assert app.totals()[-1] == "(5 traces, $0.0005 each on average, $0.0005 at most)"


def test_the_most_expensive_models_are_listed(monkeypatch: pytest.MonkeyPatch, start: AppStart) -> None:
    """Other models are counted, and the number of models is limited."""
    monkeypatch.setattr(console_lines, "MODELS_KEPT", 11)
    app = start()
    for number in range(13):
        app.call({"gen_ai.request.model": f"model-{number}", "gen_ai.usage.cost.amount": float(number + 1)})
    names = [line[:36].rstrip() for line in app.totals()]
    listed = [f"  1 model-{number}" for number in (10, 9, 8, 7, 6, 5, 4)]
    assert names == ["", "13 calls", "  2 other models", *listed, "  4 more"]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (None, ""),
        (0.0, "$0.00"),
        (0.00007, "< $0.0001"),
        (0.0001, "$0.0001"),
        (0.0034126, "$0.0034"),
        (0.42, "$0.4200"),
        (0.00000004, "< $0.0001"),
        (1.2e-12, "< $0.0001"),
        (1, "$1.00"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars(amount: float | None, expected: str) -> None:
    """Small costs are not rounded to 0."""
    assert dollars(amount) == expected


@pytest.mark.parametrize(
    ("sent", "received", "expected"),
    [(None, None, ""), (1204, 0, "1,204→0"), (0, None, "0→"), (None, 7.0, "→7")],
)
def test_tokens(sent: float | None, received: float | None, expected: str) -> None:
    """Unknown counts are blank, and zero is 0."""
    assert tokens(sent, received) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""),
        (-1.0, ""),
        (0.0004, "<1 ms"),
        (0.012, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (1.239, "1.24 s"),
        (59.99, "59.99 s"),
        (60, "1 m 00 s"),
        (125, "2 m 05 s"),
        (3720, "62 m 00 s"),
    ],
)
def test_duration(seconds: float | None, expected: str) -> None:
    """In milliseconds, seconds or minutes."""
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpt-4o é 模型", "gpt-4o é 模型"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred[0m"),
        ("\x9b31mred\r\n\tnext\x00", "31mrednext"),
        ("a\u202eb\u2066c\u200bd\u2028e\ud800f", "abcdef"),
        ("x" * 10_000, "x" * 200),
    ],
)
def test_printable(text: str, expected: str) -> None:
    """Control characters are removed, and long texts are cut."""
    assert printable(text) == expected


def test_names_are_not_interpreted_as_markup(monkeypatch: pytest.MonkeyPatch, start: AppStart) -> None:
    """Nor as emoji codes or escape sequences."""
    monkeypatch.setenv("COLUMNS", "200")
    app = start(out=Terminal())
    text_with_codes = "[red]:boom:[/]\x1b]0;title\x07\n"
    attributes = ("gen_ai.operation.name", "gen_ai.request.model", "gen_ai.provider.name", "error.type")
    app.call(dict.fromkeys(attributes, text_with_codes), app.start(text_with_codes))
    text = "\n".join(app.printed())
    assert text.count("[red]:boom:[/]]0;title") == 4
    assert not {"\x07", "\x1b]"} & {text[i : i + n] for i in range(len(text)) for n in (1, 2)}
    assert len(text.splitlines()) == 3


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch, start: AppStart) -> None:
    """NO_COLOR removes every escape sequence. Without rich, there are none."""
    monkeypatch.setenv("COLUMNS", "60")
    app = start(out=Terminal())
    app.call(FAILED)
    app.call(CHAT)
    if not app.has_colors:
        assert "\x1b" not in "".join(app.printed())
        return
    assert [re.sub("\x1b\\[([0-9]+)m", r"<\1>", line).replace("<0>", "</>") for line in app.printed()] == [
        "<2>call</>                        <2>      time       cost</>  <2>outcome</>",
        "chat <1>gpt-4o</>                     1.24 s             <31>Timeout</>",
        "chat <1>gpt-4o-mini</>                1.24 s    $0.0003  <32>ok</>",
    ]
    monkeypatch.setenv("NO_COLOR", "1")
    app.call(CHAT)
    assert app.printed() == ["chat gpt-4o-mini                1.24 s    $0.0003  ok"]


def test_a_hint_is_printed_at_the_start() -> None:
    """It names the variables to send calls elsewhere and to disable the console."""
    out = io.StringIO()
    ConsoleSpanExporter(out)
    assert out.getvalue() == f"{HINT}\n"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318" in HINT
    assert "OTEL_TRACES_EXPORTER=none" in HINT
    assert max(map(len, HINT.splitlines())) <= 80


def test_stderr_is_looked_up_for_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default exporter also uses the shared open spans."""
    outs = [io.StringIO(), io.StringIO()]
    monkeypatch.setattr(sys, "stderr", outs[0])
    exporter = ConsoleSpanExporter()
    monkeypatch.setattr(sys, "stderr", outs[1])
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(OPEN_SPANS)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    App(provider, outs[1]).call(CHAT, provider.get_tracer("app").start_span("root"))
    assert outs[0].getvalue() == f"{HINT}\n"
    calls = [line[:20].rstrip() for line in outs[1].getvalue().splitlines()]
    assert calls == ["call", "root", "  chat gpt-4o-mini"]


class BrokenPipe(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def closed_file() -> io.StringIO:
    out = io.StringIO()
    out.close()
    return out


@pytest.mark.parametrize("stderr", [BrokenPipe(), closed_file(), None], ids=["broken pipe", "closed", "none"])
def test_an_unwritable_stderr_ends_the_printing(
    stderr: io.StringIO | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The application and its stdout are not affected."""
    monkeypatch.setattr(sys, "stderr", stderr)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    app = App(provider, io.StringIO())
    app.call(CHAT)
    app.call(CHAT)
    provider.shutdown()
    os.write(1, b"still here")
    assert (capfd.readouterr().out, caplog.records) == ("still here", [])


def test_a_recording_console_is_used_for_a_picture() -> None:
    """In place of stderr."""
    console = Console(file=io.StringIO(), record=True, width=100)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(console=console)))
    App(provider, io.StringIO()).call(CHAT)
    provider.shutdown()
    picture = console.export_svg(title="python app.py")
    assert all(word in picture for word in ("LiteLLM", "gpt-4o-mini", "$0.0003", "1&#160;call"))
