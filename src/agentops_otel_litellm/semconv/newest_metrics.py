"""The metrics with the newest names of the conventions, in place of the released names.

The new duration metric covers only the operations that the conventions call inference; other operations keep the old
one. The token metrics cover all calls, so that sums are complete, and have the modalities that the provider reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from agentops_otel_litellm.call import Usage
from agentops_otel_litellm.semconv.gen_ai import INFERENCE
from agentops_otel_litellm.semconv.metrics import (
    OURS,
    SECONDS,
    TOKENS,
    Measurement,
    Metric,
    duration,
    error_type,
    measure_known,
    time_per_output_chunk,
    time_to_first_chunk,
)


def _usage_counter(name: str, what: str, measure: Callable[[Usage], Iterable[Measurement]]) -> Metric:
    """A counter of tokens. `what` is the kind of tokens, for the description."""
    return Metric(
        name=f"gen_ai.client.inference.usage.{name}",
        unit="{token}",
        description=f"{what}, as the provider counted them.",
        instrument="counter",
        measure=lambda call: measure(call.usage) if call.usage else (),
    )


def _by_modality(total: int | None, **parts: int | None) -> Iterator[Measurement]:
    """The known modalities, and the rest as `unknown`. Modalities whose sum exceeds the total are ignored."""
    if total is None:
        return
    known = {modality: count for modality, count in parts.items() if count}
    rest = total - sum(known.values())
    if rest < 0:
        known, rest = {}, total
    for modality, count in known.items():
        yield Measurement(count, {"gen_ai.token.modality": modality})
    if rest or not known:
        yield Measurement(rest, {"gen_ai.token.modality": "unknown"})


def _usage_histogram(name: str, what: str, count: Callable[[Usage], int | None]) -> Metric:
    """A histogram of the tokens of a call. `what` is the kind of tokens, for the description."""
    return Metric(
        name=f"gen_ai.client.inference.operation.{name}",
        unit="{token}",
        description=f"{what} of a call, as the provider counted them.",
        buckets=TOKENS,
        measure=lambda call: measure_known(count(call.usage), error_type(call)) if call.usage else (),
    )


NEWEST: tuple[Metric, ...] = (
    Metric(
        name="gen_ai.client.inference.duration",
        unit="s",
        description="Duration of an inference call; of a stream, until its end.",
        buckets=SECONDS,
        measure=lambda call: duration(call) if call.operation in INFERENCE else (),
    ),
    Metric(
        name="gen_ai.client.operation.duration",
        unit="s",
        description="Duration of a call that is not inference.",
        buckets=SECONDS,
        measure=lambda call: () if call.operation in INFERENCE else duration(call),
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
    time_to_first_chunk("gen_ai.client.inference.time_to_first_chunk"),
    time_per_output_chunk("gen_ai.client.inference.time_per_output_chunk"),
)

NEWEST_METRICS = (*NEWEST, *OURS)
