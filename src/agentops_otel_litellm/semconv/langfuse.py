"""Langfuse's attribute names: what its OpenTelemetry endpoint reads of a model call, besides `gen_ai.*`.

The names are those of Langfuse's published mapper (`OtelIngestionProcessor.ts` in the repository langfuse/langfuse). It
reads model, parameters, messages, session and user by OpenTelemetry's names, and the level `ERROR` and its message from
the span's status. Without `usage_details`, it counts every other attribute `gen_ai.usage.*` as a kind of token, also
`gen_ai.usage.cost.amount` and the parts of a total.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call import App, Call, Cost, Stream, Usage
from agentops_otel_litellm.semconv.convention import Several, Table, Vocabulary
from agentops_otel_litellm.semconv.gen_ai import GEN_AI
from agentops_otel_litellm.semconv.numbered_content import as_json

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DIGITS = 15
"""Decimal places of a difference between costs in US dollars. A token costs 1e-8 dollars or more."""
_INCOMPLETE = {"closed", "abandoned", "cancelled"}
"""Outcomes of a stream that is neither complete nor an error."""


def _less(whole: float, *parts: float | None) -> float:
    """A sum minus those of its parts that are known, at least 0."""
    return max(whole - sum(part for part in parts if part is not None), 0)


def _usage_details(usage: Usage) -> str | None:
    """The tokens as JSON: kind → number. Langfuse adds up the kinds, so that no token may be in two of them."""
    details: dict[str, float | None] = {
        "input": None if usage.input is None else _less(usage.input, usage.cache_read, usage.cache_write),
        "input_cached_tokens": usage.cache_read,
        "input_cache_creation": usage.cache_write,
        "output": None if usage.output is None else _less(usage.output, usage.reasoning, usage.output_audio),
        "output_reasoning_tokens": usage.reasoning,
        "output_audio_tokens": usage.output_audio,
        "total": usage.total,
    }
    return _known_as_json(details)


def _cost_details(cost: Cost) -> str | None:
    """The cost in US dollars as JSON: kind → amount, with the same kinds as the tokens, and the total."""
    details: dict[str, float | None] = {
        "input": None if cost.input is None else round(_less(cost.input, cost.cache_read, cost.cache_write), _DIGITS),
        "input_cached_tokens": cost.cache_read,
        "input_cache_creation": cost.cache_write,
        "output": None if cost.output is None else round(_less(cost.output, cost.reasoning), _DIGITS),
        "output_reasoning_tokens": cost.reasoning,
        "tools": cost.tools,
        "total": cost.total,
    }
    return _known_as_json(details)


def _known_as_json(details: Mapping[str, float | None]) -> str | None:
    known = {kind: value for kind, value in details.items() if value is not None}
    return as_json(known) if known else None


def _completion_start(call: Call, _room: int) -> Mapping[str, AttributeValue]:
    """The time of the first token of a stream, or of its first chunk, as `2026-01-31T12:00:00.123456Z`."""
    stream = call.stream
    first = None if stream is None else stream.first_chunk if stream.first_token is None else stream.first_token
    if first is None:
        return {}
    time = _EPOCH + timedelta(microseconds=call.timing.started_at / 1_000 + first * 1e6)
    return {"completion_start_time": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"}


def _level(stream: Stream) -> str | None:
    return "WARNING" if stream.outcome in _INCOMPLETE else None


LANGFUSE = Vocabulary(
    Table(Call, {"langfuse.observation": Several(_completion_start)}),
    Table(
        Call,
        {
            "langfuse.observation.usage_details": ("usage", _usage_details),
            "langfuse.observation.cost_details": ("cost", _cost_details),
            "langfuse.observation.level": ("stream", _level),
            "langfuse.observation.status_message": (
                "stream",
                lambda stream: f"the stream was {stream.outcome}" if _level(stream) else None,
            ),
        },
    ),
    Table(
        App,
        {
            "langfuse.trace.name": "trace_name",
            "langfuse.trace.tags": "tags",
            "langfuse.observation.prompt.name": "prompt_name",
            "langfuse.observation.prompt.version": "prompt_version",
        },
    ),
    replaces=tuple(name for table in GEN_AI.tables if table.kind in {Usage, Cost} for name in table.rows),
)
