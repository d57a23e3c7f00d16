"""The metrics under the names that the conventions have last given them, in place of those that they have released.

Their duration is that of what they call inference; those of other operations keep the name that they had. Tokens are of
any call, so that none is missing from their sums, and of the modality that the provider counted them by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from agentops_otel_litellm.call import Usage
from agentops_otel_litellm.vocabularies.gen_ai import INFERENCE
from agentops_otel_litellm.vocabularies.metrics import (
    OURS,
    SECONDS,
    TOKENS,
    Measurement,
    Metric,
    duration,
    error_type,
    known,
    time_per_output_chunk,
    time_to_first_chunk,
)


def _counted(name: str, what: str, measure: Callable[[Usage], Iterable[Measurement]]) -> Metric:
    return Metric(
        name=f"gen_ai.client.inference.usage.{name}",
        unit="{token}",
        description=f"{what}, as the provider counted them.",
        instrument="counter",
        measure=lambda call: measure(call.usage) if call.usage else (),
    )


def _by_modality(total: int | None, **parts: int | None) -> Iterator[Measurement]:
    """The parts that are known, and the rest. Parts that are more than the whole are not believed."""
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


def _of_a_call(name: str, what: str, count: Callable[[Usage], int | None]) -> Metric:
    return Metric(
        name=f"gen_ai.client.inference.operation.{name}",
        unit="{token}",
        description=f"{what} of a call, as the provider counted them.",
        buckets=TOKENS,
        measure=lambda call: known(count(call.usage), error_type(call)) if call.usage else (),
    )


NEWEST: tuple[Metric, ...] = (
    Metric(
        name="gen_ai.client.inference.duration",
        unit="s",
        description="Duration of a call of a model that answers, a stream's until its end.",
        buckets=SECONDS,
        measure=lambda call: duration(call) if call.operation in INFERENCE else (),
    ),
    Metric(
        name="gen_ai.client.operation.duration",
        unit="s",
        description="Duration of another call.",
        buckets=SECONDS,
        measure=lambda call: () if call.operation in INFERENCE else duration(call),
    ),
    _counted(
        "input_tokens",
        "Input tokens",
        lambda usage: _by_modality(
            usage.input, text=usage.input_text, image=usage.input_image, audio=usage.input_audio
        ),
    ),
    _counted(
        "output_tokens",
        "Output tokens",
        lambda usage: _by_modality(
            usage.output, text=usage.output_text, image=usage.output_image, audio=usage.output_audio
        ),
    ),
    _counted("cache_read.input_tokens", "Input tokens read from a cache", lambda usage: _by_modality(usage.cache_read)),
    _counted(
        "cache_write.input_tokens", "Input tokens written to a cache", lambda usage: _by_modality(usage.cache_write)
    ),
    _counted(
        "reasoning.output_tokens", "Output tokens spent on reasoning", lambda usage: _by_modality(usage.reasoning)
    ),
    _of_a_call("input_tokens", "Input tokens", lambda usage: usage.input),
    _of_a_call("output_tokens", "Output tokens", lambda usage: usage.output),
    time_to_first_chunk("gen_ai.client.inference.time_to_first_chunk"),
    time_per_output_chunk("gen_ai.client.inference.time_per_output_chunk"),
)

NEWEST_METRICS = (*NEWEST, *OURS)
