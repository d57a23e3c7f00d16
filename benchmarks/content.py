"""What it costs to tell what is said, by the size of what is said.

`python benchmarks/content.py` prints, for conversations of prose from 1 kB to 10 MB, the CPU milliseconds that a call's
end takes on the thread that makes the call: reading what was said, redacting and shortening it (`edited`), and
writing it to the span with all else (`told`); and the same without content (`off`). LiteLLM does not run. Each figure
is the least of several, for what a machine does besides is not wanted; read the ratios.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

from agentops_otel_litellm.call import Call, Target, Timing
from agentops_otel_litellm.processors.steps import pipeline
from agentops_otel_litellm.readers.chat import CHAT
from agentops_otel_litellm.semconv import choose_vocabularies
from agentops_otel_litellm.settings import Settings
from agentops_otel_litellm.telemetry import Telemetry

SIZES = (1, 10, 100, 250, 1_000, 10_000)
"""Thousands of characters."""
API_FORMATS = {"messages of 1 kB": 1_000, "messages of 100 kB": 100_000}
ROUNDS = 5
PROSE = (
    "the quick brown fox jumps over a lazy dog while 12 of 345 risk-adjusted pages (see https://example.com/a?b=1) "
    "were sent on 2026-11-23 at 18:22, in call_1: it's done. The key is to listen,"
)

CALL = Call(name="chat", operation="chat", target=Target(provider="openai", model="m"), timing=Timing(started_at=1))


def conversation(size: int, of_one: int) -> list[dict[str, object]]:
    """So many characters, in messages of no more than `of_one`."""
    words = random.Random(0).choices(PROSE.split(" "), k=50_000)  # noqa: S311 - no secret
    text = " ".join(words)[: min(size, of_one)]
    return [{"role": "user", "content": text} for _ in range(max(size // of_one, 1))]


def least(measured: Callable[[], object]) -> float:
    """CPU milliseconds of this thread."""
    taken = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        measured()
        taken.append(time.thread_time() - began)
    return min(taken) * 1_000


def telling(mode: str) -> tuple[Telemetry, Callable[[Call], Call]]:
    """What writes spans, and the last of its processors, which edits content."""
    settings = Settings.from_environment({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": mode})
    telemetry = Telemetry(choose_vocabularies(settings), settings=settings, tracer_provider=TracerProvider())
    return telemetry, pipeline(settings, lambda _call: None, records_content=True).steps[-1].process


def costs(size: int, of_one: int) -> tuple[float, float, float]:
    """Of a call that tells nothing, of editing what is told, and of a call that tells it."""
    off, _ = telling("NO_CONTENT")
    on, edit = telling("SPAN_ONLY")
    messages = conversation(size * 1_000, of_one)

    def said() -> Call:
        assert CHAT.content is not None
        return replace(CALL, content=CHAT.content.request({"messages": messages}))

    known = said()
    return (
        least(lambda: off.finish(off.start(CALL, Context()), CALL)),
        least(lambda: edit(known)),
        least(lambda: on.finish(on.start(CALL, Context()), said())),
    )


def main() -> None:
    for shape, of_one in API_FORMATS.items():
        print(f"\n### {shape}\n\n| kB | off, ms | edited, ms | told, ms | told ÷ told of 1,000 kB |")
        print("|--:|--:|--:|--:|--:|")
        rows = {size: costs(size, of_one) for size in SIZES}
        for size, (off, edited, told) in rows.items():
            print(f"| {size:,} | {off:.2f} | {edited:.2f} | {told:.2f} | {told / rows[1_000][2]:.2f} |")


if __name__ == "__main__":
    main()
