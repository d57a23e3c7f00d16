"""The metrics: rows with the values that a finished call contributes, and with their dimensions.

`METRICS` has the names of OpenTelemetry's released conventions, and names of this package:
`gen_ai.client.operation.cost` in the style of the conventions, and `litellm.client.*` for retries, fallbacks, the cache
and open streams.

`NEWEST_METRICS` has the newest names of the conventions instead of the released names.

- `gen_ai.client.inference.duration` covers only the operations that the conventions call inference. The duration of
  other operations keeps the released name.
- The token metrics cover all operations, so that sums are complete. They have the modalities that the provider
  reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from opentelemetry.util.types import AttributeValue

from agentops_otel_litellm.call import MAX_RECORDED_GAPS, Attempt, Call, Usage
from agentops_otel_litellm.semconv.gen_ai import INFERENCE, provider_name

Dimensions = Mapping[str, AttributeValue]
_NONE: Dimensions = MappingProxyType({})

# The dimensions of most metrics. They have few different values: none identifies a call, a user or a key.
DIMENSIONS: Mapping[str, Callable[[Call], AttributeValue | None]] = {
    "gen_ai.operation.name": lambda call: call.operation,
    "gen_ai.provider.name": lambda call: provider_name(call.target.provider),
    "gen_ai.request.model": lambda call: call.target.model,
    "gen_ai.response.model": lambda call: call.response.model if call.response else None,
    "server.address": lambda call: call.target.address,
    "server.port": lambda call: call.target.port,
    # Distinguishes the durations of responses from LiteLLM's cache from those of providers.
    "llm.cache.hit": lambda call: call.response.cache_hit if call.response else None,
}


class Measurement(NamedTuple):
    """A value of a metric, and the dimensions that it has besides `Metric.dimensions`."""

    value: float
    dimensions: Dimensions = _NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of a metric: the values that a call contributes to it. Rows with the same name are one metric."""

    name: str
    unit: str
    description: str
    measure: Callable[[Call], Iterable[Measurement]]
    instrument: Literal["histogram", "counter", "open streams"] = "histogram"
    """`open streams` is an observable up-down counter: the number of calls that have an open stream."""
    buckets: Sequence[float] | None = None
    dimensions: Mapping[str, Callable[[Call], AttributeValue | None]] = field(default_factory=lambda: DIMENSIONS)
    """Name of each dimension that all values of the row have → function that reads its value from a call."""
    of_routes: bool = False
    """Whether operations around calls, such as routes, contribute as well as calls."""

    @property
    def is_standard(self) -> bool:
        """Whether the conventions define the metric, so that other instrumentations record it too."""
        return self.name.startswith("gen_ai.client.") and self.name != COST


COST = "gen_ai.client.operation.cost"
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**power) for power in range(14))
_DOLLARS = tuple(4**power / 1e6 for power in range(14))
"""From a millionth of a dollar to 67 dollars."""


def _measure_known(value: float | None, dimensions: Dimensions = _NONE) -> tuple[Measurement, ...]:
    """The measurement of a value; empty if the value is unknown."""
    return () if value is None else (Measurement(value, dimensions),)


def _duration(call: Call) -> Iterable[Measurement]:
    return _measure_known(call.timing.duration, _error_type(call))


def _error_type(call: Call) -> Dimensions:
    return _NONE if call.failure is None else {"error.type": call.failure.type}


def _first_chunk(call: Call) -> Iterable[Measurement]:
    return _measure_known(call.stream.first_chunk) if call.stream else ()


def _gaps(call: Call) -> Iterable[Measurement]:
    return map(Measurement, (call.stream.gaps or ()) if call.stream else ())


def _time_to_first_chunk(name: str) -> Metric:
    description = "Time from the request to the first chunk of a stream."
    return Metric(name=name, unit="s", description=description, buckets=SECONDS, measure=_first_chunk)


def _time_per_output_chunk(name: str) -> Metric:
    description = f"Time from one chunk of a stream to the next. A stream has at most {MAX_RECORDED_GAPS} values."
    return Metric(name=name, unit="s", description=description, buckets=SECONDS, measure=_gaps)


# --- names of released conventions ------------------------------------------------------------------------


def _token_usage(kind: str, count: Callable[[Usage], int | None]) -> Metric:
    return Metric(
        name="gen_ai.client.token.usage",
        unit="{token}",
        description="Tokens used, as the provider counted them.",
        buckets=_TOKENS,
        measure=lambda call: _measure_known(count(call.usage), {"gen_ai.token.type": kind}) if call.usage else (),
    )


RELEASED: tuple[Metric, ...] = (
    Metric(
        name="gen_ai.client.operation.duration",
        unit="s",
        description="Duration of a call; of a stream, until its end.",
        buckets=SECONDS,
        measure=_duration,
    ),
    _token_usage("input", lambda usage: usage.input),
    _token_usage("output", lambda usage: usage.output),
    _time_to_first_chunk("gen_ai.client.operation.time_to_first_chunk"),
    _time_per_output_chunk("gen_ai.client.operation.time_per_output_chunk"),
)

# --- names of this package ---------------------------------------------------------------------


def _attempts(name: str, description: str, kind: str | None = None) -> Metric:
    """A counter of attempts, by provider and model. It counts the attempts of one `kind` (`retry` or `fallback`); by
    default, all attempts that sent a request, which therefore have a duration.
    """
    return Metric(
        name=f"litellm.client.{name}",
        unit="{attempt}",
        description=description,
        instrument="counter",
        measure=lambda call: (
            Measurement(1, _attempt_dimensions(attempt))
            for attempt in (call.attempts.made if call.attempts else ())
            if (attempt.duration is not None if kind is None else kind == attempt.kind)
        ),
        dimensions={"gen_ai.operation.name": DIMENSIONS["gen_ai.operation.name"]},
        of_routes=kind is not None,
    )


def _attempt_dimensions(attempt: Attempt) -> Dimensions:
    """The provider, model and error of an attempt, as far as they are known."""
    dimensions = {
        "gen_ai.provider.name": provider_name(attempt.provider),
        "gen_ai.request.model": attempt.model,
        "litellm.model_group": attempt.model_group,
        "error.type": attempt.failure.type if attempt.failure else None,
    }
    return {name: value for name, value in dimensions.items() if value is not None}


def _saved_tokens(kind: Literal["input", "output"]) -> Metric:
    return Metric(
        name="litellm.client.cache.saved_tokens",
        unit="{token}",
        description="Tokens saved because the response was in LiteLLM's cache.",
        instrument="counter",
        measure=lambda call: _measure_known(getattr(call.saved, kind, None), {"gen_ai.token.type": kind}),
    )


OURS: tuple[Metric, ...] = (
    Metric(
        name=COST,
        unit="USD",
        description="Cost of a call, if it is known.",
        buckets=_DOLLARS,
        measure=lambda call: _measure_known(call.cost.total) if call.cost else (),
    ),
    _attempts("attempts", "Requests that LiteLLM made to providers."),
    _attempts("retries", "Attempts with the same model, or the same model group, as the previous attempt.", "retry"),
    _attempts(
        "fallbacks", "Attempts after a fallback to a different model, model group or order of deployments.", "fallback"
    ),
    Metric(
        name="litellm.client.cache.hits",
        unit="{call}",
        description="Calls whose response was in LiteLLM's cache.",
        instrument="counter",
        measure=lambda call: _measure_known(1 if call.response and call.response.cache_hit else None),
    ),
    Metric(
        name="litellm.client.cache.saved_cost",
        unit="USD",
        description="Cost saved because the response was in LiteLLM's cache.",
        instrument="counter",
        measure=lambda call: _measure_known(call.saved.cost) if call.saved else (),
    ),
    _saved_tokens("input"),
    _saved_tokens("output"),
    Metric(
        name="litellm.client.active_streams",
        unit="{stream}",
        description="Streams that were returned to the application and have not ended.",
        instrument="open streams",
        measure=lambda _call: _measure_known(1),
    ),
)

# --- newest names of the conventions ----------------------------------------------------------


def _usage_counter(name: str, what: str, measure: Callable[[Usage], Iterable[Measurement]]) -> Metric:
    """A counter of tokens. `what` are the tokens in its description: `Input tokens`."""
    return Metric(
        name=f"gen_ai.client.inference.usage.{name}",
        unit="{token}",
        description=f"{what}, as the provider counted them.",
        instrument="counter",
        measure=lambda call: measure(call.usage) if call.usage else (),
    )


def _by_modality(total: int | None, **parts: int | None) -> Iterator[Measurement]:
    """A number of tokens for each known modality (`parts`), and the rest of the `total` with the modality `unknown`."""
    if total is None:
        return
    known = {modality: count for modality, count in parts.items() if count}
    rest = total - sum(known.values())
    if rest < 0:  # the counts by modality contradict the total, so they are ignored
        known, rest = {}, total
    for modality, count in known.items():
        yield Measurement(count, {"gen_ai.token.modality": modality})
    if rest or not known:
        yield Measurement(rest, {"gen_ai.token.modality": "unknown"})


def _usage_histogram(name: str, what: str, count: Callable[[Usage], int | None]) -> Metric:
    """A histogram of the tokens of a call. `what` are the tokens in its description: `Input tokens`."""
    return Metric(
        name=f"gen_ai.client.inference.operation.{name}",
        unit="{token}",
        description=f"{what} of a call, as the provider counted them.",
        buckets=_TOKENS,
        measure=lambda call: _measure_known(count(call.usage), _error_type(call)) if call.usage else (),
    )


NEWEST: tuple[Metric, ...] = (
    Metric(
        name="gen_ai.client.inference.duration",
        unit="s",
        description="Duration of an inference call; of a stream, until its end.",
        buckets=SECONDS,
        measure=lambda call: _duration(call) if call.operation in INFERENCE else (),
    ),
    Metric(
        name="gen_ai.client.operation.duration",
        unit="s",
        description="Duration of a call that is not inference.",
        buckets=SECONDS,
        measure=lambda call: () if call.operation in INFERENCE else _duration(call),
    ),
    _usage_counter(
        "input_tokens",
        "Input tokens",
        lambda usage: _by_modality(
            usage.input, text=usage.input_text, image=usage.input_image, audio=usage.input_audio
        ),
    ),
    _usage_counter(
        "output_tokens",
        "Output tokens",
        lambda usage: _by_modality(
            usage.output, text=usage.output_text, image=usage.output_image, audio=usage.output_audio
        ),
    ),
    _usage_counter(
        "cache_read.input_tokens", "Input tokens read from a cache", lambda usage: _by_modality(usage.cache_read)
    ),
    _usage_counter(
        "cache_write.input_tokens", "Input tokens written to a cache", lambda usage: _by_modality(usage.cache_write)
    ),
    _usage_counter(
        "reasoning.output_tokens", "Output tokens spent on reasoning", lambda usage: _by_modality(usage.reasoning)
    ),
    _usage_histogram("input_tokens", "Input tokens", lambda usage: usage.input),
    _usage_histogram("output_tokens", "Output tokens", lambda usage: usage.output),
    _time_to_first_chunk("gen_ai.client.inference.time_to_first_chunk"),
    _time_per_output_chunk("gen_ai.client.inference.time_per_output_chunk"),
)

METRICS = (*RELEASED, *OURS)
NEWEST_METRICS = (*NEWEST, *OURS)
