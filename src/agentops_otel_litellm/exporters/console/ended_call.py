"""EndedCall: reads what the console prints from a call's span, whichever vocabularies its attributes are from."""

from __future__ import annotations

import math

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.exporters.console.formatting import dollars, duration, printable
from agentops_otel_litellm.exporters.console.line import Line, Styled
from agentops_otel_litellm.exporters.console.totals import Tally, format_usage

# Part of a line → the attributes that contain it, the best first.
ATTRIBUTES = {
    "operation": ("gen_ai.operation.name",),
    "model": (
        *("gen_ai.request.model", "llm.request.model", "gen_ai.response.model", "llm.response.model"),
        *("llm.model_name", "embedding.model_name", "reranker.model_name"),
    ),
    "provider": ("gen_ai.provider.name", "llm.provider"),
    "first token": ("llm.response.time_to_first_token",),
    "first chunk": ("gen_ai.response.time_to_first_chunk",),
    "trace cost": ("agentops.trace.cost",),
    "input": ("gen_ai.usage.input_tokens", "llm.usage.prompt_tokens", "llm.token_count.prompt"),
    "output": ("gen_ai.usage.output_tokens", "llm.usage.completion_tokens", "llm.token_count.completion"),
    "cost": ("gen_ai.usage.cost.amount", "llm.usage.cost", "llm.cost.total"),
    "error": ("error.type", "llm.error.type"),
    "error status": ("llm.error.status_code",),
    "stream outcome": ("llm.response.stream_outcome",),
    "cache hit": ("llm.cache.hit",),
    # Only the convention `llm` has the time of the first token and the outcome of a stream. Without it, the line has
    # the time of the first chunk, and shows success only for calls that are not streamed.
    "has llm": ("llm.vendor",),
    "stream": ("gen_ai.request.stream", "gen_ai.response.time_to_first_chunk"),
}


class EndedCall:
    """The parts of a line for a call, as text that is safe to print. A part is `None` if the span does not have it."""

    def __init__(self, span: ReadableSpan) -> None:
        self._span = span
        self._attributes = span.attributes or {}
        self._has_llm = self._text("has llm") is not None
        self.model = self._text("model")
        self.trace_id = span.context.trace_id
        self.outcome = self._outcome()
        self.is_group = span.kind is SpanKind.INTERNAL  # a route or a batch: the calls beneath it are counted

    def line(self, indent: str) -> Line:
        """The line of the call, not yet fitted to a width."""
        call = [(printable(self._span.name), "")]
        if operation := self._text("operation"):
            call = [(f"{operation} ", ""), (self.model or "", "bold")]
        started, ended = self._span.start_time, self._span.end_time
        cells = {
            "provider": self._text("provider") or "",
            "time": duration((ended - started) / 1e9 if started and ended else None),
            "1st token": duration(self._number("first token" if self._has_llm else "first chunk")),
            **format_usage(self.tally()),
        }
        if self.is_group:  # the cost is the sum for the calls beneath it, and is not added to the totals
            cells["cost"] = dollars(self._number("trace cost"))
        return Line(indent=indent, call=call, cells=cells, outcome=self.outcome)

    def tally(self) -> Tally:
        """What this call adds to the totals: one call, its tokens and cost, whether it failed, and whether its cost is
        unknown although it has tokens.
        """
        has_failed = self.outcome[1] == "red"
        amounts = {
            "calls": 1,
            "failed": int(has_failed),
            **{name: self._number(name) for name in ("input", "output", "cost")},
        }
        amounts["unpriced"] = int(amounts["cost"] is None and bool(amounts["input"] or amounts["output"]))
        return {name: amount for name, amount in amounts.items() if amount is not None}

    def _outcome(self) -> Styled:
        """The outcome of the call; blank if it is unknown."""
        stream, error = self._text("stream outcome"), self._text("error")
        if stream is not None and stream not in {"completed", "failed"}:
            return stream, "yellow"
        if error or stream == "failed" or self._span.status.status_code is StatusCode.ERROR:
            status = self._number("error status")
            words = [] if status is None else [f"{status:.0f}"]  # first, because a narrow terminal truncates the end
            kind = (error or "error").rpartition(".")[2]
            return " ".join(dict.fromkeys([*words, kind])), "red"
        if True in self._values("cache hit"):
            return "cached", "blue"
        is_no_stream = self._text("operation") and not self._values("stream")
        return ("ok", "green") if stream or self._has_llm or is_no_stream else ("", "")

    def _text(self, fact: str) -> str | None:
        texts = (printable(value) for value in self._values(fact) if isinstance(value, str))
        return next(filter(None, texts), None)

    def _number(self, fact: str) -> float | None:
        values = (value for value in self._values(fact) if isinstance(value, int | float))
        return next(filter(math.isfinite, values), None)

    def _values(self, fact: str) -> list[AttributeValue]:
        return [self._attributes[name] for name in ATTRIBUTES[fact] if name in self._attributes]
