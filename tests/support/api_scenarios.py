"""Actions and assertions that tests of several APIs share."""

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
    """The attributes of the request."""
    return {name: value for name, value in attributes.items() if ".request." in name or name == "gen_ai.output.type"}


def names_with(attributes: Attributes, *parts: str) -> list[str]:
    return [name for name in attributes if any(read_part in name for read_part in parts)]


def abandon(api: ApiCaller, function: str, *, after: int, **parameters: object) -> None:
    """Read `after` chunks of a stream, and drop it."""

    async def read_part() -> None:
        stream = await api.start(function, **parameters)
        for _ in range(after):
            await anext(stream)

    if api.asynchronous:
        asyncio.run(read_part())
    else:
        stream = api.start(function, **parameters)
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
    api: ApiCaller, wire: WireProvider, telemetry: Recorder, function: str, parameters: dict[str, object]
) -> None:
    """For a stream with 0.05 s between its events, some of which precede the first event with text."""
    stream_everywhere(wire)
    api.call(function, stream=True, **parameters)  # LiteLLM imports modules at its first event
    wire.reset()
    telemetry.forget()
    stream_everywhere(wire, delay=0.05)
    api.call(function, stream=True, **parameters)
    attributes = telemetry.attributes()
    first_chunk, first_token = (
        attributes["gen_ai.response.time_to_first_chunk"],
        attributes["llm.response.time_to_first_token"],
    )
    assert isinstance(first_chunk, float)
    assert isinstance(first_token, float)
    assert first_chunk + 0.05 < first_token  # usually more, depending on the load of the machine


def assert_stream_was_interrupted(telemetry: Recorder) -> ReadableSpan:
    """The one span belongs to a stream that failed after its second piece."""
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert span.status.status_code is StatusCode.ERROR
    assert attributes["llm.response.stream_outcome"] == "failed"
    assert attributes["llm.error.category"] == "stream_interrupted"
    assert attributes["llm.response.content_length"] == len("Hello, ")
    return span


def assert_provider_error(telemetry: Recorder, error: type[Exception], category: str, status: int) -> ReadableSpan:
    """The one span belongs to a call with that exception, and no telemetry has the text of the response."""
    (span,) = telemetry.spans()
    attributes = attributes_of(span)
    assert attributes["error.type"] == error.__name__
    assert attributes["llm.error.category"] == category
    assert attributes["llm.error.status_code"] == status
    assert TEXT not in telemetry.everything()
    return span
