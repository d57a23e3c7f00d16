"""What apps do alike with the further APIs, and what their spans then say alike."""

from __future__ import annotations

import asyncio
import gc

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from support.api_caller import ApiCaller, Result, rest
from support.recorder import Attributes, Recorder, attributes_of
from support.servers.wire import WireProvider
from support.wire_formats import TEXT, stream_everywhere


def request_attributes(attributes: Attributes) -> Attributes:
    """What is said of what was asked."""
    return {name: value for name, value in attributes.items() if ".request." in name or name == "gen_ai.output.type"}


def names_with(attributes: Attributes, *parts: str) -> list[str]:
    return [name for name in attributes if any(part in name for part in parts)]


def abandon(api: ApiCaller, function: str, *, after: int, **asked: object) -> None:
    """Read so many chunks of a stream, and forget it."""

    async def part() -> None:
        stream = await api.start(function, **asked)
        for _ in range(after):
            await anext(stream)

    if api.asynchronous:
        asyncio.run(part())
    else:
        stream = api.start(function, **asked)
        for _ in range(after):
            next(stream)
        del stream
    gc.collect()


async def cancel_reading(stream: Result) -> None:
    """Cancel the task that waits for the rest of a stream."""
    waiting = asyncio.create_task(rest(stream))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])


def assert_first_token_after_first_chunk(
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, function: str, asked: dict[str, object]
) -> None:
    """Of a stream whose events come 0.05 s apart, some of which come before the first that carries text."""
    stream_everywhere(wire)
    api.call(function, stream=True, **asked)  # LiteLLM imports much at its first event
    wire.reset()
    telemetry.forget()
    stream_everywhere(wire, delay=0.05)
    api.call(function, stream=True, **asked)
    attributes = telemetry.attributes()
    first_chunk, first_token = (
        attributes["gen_ai.response.time_to_first_chunk"],
        attributes["llm.response.time_to_first_token"],
    )
    assert isinstance(first_chunk, float)
    assert isinstance(first_token, float)
    assert first_chunk + 0.05 < first_token  # several times that, but for how busy the machine is


def assert_stream_was_interrupted(telemetry: Recorder) -> ReadableSpan:
    """The one span is of a stream that failed after its second piece."""
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert span.status.status_code is StatusCode.ERROR
    assert attributes["llm.response.stream_outcome"] == "failed"
    assert attributes["llm.error.category"] == "stream_interrupted"
    assert attributes["llm.response.content_length"] == len("Hello, ")
    return span


def assert_provider_error(telemetry: Recorder, error: type[Exception], category: str, status: int) -> ReadableSpan:
    """The one span is of a call that ended with that exception, and quotes nobody."""
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert attributes["error.type"] == error.__name__
    assert attributes["llm.error.category"] == category
    assert attributes["llm.error.status_code"] == status
    assert TEXT not in telemetry.everything()
    return span
